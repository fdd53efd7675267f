// Sizes, times and counts as people write and read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bemi::ingest {

// "1GB", "64kB", "100" (bytes); units as PostgreSQL's, powers of 1024.
std::optional<uint64_t> ParseSize(std::string_view text);

// "500ms", "10s", "5min", "2h", "90d", "4w"; in milliseconds.
std::optional<int64_t> ParseDuration(std::string_view text);

std::string FormatSize(double bytes);        // "1.4 MB"
std::string FormatSeconds(double seconds);   // "3 min 20 s"
std::string FormatCount(uint64_t count);     // "1,234,567"
std::string FormatNumber(double value);      // "0.25", no more digits than matter
std::string JsonString(std::string_view s);  // quoted and escaped

}  // namespace bemi::ingest

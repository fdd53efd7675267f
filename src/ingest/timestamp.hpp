// Times as PostgreSQL's binary format has them: microseconds since 2000-01-01 00:00 UTC.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bemi::ingest {

// "2026-01-02T03:04:05.678901+00:00"; false for anything else.
bool ParseTimestamp(std::string_view text, int64_t* micros);

// The same form, to the second, with Z: for people.
std::string FormatTimestamp(int64_t micros);

int64_t NowMicros();

}  // namespace bemi::ingest

// Times as PostgreSQL's binary format has them: microseconds since 2000-01-01 00:00 UTC.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bemi::ingest {

// The infinities of a timestamptz, and what none is.
inline constexpr int64_t kInfinity = INT64_MAX, kMinusInfinity = INT64_MIN, kNoTime = INT64_MIN + 1;

// "2026-01-02T03:04:05.678901+00:00", with " BC" behind it where that is so, "infinity" or
// "-infinity"; false for anything else.
bool ParseTimestamp(std::string_view text, int64_t* micros);

// The same form, to the second, with Z: for people.
std::string FormatTimestamp(int64_t micros);

// An expression of SQL.
std::string TimestampSql(int64_t micros);

// Seconds that have passed since, 0 where it is still to come.
double SecondsSince(int64_t micros);

int64_t NowMicros();

}  // namespace bemi::ingest

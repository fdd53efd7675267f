#include "timestamp.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace bemi::ingest {

namespace {

constexpr int64_t kSecond = 1000000;
constexpr int64_t kEpochDays = 10957;  // from 1970-01-01 to 2000-01-01
// Of a timestamptz, before and after Christ; the microseconds of a later one overflow.
constexpr int64_t kFirstYear = 4714, kLastYear = 294276;

// Days since 1970-01-01 of the proleptic Gregorian calendar (years counted from March).
int64_t DaysOf(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

bool Digits(std::string_view text, size_t at, size_t count, int64_t* value) {
    *value = 0;
    for (size_t i = at; i < at + count; ++i) {
        if (i >= text.size() || text[i] < '0' || text[i] > '9')
            return false;
        *value = *value * 10 + (text[i] - '0');
    }
    return true;
}

// One that is finite.
bool ParseMoment(std::string_view text, int64_t* micros) {
    constexpr std::string_view kBeforeChrist = " BC";
    bool before_christ = text.size() > kBeforeChrist.size() &&
                         text.substr(text.size() - kBeforeChrist.size()) == kBeforeChrist;
    if (before_christ)
        text.remove_suffix(kBeforeChrist.size());
    size_t year_digits = text.find('-');
    if (year_digits == std::string_view::npos || year_digits < 4 || year_digits > 6)
        return false;
    int64_t year, month, day, hour, minute, second, fraction;
    std::string_view rest = text.substr(year_digits);
    if (rest.size() != 28 || rest.substr(22) != "+00:00" || rest[3] != '-' || rest[6] != 'T' ||
        rest[9] != ':' || rest[12] != ':' || rest[15] != '.')
        return false;
    if (!Digits(text, 0, year_digits, &year) || !Digits(rest, 1, 2, &month) ||
        !Digits(rest, 4, 2, &day) || !Digits(rest, 7, 2, &hour) || !Digits(rest, 10, 2, &minute) ||
        !Digits(rest, 13, 2, &second) || !Digits(rest, 16, 6, &fraction))
        return false;
    if (year > (before_christ ? kFirstYear : kLastYear) || month < 1 || month > 12 || day < 1 ||
        day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    if (before_christ)
        year = 1 - year;
    int64_t days = DaysOf(year, static_cast<int>(month), static_cast<int>(day)) - kEpochDays;
    *micros = ((days * 24 + hour) * 60 + minute) * 60 * kSecond + second * kSecond + fraction;
    return true;
}

}  // namespace

bool ParseTimestamp(std::string_view text, int64_t* micros) {
    if (text != "infinity" && text != "-infinity")
        return ParseMoment(text, micros);
    *micros = text.front() == '-' ? kMinusInfinity : kInfinity;
    return true;
}

std::string FormatTimestamp(int64_t micros) {
    if (micros == kInfinity || micros == kMinusInfinity)
        return micros == kInfinity ? "infinity" : "-infinity";
    std::time_t seconds = micros / kSecond + kEpochDays * 86400;
    std::tm utc = {};
    gmtime_r(&seconds, &utc);
    char text[40];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text;
}

std::string TimestampSql(int64_t micros) {
    if (micros == kInfinity || micros == kMinusInfinity)
        return "'" + FormatTimestamp(micros) + "'::timestamptz";
    // The server multiplies in doubles, which hold these two as they are.
    constexpr int64_t kDay = 86400 * kSecond;
    return "'2000-01-01 00:00:00+00'::timestamptz + " + std::to_string(micros / kDay) +
           " * interval '24 hours' + " + std::to_string(micros % kDay) +
           " * interval '1 microsecond'";
}

double SecondsSince(int64_t micros) {
    return std::max(0.0, (static_cast<double>(NowMicros()) - static_cast<double>(micros)) / 1e6);
}

int64_t NowMicros() {
    auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(since).count() -
           kEpochDays * 86400 * kSecond;
}

}  // namespace bemi::ingest

// Writers of dates and times, as EncodeDateTime does for XSD dates.

#include "digits.hpp"
#include "value_writers.hpp"

namespace bemi {

namespace {

struct Day {
    int year;  // 0 is 1 BC
    unsigned month;
    unsigned day;
};

// The Gregorian date of a Julian day number, with few divisions: Neri and Schneider, "Euclidean
// affine functions and their application to calendar algorithms" (2022). Years begin in March
// there, and are counted from March of 4801 BC, which 32,044 days before day 0.
inline Day ToDay(int julian_day) {
    const std::uint64_t n1 = 4 * (static_cast<std::uint64_t>(julian_day) + 32044) + 3;
    const unsigned century = static_cast<unsigned>(n1 / 146097);
    const unsigned n2 = static_cast<unsigned>(n1 % 146097) | 3;
    const std::uint64_t p2 = UINT64_C(2939745) * n2;
    const unsigned year_of_century = static_cast<unsigned>(p2 >> 32);
    const unsigned day_of_year = static_cast<unsigned>(p2) / 2939745 / 4;
    const unsigned n3 = 2141 * day_of_year + 197913;
    const unsigned month = n3 >> 16;
    const bool next_year = day_of_year >= 306;
    return {static_cast<int>(100 * century + year_of_century) - 4800 + next_year,
            next_year ? month - 12 : month, (n3 & 0xFFFF) / 2141 + 1};
}

// `year-month-day`. Years before our era are counted from 1, and marked by PutEra.
inline char* PutDay(char* to, int julian_day, int* year) {
    const Day day = ToDay(julian_day);
    *year = day.year;
    const unsigned shown = static_cast<unsigned>(day.year > 0 ? day.year : -(day.year - 1));
    to = shown <= 9999 ? PutFourDigits(to, shown) : pg_ultostr_zeropad(to, shown, 4);
    *to++ = '-';
    to = PutTwoDigits(to, day.month);
    *to++ = '-';
    return PutTwoDigits(to, day.day);
}

char* PutEra(char* to, int year) {
    if (year > 0)
        return to;
    std::memcpy(to, " BC", 3);
    return to + 3;
}

struct TimestampParts {
    int julian_day;
    unsigned seconds;  // of the day
    unsigned microseconds;
};

inline bool SplitTimestamp(Timestamp timestamp, TimestampParts* parts) {
    std::int64_t day = timestamp / USECS_PER_DAY;
    std::int64_t time = timestamp % USECS_PER_DAY;
    if (time < 0) {
        time += USECS_PER_DAY;
        day--;
    }
    day += POSTGRES_EPOCH_JDATE;
    if (day < 0 || day > INT_MAX)
        return false;
    *parts = {static_cast<int>(day), static_cast<unsigned>(time / USECS_PER_SEC),
              static_cast<unsigned>(time % USECS_PER_SEC)};
    return true;
}

inline char* PutDayAndTime(char* to, const TimestampParts& parts, int* year) {
    to = PutDay(to, parts.julian_day, year);
    *to++ = 'T';
    to = PutTwoDigits(to, parts.seconds / SECS_PER_HOUR);
    *to++ = ':';
    to = PutTwoDigits(to, parts.seconds / SECS_PER_MINUTE % MINS_PER_HOUR);
    *to++ = ':';
    return PutTwoDigits(to, parts.seconds % SECS_PER_MINUTE);
}

char* PutMicroseconds(char* to, unsigned microseconds) {
    return PutTwoDigits(PutFourDigits(to, microseconds / 100), microseconds % 100);
}

// Without trailing zeros.
char* PutFraction(char* to, unsigned microseconds) {
    if (microseconds == 0)
        return to;
    *to++ = '.';
    to = PutMicroseconds(to, microseconds);
    while (to[-1] == '0')
        to--;
    return to;
}

// A text that is copied as a whole, whatever its length.
struct Zone {
    char text[8];
    std::size_t length;
};
constexpr Zone kNoZone = {"", 0}, kUtc = {"+00:00", 6};

// The time zone stands before the era.
inline void WriteTimestampIn(JsonStream& out, Timestamp timestamp, const Zone& zone) {
    if (TIMESTAMP_IS_NOBEGIN(timestamp)) {
        out.Append("\"-infinity\"");
        return;
    }
    if (TIMESTAMP_IS_NOEND(timestamp)) {
        out.Append("\"infinity\"");
        return;
    }
    TimestampParts parts;
    if (!SplitTimestamp(timestamp, &parts)) {
        out.Fail("timestamp out of range");
        return;
    }
    int year;
    char* to = out.Reserve(kMaxTimestampLength + sizeof(zone.text));
    *to++ = '"';
    to = PutFraction(PutDayAndTime(to, parts, &year), parts.microseconds);
    std::memcpy(to, zone.text, sizeof(zone.text));
    to = PutEra(to + zone.length, year);
    *to++ = '"';
    out.SetEnd(to);
}

}  // namespace

char* PutCommitTime(char* to, TimestampTz time) {
    TimestampParts parts;
    if (TIMESTAMP_NOT_FINITE(time) || !SplitTimestamp(time, &parts)) {
        const std::string_view text = time < 0 ? "-infinity" : "infinity";
        std::memcpy(to, text.data(), text.size());
        return to + text.size();
    }
    int year;
    to = PutDayAndTime(to, parts, &year);
    *to++ = '.';
    to = PutMicroseconds(to, parts.microseconds);
    std::memcpy(to, "+00:00", 6);
    return PutEra(to + 6, year);
}

void WriteDate(JsonStream& out, Datum value, ValuePlan&) {
    const DateADT date = DatumGetDateADT(value);
    if (DATE_NOT_FINITE(date)) {
        out.Append(DATE_IS_NOBEGIN(date) ? std::string_view("\"-infinity\"")
                                         : std::string_view("\"infinity\""));
        return;
    }
    int year;
    char* to = out.Reserve(32);
    *to++ = '"';
    to = PutDay(to, date + POSTGRES_EPOCH_JDATE, &year);
    to = PutEra(to, year);
    *to++ = '"';
    out.SetEnd(to);
}

void WriteTimestamp(JsonStream& out, Datum value, ValuePlan&) {
    WriteTimestampIn(out, DatumGetTimestamp(value), kNoZone);
}

void WriteTimestampTz(JsonStream& out, Datum value, ValuePlan&) {
    WriteTimestampIn(out, DatumGetTimestampTz(value), kUtc);
}

}  // namespace bemi

// Writers of scalar types: the common ones by themselves, all others by their output function.

#include "value_writers.hpp"

namespace bemi {

namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

void WriteQuoted(JsonStream& out, std::string_view plain) {
    out.Put('"');
    out.Append(plain);
    out.Put('"');
}

// A number's text as PostgreSQL writes it; jsonb takes NaN and the infinities as strings only.
void WriteNumberText(JsonStream& out, std::string_view text) {
    const char last = text.back();
    if (last == 'N' || last == 'y')
        WriteQuoted(out, text);
    else
        out.Append(text);
}

char* NumericText(Datum value) {
    return DatumGetCString(DirectFunctionCall1(numeric_out, value));
}

char* PutTwoDigits(char* to, int number) {
    *to++ = static_cast<char>('0' + number / 10);
    *to++ = static_cast<char>('0' + number % 10);
    return to;
}

// `year-month-day`; years before our era are counted from 1 and marked by the caller.
char* PutDate(char* to, int year, int month, int day) {
    to = pg_ultostr_zeropad(to, static_cast<uint32>(year > 0 ? year : -(year - 1)), 4);
    *to++ = '-';
    to = PutTwoDigits(to, month);
    *to++ = '-';
    return PutTwoDigits(to, day);
}

char* PutEra(char* to, int year) {
    if (year > 0)
        return to;
    std::memcpy(to, " BC", 3);
    return to + 3;
}

// Microseconds without trailing zeros.
char* PutFraction(char* to, fsec_t microseconds) {
    if (microseconds == 0)
        return to;
    *to++ = '.';
    for (int digit = 100000; microseconds > 0; digit /= 10) {
        *to++ = static_cast<char>('0' + microseconds / digit);
        microseconds %= digit;
    }
    return to;
}

struct TimestampParts {
    pg_tm tm;
    fsec_t microseconds;
};

char* PutDateAndTime(char* to, const pg_tm& tm) {
    to = PutDate(to, tm.tm_year, tm.tm_mon, tm.tm_mday);
    *to++ = 'T';
    to = PutTwoDigits(to, tm.tm_hour);
    *to++ = ':';
    to = PutTwoDigits(to, tm.tm_min);
    *to++ = ':';
    return PutTwoDigits(to, tm.tm_sec);
}

// As EncodeDateTime does for XSD dates: the time zone stands before the era.
char* PutTimestampParts(char* to, const TimestampParts& parts, std::string_view zone) {
    to = PutDateAndTime(to, parts.tm);
    to = PutFraction(to, parts.microseconds);
    std::memcpy(to, zone.data(), zone.size());
    return PutEra(to + zone.size(), parts.tm.tm_year);
}

bool SplitTimestamp(Timestamp timestamp, TimestampParts* parts) {
    return timestamp2tm(timestamp, nullptr, &parts->tm, &parts->microseconds, nullptr, nullptr) ==
           0;
}

void WriteTimestampIn(JsonStream& out, Timestamp timestamp, std::string_view zone) {
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
    char* to = out.Reserve(kMaxTimestampLength + 2);
    *to++ = '"';
    to = PutTimestampParts(to, parts, zone);
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
    to = PutDateAndTime(to, parts.tm);
    *to++ = '.';
    to = pg_ultostr_zeropad(to, static_cast<uint32>(parts.microseconds), 6);
    std::memcpy(to, "+00:00", 6);
    return PutEra(to + 6, parts.tm.tm_year);
}

void WriteBool(JsonStream& out, Datum value, ValuePlan&) {
    out.Append(DatumGetBool(value) ? std::string_view("true") : std::string_view("false"));
}

void WriteInt2(JsonStream& out, Datum value, ValuePlan&) {
    WriteInteger(out, DatumGetInt16(value));
}

void WriteInt4(JsonStream& out, Datum value, ValuePlan&) {
    char* to = out.Reserve(MAXINT8LEN + 1);
    out.SetEnd(to + pg_ltoa(DatumGetInt32(value), to));
}

void WriteInt8(JsonStream& out, Datum value, ValuePlan&) {
    WriteInteger(out, DatumGetInt64(value));
}

void WriteInt8AsString(JsonStream& out, Datum value, ValuePlan&) {
    out.Put('"');
    WriteInteger(out, DatumGetInt64(value));
    out.Put('"');
}

void WriteFloat4(JsonStream& out, Datum value, ValuePlan&) {
    char text[FLOAT_SHORTEST_DECIMAL_LEN];
    const int length = float_to_shortest_decimal_buf(DatumGetFloat4(value), text);
    WriteNumberText(out, {text, static_cast<std::size_t>(length)});
}

void WriteFloat8(JsonStream& out, Datum value, ValuePlan&) {
    char text[DOUBLE_SHORTEST_DECIMAL_LEN];
    const int length = double_to_shortest_decimal_buf(DatumGetFloat8(value), text);
    WriteNumberText(out, {text, static_cast<std::size_t>(length)});
}

void WriteNumeric(JsonStream& out, Datum value, ValuePlan&) {
    char* text = NumericText(value);
    WriteNumberText(out, text);
    pfree(text);
}

void WriteNumericAsString(JsonStream& out, Datum value, ValuePlan&) {
    char* text = NumericText(value);
    WriteQuoted(out, text);
    pfree(text);
}

void WriteVarlenaText(JsonStream& out, Datum value, ValuePlan& plan) {
    const struct varlena* text = reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
    WriteText(out, *plan.encoding, {VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text)});
}

void WriteName(JsonStream& out, Datum value, ValuePlan& plan) {
    WriteText(out, *plan.encoding, NameStr(*DatumGetName(value)));
}

void WriteBytea(JsonStream& out, Datum value, ValuePlan&) {
    const struct varlena* bytes = reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
    const unsigned char* from = reinterpret_cast<const unsigned char*>(VARDATA_ANY(bytes));
    const std::size_t length = VARSIZE_ANY_EXHDR(bytes);
    if (!out.Fits(2 * length + 5))
        return;
    char* to = out.Reserve(2 * length + 5);
    std::memcpy(to, "\"\\\\x", 4);
    to += 4;
    for (std::size_t i = 0; i < length; i++) {
        *to++ = kHexDigits[from[i] >> 4];
        *to++ = kHexDigits[from[i] & 15];
    }
    *to++ = '"';
    out.SetEnd(to);
}

void WriteUuid(JsonStream& out, Datum value, ValuePlan&) {
    const pg_uuid_t* uuid = DatumGetUUIDP(value);
    char* to = out.Reserve(40);
    *to++ = '"';
    for (int i = 0; i < UUID_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = kHexDigits[uuid->data[i] >> 4];
        *to++ = kHexDigits[uuid->data[i] & 15];
    }
    *to++ = '"';
    out.SetEnd(to);
}

void WriteDate(JsonStream& out, Datum value, ValuePlan&) {
    const DateADT date = DatumGetDateADT(value);
    if (DATE_NOT_FINITE(date)) {
        out.Append(DATE_IS_NOBEGIN(date) ? std::string_view("\"-infinity\"")
                                         : std::string_view("\"infinity\""));
        return;
    }
    int year, month, day;
    j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
    char* to = out.Reserve(32);
    *to++ = '"';
    to = PutEra(PutDate(to, year, month, day), year);
    *to++ = '"';
    out.SetEnd(to);
}

void WriteTimestamp(JsonStream& out, Datum value, ValuePlan&) {
    WriteTimestampIn(out, DatumGetTimestamp(value), "");
}

void WriteTimestampTz(JsonStream& out, Datum value, ValuePlan&) {
    WriteTimestampIn(out, DatumGetTimestampTz(value), "+00:00");
}

// enum_out without its ERROR for a label that is not there any more.
void WriteEnum(JsonStream& out, Datum value, ValuePlan& plan) {
    HeapTuple tuple = SearchSysCache1(ENUMOID, value);
    if (!HeapTupleIsValid(tuple)) {
        out.Fail("invalid internal value for enum");
        return;
    }
    const FormData_pg_enum* label = reinterpret_cast<const FormData_pg_enum*>(GETSTRUCT(tuple));
    WriteText(out, *plan.encoding, NameStr(label->enumlabel));
    ReleaseSysCache(tuple);
}

void WriteByOutputFunction(JsonStream& out, Datum value, ValuePlan& plan) {
    char* text = OutputFunctionCall(&plan.output, value);
    WriteText(out, *plan.encoding, text);
    pfree(text);
}

}  // namespace bemi

// The writer of numeric, from its stored form (numeric.c):
//
//   short = header of 16 bits: 10, sign, scale (6 bits), weight (7 bits, signed); digits
//   long  = header of 16 bits: 00 or 01 (negative), scale (14 bits); weight (16 bits); digits
//   special = header of 16 bits: 11, then 00 for NaN, 01 for infinity, 11 for minus infinity
//
// A digit is of base 10,000, and the first one stands for weight powers of that; the scale is the
// number of decimals that are shown.

#include "digits.hpp"
#include "value_writers.hpp"

namespace bemi {

namespace {

constexpr unsigned kFormMask = 0xC000, kShortForm = 0x8000, kSpecialForm = 0xC000;
constexpr unsigned kNegative = 0x4000, kShortNegative = 0x2000;
constexpr unsigned kNaN = 0xC000, kInfinity = 0xD000, kMinusInfinity = 0xF000;
constexpr int kDigitsPerGroup = 4;

struct NumericParts {
    bool negative;
    int weight;
    int scale;
    const char* digits;  // 16 bits each, not aligned
    int count;

    // The digit of a weight, 0 beyond those that are stored. Never more than 9999: what is damaged
    // must not lead out of a table.
    unsigned DigitAt(int i) const {
        std::uint16_t digit;
        if (i < 0 || i >= count)
            return 0;
        std::memcpy(&digit, digits + 2 * i, 2);
        return digit <= 9999 ? digit : 9999;
    }
};

std::uint16_t LoadHalf(const char* from) {
    std::uint16_t half;
    std::memcpy(&half, from, 2);
    return half;
}

// Of a form that is not special; `size` is at least 2.
NumericParts SplitNumeric(unsigned header, const char* bytes, int size) {
    if ((header & kFormMask) == kShortForm) {
        const int weight = static_cast<int>(header & 0x3F) - static_cast<int>(header & 0x40);
        return {(header & kShortNegative) != 0, weight, static_cast<int>(header >> 7 & 0x3F),
                bytes + 2, (size - 2) / 2};
    }
    const int weight = size < 4 ? 0 : static_cast<std::int16_t>(LoadHalf(bytes + 2));
    return {(header & kFormMask) == kNegative, weight, static_cast<int>(header & 0x3FFF), bytes + 4,
            size < 4 ? 0 : (size - 4) / 2};
}

char* PutNumeric(char* to, const NumericParts& parts) {
    if (parts.negative)
        *to++ = '-';
    to = PutFewDigits(to, parts.weight < 0 ? 0 : parts.DigitAt(0));
    for (int i = 1; i <= parts.weight; i++)
        to = PutFourDigits(to, parts.DigitAt(i));
    if (parts.scale == 0)
        return to;
    *to++ = '.';
    char* const end = to + parts.scale;
    for (int i = parts.weight + 1; to < end; i++)
        to = PutFourDigits(to, parts.DigitAt(i));
    return end;
}

std::string_view SpecialText(unsigned header) {
    switch (header) {
        case kNaN:
            return "\"NaN\"";
        case kInfinity:
            return "\"Infinity\"";
        case kMinusInfinity:
            return "\"-Infinity\"";
        default:
            return {};
    }
}

// The text of a number, in quotes where it is no JSON number or they are asked for.
void WriteNumericText(JsonStream& out, const void* numeric, bool quoted) {
    const char* const bytes = VARDATA_ANY(numeric);
    const int size = static_cast<int>(VARSIZE_ANY_EXHDR(numeric));
    const unsigned header = size >= 2 ? LoadHalf(bytes) : kSpecialForm | 1;
    if ((header & kFormMask) == kSpecialForm) {
        const std::string_view text = SpecialText(header);
        if (text.empty())
            out.Fail("invalid numeric");
        out.Append(text);
        return;
    }
    const NumericParts parts = SplitNumeric(header, bytes, size);
    const int groups = Max(parts.weight + 1, 1);
    const std::size_t digits = static_cast<std::size_t>(groups * kDigitsPerGroup + parts.scale);
    // The first group may be shorter by three.
    if (!out.Fits(digits - 3))
        return;
    char* to = out.Reserve(digits + 16);
    if (quoted)
        *to++ = '"';
    to = PutNumeric(to, parts);
    if (quoted)
        *to++ = '"';
    out.SetEnd(to);
}

}  // namespace

void WriteNumeric(JsonStream& out, Datum value, ValuePlan&) {
    WriteNumericText(out, DatumGetPointer(value), false);
}

void WriteNumericAsString(JsonStream& out, Datum value, ValuePlan&) {
    WriteNumericText(out, DatumGetPointer(value), true);
}

}  // namespace bemi

// A number of JSON's grammar: its parts, and whether numeric has it. Asked by the plugin of what a
// json value holds, and by the command of the same. Allocates nothing, raises nothing, knows
// neither PostgreSQL nor rapidjson.
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace bemi::json {

inline bool IsDigit(char c) {
    return c >= '0' && c <= '9';
}
inline bool IsNumberByte(char c) {
    return IsDigit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

struct NumberParts {
    bool negative;
    std::string_view integer;
    std::string_view fraction;
    std::int64_t exponent;
};

// Takes the digits that `text` begins with.
inline std::string_view TakeDigits(std::string_view* text) {
    std::size_t count = 0;
    while (count < text->size() && IsDigit((*text)[count]))
        count++;
    const std::string_view digits(text->data(), count);
    text->remove_prefix(count);
    return digits;
}

// The exponent of what begins with `e`; one that is far beyond all limits stays far beyond them.
inline bool TakeExponent(std::string_view text, std::int64_t* exponent) {
    constexpr std::int64_t kHuge = 1'000'000'000'000;
    text.remove_prefix(1);
    const bool negative = !text.empty() && text[0] == '-';
    if (!text.empty() && (text[0] == '-' || text[0] == '+'))
        text.remove_prefix(1);
    const std::string_view digits = TakeDigits(&text);
    if (digits.empty() || !text.empty())
        return false;
    for (const char digit : digits) {
        if (*exponent < kHuge)
            *exponent = *exponent * 10 + (digit - '0');
    }
    if (negative)
        *exponent = -*exponent;
    return true;
}

// False for what is no number.
inline bool SplitNumber(std::string_view text, NumberParts* parts) {
    *parts = {};
    if (!text.empty() && text[0] == '-') {
        parts->negative = true;
        text.remove_prefix(1);
    }
    parts->integer = TakeDigits(&text);
    if (parts->integer.empty() || (parts->integer.size() > 1 && parts->integer[0] == '0'))
        return false;
    if (!text.empty() && text[0] == '.') {
        text.remove_prefix(1);
        parts->fraction = TakeDigits(&text);
        if (parts->fraction.empty())
            return false;
    }
    if (text.empty())
        return true;
    return (text[0] == 'e' || text[0] == 'E') && TakeExponent(text, &parts->exponent);
}

inline bool InRangeOfNumeric(const NumberParts& parts) {
    // numeric.c: the exponent's own limit, then NUMERIC_DSCALE_MAX and NUMERIC_WEIGHT_MAX.
    constexpr std::int64_t kExponentLimit = INT_MAX / 2;
    constexpr std::int64_t kMaxScale = 0x3FFF;
    constexpr std::int64_t kMaxDigits = (INT64_C(32767) + 1) * 4;
    if (parts.exponent >= kExponentLimit || parts.exponent <= -kExponentLimit)
        return false;
    if (static_cast<std::int64_t>(parts.fraction.size()) - parts.exponent > kMaxScale)
        return false;
    std::int64_t digits = static_cast<std::int64_t>(parts.integer.size());
    std::size_t zeros = parts.integer.find_first_not_of('0');
    if (zeros == std::string_view::npos) {
        zeros = parts.fraction.find_first_not_of('0');
        if (zeros == std::string_view::npos)
            return true;
        digits = -static_cast<std::int64_t>(zeros);
    }
    return digits + parts.exponent <= kMaxDigits;
}

// Hides the numbers that rapidjson's Reader can't read, which are long or have an exponent: they
// stand as a 0 followed by blanks in the copy that it sees. False where one is out of numeric's
// range.
inline bool HideLongNumbers(char* text, std::size_t length) {
    constexpr std::size_t kPlainNumber = 18;  // digits that the Reader takes as an integer
    bool in_string = false;
    for (std::size_t i = 0; i < length;) {
        const char c = text[i];
        if (in_string || !(IsDigit(c) || c == '-')) {
            if (c == '"')
                in_string = !in_string;
            i += in_string && c == '\\' ? 2 : 1;
            continue;
        }
        std::size_t end = i;
        bool plain = true;
        for (; end < length && IsNumberByte(text[end]); end++)
            plain &= text[end] != 'e' && text[end] != 'E';
        const std::string_view number(text + i, end - i);
        NumberParts parts;
        if ((!plain || number.size() > kPlainNumber) && SplitNumber(number, &parts)) {
            if (!InRangeOfNumeric(parts))
                return false;
            std::memset(text + i, ' ', number.size());
            text[i] = '0';
        }
        i = end;
    }
    return true;
}

}  // namespace bemi::json

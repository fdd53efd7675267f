// Digits by table, two at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bemi {

template <int kBase>
constexpr std::array<char, 2 * kBase * kBase> MakeDigitPairs() {
    std::array<char, 2 * kBase* kBase> pairs = {};
    for (std::size_t i = 0; i < kBase * kBase; i++) {
        pairs[2 * i] = "0123456789abcdef"[i / kBase];
        pairs[2 * i + 1] = "0123456789abcdef"[i % kBase];
    }
    return pairs;
}
inline constexpr auto kDecimalPairs = MakeDigitPairs<10>();
inline constexpr auto kHexPairs = MakeDigitPairs<16>();

// 0 … 99
inline char* PutTwoDigits(char* to, unsigned number) {
    std::memcpy(to, kDecimalPairs.data() + 2 * number, 2);
    return to + 2;
}

// 0 … 9999
inline char* PutFourDigits(char* to, unsigned number) {
    return PutTwoDigits(PutTwoDigits(to, number / 100), number % 100);
}

// 0 … 9999, without leading zeros
inline char* PutFewDigits(char* to, unsigned number) {
    if (number >= 1000)
        return PutFourDigits(to, number);
    if (number >= 100) {
        *to++ = static_cast<char>('0' + number / 100);
        return PutTwoDigits(to, number % 100);
    }
    if (number >= 10)
        return PutTwoDigits(to, number);
    *to++ = static_cast<char>('0' + number);
    return to;
}

// Any number, at most 20 digits
inline char* PutUnsigned(char* to, std::uint64_t number) {
    constexpr unsigned kFour = 10000, kEight = 100000000;
    if (number < kFour)
        return PutFewDigits(to, static_cast<unsigned>(number));
    const unsigned low = static_cast<unsigned>(number % kEight);
    to = number < kEight ? PutFewDigits(to, low / kFour)
                         : PutFourDigits(PutUnsigned(to, number / kEight), low / kFour);
    return PutFourDigits(to, low % kFour);
}

// Two hexadecimal digits for each byte.
inline char* PutHexBytes(char* to, const unsigned char* from, std::size_t count) {
    for (std::size_t i = 0; i < count; i++)
        std::memcpy(to + 2 * i, kHexPairs.data() + 2 * from[i], 2);
    return to + 2 * count;
}

}  // namespace bemi

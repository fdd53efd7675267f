// The escaping of strings, which is where the time goes: clean bytes are found and copied 16 at a
// time.

#include "bemi/json_writer.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace bemi {

namespace {

constexpr std::size_t kBlock = 16;

// What one block of text holds: a bit per byte that must be escaped, and whether any is not ASCII.
struct BlockScan {
    std::uint32_t escapes;
    bool high;
};

bool MustEscape(unsigned char byte) {
    return byte < 0x20 || byte == '"' || byte == '\\';
}

#if defined(__SSE2__)
using Block = __m128i;

Block LoadBlock(const char* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

BlockScan CopyBlock(char* to, Block bytes) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const __m128i found = _mm_or_si128(control, _mm_or_si128(quote, backslash));
    return {static_cast<std::uint32_t>(_mm_movemask_epi8(found)), _mm_movemask_epi8(bytes) != 0};
}
#elif defined(__aarch64__)
using Block = uint8x16_t;

Block LoadBlock(const char* from) {
    return vld1q_u8(reinterpret_cast<const std::uint8_t*>(from));
}

BlockScan CopyBlock(char* to, Block bytes) {
    vst1q_u8(reinterpret_cast<std::uint8_t*>(to), bytes);
    const uint8x16_t found =
        vorrq_u8(vcltq_u8(bytes, vdupq_n_u8(0x20)),
                 vorrq_u8(vceqq_u8(bytes, vdupq_n_u8('"')), vceqq_u8(bytes, vdupq_n_u8('\\'))));
    static const std::uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128,
                                           1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t bits = vandq_u8(found, vld1q_u8(kBits));
    const std::uint32_t low = vaddv_u8(vget_low_u8(bits));
    const std::uint32_t high = vaddv_u8(vget_high_u8(bits));
    return {low | (high << 8), vmaxvq_u8(bytes) >= 0x80};
}
#else
struct Block {
    char bytes[kBlock];
};

Block LoadBlock(const char* from) {
    Block block;
    std::memcpy(block.bytes, from, kBlock);
    return block;
}

BlockScan CopyBlock(char* to, const Block& block) {
    BlockScan scan = {0, false};
    for (std::size_t i = 0; i < kBlock; i++) {
        const unsigned char byte = static_cast<unsigned char>(block.bytes[i]);
        to[i] = block.bytes[i];
        scan.escapes |= MustEscape(byte) ? 1u << i : 0u;
        scan.high |= byte >= 0x80;
    }
    return scan;
}
#endif

template <typename Word>
std::uint64_t LoadWord(const char* from) {
    Word word;
    std::memcpy(&word, from, sizeof(Word));
    return word;
}

// Fewer than a block is left, and at least a byte: words that may overlap, and never a byte beyond
// the text's end.
Block LoadTail(const char* from, std::size_t length) {
    std::uint64_t words[2] = {0, 0};
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (length > 8) {
        words[0] = LoadWord<std::uint64_t>(from);
        words[1] = LoadWord<std::uint64_t>(from + length - 8) >> (8 * (kBlock - length));
    } else if (length >= 4) {
        words[0] = LoadWord<std::uint32_t>(from) | LoadWord<std::uint32_t>(from + length - 4)
                                                       << (8 * (length - 4));
    } else {
        words[0] = LoadWord<std::uint8_t>(from) |
                   LoadWord<std::uint8_t>(from + length / 2) << (8 * (length / 2)) |
                   LoadWord<std::uint8_t>(from + length - 1) << (8 * (length - 1));
    }
#else
    std::memcpy(words, from, length);
#endif
#if defined(__SSE2__)
    return _mm_set_epi64x(static_cast<long long>(words[1]), static_cast<long long>(words[0]));
#else
    return LoadBlock(reinterpret_cast<const char*>(words));
#endif
}

// Copies text up to the first byte that must be escaped, or its end; returns how much. Writes up to
// a block beyond that.
inline std::size_t CopyClean(char* to, const char* from, std::size_t length, bool* high) {
    std::size_t done = 0;
    for (; done + kBlock <= length; done += kBlock) {
        const BlockScan scan = CopyBlock(to + done, LoadBlock(from + done));
        *high |= scan.high;
        if (scan.escapes != 0)
            return done + static_cast<std::size_t>(__builtin_ctz(scan.escapes));
    }
    if (done == length)
        return length;
    const BlockScan scan = CopyBlock(to + done, LoadTail(from + done, length - done));
    *high |= scan.high;
    // The zeros behind the text look like characters to be escaped.
    return done + static_cast<std::size_t>(__builtin_ctz(scan.escapes));
}

// One byte that JSON wants escaped, written as jsonb's own output writes it; at most six bytes.
char* PutEscape(char* to, unsigned char byte) {
    static const char kHexDigits[] = "0123456789abcdef";
    *to++ = '\\';
    switch (byte) {
        case '"':
        case '\\':
            *to++ = static_cast<char>(byte);
            return to;
        case '\b':
            *to++ = 'b';
            return to;
        case '\f':
            *to++ = 'f';
            return to;
        case '\n':
            *to++ = 'n';
            return to;
        case '\r':
            *to++ = 'r';
            return to;
        case '\t':
            *to++ = 't';
            return to;
        default:
            std::memcpy(to, "u00", 3);
            to[3] = kHexDigits[byte >> 4];
            to[4] = kHexDigits[byte & 15];
            return to + 5;
    }
}

char* PutUnicodeEscape(char* to, std::uint32_t unit) {
    static const char kHexDigits[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *to++ = kHexDigits[(unit >> shift) & 15];
    return to;
}

// Text that is known to be valid UTF-8, everything beyond ASCII written as \uXXXX.
void WriteAsciiString(JsonStream& out, const char* text, std::size_t length) {
    const unsigned char* from = reinterpret_cast<const unsigned char*>(text);
    const unsigned char* const end = from + length;
    out.Put('"');
    while (from < end && !out.overflowed()) {
        char* to = out.Reserve(kBlock);
        if (*from < 0x80) {
            if (MustEscape(*from))
                to = PutEscape(to, *from);
            else
                *to++ = static_cast<char>(*from);
            from++;
        } else {
            std::uint32_t code = utf8_to_unicode(from);
            from += pg_utf_mblen(from);
            if (code >= 0x10000) {
                to = PutUnicodeEscape(to, 0xD800 + ((code - 0x10000) >> 10));
                code = 0xDC00 + ((code - 0x10000) & 0x3FF);
            }
            to = PutUnicodeEscape(to, code);
        }
        out.SetEnd(to);
    }
    out.Put('"');
}

bool IsValidUtf8(const char* text, std::size_t length) {
    return pg_verify_mbstr(PG_UTF8, text, static_cast<int>(length), true);
}

// What no text holds that PostgreSQL has accepted, and jsonb would refuse.
const char kInvalid[] = "invalid byte sequence for encoding \"UTF8\"";

// A piece of the text from `from` to `end`, which does not end within a character.
constexpr std::size_t kPiece = 4096;
const char* EndOfPiece(const char* from, const char* end) {
    if (static_cast<std::size_t>(end - from) <= kPiece)
        return end;
    const char* piece_end = from + kPiece;
    for (int i = 0; i < 3 && (static_cast<unsigned char>(*piece_end) & 0xC0) == 0x80; i++)
        piece_end--;
    return piece_end;
}

// What stands between two bytes that must be escaped is valid by itself, or the text is not.
void WriteEscapedPiece(JsonStream& out, const char* from, const char* end) {
    constexpr std::size_t kLongestEscape = 6;
    char* to = out.Reserve(kLongestEscape * static_cast<std::size_t>(end - from) + 2 * kBlock);
    while (from < end) {
        bool high = false;
        const std::size_t clean = CopyClean(to, from, static_cast<std::size_t>(end - from), &high);
        if (__builtin_expect(high, 0) && !IsValidUtf8(from, clean))
            out.Fail(kInvalid);
        from += clean;
        to += clean;
        if (from == end)
            break;
        if (*from == '\0')
            out.Fail(kInvalid);
        to = PutEscape(to, static_cast<unsigned char>(*from++));
    }
    out.SetEnd(to);
}

// The rest of a text, from a byte that must be escaped on, in pieces, as nobody knows how much room
// it needs.
pg_noinline void WriteEscaped(JsonStream& out, const char* from, const char* end) {
    while (from < end && !out.overflowed()) {
        const char* const piece_end = EndOfPiece(from, end);
        WriteEscapedPiece(out, from, piece_end);
        from = piece_end;
    }
}

}  // namespace

void WriteUtf8String(JsonStream& out, const char* text, std::size_t length) {
    if (!out.Fits(length + 2))
        return;
    if (out.ascii_only()) {
        if (IsValidUtf8(text, length))
            WriteAsciiString(out, text, length);
        else
            out.Fail("invalid byte sequence");
        return;
    }
    bool high = false;
    char* const to = out.Reserve(length + 2 + kBlock);
    *to = '"';
    const std::size_t clean = CopyClean(to + 1, text, length, &high);
    to[1 + clean] = '"';
    out.SetEnd(to + 2 + clean);
    if (__builtin_expect(high, 0) && !IsValidUtf8(text, clean))
        out.Fail(kInvalid);
    if (__builtin_expect(clean < length, 0)) {
        out.SetEnd(to + 1 + clean);
        WriteEscaped(out, text + clean, text + length);
        out.Put('"');
    }
}

}  // namespace bemi

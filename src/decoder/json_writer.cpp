// Growth and limit of the stream, and the escaping of strings, which is where the time goes:
// clean bytes are found and copied 16 at a time.

#include "bemi/json_writer.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace bemi {

void JsonAssertionFailed() {
    elog(ERROR, "assertion of the JSON library failed");
}

namespace {

constexpr int kBlock = 16;

// What one block of text holds: a bit per byte that must be escaped, and whether any is not ASCII.
struct BlockScan {
    std::uint32_t escapes;
    bool high;
};

bool MustEscape(unsigned char byte) {
    return byte < 0x20 || byte == '"' || byte == '\\';
}

#if defined(__SSE2__)
BlockScan CopyBlock(char* to, const char* from) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const __m128i found = _mm_or_si128(control, _mm_or_si128(quote, backslash));
    return {static_cast<std::uint32_t>(_mm_movemask_epi8(found)), _mm_movemask_epi8(bytes) != 0};
}
#elif defined(__aarch64__)
BlockScan CopyBlock(char* to, const char* from) {
    const uint8x16_t bytes = vld1q_u8(reinterpret_cast<const std::uint8_t*>(from));
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
BlockScan CopyBlock(char* to, const char* from) {
    BlockScan scan = {0, false};
    for (int i = 0; i < kBlock; i++) {
        const unsigned char byte = static_cast<unsigned char>(from[i]);
        to[i] = from[i];
        scan.escapes |= MustEscape(byte) ? 1u << i : 0u;
        scan.high |= byte >= 0x80;
    }
    return scan;
}
#endif

// Fewer than a block is left: never read beyond the text's end.
BlockScan CopyTail(char* to, const char* from, std::size_t length) {
    char block[kBlock] = {};
    std::memcpy(block, from, length);
    BlockScan scan = CopyBlock(to, block);
    scan.escapes &= (1u << length) - 1;
    return scan;
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

}  // namespace

void JsonStream::Init(MemoryContext memory, bool ascii_only) {
    MemoryContext previous = MemoryContextSwitchTo(memory);
    initStringInfo(&buffer_);
    MemoryContextSwitchTo(previous);
    memory_ = memory;
    ascii_only_ = ascii_only;
    SetLimit(kMaxLength);
    Restart();
}

void JsonStream::Clear() {
    constexpr int kKept = 1 << 20;
    if (buffer_.maxlen > kKept) {
        pfree(buffer_.data);
        Init(memory_, ascii_only_);
    }
    resetStringInfo(&buffer_);
    Restart();
}

bool JsonStream::Fits(std::size_t size) {
    if (size <= limit_ && length() <= limit_ - size)
        return true;
    overflowed_ = true;
    buffer_.len = mark_;
    return false;
}

void JsonStream::Grow(std::size_t size) {
    // A value that has passed the limit is lost: its bytes go around in what is there already.
    if (length() > limit_) {
        overflowed_ = true;
        buffer_.len = mark_;
    }
    enlargeStringInfo(&buffer_, static_cast<int>(size));
}

namespace {

// Escapes a piece of text that is short enough to reserve room for; returns whether any of it is
// beyond ASCII.
bool WriteEscaped(JsonStream& out, const char* from, std::size_t left) {
    bool high = false;
    char* to = out.Reserve(left + kBlock);
    while (left > 0) {
        const std::size_t size = left < kBlock ? left : kBlock;
        const BlockScan scan = size == kBlock ? CopyBlock(to, from) : CopyTail(to, from, size);
        high |= scan.high;
        if (scan.escapes == 0) {
            from += size;
            to += size;
            left -= size;
            continue;
        }
        const int clean = __builtin_ctz(scan.escapes);
        to = PutEscape(to + clean, static_cast<unsigned char>(from[clean]));
        from += clean + 1;
        left -= static_cast<std::size_t>(clean) + 1;
        out.SetEnd(to);
        to = out.Reserve(left + kBlock);
    }
    out.SetEnd(to);
    return high;
}

}  // namespace

void WriteUtf8String(JsonStream& out, const char* text, std::size_t length) {
    constexpr std::size_t kPiece = 64 * 1024;
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
    out.Put('"');
    for (std::size_t done = 0; done < length && !out.overflowed(); done += kPiece)
        high |= WriteEscaped(out, text + done, Min(kPiece, length - done));
    out.Put('"');
    if (high && !IsValidUtf8(text, length))
        out.Fail("invalid byte sequence for encoding \"UTF8\"");
}

void WriteInteger(JsonStream& out, std::int64_t number) {
    char* to = out.Reserve(MAXINT8LEN + 1);
    out.SetEnd(to + pg_lltoa(number, to));
}

void WriteUnsigned(JsonStream& out, std::uint64_t number) {
    char* to = out.Reserve(MAXINT8LEN + 1);
    out.SetEnd(to + pg_ulltoa_n(number, to));
}

}  // namespace bemi

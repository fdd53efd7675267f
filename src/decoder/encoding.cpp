// The database's encoding and UTF-8.

#include <cstring>

#include "bemi/encoding.hpp"
#include "bemi/text.hpp"

namespace bemi {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool IsAscii(std::string_view text) {
    std::size_t i = 0;
    for (; i + 8 <= text.size(); i += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + i, 8);
        if (word & UINT64_C(0x8080808080808080))
            return false;
    }
    for (; i < text.size(); i++) {
        if (static_cast<unsigned char>(text[i]) >= 0x80)
            return false;
    }
    return true;
}

// Length of the valid UTF-8 character that `text` begins with, 0 where it begins with none.
std::size_t Utf8Character(std::string_view text) {
    const unsigned char* bytes = reinterpret_cast<const unsigned char*>(text.data());
    const std::size_t length = static_cast<std::size_t>(pg_utf_mblen(bytes));
    if (length > text.size() || !pg_utf8_islegal(bytes, static_cast<int>(length)))
        return 0;
    return length;
}

Utf8Text FromSqlAscii(std::string_view text) {
    char* const buffer =
        static_cast<char*>(MemoryContextAllocHuge(CurrentMemoryContext, text.size() * 2 + 1));
    char* to = buffer;
    while (!text.empty()) {
        const std::size_t length = Utf8Character(text);
        if (length > 0) {
            std::memcpy(to, text.data(), length);
            to += length;
        } else {
            const unsigned char byte = static_cast<unsigned char>(text[0]);
            *to++ = static_cast<char>(0xC0 | (byte >> 6));
            *to++ = static_cast<char>(0x80 | (byte & 0x3F));
        }
        text.remove_prefix(length > 0 ? length : 1);
    }
    return {{buffer, static_cast<std::size_t>(to - buffer)}, true};
}

// The server's conversions take an int of bytes and want room for the worst growth.
Utf8Text Convert(const TextEncoding& encoding, std::string_view text) {
    const std::size_t room = text.size() * MAX_CONVERSION_GROWTH + 1;
    if (encoding.to_utf8 == InvalidOid || room > MaxAllocSize)
        return {{}, false};
    char* const buffer = static_cast<char*>(palloc(room));
    const int converted = pg_do_encoding_conversion_buf(
        encoding.to_utf8, encoding.server, PG_UTF8,
        reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
        static_cast<int>(text.size()), reinterpret_cast<unsigned char*>(buffer),
        static_cast<int>(room), true);
    if (static_cast<std::size_t>(converted) != text.size())
        return {{}, false};
    return {{buffer, std::strlen(buffer)}, true};
}

}  // namespace

TextEncoding LookUpTextEncoding() {
    TextEncoding encoding = {GetDatabaseEncoding(), InvalidOid};
    if (encoding.server != PG_UTF8 && encoding.server != PG_SQL_ASCII)
        encoding.to_utf8 = FindDefaultConversion(PG_CATALOG_NAMESPACE, encoding.server, PG_UTF8);
    return encoding;
}

Utf8Text ToUtf8(const TextEncoding& encoding, std::string_view text) {
    if (encoding.is_utf8() || IsAscii(text))
        return {text, true};
    return encoding.server == PG_SQL_ASCII ? FromSqlAscii(text) : Convert(encoding, text);
}

void WriteConvertedText(JsonStream& out, const TextEncoding& encoding, std::string_view text) {
    if (!out.Fits(text.size()))
        return;
    const Utf8Text converted = ToUtf8(encoding, text);
    if (converted.valid)
        WriteUtf8String(out, converted.text);
    else
        out.Fail("character with no equivalent in encoding \"UTF8\"");
}

void WriteIdentifier(JsonStream& out, const TextEncoding& encoding, std::string_view name) {
    Utf8Text utf8 = ToUtf8(encoding, name);
    if (!utf8.valid ||
        !pg_verify_mbstr(PG_UTF8, utf8.text.data(), static_cast<int>(utf8.text.size()), true))
        utf8 = FromSqlAscii(name);
    WriteUtf8String(out, utf8.text);
}

std::string_view Printable(const TextEncoding& encoding, std::string_view bytes,
                           std::size_t characters) {
    // Four bytes are enough for any character of any server encoding.
    bytes = First(bytes, characters * 4);
    if (!encoding.is_utf8() && bytes.find('\0') == std::string_view::npos) {
        const int whole = pg_mbcharcliplen(bytes.data(), static_cast<int>(bytes.size()),
                                           static_cast<int>(characters));
        const Utf8Text converted = ToUtf8(encoding, First(bytes, static_cast<std::size_t>(whole)));
        if (converted.valid)
            bytes = converted.text;
    }
    char* const buffer = static_cast<char*>(palloc(bytes.size() * kReplacement.size() + 1));
    char* to = buffer;
    for (; !bytes.empty() && characters > 0; characters--) {
        const std::size_t length = bytes[0] == '\0' ? 0 : Utf8Character(bytes);
        const std::string_view piece = length > 0 ? First(bytes, length) : kReplacement;
        std::memcpy(to, piece.data(), piece.size());
        to += piece.size();
        bytes.remove_prefix(length > 0 ? length : 1);
    }
    return {buffer, static_cast<std::size_t>(to - buffer)};
}

}  // namespace bemi

// The database's encoding and UTF-8.

#include <cstring>

#include "bemi/character.hpp"
#include "bemi/encoding.hpp"
#include "bemi/text.hpp"

namespace bemi {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Bytes in UTF-8 of one character of any server encoding: EUC_JIS_2004 has some that are two there.
constexpr std::size_t kLongestCharacter = 2 * MAX_MULTIBYTE_CHAR_LEN;

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
    return CharacterLength(PG_UTF8, text);
}

bool IsUtf8(std::string_view text) {
    return pg_verify_mbstr(PG_UTF8, text.data(), static_cast<int>(text.size()), true);
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

// The character that `bytes` begins with in UTF-8, U+FFFD where there is none or it has no
// counterpart; `length` gets the bytes that it takes.
std::string_view PrintableCharacter(const TextEncoding& encoding, std::string_view bytes,
                                    std::size_t* length) {
    const bool is_ascii_database = encoding.server == PG_SQL_ASCII;
    *length = CharacterLength(is_ascii_database ? PG_UTF8 : encoding.server, bytes);
    const bool is_character = *length > 0 || (is_ascii_database && bytes[0] != '\0');
    if (*length == 0)
        *length = 1;
    if (!is_character)
        return kReplacement;
    const Utf8Text converted = ToUtf8(encoding, First(bytes, *length));
    if (!converted.valid || converted.text.size() > kLongestCharacter || !IsUtf8(converted.text))
        return kReplacement;
    return converted.text;
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
    if (!utf8.valid || !IsUtf8(utf8.text))
        utf8 = FromSqlAscii(name);
    WriteUtf8String(out, utf8.text);
}

std::string_view Printable(const TextEncoding& encoding, std::string_view bytes,
                           std::size_t characters) {
    const std::size_t most = bytes.size() < characters ? bytes.size() : characters;
    char* const buffer = static_cast<char*>(palloc(most * kLongestCharacter + 1));
    char* to = buffer;
    for (; !bytes.empty() && characters > 0; characters--) {
        std::size_t length;
        const std::string_view piece = PrintableCharacter(encoding, bytes, &length);
        std::memcpy(to, piece.data(), piece.size());
        to += piece.size();
        bytes.remove_prefix(length);
    }
    return {buffer, static_cast<std::size_t>(to - buffer)};
}

}  // namespace bemi

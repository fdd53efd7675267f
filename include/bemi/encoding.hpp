// From the database's encoding to UTF-8, without ever raising an ERROR for bytes that have no
// counterpart there.
#pragma once

#include <cstddef>
#include <string_view>

#include "bemi/json_writer.hpp"
#include "bemi/pg.hpp"

namespace bemi {

// The database's encoding, which is fixed for the life of a process.
struct TextEncoding {
    int server;   // pg_enc
    Oid to_utf8;  // conversion procedure, InvalidOid where none is called

    bool is_utf8() const { return server == PG_UTF8; }
};

// Reads pg_conversion: needs a transaction.
TextEncoding LookUpTextEncoding();

struct Utf8Text {
    std::string_view text;  // the argument's own bytes, or allocated in the current memory context
    bool valid;             // false where a byte has no counterpart; `text` is then unspecified
};
// In SQL_ASCII, what is not UTF-8 is taken as Latin-1.
Utf8Text ToUtf8(const TextEncoding& encoding, std::string_view text);

// A quoted JSON string of text in the database's encoding; sets the stream's failure where it is
// not valid there.
void WriteConvertedText(JsonStream& out, const TextEncoding& encoding, std::string_view text);
inline void WriteText(JsonStream& out, const TextEncoding& encoding, std::string_view text) {
    if (encoding.is_utf8())
        WriteUtf8String(out, text);
    else
        WriteConvertedText(out, encoding, text);
}

// The same for a name, which is written whatever it holds (shared catalogs have names in the
// encoding of the database that wrote them): what is not valid is taken as Latin-1.
void WriteIdentifier(JsonStream& out, const TextEncoding& encoding, std::string_view name);

// At most `characters` of what may be any bytes, as valid UTF-8 without NUL: what is not text
// becomes U+FFFD. Allocated in the current memory context.
std::string_view Printable(const TextEncoding& encoding, std::string_view bytes,
                           std::size_t characters);

}  // namespace bemi

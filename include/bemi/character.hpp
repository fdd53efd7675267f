// Characters of the server's encodings in bytes that may be anything: cut off, damaged, or of
// another encoding. The server's own functions for it (pg_mblen, pg_mbcharcliplen) trust the text,
// and read beyond its end or raise an ERROR where it ends within a character.
#pragma once

#include <cstddef>
#include <string_view>

#include "bemi/pg.hpp"

namespace bemi {

// Bytes of the character that `text` begins with, 0 where it begins with none. In SQL_ASCII every
// byte but NUL is a character.
inline std::size_t CharacterLength(int encoding, std::string_view text) {
    if (text.empty() || text[0] == '\0')
        return 0;
    const int length =
        pg_encoding_verifymbchar(encoding, text.data(), static_cast<int>(text.size()));
    return length > 0 ? static_cast<std::size_t>(length) : 0;
}

// The whole characters that `text` begins with, as far as they fit into `size` bytes.
inline std::string_view ClipCharacters(int encoding, std::string_view text, std::size_t size) {
    std::size_t end = 0;
    for (;;) {
        const std::size_t length =
            CharacterLength(encoding, {text.data() + end, text.size() - end});
        if (length == 0 || end + length > size)
            return {text.data(), end};
        end += length;
    }
}

}  // namespace bemi

// The text of a value, as its type's output function gives it → the JSON that the decoder writes
// for the value: to the byte, with the same options.
//
// This is how images are made of what a server has sent as text: no cast, no operator, no function
// of the server is needed, so none of somebody else's can run. docs/images.md has the rules.
//
// The session that the text is from has: TimeZone UTC, DateStyle ISO, IntervalStyle postgres,
// extra_float_digits 1, bytea_output hex, lc_monetary C, xmlbinary base64, quote_all_identifiers
// off, an empty search_path. Text is UTF-8. Depth is that of the type, which is bounded
// (kTooDeep); each level costs a copy of the text at most.
#pragma once

#include <string>
#include <string_view>

#include "json_text.hpp"
#include "value_type.hpp"

namespace bemi {

// The decoder's options that change values.
struct JsonOptions {
    bool quote_bigint = false, quote_numeric = false;
    bool ascii = false;  // as records of a database whose encoding is not UTF-8
};

// Appends; throws ValueError, with `out` as it was, where the text is not one of the type's, or
// the decoder would have the value missing with the reason "error".
void AppendJson(const ValueType& type, std::string_view text, const JsonOptions& options,
                std::string* out);

// Text of a database without an encoding, as the decoder takes it: what is UTF-8 stays, and any
// other byte is the character of that number.
std::string FromSqlAscii(std::string_view text);

}  // namespace bemi

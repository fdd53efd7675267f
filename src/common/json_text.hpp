// JSON as text: the strings that the decoder writes, and json and jsonb values as it embeds them.
//
// Input is UTF-8. Functions append to `out`, and leave it as it was where they throw ValueError.
// Time and memory are linear in the text; nothing recurses. Knows no server and no libpq.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace bemi {

// A value that cannot be written: the records have it as missing, with the reason "error".
struct ValueError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

bool IsUtf8(std::string_view text);

// A string literal, escaped as jsonb's own output escapes it. Throws where the text is no UTF-8 or
// holds a NUL. `ascii`: everything beyond ASCII as \uXXXX, as records of databases in other
// encodings are.
void AppendJsonString(std::string_view text, bool ascii, std::string* out);

// The text that a string literal of JSON stands for. The literal must be whole and valid.
void AppendUnescaped(std::string_view literal, std::string* out);

// A json value: one line without white space, numbers as they stand; what jsonb would refuse, or is
// nested deeper than wire::kMaxValueDepth, is a string of its text.
void AppendJsonValue(std::string_view text, bool ascii, std::string* out);

// A jsonb value, from jsonb's own text: without white space; what is nested deeper than
// wire::kMaxJsonbDepth is a string of its text.
void AppendJsonbValue(std::string_view text, bool ascii, std::string* out);

}  // namespace bemi

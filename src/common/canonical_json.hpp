// The text that jsonb has for a JSON text: what `text::jsonb::text` gives, without a server.
//
// Keys in jsonb's order (by length, then by bytes), of equal ones the last, numbers as numeric
// prints them (1e2 is 100, -0 is 0, 1.50 stays), strings with jsonb's escapes, `, ` and `: `
// between. So two images are the same to jsonb where these texts are the same bytes.
//
// Nothing recurses, whatever the depth. Time is linear, but for objects whose keys are not in
// jsonb's order: those cost a copy of what they hold.
#pragma once

#include <string>
#include <string_view>

namespace bemi {

// Appends. The text must be valid JSON in UTF-8 that jsonb would take, as those of json_text.hpp
// and text_to_json.hpp are; throws ValueError where it isn't JSON.
void AppendCanonicalJson(std::string_view json, std::string* out);

// A number of JSON as numeric prints it.
void AppendCanonicalNumber(std::string_view number, std::string* out);

// jsonb's order of the keys of an object.
bool KeyIsBefore(std::string_view a, std::string_view b);

}  // namespace bemi

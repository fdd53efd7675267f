// Untrusted JSON text: accepted exactly where jsonb accepts it, and written in one canonical line.
#pragma once

#include <cstddef>
#include <string_view>

#include "bemi/json_writer.hpp"

namespace bemi {

// Writes `text` (UTF-8) without white space, numbers as they stand, at the end of `out`. Returns
// nullptr, or why jsonb would refuse it or that it is nested deeper than `max_depth`, as a phrase
// allocated in the current memory context; `out` is then as it was. Allocates a copy of the text.
const char* WriteCheckedJson(JsonStream& out, std::string_view text, int max_depth);

// The same for text that is short, and so simple that one pass can tell; false, with `out` as it
// was, for all other, whether jsonb would take it or not.
bool WriteSimpleJson(JsonStream& out, std::string_view text, int max_depth);

// An upper bound of the bytes that jsonb needs for a JSON text that is known to be valid;
// SIZE_MAX where an array or object has more elements than it takes.
std::size_t JsonbSize(std::string_view json);

}  // namespace bemi

// Arrays and composite values: their text, taken apart.
#pragma once

#include <string>
#include <string_view>

#include "text_to_json.hpp"

namespace bemi {

// Appends; throws ValueError, with `out` as it was, where the text is not one of the type's.
void AppendContainer(const ValueType& type, std::string_view text, const JsonOptions& options,
                     std::string* out);

}  // namespace bemi

// What is made of a row's values beside the image itself: the text by which two images are
// compared, and the key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text_to_json.hpp"

namespace bemi {

// The value as jsonb would print it within an image; else as AppendJson.
void AppendCanonicalValue(const ValueType& type, std::string_view text, const JsonOptions& options,
                          std::string* out);

struct KeyValue {
    const ValueType* type;
    std::string_view text;  // data() is null where the value is
};

// The key of a row, as the records have it: of one column what `image->>'column'` gives, of several
// the text of jsonb_build_array; numbers are never quoted. False, with `key` empty, where it has
// none: without columns, with a null, or longer than what the decoder writes. Throws ValueError.
bool MakeKey(const std::vector<KeyValue>& values, std::string* key);

}  // namespace bemi

// The primary key of a row, as text in a JSON string.
#pragma once

#include "bemi/json_writer.hpp"
#include "bemi/tuple.hpp"

namespace bemi {

// Writes the key of one image: of one column what `image->>'column'` gives, of several
// `jsonb_build_array(…)::text`; null, and false, where there is no key, it was not logged, it may
// not be shown, or its output fails.
bool WriteKey(JsonStream& out, const Row& row, Image image);

// Whether an UPDATE is known to have changed the key.
bool KeyChanged(const Row& row);

}  // namespace bemi

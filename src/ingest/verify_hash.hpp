// The hash by which rows and records are compared: of the text that an image has in jsonb, in
// UTF-8. Made here of the source's rows, and by the destination's server of the records.
//
// The first 16 bytes of SHA-256: nobody finds two images with the same, as it is done with md5, and
// it is there where a system allows approved algorithms only.
#pragma once

#include <string>
#include <string_view>

#include "verify_history.hpp"

namespace bemi::ingest {

Hash HashOf(std::string_view text);

// SQL for the same of a text, as 16 bytes.
std::string HashSql(const std::string& text);

}  // namespace bemi::ingest

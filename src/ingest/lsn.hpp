// A position in the write-ahead log, and PostgreSQL's way of writing it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bemi::ingest {

using Lsn = uint64_t;

std::string FormatLsn(Lsn lsn);

// "16/B374D848"; anything else throws std::invalid_argument.
Lsn ParseLsn(std::string_view text);

}  // namespace bemi::ingest

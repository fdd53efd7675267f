// The next record of a slot, without taking it: for times in real seconds.
#pragma once

#include <optional>
#include <string>

#include "lsn.hpp"
#include "settings.hpp"
#include "slot_stream.hpp"

namespace bemi::ingest {

struct NextRecord {
    bool known = false;   // false: could not be found out, and `why`
    bool exists = false;  // false: the slot is current
    int64_t committed_at = 0;
    std::string why;
};

// Reads the first record beyond `from` through a temporary copy of the slot, which may be in use.
// Ends after some seconds whatever happens.
NextRecord PeekNext(const Settings& settings, Lsn from, const DecoderOptions& options);

}  // namespace bemi::ingest

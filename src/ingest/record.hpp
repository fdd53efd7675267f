// One record, as slices of its text: what the plugin wrote goes to the destination byte by byte,
// and no tree of it is ever built.
//
//   record := '{' member (',' member)* '}'        compact, as the plugin writes it
//   member := '"' key '"' ':' value
//
// The scanner checks the frame (brackets that close, strings that end, a type for each key that it
// knows) and nothing inside before, after, context and the like: the destination's jsonb does that.
#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "timestamp.hpp"

namespace bemi::ingest {

struct BadRecord : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The slices live as long as the text that was scanned.
struct Record {
    // Insides of JSON strings, still escaped; data() is null where absent or null.
    std::string_view operation, database, schema, table, primary_key, previous_key;
    // JSON values, raw; "{}" where absent.
    std::string_view before = "{}", after = "{}", context = "{}";
    int64_t committed_at = kNoTime;  // microseconds since 2000-01-01 UTC, as PostgreSQL counts
    uint64_t transaction_id = 0, position = 0, commit_position = 0;
    uint64_t sequence = 0;  // 0: a MESSAGE, which has none
    bool last = false;
    // "key":value of what has no column of its own (identity, missing, partition, origin,
    // context_error, prefix, content, and whatever a later version adds).
    std::array<std::string_view, 16> details = {};
    int detail_count = 0;

    bool IsMessage() const { return sequence == 0; }
};

// Throws BadRecord. Pure: no input makes it read beyond the text or use more than the stack it has.
Record ScanRecord(std::string_view text);

// Appends the string that an escaped inside stands for; throws BadRecord.
void Unescape(std::string_view escaped, std::string* out);

}  // namespace bemi::ingest

// Rows of the table `changes` in the binary format of COPY.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "change_id.hpp"
#include "record.hpp"

namespace bemi::ingest {

// The columns that the rows below have, in their order.
inline constexpr char kCopyColumns[] =
    "id, primary_key, previous_key, before, after, context, database, schema, \"table\", "
    "operation, committed_at, queued_at, transaction_id, position, commit_position, sequence, "
    "details";

// A longer key, in bytes, goes into details, and its column is null: beside the other columns of an
// index a B-tree has no room for it, and one such row would stop everything behind it.
inline constexpr size_t kLongestKey = 2000;

// What a row has beside its record.
struct RowFrame {
    Uuid id;
    uint64_t sequence;
    int64_t queued_at;
};

void AppendCopyHeader(std::string* out);
void AppendCopyRow(const Record& record, const RowFrame& frame, std::string* out);
void AppendCopyTrailer(std::string* out);

// The pieces, for rows that come from elsewhere.
void AppendCount(int16_t columns, std::string* out);
void AppendNull(std::string* out);
void AppendBytes(std::string_view bytes, std::string* out);
void AppendJsonb(std::string_view text, std::string* out);
void AppendInt64(int64_t value, std::string* out);

}  // namespace bemi::ingest

// The grammar of a record. Knows no LogicalDecodingContext.
#pragma once

#include <string_view>

#include "bemi/tuple.hpp"

namespace bemi {

// What is the same in all records of a transaction, as fragments for AppendPadded.
struct TransactionFragments {
    // `,"origin":…,"committed_at":…,"transaction_id":…,"position":`
    std::string_view before_position;
    std::string_view before_sequence;  // `,"commit_position":…,"sequence":`
    std::string_view after_position;   // `,"commit_position":…`, of a MESSAGE
};

struct TransactionFacts {
    const TextEncoding* encoding;
    const char* origin;  // nullptr where the change is not replayed from elsewhere
    TimestampTz committed_at;
    uint64 transaction_id;  // with its epoch
    XLogRecPtr commit_position;
};

// The fragments are what `out` then holds.
TransactionFragments MakeFragments(JsonStream& out, const TransactionFacts& facts);

// Where a record stands in its transaction.
struct RecordPlace {
    const TransactionFragments* transaction;
    XLogRecPtr position;
    uint64 sequence;
};

// Appends a record up to, and without, `,"context":…}`, at most `max_size` bytes of it where values
// can be left out to get there. `scratch` is used to measure them.
void WriteRowRecord(JsonStream& out, JsonStream& scratch, Row& row, Operation operation,
                    const RecordPlace& place, std::size_t max_size);
void WriteTruncateRecord(JsonStream& out, const RelationPlan& plan, const RecordPlace& place);

struct Message {
    std::string_view prefix;   // in the database's encoding
    std::string_view content;  // any bytes
};
// The same for a MESSAGE, which has no context: only `}` or `,"last":true}` is missing.
void WriteMessageRecord(JsonStream& out, const Message& message, const TextEncoding& encoding,
                        std::string_view database, const RecordPlace& place, std::size_t max_size);

}  // namespace bemi

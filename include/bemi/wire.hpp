// What the plugin and those who read its records agree on: key names, prefix, limits.
// Knows neither PostgreSQL nor rapidjson.
#pragma once

#include <cstddef>

namespace bemi::wire {

inline constexpr int kFormatVersion = 1;
inline constexpr char kContextPrefix[] = "_bemi";

// Names of the keys of a record, in the order in which they are written.
inline constexpr char kOperation[] = "operation";
inline constexpr char kDatabase[] = "database";
inline constexpr char kSchema[] = "schema";
inline constexpr char kTable[] = "table";
inline constexpr char kPartition[] = "partition";
inline constexpr char kPrimaryKey[] = "primary_key";
inline constexpr char kPreviousKey[] = "previous_key";
inline constexpr char kBefore[] = "before";
inline constexpr char kAfter[] = "after";
inline constexpr char kIdentity[] = "identity";
inline constexpr char kMissing[] = "missing";
inline constexpr char kPrefix[] = "prefix";
inline constexpr char kContent[] = "content";
inline constexpr char kOrigin[] = "origin";
inline constexpr char kCommittedAt[] = "committed_at";
inline constexpr char kTransactionId[] = "transaction_id";
inline constexpr char kPosition[] = "position";
inline constexpr char kCommitPosition[] = "commit_position";
inline constexpr char kSequence[] = "sequence";
inline constexpr char kContext[] = "context";
inline constexpr char kContextError[] = "context_error";
inline constexpr char kLast[] = "last";

// The key of a context under which the session library tells what the server knows of a session.
inline constexpr char kSession[] = "session";
// The key of a context under which it names what it had to leave out of it.
inline constexpr char kDropped[] = "bemi_dropped";

// Values that jsonb refuses to hold: more bytes in an array or object than a JEntry can tell
// (jsonb.h), or more elements or members than its parser can gather in one allocation of 1 GB,
// which it doubles as it goes (32 and 72 bytes each).
inline constexpr std::size_t kMaxJsonbBytes = 0x0FFFFFFF;
inline constexpr std::size_t kMaxJsonbElements = 16777216;
inline constexpr std::size_t kMaxJsonbMembers = 8388608;

// Deepest nesting: of a context, and of a json and a jsonb value that is still embedded. A server
// with the default max_stack_depth reads somewhat more than the last.
inline constexpr int kMaxContextDepth = 64;
inline constexpr int kMaxValueDepth = 1000;
inline constexpr int kMaxJsonbDepth = 6000;

}  // namespace bemi::wire

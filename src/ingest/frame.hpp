// A message of the streaming replication protocol (PostgreSQL's manual, "Streaming Replication
// Protocol").
//
//   XLogData   'w' start:int64 end:int64 time:int64 payload
//   keepalive  'k' end:int64 time:int64 reply:byte
#pragma once

#include <string_view>

#include "lsn.hpp"

namespace bemi::ingest {

struct Frame {
    enum class Kind { kData, kKeepalive, kUnknown };
    Kind kind = Kind::kUnknown;
    Lsn position = 0;          // start of XLogData, end of a keepalive
    bool wants_reply = false;  // of a keepalive
    std::string_view payload;  // of XLogData, inside of the message
};

// Pure; kUnknown where the message is none of these, or too short.
Frame ReadFrame(std::string_view message);

}  // namespace bemi::ingest

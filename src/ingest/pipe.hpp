// The two ends of the loop: where records come from, and where they go. Neither end knows the
// other, and the loop knows neither a slot nor a table.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "lsn.hpp"

namespace bemi::ingest {

// Something that a source gave.
struct Delivery {
    enum class Kind {
        kNothing,   // in the time that was allowed
        kRecords,   // one or more records, a line each
        kPosition,  // nothing up to here that isn't delivered
        kEnd,       // the source has ended in good order
    };
    Kind kind = Kind::kNothing;
    Lsn position = 0;
    bool urgent = false;    // of kPosition: the source waits for it to be confirmed
    std::string_view text;  // lives until the next call
};

class Source {
 public:
    virtual ~Source() = default;
    virtual Delivery Next(std::chrono::milliseconds wait) = 0;
    // What is stored up to here need never be sent again.
    virtual void Confirm(Lsn stored) = 0;
    // Keeps the connection alive while the caller is busy elsewhere; cheap, sends at most now and
    // then.
    virtual void StayAlive() = 0;
    // Asks for a position soon.
    virtual void AskPosition() = 0;
};

class Sink {
 public:
    virtual ~Sink() = default;
    // The position up to which everything is stored.
    virtual Lsn Stored() const = 0;
    // Takes one record; gives true with the last of a transaction. What is appended becomes visible
    // with Commit, all of it or nothing.
    virtual bool Append(std::string_view record) = 0;
    virtual void Commit(Lsn position) = 0;
    // Nothing to store, but the source is further: remembers that.
    virtual void Move(Lsn position) = 0;
    // Bytes and rows since the last Commit.
    virtual uint64_t PendingBytes() const = 0;
    virtual uint64_t PendingRows() const = 0;
    // Commit time of the last record taken, for those who watch; 0: none yet.
    virtual int64_t LastCommitTime() const = 0;
    // True where moving to `position` would only follow what this sink itself has written.
    virtual bool IsOwnEcho(Lsn position) const = 0;
    // A moment when nothing is open and the source is current: housekeeping, where it is due.
    virtual void Rest() = 0;
};

}  // namespace bemi::ingest

// What lives for one transaction: its context, the records that are held back, and the message
// that is being filled. Knows no LogicalDecodingContext: messages go out through `send`.
//
// A record is built at once, without its tail. While no context is known, records are held; then
// they go out with the first one, and later records follow as they come, save the latest, which
// waits for the next or for the commit, so that the last one can say so.
//
// Where it is known that no context will come there is nothing to wait for but the last record.
//
// A message has the LSN of its end, which is the LSN of the change that follows it. Where the two
// are of different subtransactions the server may decode the change first. So in a transaction with
// subtransactions the newest records that share a position are held as well, for a context that was
// written before them.
#pragma once

#include <string_view>

#include "bemi/context.hpp"
#include "bemi/json_writer.hpp"
#include "bemi/options.hpp"

namespace bemi {

// Sends one message whose records are complete, behind the header that is still to be filled in.
// `position` is the LSN of its last record; `last` tells that it carries the transaction's last
// record. The stream is cleared afterwards.
using SendFunction = void (*)(void* argument, JsonStream& message, XLogRecPtr position, bool last);

// Buffers are kept from one transaction to the next.
class RecordQueue {
 public:
    // Every message begins with room for a header of so many bytes, which are the sender's.
    void Init(const Options& options, const TextEncoding& encoding, MemoryContext memory,
              std::size_t header_size, SendFunction send, void* argument);

    // Whether records of such a transaction are held for a context, if one may come.
    bool WouldHold(bool has_subtransactions) const;
    // `may_have_context` is false where it is known that no context will come, or that none would
    // make a difference to what is held.
    void Begin(bool has_subtransactions, bool may_have_context);
    // Where the next record is to be appended, without its tail; then EndRecord.
    JsonStream& BeginRecord(XLogRecPtr position);
    // `with_context` is false for a MESSAGE.
    void EndRecord(XLogRecPtr position, bool with_context);
    // The context of the changes from `position` on, and of those before it if it is the first.
    void SetContext(std::string_view message, XLogRecPtr position);
    // Sends what is left; false where nothing was ever sent.
    bool Commit();

    // A context has come after changes had gone out without one, for the first time.
    bool context_came_late() const { return context_came_late_; }

 private:
    struct Held {
        std::size_t end;  // in held_
        XLogRecPtr position;
        bool with_context;
    };

    enum class Mode {
        kAwaitContext,  // no context is known yet: hold all
        kHoldPosition,  // hold the newest records of one position
        kPassOn,        // hold nothing but the latest record
    };

    bool AwaitsContext() const;
    void Hold(XLogRecPtr position, bool with_context);
    void ReleaseHeld();
    void StopAwaiting();
    void CloseOpenRecord();
    void OpenRecord(XLogRecPtr position, bool with_context);
    void Send(bool last);
    void ClearMessage();

    const Options* options_;
    const TextEncoding* encoding_;
    MemoryContext memory_;
    std::size_t header_size_;
    SendFunction send_;
    void* argument_;

    JsonStream held_;     // records without tails, one behind the other
    Held* held_records_;  // where they end
    int held_count_;
    int held_capacity_;
    JsonStream message_;  // a header, complete records, then the open one, which lacks `}`
    bool has_open_record_;
    XLogRecPtr open_position_;
    JsonStream context_;      // the tail of the changes now: `,"context":…`
    JsonStream raw_context_;  // the message it was made from, where that is kept
    bool raw_context_kept_;
    Mode mode_;
    bool has_subtransactions_;
    bool context_seen_;
    bool context_came_late_;
    bool released_without_context_;
    bool sent_;
};

}  // namespace bemi

// The numbers that records have within their transaction, of which the ids are made.
//
// A row change brings its own. A MESSAGE has none: it gets one behind those of all changes, so that
// its id is the same whenever the transaction is decoded. An id has 32 bits for it: what does not
// fit is refused, for two records must never have one id.
#pragma once

#include <cstdint>

#include "errors.hpp"
#include "record.hpp"

namespace bemi::ingest {

class Sequences {
 public:
    // Throws Failure. Records come in the order of their transactions.
    uint32_t Of(const Record& record) {
        if (transaction_ != record.commit_position) {
            transaction_ = record.commit_position;
            messages_ = changes_ = 0;
        }
        if (record.IsMessage())
            ++messages_;
        else
            changes_ = record.sequence;
        if (changes_ > UINT32_MAX)
            throw Failure(Exit::kFailed,
                          "a transaction of the source has more than 4,294,967,295 changes, the "
                          "most that ids can tell apart",
                          "docs/ingest.md, \"Limits\", says how to go on behind it");
        if (messages_ > 0 && (changes_ > kFirstMessage || messages_ > UINT32_MAX - kFirstMessage))
            throw Failure(Exit::kFailed,
                          "a transaction of the source has messages, and more than 2,147,483,648 "
                          "changes: their ids would be the same",
                          "run without --option messages until it is stored");
        return static_cast<uint32_t>(record.IsMessage() ? kFirstMessage + messages_ : changes_);
    }

 private:
    static constexpr uint64_t kFirstMessage = uint64_t{1} << 31;

    uint64_t transaction_ = 0;
    uint64_t messages_ = 0, changes_ = 0;  // so far, of that transaction
};

}  // namespace bemi::ingest

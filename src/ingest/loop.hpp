// From a source to a sink, whole transactions at a time.
#pragma once

#include <chrono>
#include <optional>

#include "pipe.hpp"
#include "reporter.hpp"

namespace bemi::ingest {

struct LoopSettings {
    // A batch that has reached either takes no further transaction. One transaction is never split,
    // however large.
    uint64_t transaction_size = 16 << 20;
    std::chrono::milliseconds transaction_time{1000};
    // Stop when everything up to here is stored.
    std::optional<Lsn> until;
};

class Loop {
 public:
    Loop(Source& source, Sink& sink, Reporter& reporter, const LoopSettings& settings);
    // Returns when `until` is reached, or when the source ends in good order (false).
    bool Run();

 private:
    using Time = std::chrono::steady_clock::time_point;

    void TakeRecords(const Delivery& delivery);
    void TakePosition(const Delivery& delivery);
    void MoveIfDue(std::chrono::milliseconds interval);
    void AskIfDue();
    void BeginBatch();
    void Commit();
    bool Reached() const;
    std::chrono::milliseconds Patience() const;

    Source& source_;
    Sink& sink_;
    Reporter& reporter_;
    LoopSettings settings_;
    bool open_ = false;  // a transaction has begun to arrive and its last record has not
    Lsn received_ = 0;   // greatest end of a transaction taken
    Lsn seen_ = 0;       // greatest position of all
    Time batch_began_, committed_;
    uint64_t last_rows_ = 0;  // of the last batch
    std::chrono::milliseconds commit_cost_{0}, linger_{0};
    Time moved_;
    Time asked_;
};

}  // namespace bemi::ingest

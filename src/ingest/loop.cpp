#include "loop.hpp"

#include <algorithm>

namespace bemi::ingest {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Positions without records are remembered no more often than this.
constexpr std::chrono::milliseconds kMoveInterval = 10s;
// A source in a hurry (it shuts down) waits no longer than this.
constexpr std::chrono::milliseconds kUrgentInterval = 1s;
// A commit costs a round trip and a flush of the disk. Right after one, when changes come without a
// pause, the next waits for some company: some times as long as the last one took, but not longer
// than anybody would notice. After a pause nobody waits.
constexpr int kLingerTimes = 4;
constexpr std::chrono::milliseconds kLongestLinger = 40ms;
// Whoever brings this many rows a batch has a backlog, and rather wants it stored.
constexpr uint64_t kBacklogRows = 1000;
constexpr std::chrono::milliseconds kBacklogLinger = 100ms;
constexpr auto kPause = 50ms;
constexpr auto kIdleWait = 1000ms;
constexpr auto kCurrentWait = 50ms;

}  // namespace

Loop::Loop(Source& source, Sink& sink, Reporter& reporter, const LoopSettings& settings)
    : source_(source), sink_(sink), reporter_(reporter), settings_(settings) {
    received_ = seen_ = sink_.Stored();
    moved_ = Clock::now();
    asked_ = moved_ - kMoveInterval;
}

bool Loop::Run() {
    while (!Reached()) {
        Delivery delivery = source_.Next(Patience());
        // Nothing is here to join what is pending.
        if (delivery.kind != Delivery::Kind::kRecords && !open_ && sink_.PendingRows() > 0)
            Commit();
        switch (delivery.kind) {
            case Delivery::Kind::kRecords:
                TakeRecords(delivery);
                break;
            case Delivery::Kind::kPosition:
                TakePosition(delivery);
                break;
            case Delivery::Kind::kEnd:
                return false;
            case Delivery::Kind::kNothing:
                MoveIfDue(kMoveInterval);
                AskIfDue();
        }
        reporter_.Taken(sink_.PendingRows(), sink_.PendingBytes());
        reporter_.Tick(sink_.LastCommitTime());
    }
    return true;
}

// With rows pending, only what is already here may join them, or comes while the batch is young.
std::chrono::milliseconds Loop::Patience() const {
    if (!open_ && sink_.PendingRows() > 0) {
        auto left = batch_began_ + linger_ - Clock::now();
        return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(left),
                        std::chrono::milliseconds(0));
    }
    return settings_.until ? kCurrentWait : kIdleWait;
}

void Loop::BeginBatch() {
    batch_began_ = Clock::now();
    bool paused = batch_began_ - committed_ > kPause;
    linger_ = paused                       ? 0ms
              : last_rows_ >= kBacklogRows ? kBacklogLinger
                                           : std::min(commit_cost_ * kLingerTimes, kLongestLinger);
}

bool Loop::Reached() const {
    return settings_.until && sink_.Stored() >= *settings_.until;
}

void Loop::TakeRecords(const Delivery& delivery) {
    if (sink_.PendingRows() == 0)
        BeginBatch();
    std::string_view text = delivery.text;
    while (!text.empty()) {
        size_t end = std::min(text.find('\n'), text.size());
        if (end > 0)
            open_ = !sink_.Append(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (open_)
        return;
    received_ = std::max(received_, delivery.position);
    seen_ = std::max(seen_, received_);
    bool full = sink_.PendingBytes() >= settings_.transaction_size ||
                Clock::now() - batch_began_ >= settings_.transaction_time;
    if (full)
        Commit();
}

// A source that tells its position has nothing more to send at this moment: it is current.
void Loop::TakePosition(const Delivery& delivery) {
    if (open_)
        return;
    seen_ = std::max(seen_, delivery.position);
    MoveIfDue(delivery.urgent ? kUrgentInterval : kMoveInterval);
    sink_.Rest();
}

void Loop::MoveIfDue(std::chrono::milliseconds interval) {
    if (open_ || seen_ <= sink_.Stored())
        return;
    bool reached = settings_.until && seen_ >= *settings_.until;
    if (!reached && (sink_.IsOwnEcho(seen_) || Clock::now() - moved_ < interval))
        return;
    sink_.Move(seen_);
    moved_ = Clock::now();
    source_.Confirm(sink_.Stored());
}

// Where nothing comes, the source says how far it is only when asked.
void Loop::AskIfDue() {
    if (!settings_.until && Clock::now() - asked_ < kMoveInterval)
        return;
    source_.AskPosition();
    asked_ = Clock::now();
}

void Loop::Commit() {
    uint64_t rows = sink_.PendingRows();
    auto began = Clock::now();
    sink_.Commit(received_);
    moved_ = committed_ = Clock::now();
    commit_cost_ = std::chrono::ceil<std::chrono::milliseconds>(committed_ - began);
    source_.Confirm(sink_.Stored());
    reporter_.Done(rows);
    last_rows_ = rows;
}

}  // namespace bemi::ingest

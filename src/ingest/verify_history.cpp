#include "verify_history.hpp"

#include <algorithm>
#include <tuple>

namespace bemi::ingest {

bool Baseline::InGap(Lsn earlier, Lsn later) const {
    return std::any_of(gaps.begin(), gaps.end(), [&](const std::pair<Lsn, Lsn>& gap) {
        return earlier < gap.second && later >= gap.second;
    });
}

void KeyHistory::Clear() {
    rows_.clear();
    doubts_.clear();
    last_.reset();
}

// Rows go that were truncated before this place.
void KeyHistory::Truncate(Lsn commit, uint64_t sequence) {
    auto place = [](const auto& record) { return std::make_tuple(record.commit, record.sequence); };
    auto gone = [&](const KeyEvent& row) {
        const auto& all = baseline_.truncations;
        auto next = std::upper_bound(
            all.begin(), all.end(), place(row),
            [&](const auto& at, const Truncation& truncation) { return at < place(truncation); });
        for (; next != all.end() && place(*next) < std::make_tuple(commit, sequence); ++next) {
            if (next->partition.empty() || row.partition.empty() ||
                next->partition == row.partition)
                return true;
        }
        return false;
    };
    if (!baseline_.truncations.empty())
        rows_.erase(std::remove_if(rows_.begin(), rows_.end(), gone), rows_.end());
}

// A transaction is over: of the rows with this key one can be left.
void KeyHistory::Settle(Lsn commit) {
    if (rows_.size() < 2 || rows_.back().commit == commit)
        return;
    const KeyEvent& earlier = rows_[rows_.size() - 2];
    if (!baseline_.InGap(earlier.commit, rows_.back().commit))
        doubts_.push_back(
            {Doubt::Kind::kTwoRows, earlier.id, rows_.back().id, rows_.back().commit});
    rows_.erase(rows_.begin(), rows_.end() - 1);
}

bool KeyHistory::Doubtful(const KeyEvent& event) const {
    return last_ ? !baseline_.InGap(last_->commit, event.commit)
                 : event.commit > baseline_.known_from;
}

// The row that the record found.
void KeyHistory::Remove(const KeyEvent& event) {
    if (rows_.empty()) {
        if (Doubtful(event))
            doubts_.push_back({Doubt::Kind::kNoRow, {}, event.id, event.commit});
        return;
    }
    auto row = std::find_if(rows_.begin(), rows_.end(), [&](const KeyEvent& candidate) {
        return event.before && candidate.after == event.before;
    });
    if (row == rows_.end()) {
        // Without a whole image, the one that was there first.
        row = event.before ? rows_.end() - 1 : rows_.begin();
        if (event.before && !baseline_.InGap(row->commit, event.commit))
            doubts_.push_back({Doubt::Kind::kFound, row->id, event.id, event.commit});
    }
    rows_.erase(row);
}

void KeyHistory::Add(const KeyEvent& event) {
    using Kind = KeyEvent::Kind;
    Truncate(event.commit, event.sequence);
    Settle(event.commit);
    if (event.kind == Kind::kSnapshot)
        rows_.clear();
    if (event.kind == Kind::kUpdate || event.kind == Kind::kDelete || event.kind == Kind::kLeave)
        Remove(event);
    if (event.kind != Kind::kDelete && event.kind != Kind::kLeave)
        rows_.push_back(event);
    last_ = event;
}

const KeyEvent* KeyHistory::End() {
    Truncate(UINT64_MAX, UINT64_MAX);
    Settle(UINT64_MAX);
    return rows_.empty() ? nullptr : &rows_.back();
}

}  // namespace bemi::ingest

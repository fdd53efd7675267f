// How far behind the destination is, and in what state the slot.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lsn.hpp"
#include "settings.hpp"

namespace bemi::ingest {

struct GapRow {
    std::string reason, from, to, from_time, to_time, accepted_at;
};

struct Status {
    std::string slot, database, wal_status;  // wal_status empty: there is no slot
    bool active = false;
    Lsn source_end = 0, confirmed = 0, stored = 0, retained_from = 0;
    std::optional<uint64_t> safe_size;
    uint64_t lag_bytes = 0;  // of WAL that is not stored
    // Age of the oldest change that is not stored, in seconds; nothing where it is not known.
    std::optional<double> age;
    std::string age_unknown;  // why
    uint64_t rows = 0;
    double rate = 0;                   // rows a second, about the last minute
    std::string last_commit, updated;  // empty: none yet
    double last_commit_epoch = 0;
    std::vector<GapRow> gaps;
    std::string pending_gap;  // that run would stop at; empty: none
};

std::string AsText(const Status& status);
std::string AsJson(const Status& status);
std::string AsPrometheus(const Status& status);

}  // namespace bemi::ingest

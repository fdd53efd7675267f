// bemi.progress: how far the destination has stored a slot's records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "connection.hpp"
#include "lsn.hpp"
#include "slot.hpp"
#include "timestamp.hpp"

namespace bemi::ingest {

struct Progress {
    std::string slot, database;
    uint64_t system = 0;
    uint32_t timeline = 0;
    uint32_t fork = 0;
    Lsn position = 0, stored = 0, start = 0;
    std::string committed_at;  // of the last transaction stored, as text; may be empty
    uint64_t rows = 0;
};

// What a transaction of the destination adds.
struct Advance {
    Lsn to = 0;
    uint64_t rows = 0;
    int64_t committed_at = kNoTime;  // of the last transaction
    uint64_t transaction_id = 0;
};

// Empty where init has not been here (no table, or no row).
std::optional<Progress> ReadProgress(Connection& destination, const std::string& slot);

// The same, where there must be one: Failure otherwise, also where `drop` was here meanwhile.
Progress DemandProgress(Connection& destination, const std::string& slot);

void InsertProgress(Connection& destination, const Progress& progress, const std::string& schema);

// `drop` puts the row aside, so that what a slot of that name misses, once it is made again, is a
// gap. The latter says whether there was one.
void PutProgressAside(Connection& destination, const std::string& slot);
bool RecallProgress(Connection& destination, const std::string& slot);

// The UPDATE, fenced by the position that it was at: touches one row, or somebody else was here.
std::string AdvanceSql(Connection& destination, const Progress& progress, const Advance& advance);

}  // namespace bemi::ingest

// The id of a change: a uuid of version 8 that sorts as the records do and is the same whenever
// the same change is decoded.
//
//   bits   0..47   commit_position, upper 48 of its 60 bits
//         48..51   version 8
//         52..63   commit_position, lower 12 bits
//         64..65   variant 2
//         66..97   sequence, 32 bits
//         98..127  (system identifier + fork) mod 1,073,741,789, the greatest prime below 2^30
//
// The SQL function bemi.change_id() computes the same.
#pragma once

#include <array>
#include <cstdint>

namespace bemi::ingest {

using Uuid = std::array<unsigned char, 16>;

Uuid ChangeId(uint64_t commit_position, uint32_t sequence, uint32_t system_hash);

// Whether an id is that of a change at this place, of whatever system: the system identifier of a
// source may have become another one since, as by pg_upgrade.
bool IsIdOf(const Uuid& id, uint64_t commit_position, uint64_t sequence);

// `fork` counts the times that a timeline was left behind whose changes had been stored already.
uint32_t SystemHash(uint64_t system_identifier, uint32_t fork);

}  // namespace bemi::ingest

// Whether what the source would send next is what the destination has not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "progress.hpp"
#include "slot.hpp"

namespace bemi::ingest {

struct Evidence {
    Progress progress;
    System system;
    SlotState slot;
    std::vector<TimelineSwitch> history;  // of the system's timeline
};

struct Gap {
    std::string reason;  // as bemi.gaps has it: ahead, lost, timeline, behind, system
    Lsn from = 0, to = 0;
    std::string explanation;
    // Where to go on, once it is accepted.
    Lsn resume = 0;
    bool fork = false;         // what was stored since is foreign: new ids must differ from it
    bool remake_slot = false;  // this slot gives nothing more
};

// Pure. Nothing where all is well.
std::optional<Gap> FindGap(const Evidence& evidence);

// Where to go on without a gap, which may be before progress.position: after a failover that lost
// nothing but positions without records.
Lsn ResumePosition(const Evidence& evidence);

// In the destination's current transaction: the row of bemi.gaps, and progress behind the gap.
// next_committed_at is that of the first record behind it, where there is one.
void RecordGap(Connection& destination, const Evidence& evidence, const Gap& gap,
               std::optional<int64_t> next_committed_at);

}  // namespace bemi::ingest

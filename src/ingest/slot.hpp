// What the source says of itself and of the slot.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connection.hpp"
#include "lsn.hpp"

namespace bemi::ingest {

inline constexpr char kPlugin[] = "bemi_decoder";

struct System {
    uint64_t identifier = 0;
    uint32_t timeline = 0;
    Lsn end = 0;  // of the WAL that is flushed
};

struct SlotState {
    std::string plugin, database, type, wal_status;
    bool active = false;
    int active_pid = 0;
    Lsn confirmed = 0, restart = 0;
    std::optional<uint64_t> safe_size;  // bytes until it is lost, where there is a limit
    bool failover = false;              // standbys follow it (17 and later)
    bool temporary = false;             // ends with its session, or with a promotion
    bool synced = false;                // follows that of the primary (17 and later)
    std::string lost_because;           // the server's word for it (17 and later), or empty
};

enum class SlotKind {
    kPersistent,
    kFailover,  // the same, and standbys follow it; 17 and later
    kTemporary,
};

struct TimelineSwitch {
    uint32_t timeline;  // that was left
    Lsn position;       // where
};

// On a replication connection.
System IdentifySystem(Connection& source);
std::vector<TimelineSwitch> TimelineHistory(Connection& source, uint32_t timeline);
// Makes a slot and gives its first position. `snapshot` gets the name of the exported snapshot,
// which lives as long as nothing else runs on this connection; null where none is wanted.
Lsn CreateSlot(Connection& source, const std::string& name, SlotKind kind, std::string* snapshot);
// The same; when it takes long, says on stderr what it waits for.
Lsn CreateSlotAndTell(Connection& source, const std::string& name, SlotKind kind,
                      std::string* snapshot);
// Has standbys follow a slot that is there and that nobody reads; 17 and later.
void MakeFailover(Connection& source, const std::string& name);

// On any connection.
std::optional<SlotState> ReadSlot(Connection& source, const std::string& name);

}  // namespace bemi::ingest

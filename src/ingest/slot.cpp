#include "slot.hpp"

#include <cstdlib>
#include <sstream>

#include "errors.hpp"
#include "print.hpp"

namespace bemi::ingest {

namespace {

// What the making of a slot waits for.
std::string SlotWaitsFor(Connection& source) {
    if (source.Value("SELECT pg_is_in_recovery()") == "t")
        return "a word of the primary, which writes it now and then, or when it is told there: "
               "SELECT pg_log_standby_snapshot()";
    std::string waits_for =
        "transactions of the source that are open; to see them: SELECT pid, xact_start, query "
        "FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY 2;";
    // Those that are prepared have no session.
    const Result prepared = source.Query(
        "SELECT count(*), min(prepared)::timestamptz(0), (array_agg(gid ORDER BY prepared))[1]"
        " FROM pg_catalog.pg_prepared_xacts");
    if (prepared.Get(0, 0) != "0")
        waits_for += " and for prepared ones, of which there are " + prepared.Get(0, 0) +
                     ", the oldest since " + prepared.Get(0, 1) + ": COMMIT PREPARED " +
                     source.Literal(prepared.Get(0, 2)) +
                     "; or ROLLBACK PREPARED; all: SELECT * FROM pg_prepared_xacts;";
    return waits_for;
}

}  // namespace

System IdentifySystem(Connection& source) {
    Result row = source.Query("IDENTIFY_SYSTEM");
    System system;
    system.identifier = std::strtoull(row.Get(0, 0).c_str(), nullptr, 10);
    system.timeline = static_cast<uint32_t>(std::strtoul(row.Get(0, 1).c_str(), nullptr, 10));
    system.end = ParseLsn(row.Get(0, 2));
    return system;
}

std::vector<TimelineSwitch> TimelineHistory(Connection& source, uint32_t timeline) {
    std::vector<TimelineSwitch> switches;
    if (timeline <= 1)
        return switches;
    Result file = source.Query("TIMELINE_HISTORY " + std::to_string(timeline));
    std::istringstream lines(file.Get(0, 1));
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        uint32_t left = 0;
        std::string position;
        if (words >> left >> position)
            switches.push_back({left, ParseLsn(position)});
    }
    return switches;
}

Lsn CreateSlot(Connection& source, const std::string& name, SlotKind kind, std::string* snapshot) {
    // Servers before 15 know no options in parentheses.
    const char* options = kind == SlotKind::kFailover ? " (FAILOVER, SNAPSHOT 'nothing')"
                          : snapshot != nullptr       ? " EXPORT_SNAPSHOT"
                                                      : " NOEXPORT_SNAPSHOT";
    Result row = source.Query("CREATE_REPLICATION_SLOT " + source.Identifier(name) +
                              (kind == SlotKind::kTemporary ? " TEMPORARY" : "") + " LOGICAL " +
                              kPlugin + options);
    if (snapshot != nullptr)
        *snapshot = row.Get(0, 2);
    return ParseLsn(row.Get(0, 1));
}

Lsn CreateSlotAndTell(Connection& source, const std::string& name, SlotKind kind,
                      std::string* snapshot) {
    source.WhileWaiting(
        [waits_for = SlotWaitsFor(source), began = Clock::now(), told = false](auto) mutable {
            if (told || Clock::now() - began < std::chrono::seconds(3))
                return;
            told = true;
            Complain("the slot waits for " + waits_for);
        });
    const Lsn position = CreateSlot(source, name, kind, snapshot);
    source.WhileWaiting(nullptr);
    return position;
}

void MakeFailover(Connection& source, const std::string& name) {
    source.Query("ALTER_REPLICATION_SLOT " + source.Identifier(name) + " (FAILOVER)");
}

std::optional<SlotState> ReadSlot(Connection& source, const std::string& name) {
    Result row = source.Query(
        "SELECT plugin, database, slot_type, wal_status, active, coalesce(active_pid, 0),"
        " coalesce(confirmed_flush_lsn, '0/0'), coalesce(restart_lsn, '0/0'), safe_wal_size,"
        // Columns that not every server has.
        " coalesce(pg_catalog.to_jsonb(s) ->> 'failover', 'false'),"
        " coalesce(pg_catalog.to_jsonb(s) ->> 'invalidation_reason', ''), temporary,"
        " coalesce(pg_catalog.to_jsonb(s) ->> 'synced', 'false')"
        " FROM pg_catalog.pg_replication_slots s WHERE slot_name = " +
        source.Literal(name));
    if (row.rows() == 0)
        return std::nullopt;
    SlotState slot;
    slot.plugin = row.Get(0, 0);
    slot.database = row.Get(0, 1);
    slot.type = row.Get(0, 2);
    slot.wal_status = row.IsNull(0, 3) ? "lost" : row.Get(0, 3);
    slot.active = row.Get(0, 4) == "t";
    slot.active_pid = std::atoi(row.Get(0, 5).c_str());
    slot.confirmed = ParseLsn(row.Get(0, 6));
    slot.restart = ParseLsn(row.Get(0, 7));
    if (!row.IsNull(0, 8))
        slot.safe_size = std::strtoull(row.Get(0, 8).c_str(), nullptr, 10);
    slot.failover = row.Get(0, 9) == "true";
    slot.lost_because = row.Get(0, 10);
    slot.temporary = row.Get(0, 11) == "t";
    slot.synced = row.Get(0, 12) == "true";
    return slot;
}

}  // namespace bemi::ingest

// What the source needs.
#include <algorithm>

#include "check.hpp"
#include "errors.hpp"
#include "slot.hpp"

namespace bemi::ingest {

namespace {

using State = Finding::State;

std::string Setting(Connection& c, const std::string& name) {
    return c.Value("SELECT setting FROM pg_catalog.pg_settings WHERE name = " + c.Literal(name));
}

void CheckWal(Connection& source, Findings* findings) {
    std::string level = Setting(source, "wal_level");
    findings->push_back({level == "logical" ? State::kOk : State::kFails,
                         "source: wal_level is logical", level,
                         "ALTER SYSTEM SET wal_level = 'logical'; -- then restart the server"});
    // A server that knows the setting loads no output plugin that it does not name.
    std::string libraries = Setting(source, "output_plugin_libraries");
    bool named = libraries.empty() || libraries.find(kPlugin) != std::string::npos;
    findings->push_back({named ? State::kOk : State::kFails,
                         "source: output_plugin_libraries names bemi_decoder", libraries,
                         "ALTER SYSTEM SET output_plugin_libraries = " + libraries +
                             (libraries.empty() ? "" : ", ") +
                             "bemi_decoder; SELECT pg_reload_conf();"});
}

void CheckRole(Connection& source, Findings* findings) {
    // Managed servers give the right through a role of theirs; it has then let us in already.
    findings->push_back({State::kOk, "source: role " + source.User() + " may replicate", "", ""});
    std::string slots = source.Value(
        "SELECT count(*) || ' of ' || current_setting('max_replication_slots')"
        " FROM pg_replication_slots HAVING count(*) >= "
        "current_setting('max_replication_slots')::int");
    findings->push_back(
        {slots.empty() ? State::kOk : State::kNote,
         "source: a replication slot is free for snapshot and status", slots + " are in use",
         "ALTER SYSTEM SET max_replication_slots = 20; -- then restart the server"});
    std::string keep = Setting(source, "max_slot_wal_keep_size");
    findings->push_back({keep == "-1" || keep.empty() ? State::kOk : State::kNote,
                         "source: max_slot_wal_keep_size is -1",
                         keep + " MB: a slot that falls behind further is lost",
                         "ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf();"});
}

void CheckSlot(Connection& source, const Settings& settings, Findings* findings) {
    std::string name = "source: slot " + settings.slot + " of bemi_decoder exists";
    std::optional<SlotState> slot = ReadSlot(source, settings.slot);
    if (!slot) {
        findings->push_back({State::kFails, name, "no such slot", "bemi_ingest init"});
        return;
    }
    bool ours = slot->type == "logical" && slot->plugin == kPlugin;
    bool here = slot->database == source.Database();
    std::string found =
        !ours  ? "it is a slot of " + (slot->plugin.empty() ? "physical replication" : slot->plugin)
        : here ? ""
               : "it is a slot of the database " + slot->database;
    findings->push_back({ours && here ? State::kOk : State::kFails, name, found,
                         ours ? "--source with dbname=" + slot->database + ", or another --slot"
                              : "--slot with another name, then bemi_ingest init"});
    bool lost = slot->wal_status == "lost";
    findings->push_back({lost ? State::kNote : State::kOk,
                         "source: the slot has the WAL that it needs",
                         "wal_status is " + slot->wal_status + ": changes are missing",
                         "bemi_ingest run --accept-gap"});
}

}  // namespace

void CheckSource(Connection& source, const Settings& settings, Findings* findings) {
    int version = source.ServerVersion();
    findings->push_back({version >= 130000 ? State::kOk : State::kFails,
                         "source: PostgreSQL 13 or later", std::to_string(version / 10000),
                         "upgrade the source"});
    CheckWal(source, findings);
    CheckRole(source, findings);
    CheckSlot(source, settings, findings);
}

// Loading comes first in making a slot; a slot that cannot be finished soon, because of a
// transaction that is still open, has loaded it.
void CheckPlugin(Connection& source, const Settings& settings, Findings* findings) {
    std::string name = "source: the library bemi_decoder is installed";
    std::optional<SlotState> slot = ReadSlot(source, settings.slot);
    if (slot && slot->plugin == kPlugin) {
        findings->push_back({State::kOk, name, "", ""});
        return;
    }
    std::string why;
    try {
        auto asked = Clock::now();
        bool cancelled = false;
        source.WhileWaiting([&] {
            if (!cancelled && Clock::now() - asked > std::chrono::seconds(2)) {
                cancelled = true;
                source.Cancel();
            }
        });
        CreateSlot(source, "bemi_check", true, nullptr);
        source.Query("DROP_REPLICATION_SLOT bemi_check");
    } catch (const DatabaseError& error) {
        if (error.sqlstate != "57014")
            why = error.what();
    }
    source.WhileWaiting(nullptr);
    findings->push_back(
        {why.empty() ? State::kOk : State::kFails, name, why,
         "on the source's machine: make && make install, in bemi_decoder's folder"});
}

void CheckTables(Connection& source, Findings* findings) {
    Result rows = source.Query(
        "SELECT count(*), min(format('ALTER TABLE %I.%I REPLICA IDENTITY FULL;', n.nspname,"
        " c.relname)), to_regprocedure('bemi.track(regclass)')"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident <> 'f'"
        " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'bemi')"
        " AND NOT (c.relname = 'changes' AND EXISTS (SELECT FROM pg_attribute"
        " WHERE attrelid = c.oid AND attname = 'commit_position'))");
    std::string count = rows.Get(0, 0);
    bool extension = !rows.IsNull(0, 2);
    findings->push_back(
        {count == "0" ? State::kOk : State::kNote, "source: all tables have replica identity full",
         count + " have not: their records have no full \"before\"",
         extension ? "CALL bemi.track_all('public'); -- SELECT * FROM bemi.untracked"
                   : rows.Get(0, 1) + " -- and so on for each table"});
}

}  // namespace bemi::ingest

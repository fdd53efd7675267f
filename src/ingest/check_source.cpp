// What the source needs.
#include <algorithm>
#include <unistd.h>

#include "check.hpp"
#include "errors.hpp"
#include "slot.hpp"

namespace bemi::ingest {

namespace {

using State = Finding::State;

std::string Setting(Connection& c, const std::string& name) {
    return c.Value("SELECT setting FROM pg_catalog.pg_settings WHERE name = " + c.Literal(name));
}

bool IsStandby(Connection& source) {
    return source.Value("SELECT pg_catalog.pg_is_in_recovery()") == "t";
}

// Roles and tables are changed on the primary alone.
std::string OnPrimary(Connection& source, const std::string& fix) {
    return IsStandby(source) ? "on the primary: " + fix : fix;
}

// On a standby it is the primary that writes the WAL. Where the standby is told what is in it
// (effective_wal_level, 19), that decides; before, its own wal_level must be logical too, and what
// the primary's is only a slot finds out: CheckPlugin.
void CheckStandbyWal(Connection& source, const std::string& effective, Findings* findings) {
    if (effective.empty()) {
        const std::string level = Setting(source, "wal_level");
        findings->push_back({level == "logical" ? State::kOk : State::kFails,
                             "source: wal_level of the standby is logical", level,
                             "on the standby: ALTER SYSTEM SET wal_level = 'logical'; -- then "
                             "restart it; the primary needs the same"});
        return;
    }
    findings->push_back({effective == "logical" ? State::kOk : State::kFails,
                         "source: the primary's WAL is logical", effective,
                         "on the primary: ALTER SYSTEM SET wal_level = 'logical'; -- then restart "
                         "the primary; or make a logical slot there"});
    findings->push_back({State::kNote, "source: the primary's WAL stays logical",
                         "with wal_level = replica it does so only while the primary has a logical "
                         "slot of its own: when the last one goes, slots of this standby are lost",
                         "on the primary: ALTER SYSTEM SET wal_level = 'logical'; -- then restart "
                         "the primary"});
}

void CheckWal(Connection& source, Findings* findings) {
    if (IsStandby(source))
        return CheckStandbyWal(source, Setting(source, "effective_wal_level"), findings);
    // Servers with effective_wal_level raise replica to logical when the first logical slot is
    // made.
    std::string level = source.Value(
        "SELECT setting FROM pg_catalog.pg_settings WHERE name IN ('wal_level',"
        " 'effective_wal_level') ORDER BY setting = 'logical' DESC LIMIT 1");
    bool raised = level == "replica" && !Setting(source, "effective_wal_level").empty();
    findings->push_back({level == "logical" || raised ? State::kOk : State::kFails,
                         "source: wal_level is logical", level,
                         "ALTER SYSTEM SET wal_level = 'logical'; -- then restart the server"});
}

// A server that knows the setting loads no output plugin that it does not name.
void CheckLibraries(Connection& source, Findings* findings) {
    Result row = source.Query(std::string("SELECT setting, setting ~ '(^|,)\\s*\"?") + kPlugin +
                              "\"?\\s*(,|$)' FROM pg_catalog.pg_settings"
                              " WHERE name = 'output_plugin_libraries'");
    bool named = row.rows() == 0 || row.Get(0, 1) == "t";
    std::string libraries = named ? "" : row.Get(0, 0);
    findings->push_back({named ? State::kOk : State::kFails,
                         "source: output_plugin_libraries names bemi_decoder", libraries,
                         "ALTER SYSTEM SET output_plugin_libraries = " + libraries +
                             (libraries.empty() ? "" : ", ") +
                             "bemi_decoder; SELECT pg_reload_conf();"});
}

// Slots can be read on a standby from 16 on.
void CheckStandby(Connection& source, Findings* findings) {
    const int major = source.ServerVersion() / 10000;
    if (major >= 16)
        return;
    const bool standby = IsStandby(source);
    findings->push_back({standby ? State::kFails : State::kOk, "source: the server is no standby",
                         "it is one, of PostgreSQL " + std::to_string(major) +
                             ", and standbys have slots from 16 on",
                         "--source with the primary"});
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
    findings->push_back(
        {keep == "-1" ? State::kNote : State::kOk,
         "source: a slot that nobody reads cannot fill the disk",
         "max_slot_wal_keep_size is -1; with a limit, a slot that falls behind further is lost",
         "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();"});
}

// A slot that a standby has from its primary is temporary until the standby is as far as the slot.
void CheckStays(const SlotState& slot, Findings* findings) {
    if (slot.temporary)
        findings->push_back(
            {State::kFails, "source: the slot stays",
             slot.synced ? "the standby has not caught up with it yet: after a promotion it would "
                           "be gone"
                         : "it is temporary, of somebody's session",
             slot.synced
                 ? "let the slot's consumer go on at the primary, until the slot is no longer "
                   "temporary in the standby's pg_replication_slots"
                 : "--slot with another name"});
    else if (slot.synced)
        findings->push_back({State::kNote, "source: the slot can be read here",
                             "it follows that of the primary, until this standby is promoted",
                             "--source with the primary"});
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
    CheckStays(*slot, findings);
    bool lost = slot->wal_status == "lost";
    findings->push_back({lost ? State::kNote : State::kOk,
                         "source: the slot has the WAL that it needs",
                         "wal_status is " + slot->wal_status +
                             (slot->lost_because.empty() ? "" : ", " + slot->lost_because) +
                             ": changes are missing",
                         "bemi_ingest run --accept-gap"});
}

// Decoding sees all rows; whoever reads the tables does not.
void CheckRowSecurity(Connection& source, Findings* findings) {
    const Result row = source.Query(
        "SELECT count(*), min(format('%I.%I', n.nspname, c.relname)) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
        " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'bemi')"
        " AND row_security_active(c.oid)");
    const std::string count = row.Get(0, 0), user = source.User();
    findings->push_back(
        {count == "0" ? State::kOk : State::kNote,
         "source: row security hides no rows from role " + user + " (for snapshot and verify)",
         "it does in " + count + " of the tables, " + row.Get(0, 1) + " among them",
         OnPrimary(source, "ALTER ROLE " + source.Identifier(user) + " BYPASSRLS;")});
}

}  // namespace

void CheckSource(Connection& source, const Settings& settings, Findings* findings) {
    int version = source.ServerVersion();
    findings->push_back({version >= 140000 ? State::kOk : State::kFails,
                         "source: PostgreSQL 14 or later", std::to_string(version / 10000),
                         "upgrade the source"});
    CheckStandby(source, findings);
    CheckWal(source, findings);
    CheckLibraries(source, findings);
    CheckRole(source, findings);
    CheckSlot(source, settings, findings);
}

// wal_level, output_plugin_libraries, no slot free, or a standby: other findings have it.
bool IsElsewhere(const std::string& sqlstate) {
    static const std::string kElsewhere[] = {"55000", "42501", "53400", "0A000"};
    return std::find(std::begin(kElsewhere), std::end(kElsewhere), sqlstate) !=
           std::end(kElsewhere);
}

// True where something of this server is in the way, that init will not mend.
bool FailsHere(const Findings& findings) {
    return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.state == State::kFails &&
               finding.fix.compare(0, 16, "bemi_ingest init") != 0;
    });
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
    std::string why,
        fix = "on the source's machine: make && make install, in bemi_decoder's folder";
    State state = State::kFails;
    try {
        auto asked = Clock::now();
        bool cancelled = false;
        source.WhileWaiting([&](auto) {
            if (!cancelled && Clock::now() - asked > std::chrono::seconds(2)) {
                cancelled = true;
                source.Cancel();
            }
        });
        std::string probe = "bemi_check_" + std::to_string(getpid());
        CreateSlot(source, probe, SlotKind::kTemporary, nullptr);
        source.Query("DROP_REPLICATION_SLOT " + probe);
    } catch (const DatabaseError& error) {
        if (error.sqlstate != "57014")
            why = error.what();
        if (error.sqlstate == "55000" && IsStandby(source) && !FailsHere(*findings)) {
            // Nothing of this server is in the way.
            name = "source: the primary's wal_level is logical";
            fix = "on the primary: ALTER SYSTEM SET wal_level = 'logical'; -- then restart it";
        } else if (IsElsewhere(error.sqlstate)) {
            state = State::kNote;
            why = "not known before the others are mended: " + why;
        }
    }
    source.WhileWaiting(nullptr);
    findings->push_back({why.empty() ? State::kOk : state, name, why, fix});
}

void CheckTables(Connection& source, Findings* findings) {
    Result rows = source.Query(
        "SELECT count(*), min(format('ALTER TABLE %I.%I REPLICA IDENTITY FULL;', n.nspname,"
        " c.relname)), to_regprocedure('bemi.track(regclass)'),"
        " string_agg(DISTINCT format('CALL bemi.track_all(%L);', n.nspname), ' ')"
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
         OnPrimary(source, extension ? rows.Get(0, 3) + " -- SELECT * FROM bemi.untracked"
                                     : rows.Get(0, 1) + " -- and so on for each table")});
    CheckRowSecurity(source, findings);
}

}  // namespace bemi::ingest

// `init`: table, schema bemi, slot, progress. May be run again: it adds what is missing.

#include "check.hpp"
#include "commands.hpp"
#include "continuity.hpp"
#include "errors.hpp"
#include "known_tables.hpp"
#include "lock.hpp"
#include "own_schema.hpp"
#include "print.hpp"
#include "progress.hpp"
#include "session.hpp"
#include "snapshot_tables.hpp"
#include "sql_install.hpp"
#include "table.hpp"

namespace bemi::ingest {

namespace {

using Notes = std::vector<std::string>;

// What init itself will mend is no reason to refuse.
void Refuse(const Findings& findings) {
    Findings ours;
    for (const Finding& finding : findings) {
        if (finding.fix.compare(0, 16, "bemi_ingest init") != 0)
            ours.push_back(finding);
    }
    if (Fails(ours))
        throw Failure(Exit::kRefused, "requirements are not met:", "", Describe(ours, false));
}

// The functions of schema bemi know one table.
void CheckOnlyTarget(Connection& destination, const Settings& settings) {
    std::string other = destination.Value("SELECT schema FROM bemi.target WHERE schema <> " +
                                          destination.Literal(settings.schema));
    if (!other.empty())
        throw Failure(
            Exit::kRefused, "this database keeps its changes in " + other + ".changes already",
            "--schema " + other + ", or another database; several slots may share a table");
}

void CheckPartitioning(Connection& destination, const Settings& settings, bool exists) {
    std::string schema = destination.Literal(settings.schema);
    std::string unit =
        destination.Value("SELECT partition_by FROM bemi.target WHERE schema = " + schema, "");
    if (exists && !settings.partition_by.empty() && unit != settings.partition_by)
        throw Failure(Exit::kRefused,
                      "the table " + settings.schema + ".changes is there, and " +
                          (unit.empty() ? "not partitioned" : "partitioned by " + unit),
                      "ALTER TABLE " + destination.Identifier(settings.schema) +
                          ".changes RENAME TO changes_before; -- then init, then copy its rows");
    bool partitioned = !unit.empty() || !settings.partition_by.empty();
    if (settings.retain_ms && !partitioned)
        throw Failure(Exit::kRefused, "--retain drops partitions, and there are none",
                      "--partition-by day, with a table that is made by init");
}

void RememberTarget(Connection& destination, const Settings& settings) {
    auto value = [&](const std::string& text) {
        return text.empty() ? std::string("NULL") : destination.Literal(text);
    };
    std::string retain =
        settings.retain_ms ? std::to_string(*settings.retain_ms) + " milliseconds" : "";
    destination.Query("INSERT INTO bemi.target (schema, partition_by, retain) VALUES (" +
                      destination.Literal(settings.schema) + ", " + value(settings.partition_by) +
                      ", " + value(retain) +
                      ") ON CONFLICT (schema) DO UPDATE SET retain = coalesce(excluded.retain,"
                      " bemi.target.retain)");
}

// Two inits at a time would trip over each other.
void LockInit(Connection& destination) {
    auto news = Clock::now() + kLockPatience;
    for (;;) {
        const LockAttempt lock =
            TryLock(destination, "bemi_ingest init", LockScope::kTransaction,
                    "has_database_privilege(r.oid, current_database(), 'CREATE')");
        if (lock.result != LockAttempt::Result::kHeld)
            return;
        if (Clock::now() >= news) {
            Complain("waiting for another init (" + lock.holder + ")");
            news = Clock::now() + kLockNews;
        }
        Sleep(kLockInterval);
    }
}

void InitDestination(Connection& destination, const Settings& settings, Notes* notes) {
    destination.Query("BEGIN");
    LockInit(destination);
    InstallTables(destination, settings);
    RequireOwnSchema(destination);  // of one that somebody has made in the meantime
    CheckOnlyTarget(destination, settings);
    TableShape shape = ReadShape(destination, settings.schema);
    if (!shape.Wrong(false).empty() && shape.exists)
        throw Failure(
            Exit::kRefused,
            "the table " + settings.schema + ".changes is of another shape: " + shape.Wrong(false),
            "ALTER TABLE " + destination.Identifier(settings.schema) +
                ".changes RENAME TO changes_before_bemi; or another --schema");
    CheckPartitioning(destination, settings, shape.exists);
    if (shape.exists)
        TakeOver(destination, settings, shape, notes);
    else
        MakeTable(destination, settings);
    InstallFunctions(destination, settings);
    RememberTarget(destination, settings);
    MakeIndexes(destination, settings, notes);
    destination.Query("SELECT bemi.make_partitions(schema) FROM bemi.target WHERE schema = " +
                      destination.Literal(settings.schema) + " AND partition_by IS NOT NULL");
    destination.Query("COMMIT");
}

// Only 17 and later have standbys follow a slot.
void CheckFailover(Connection& source, const Settings& settings) {
    if (settings.failover && source.ServerVersion() < 170000)
        throw Failure(Exit::kRefused,
                      "--failover: the source is of PostgreSQL " +
                          std::to_string(source.ServerVersion() / 10000) +
                          ", and standbys follow slots from 17 on",
                      "leave it out; docs/ingest.md says what a failover needs then");
}

// Gives the slot's first position; where it was made before, where it is.
Lsn InitSlot(Connection& source, const Settings& settings) {
    if (std::optional<SlotState> slot = ReadSlot(source, settings.slot)) {
        if (settings.failover && !slot->failover)
            MakeFailover(source, settings.slot);
        return slot->confirmed;
    }
    Lsn position =
        CreateSlotAndTell(source, settings.slot,
                          settings.failover ? SlotKind::kFailover : SlotKind::kPersistent, nullptr);
    PrintLine(stdout, "slot " + settings.slot + " made at " + FormatLsn(position));
    return position;
}

// Whoever dropped the slot has accepted that changes are missing since: only its gap is recorded.
// False where something else is between what is stored and the slot, which `run` will name.
bool RecordDrop(Connection& source, Connection& destination, const Progress& progress,
                const System& system) {
    const std::optional<SlotState> slot = ReadSlot(source, progress.slot);
    if (!slot)
        throw Failure(Exit::kRefused, "the source has no slot " + progress.slot + " any more",
                      "bemi_ingest init");
    Evidence evidence{progress, system, *slot, TimelineHistory(source, system.timeline)};
    const std::optional<Gap> gap = FindGap(evidence);
    if (!gap || gap->reason != "ahead")
        return false;
    destination.Query("BEGIN");
    RecordGap(destination, evidence, *gap, std::nullopt);
    destination.Query("COMMIT");
    PrintLine(stdout, "the slot had been dropped: changes from " + FormatLsn(gap->from) + " to " +
                          FormatLsn(gap->to) + " are missing, which is recorded in bemi.gaps");
    return true;
}

void InitProgress(Connection& source, Connection& destination, const Settings& settings) {
    System system = IdentifySystem(source);
    std::optional<Progress> known = ReadProgress(destination, settings.slot);
    const bool recalled = !known && RecallProgress(destination, settings.slot);
    if (recalled)
        known = DemandProgress(destination, settings.slot);
    if (known && (known->system != system.identifier || known->database != source.Database()))
        Complain("note: slot " + settings.slot + " is stored here for another source (database " +
                 known->database + ", system " + std::to_string(known->system) + "); run will " +
                 (known->database != source.Database() ? "refuse it" : "call it a gap") +
                 ". For a second source: another --slot");
    Lsn position = InitSlot(source, settings);
    if (recalled && RecordDrop(source, destination, *known, system))
        return;
    if (known) {
        if (position > known->position)
            PrintLine(stdout, "the slot begins at " + FormatLsn(position) +
                                  ", what is stored ends at " + FormatLsn(known->position) +
                                  ": run will stop at this gap until it is told --accept-gap");
        return;
    }
    Progress progress;
    progress.slot = settings.slot;
    progress.database = source.Database();
    progress.system = system.identifier;
    progress.timeline = system.timeline;
    progress.position = position;
    destination.Query("BEGIN");
    InsertProgress(destination, progress, settings.schema);
    // What these held before the slot began to tell of it, only a snapshot knows.
    for (const auto& [schema, table] : ListTablesWithRows(source))
        StoreTable(destination, progress, schema, table, true);
    destination.Query("COMMIT");
}

}  // namespace

int RunInit(const Settings& settings) {
    auto source = ConnectSource(settings, Connection::Kind::kReplication);
    auto destination = ConnectDestination(settings);
    RequireOwnSchema(*destination);
    Findings findings;
    CheckSource(*source, settings, &findings);
    CheckPlugin(*source, settings, &findings);
    CheckDestination(*destination, settings, &findings);
    Refuse(findings);
    CheckFailover(*source, settings);
    Notes notes;
    InitDestination(*destination, settings, &notes);
    InitProgress(*source, *destination, settings);
    for (const std::string& note : notes)
        PrintLine(stdout, "note: " + note);
    Findings tables;
    CheckTables(*source, &tables);
    for (const std::string& line : Describe(tables, true)) {
        if (tables.front().state != Finding::State::kOk)
            PrintLine(stdout, line);
    }
    PrintLine(stdout,
              "ready: bemi_ingest run stores the changes in " + settings.schema + ".changes");
    return 0;
}

}  // namespace bemi::ingest

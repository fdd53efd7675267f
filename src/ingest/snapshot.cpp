// `snapshot`: the present rows of the tables, as records of operation SNAPSHOT that sort between
// the changes before and those after them.
//
// A temporary slot gives a position and a snapshot of exactly what was committed before it. No
// transaction's commit record begins one byte before that position, so that is where the rows go:
// commit_position + 1 is the slot's, and sequence counts them.
#include <algorithm>
#include <cstdlib>
#include <unistd.h>

#include "commands.hpp"
#include "copy_row.hpp"
#include "errors.hpp"
#include "known_tables.hpp"
#include "progress.hpp"
#include "reporter.hpp"
#include "session.hpp"
#include "snapshot_rows.hpp"
#include "snapshot_tables.hpp"
#include "sql_install.hpp"
#include "timestamp.hpp"
#include "units.hpp"

namespace bemi::ingest {

namespace {

constexpr size_t kSendSize = 64 << 10;
constexpr int16_t kColumns = 17;
// How often a snapshot is taken again because a table was rewritten right after it.
constexpr int kSnapshots = 10;

class Snapshot {
 public:
    explicit Snapshot(const Settings& settings) : settings_(settings) {}
    int Run();

 private:
    void FindProgress();
    std::vector<SnapshotTable> TakeSnapshot();
    std::optional<std::vector<SnapshotTable>> LockedTables();
    void BeginStoring();
    void CountFromThere();
    bool IsStored(const SnapshotTable& table);
    void Store(const SnapshotTable& table);
    void CopyTable(const SnapshotTable& table);
    void AppendRow(const SnapshotTable& table, const RowPlan& plan, const RowReader& row);
    void GiveUp(const SnapshotTable& table, const std::string& why);
    void Remember(const SnapshotTable& table, uint64_t rows);
    void Send();

    const Settings& settings_;
    Reporter reporter_;
    std::unique_ptr<Connection> source_, destination_;
    std::unique_ptr<RowPlanner> planner_;
    System system_;
    Progress progress_;
    uint32_t system_hash_ = 0;
    Lsn position_ = 0;  // that the rows get
    int64_t taken_at_ = 0;
    uint64_t sequence_ = 0, first_ = 0, tables_ = 0, failures_ = 0;
    bool storing_ = false;  // in the middle of a COPY to the destination
    std::string buffer_, database_, key_, image_;
};

void Snapshot::FindProgress() {
    destination_ = ConnectDestination(settings_);
    progress_ = DemandProgress(*destination_, settings_.slot);
    DemandSql(*destination_);
}

// The slot, its snapshot in a transaction of ours, and the tables that it shows, locked.
std::vector<SnapshotTable> Snapshot::TakeSnapshot() {
    for (int i = 0; i < kSnapshots; ++i) {
        auto replication = ConnectSource(settings_, Connection::Kind::kReplication);
        system_ = IdentifySystem(*replication);
        database_ = replication->Database();
        if (progress_.system != system_.identifier || progress_.database != database_)
            throw Failure(Exit::kRefused,
                          "slot " + settings_.slot + " of the destination is of another source");
        std::string name = "bemi_snapshot_" + std::to_string(getpid()) + "_" + std::to_string(i);
        std::string snapshot;
        position_ = CreateSlotAndTell(*replication, name, SlotKind::kTemporary, &snapshot) - 1;
        source_ = ConnectForRows(settings_, snapshot);
        if (auto tables = LockedTables())
            return *tables;
    }
    throw Failure(Exit::kFailed, "tables are truncated or rewritten all the time",
                  "leave them out: --option exclude_tables=…");
}

// None where another snapshot is needed.
std::optional<std::vector<SnapshotTable>> Snapshot::LockedTables() {
    bool same_database = Compare(*destination_, system_, database_).same_database;
    std::vector<SnapshotTable> tables = ListTables(*source_, settings_, same_database);
    tables.erase(std::remove_if(tables.begin(), tables.end(),
                                [](const SnapshotTable& table) { return table.unlogged; }),
                 tables.end());
    DemandRights(*source_, tables);
    if (!LockTables(*source_, tables))
        return std::nullopt;
    return tables;
}

void Snapshot::BeginStoring() {
    system_hash_ = SystemHash(system_.identifier, progress_.fork);
    std::string now = source_->Value(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8 - 946684800000000");
    taken_at_ = std::strtoll(now.c_str(), nullptr, 10);
    destination_->Query("BEGIN");
    CountFromThere();
    destination_->Query("SELECT bemi.ensure_partition(" + destination_->Literal(settings_.schema) +
                        ", '2000-01-01 00:00:00+00'::timestamptz + " + std::to_string(taken_at_) +
                        " * interval '1 microsecond')");
}

// Another snapshot may have been given the same position (on a standby, where no WAL came between
// them): rows of other tables get the numbers behind its own.
void Snapshot::CountFromThere() {
    const std::string of = std::to_string(position_) + ", ",
                      by = ", " + std::to_string(system_.identifier) + ", " +
                           std::to_string(progress_.fork) + ")";
    const std::string last = destination_->Value(
        "SELECT max(sequence) FROM " + destination_->Identifier(settings_.schema) +
        ".changes WHERE id BETWEEN bemi.change_id(" + of + "0" + by + " AND bemi.change_id(" + of +
        "4294967295" + by);
    sequence_ = first_ = std::strtoull(last.c_str(), nullptr, 10);
}

// True where that snapshot has stored the table: these are its rows.
bool Snapshot::IsStored(const SnapshotTable& table) {
    Connection& d = *destination_;
    return first_ > 0 &&
           d.Value("SELECT true FROM bemi.snapshots WHERE system_identifier = " +
                   std::to_string(system_.identifier) + " AND database = " + d.Literal(database_) +
                   " AND schema = " + d.Literal(table.schema) +
                   " AND \"table\" = " + d.Literal(table.table) +
                   " AND partition = " + d.Literal(table.partition ? table.shown : "") +
                   " AND position = " + d.Literal(FormatLsn(position_))) == "t";
}

int Snapshot::Run() {
    FindProgress();
    std::vector<SnapshotTable> tables = TakeSnapshot();
    if (tables.empty() && !settings_.only_tables.empty())
        throw Failure(Exit::kUsage, "no table of the source matches " + settings_.only_tables);
    BeginStoring();
    planner_ = std::make_unique<RowPlanner>(*source_, settings_);
    size_t number = 0;
    for (const SnapshotTable& table : tables) {
        reporter_.Subject(table.shown + ", table " + std::to_string(++number) + " of " +
                          std::to_string(tables.size()));
        if (!IsStored(table))
            Store(table);
    }
    destination_->Query("COMMIT");
    reporter_.Say(FormatCount(sequence_ - first_) + " rows of " + std::to_string(tables_) +
                  " tables stored as of " + FormatLsn(position_ + 1) +
                  (failures_ == 0 ? "" : ", " + FormatCount(failures_) + " tables not stored"));
    return static_cast<int>(failures_ == 0 ? Exit::kDone : Exit::kFailed);
}

// A table that cannot be read, or a value of which cannot, does not cost the others.
void Snapshot::Store(const SnapshotTable& table) {
    const uint64_t before = sequence_;
    source_->Query("SAVEPOINT of_table");
    destination_->Query("SAVEPOINT of_table");
    try {
        CopyTable(table);
        ++tables_;
    } catch (const DatabaseError& error) {
        if (!CostsOneTable(error))
            throw;
        GiveUp(table, error.side + ": " + error.what());
    } catch (const Unreadable& error) {
        GiveUp(table, error.what());
    }
    if (storing_)
        sequence_ = before;
    storing_ = false;
    source_->Query("RELEASE SAVEPOINT of_table");
    destination_->Query("RELEASE SAVEPOINT of_table");
}

void Snapshot::GiveUp(const SnapshotTable& table, const std::string& why) {
    Drain(*source_);
    source_->Query("ROLLBACK TO SAVEPOINT of_table");
    if (storing_)
        destination_->AbortCopy();
    destination_->Query("ROLLBACK TO SAVEPOINT of_table");
    buffer_.clear();
    ++failures_;
    reporter_.Say("not stored: " + table.shown + ": " + why);
}

void Snapshot::CopyTable(const SnapshotTable& table) {
    RowPlan plan = planner_->Plan(table);
    RowReader row(*source_, plan);
    destination_->Query("COPY " + destination_->Identifier(settings_.schema) + ".changes (" +
                        kCopyColumns + ") FROM STDIN (FORMAT binary)");
    storing_ = true;
    AppendCopyHeader(&buffer_);
    uint64_t before = sequence_;
    while (row.Next()) {
        AppendRow(table, plan, row);
        if (buffer_.size() >= kSendSize)
            Send();
    }
    AppendCopyTrailer(&buffer_);
    Send();
    destination_->EndCopy();
    storing_ = false;
    Remember(table, sequence_ - before);
}

void Snapshot::Send() {
    destination_->PutCopy(buffer_);
    buffer_.clear();
    reporter_.Tick(taken_at_);
}

// `long_key`: null where the key has its column.
std::string DetailsOf(const SnapshotTable& table, const std::string& missing,
                      const std::string* long_key) {
    std::string details;
    if (long_key != nullptr)
        details += ",\"primary_key\":" + JsonString(*long_key);
    if (table.partition)
        details += ",\"partition\":" + JsonString(table.shown);
    if (!missing.empty())
        details += ",\"missing\":{" + missing + "}";
    if (details.empty())
        return details;
    details[0] = '{';
    return details + "}";
}

void Snapshot::AppendRow(const SnapshotTable& table, const RowPlan& plan, const RowReader& row) {
    if (++sequence_ > UINT32_MAX)
        throw Failure(Exit::kFailed, "a snapshot has at most 4,294,967,295 rows",
                      "--option tables=…, some of them at a time");
    const bool has_key = row.MakeKey(&key_), long_key = has_key && key_.size() > kLongestKey;
    image_.clear();
    std::string missing = plan.missing;
    row.AppendImage(&image_, &missing);
    Uuid id = ChangeId(position_, static_cast<uint32_t>(sequence_), system_hash_);
    std::string* out = &buffer_;
    AppendCount(kColumns, out);
    AppendBytes({reinterpret_cast<const char*>(id.data()), id.size()}, out);
    !has_key || long_key ? AppendNull(out) : AppendBytes(key_, out);
    AppendNull(out);  // previous_key
    AppendJsonb("{}", out);
    AppendJsonb(image_, out);
    AppendJsonb("{}", out);
    AppendBytes(database_, out);
    AppendBytes(table.schema, out);
    AppendBytes(table.table, out);
    AppendBytes("SNAPSHOT", out);
    AppendInt64(taken_at_, out);
    AppendInt64(NowMicros(), out);
    AppendInt64(0, out);  // transaction_id: of none
    AppendInt64(static_cast<int64_t>(position_), out);
    AppendInt64(static_cast<int64_t>(position_), out);
    AppendInt64(static_cast<int64_t>(sequence_), out);
    std::string details = DetailsOf(table, missing, long_key ? &key_ : nullptr);
    details.empty() ? AppendNull(out) : AppendJsonb(details, out);
    reporter_.Done(1);
}

void Snapshot::Remember(const SnapshotTable& table, uint64_t rows) {
    Connection& d = *destination_;
    d.Query(
        "INSERT INTO bemi.snapshots (system_identifier, database, schema, \"table\", partition,"
        " position, taken_at, rows) VALUES (" +
        std::to_string(system_.identifier) + ", " + d.Literal(database_) + ", " +
        d.Literal(table.schema) + ", " + d.Literal(table.table) + ", " +
        d.Literal(table.partition ? table.shown : "") + ", " + d.Literal(FormatLsn(position_)) +
        ", '2000-01-01 00:00:00+00'::timestamptz + " + std::to_string(taken_at_) +
        " * interval '1 microsecond', " + std::to_string(rows) + ")");
    StoreTable(d, progress_, table.schema, table.table, false);
}

}  // namespace

int RunSnapshot(const Settings& settings) {
    Snapshot snapshot(settings);
    try {
        return snapshot.Run();
    } catch (const DatabaseError& error) {
        if (error.sqlstate != "23505")
            throw;
        throw Failure(Exit::kFailed,
                      "another snapshot is being stored that has the same position (" +
                          std::string(error.what()) + ")",
                      "run this one again when that is done");
    }
}

}  // namespace bemi::ingest

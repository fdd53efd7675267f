// `snapshot`: the present rows of the tables, as records of operation SNAPSHOT that sort between
// the changes before and those after them.
//
// A temporary slot gives a position and a snapshot of exactly what was committed before it. No
// transaction's commit record begins one byte before that position, so that is where the rows go:
// commit_position + 1 is the slot's, and sequence counts them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include "commands.hpp"
#include "copy_reader.hpp"
#include "copy_row.hpp"
#include "errors.hpp"
#include "known_tables.hpp"
#include "progress.hpp"
#include "reporter.hpp"
#include "session.hpp"
#include "snapshot_tables.hpp"
#include "sql_install.hpp"
#include "timestamp.hpp"
#include "units.hpp"

namespace bemi::ingest {

namespace {

constexpr size_t kSendSize = 64 << 10;
constexpr int16_t kColumns = 17;

class Snapshot {
 public:
    explicit Snapshot(const Settings& settings) : settings_(settings) {}
    int Run();

 private:
    void Begin();
    void CountFromThere();
    bool IsStored(const SnapshotTable& table);
    void CopyTable(SnapshotTable* table);
    void AppendRow(const SnapshotTable& table, const std::string& details, CopyFields* row);
    void Remember(const SnapshotTable& table, uint64_t rows);
    void Send();

    const Settings& settings_;
    Reporter reporter_;
    std::unique_ptr<Connection> source_, destination_;
    System system_;
    Progress progress_;
    uint32_t system_hash_ = 0;
    Lsn position_ = 0;  // that the rows get
    int64_t taken_at_ = 0;
    uint64_t sequence_ = 0, first_ = 0;
    std::string buffer_, database_;
};

// The slot, its snapshot in a transaction of ours, and the destination's transaction.
void Snapshot::Begin() {
    destination_ = ConnectDestination(settings_);
    auto replication = ConnectSource(settings_, Connection::Kind::kReplication);
    system_ = IdentifySystem(*replication);
    database_ = replication->Database();
    progress_ = DemandProgress(*destination_, settings_.slot);
    if (progress_.system != system_.identifier || progress_.database != database_)
        throw Failure(Exit::kRefused,
                      "slot " + settings_.slot + " of the destination is of another source");
    DemandSql(*destination_);
    system_hash_ = SystemHash(system_.identifier, progress_.fork);
    std::string name = "bemi_snapshot_" + std::to_string(getpid()), snapshot;
    position_ = CreateSlotAndTell(*replication, name, SlotKind::kTemporary, &snapshot) - 1;
    source_ = ConnectSource(settings_, Connection::Kind::kSql);
    source_->Query(std::string(kOutputSettings) +
                   "; BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
                   " SET TRANSACTION SNAPSHOT " +
                   source_->Literal(snapshot));
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
                   " AND partition = " + d.Literal(table.partition ? table.name : "") +
                   " AND position = " + d.Literal(FormatLsn(position_))) == "t";
}

int Snapshot::Run() {
    Begin();
    bool same_database = Compare(*destination_, system_, database_).same_database;
    std::vector<SnapshotTable> tables = ListTables(*source_, settings_, same_database);
    tables.erase(std::remove_if(tables.begin(), tables.end(),
                                [](const SnapshotTable& table) { return table.unlogged; }),
                 tables.end());
    DemandRights(*source_, tables);
    if (tables.empty() && !settings_.only_tables.empty())
        throw Failure(Exit::kUsage, "no table of the source matches " + settings_.only_tables);
    size_t number = 0;
    for (SnapshotTable& table : tables) {
        reporter_.Subject(table.name + ", table " + std::to_string(++number) + " of " +
                          std::to_string(tables.size()));
        if (!IsStored(table))
            CopyTable(&table);
    }
    destination_->Query("COMMIT");
    reporter_.Say(FormatCount(sequence_ - first_) + " rows of " + std::to_string(tables.size()) +
                  " tables stored as of " + FormatLsn(position_ + 1));
    return 0;
}

std::string DetailsOf(const SnapshotTable& table) {
    std::string details;
    if (table.partition)
        details = "\"partition\":" + JsonString(table.name);
    if (!table.missing.empty())
        details += (details.empty() ? "" : ",") + ("\"missing\":{" + table.missing + "}");
    return details.empty() ? details : "{" + details + "}";
}

std::string WithKey(const std::string& details, std::string_view key) {
    std::string text = "{\"primary_key\":" + JsonString(key);
    return text + (details.empty() ? "}" : "," + details.substr(1));
}

void Snapshot::CopyTable(SnapshotTable* table) {
    std::string query = RowsQuery(*source_, settings_, table);
    std::string details = DetailsOf(*table);
    CopyReader reader(*source_, query);
    destination_->Query("COPY " + destination_->Identifier(settings_.schema) + ".changes (" +
                        kCopyColumns + ") FROM STDIN (FORMAT binary)");
    AppendCopyHeader(&buffer_);
    uint64_t before = sequence_;
    CopyFields row{{}};
    while (reader.Next(&row)) {
        AppendRow(*table, details, &row);
        if (buffer_.size() >= kSendSize)
            Send();
    }
    AppendCopyTrailer(&buffer_);
    Send();
    destination_->EndCopy();
    Remember(*table, sequence_ - before);
}

void Snapshot::Send() {
    destination_->PutCopy(buffer_);
    buffer_.clear();
    reporter_.Tick(taken_at_);
}

void Snapshot::AppendRow(const SnapshotTable& table, const std::string& details, CopyFields* row) {
    if (++sequence_ > UINT32_MAX)
        throw Failure(Exit::kFailed, "a snapshot has at most 4,294,967,295 rows",
                      "--option tables=…, some of them at a time");
    std::string_view key = row->Field();
    std::string_view image = row->Field();
    Uuid id = ChangeId(position_, static_cast<uint32_t>(sequence_), system_hash_);
    std::string* out = &buffer_;
    AppendCount(kColumns, out);
    AppendBytes({reinterpret_cast<const char*>(id.data()), id.size()}, out);
    bool long_key = key.size() > kLongestKey;
    key.data() == nullptr || long_key ? AppendNull(out) : AppendBytes(key, out);
    AppendNull(out);  // previous_key
    AppendJsonb("{}", out);
    AppendBytes(image, out);  // jsonb in binary, as it came
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
    std::string text = long_key ? WithKey(details, key) : details;
    text.empty() ? AppendNull(out) : AppendJsonb(text, out);
    reporter_.Done(1);
}

void Snapshot::Remember(const SnapshotTable& table, uint64_t rows) {
    Connection& d = *destination_;
    d.Query(
        "INSERT INTO bemi.snapshots (system_identifier, database, schema, \"table\", partition,"
        " position, taken_at, rows) VALUES (" +
        std::to_string(system_.identifier) + ", " + d.Literal(database_) + ", " +
        d.Literal(table.schema) + ", " + d.Literal(table.table) + ", " +
        d.Literal(table.partition ? table.name : "") + ", " + d.Literal(FormatLsn(position_)) +
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

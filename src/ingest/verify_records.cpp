#include "verify_records.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "session.hpp"
#include "verify_hash.hpp"

namespace bemi::ingest {

namespace {

constexpr char kRowOperations[] = "('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')";
constexpr char kImage[] = "CASE WHEN c.operation = 'DELETE' THEN c.before ELSE c.after END";

std::optional<Hash> TakeHash(CopyFields* row) {
    std::string_view bytes = row->Field();
    if (bytes.size() != sizeof(Hash))
        return std::nullopt;
    Hash hash;
    std::memcpy(hash.data(), bytes.data(), hash.size());
    return hash;
}

std::vector<std::string> FirstColumn(const Result& rows) {
    std::vector<std::string> values;
    for (int i = 0; i < rows.rows(); ++i)
        values.push_back(rows.Get(i, 0));
    return values;
}

// One that no index could hold is in details.
std::string Key(const std::string& name) {
    return "coalesce(c." + name + ", c.details->>'" + name + "')";
}

}  // namespace

VerifyRecords::VerifyRecords(const Settings& settings, const Progress& progress, Lsn position)
    : settings_(settings),
      progress_(progress),
      position_(position),
      rows_(ConnectDestination(settings)),
      lookups_(ConnectDestination(settings)) {
    const std::string begin =
        "SET jit = off; SET row_security = off; SET work_mem = '64MB';"
        " BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    rows_->Query(begin + "; LOCK TABLE " + rows_->Identifier(settings.schema) +
                 ".changes IN ACCESS SHARE MODE");
    std::string snapshot = rows_->Value("SELECT pg_export_snapshot()");
    lookups_->Query(begin + "; SET TRANSACTION SNAPSHOT " + lookups_->Literal(snapshot));
    stored_ = DemandProgress(*rows_, settings.slot).position;
    several_sources_ = progress.fork > 0 ||
                       rows_->Value(
                           "SELECT count(*) > 1 FROM (SELECT system_identifier FROM bemi.progress"
                           " UNION SELECT system_identifier FROM bemi.gaps) s") == "t";
}

std::string VerifyRecords::From() const {
    return " FROM " + rows_->Identifier(settings_.schema) + ".changes c ";
}

std::string VerifyRecords::IsOf(const VerifyTable& table) const {
    std::string is = "c.\"table\" = " + rows_->Literal(table.table) +
                     " AND c.schema = " + rows_->Literal(table.schema) +
                     " AND c.database = " + rows_->Literal(progress_.database);
    if (several_sources_)
        is += " AND ('x' || right(c.id::text, 8))::bit(32)::int & 1073741823 = " +
              std::to_string(SystemHash(progress_.system, progress_.fork));
    return is;
}

std::string VerifyRecords::Place(Lsn from) const {
    return " AND c.commit_position >= " + std::to_string(from);
}

// The first or the last ("min", "max") snapshot of a table; 0 where there is none.
Lsn VerifyRecords::SnapshotOf(const VerifyTable& table, const char* which, Lsn from) {
    return ParseLsn(rows_->Value(
        std::string("SELECT ") + which + "(position) FROM bemi.snapshots WHERE schema = " +
            rows_->Literal(table.schema) + " AND \"table\" = " + rows_->Literal(table.table) +
            " AND database = " + rows_->Literal(progress_.database) +
            " AND system_identifier = " + std::to_string(progress_.system) + " AND position < " +
            rows_->Literal(FormatLsn(position_)) +
            " AND position >= " + rows_->Literal(FormatLsn(from)),
        "0/0"));
}

Baseline VerifyRecords::ReadBaseline(const VerifyTable& table) {
    Baseline baseline;
    Result gaps = rows_->Query("SELECT from_position, to_position FROM bemi.gaps WHERE slot = " +
                               rows_->Literal(progress_.slot) + " AND database = " +
                               rows_->Literal(progress_.database) + " ORDER BY id");
    for (int i = 0; i < gaps.rows(); ++i)
        baseline.gaps.emplace_back(ParseLsn(gaps.Get(i, 0)), ParseLsn(gaps.Get(i, 1)));
    bool had_rows = !rows_->Value("SELECT to_regclass('bemi.tables')").empty() &&
                    rows_->Value("SELECT bool_or(had_rows) FROM bemi.tables WHERE schema = " +
                                 rows_->Literal(table.schema) +
                                 " AND \"table\" = " + rows_->Literal(table.table) +
                                 " AND slot = " + rows_->Literal(progress_.slot)) == "t";
    Lsn mended = gaps.rows() > 0 ? SnapshotOf(table, "min", baseline.gaps.back().second) : 0;
    if (mended != 0) {
        baseline.from = baseline.known_from = mended;
    } else if (had_rows) {
        Lsn first = SnapshotOf(table, "min", 0);
        baseline.known_from = first != 0 ? first : UINT64_MAX;
    }
    Lsn last = SnapshotOf(table, "max", 0);
    Baseline since_last = baseline;
    since_last.from = std::max(baseline.from, last);
    baseline.by_key = table.has_key && !(HasKeylessRecords(table, since_last.from) &&
                                         ShowsWholeRows(table, since_last));
    if (!baseline.by_key) {
        baseline.from = since_last.from;
    } else if (HasKeylessRecords(table, baseline.from) || HidesKeys(table, baseline.from)) {
        // The key was dropped, and added again: another row may have it. So it may where a record
        // does not say by its key which row it was of.
        baseline.known_from = std::max(baseline.known_from, last);
        baseline.from = since_last.from;
        baseline.hides_keys = HidesKeys(table, baseline.from);
    }
    Result rows = rows_->Query(
        "SELECT c.commit_position, c.sequence,"
        " coalesce(c.details->>'partition', '')" +
        From() + "WHERE " + IsOf(table) + Place(baseline.from) +
        " AND c.primary_key IS NULL AND c.operation = 'TRUNCATE'"
        " AND c.commit_position < " +
        std::to_string(position_) + " ORDER BY 1, 2");
    for (int i = 0; i < rows.rows(); ++i)
        baseline.truncations.push_back({std::strtoull(rows.Get(i, 0).c_str(), nullptr, 10),
                                        std::strtoull(rows.Get(i, 1).c_str(), nullptr, 10),
                                        rows.Get(i, 2)});
    return baseline;
}

void VerifyRecords::WrongIds(const VerifyTable& table, const Baseline& baseline,
                             const std::function<void(const Doubt&)>& with) {
    CopyReader reader(*rows_, "SELECT c.id, c.commit_position, c.sequence" + From() + "WHERE " +
                                  IsOf(table) + " AND (c.commit_position < " +
                                  std::to_string(baseline.from) + " OR c.primary_key IS NULL AND " +
                                  Key("primary_key") + " IS NULL)");
    CopyFields row{{}};
    while (reader.Next(&row)) {
        Doubt doubt{Doubt::Kind::kWrongId, {}, *TakeHash(&row), 0};
        doubt.commit = static_cast<Lsn>(row.Int64());
        const auto sequence = static_cast<uint64_t>(row.Int64());
        if (!IsIdOf(doubt.id, doubt.commit, sequence))
            with(doubt);
    }
}

// Of the time before the table had its key.
bool VerifyRecords::HasKeylessRecords(const VerifyTable& table, Lsn from) {
    return rows_->Value("SELECT true" + From() + "WHERE " + IsOf(table) + Place(from) +
                        " AND c.primary_key IS NULL AND " + Key("primary_key") +
                        " IS NULL AND c.operation IN " + kRowOperations + " LIMIT 1") == "t";
}

// Whether a record has a replica identity without the key: it was of a row of another key, perhaps.
// (The index changes_identity is made for the first condition.)
bool VerifyRecords::HidesKeys(const VerifyTable& table, Lsn from) {
    return rows_->Value("SELECT true" + From() + "WHERE " + IsOf(table) + Place(from) +
                        " AND c.details->>'identity' IN ('index', 'nothing')"
                        " AND c.commit_position < " +
                        std::to_string(position_) + " AND (" + Key("primary_key") +
                        " IS NULL OR c.operation = 'UPDATE' AND " + Key("previous_key") +
                        " IS NULL" +
                        (table.identity_has_key ? " AND c.details->>'identity' = 'nothing'" : "") +
                        ") LIMIT 1") == "t";
}

std::string VerifyRecords::EventsQuery(const VerifyTable& table, const Baseline& baseline) {
    auto hash = [&](const char* image) {
        return HashSql(WithoutColumns(*rows_, image, table.ignored) + "::text");
    };
    const std::string where =
        From() + "WHERE " + IsOf(table) + Place(baseline.from) + " AND c.operation IN ";
    const std::string whole =
        "NOT coalesce(c.details ? 'identity', false) AND (c.before <> '{}' OR"
        " NOT coalesce(c.details ? 'missing', false)) THEN " +
        hash("c.before");
    const std::string place = ", c.commit_position, c.sequence, c.id, ";
    const std::string partition = ", coalesce(c.details->>'partition', '')";
    return "SELECT key, kind::text, commit_position, sequence, id, before, after, partition FROM ("
           "SELECT " +
           Key("primary_key") + ", CASE WHEN c.operation = 'UPDATE' AND " + Key("previous_key") +
           " IS NOT NULL THEN 'A' ELSE left(c.operation, 1) END" + place +
           "CASE WHEN c.operation IN ('UPDATE', 'DELETE') AND " + Key("previous_key") +
           " IS NULL AND " + whole + " END, CASE WHEN c.operation <> 'DELETE' THEN " +
           hash("c.after") + " END" + partition + where + kRowOperations + " AND " +
           Key("primary_key") + " IS NOT NULL UNION ALL SELECT " + Key("previous_key") + ", 'L'" +
           place + "CASE WHEN " + whole + " END, NULL" + partition + where + "('UPDATE') AND " +
           Key("previous_key") +
           " IS NOT NULL) e (key, kind, commit_position, sequence, id, before, after, partition) "
           "ORDER BY " +
           OrderSql(*rows_, "key") + ", commit_position, sequence";
}

std::string VerifyRecords::CountsQuery(const VerifyTable& table, const Baseline& baseline,
                                       const std::vector<std::string>& without) {
    auto side = [&](const char* image, const char* count, const char* operations) {
        std::string hash = HashSql(WithoutColumns(*rows_, image, without) + "::text");
        return "SELECT " + hash + ", " + count + ", c.id" + From() + "WHERE " + IsOf(table) +
               Place(baseline.from) + " AND c.commit_position < " + std::to_string(position_) +
               " AND c.operation IN " + operations + " AND NOT EXISTS (SELECT FROM " +
               rows_->Identifier(settings_.schema) +
               ".changes t WHERE t.\"table\" = c.\"table\" AND t.primary_key IS NULL"
               " AND t.operation = 'TRUNCATE' AND t.schema = c.schema AND t.database = c.database"
               " AND (t.commit_position, t.sequence) > (c.commit_position, c.sequence)"
               " AND t.commit_position < " +
               std::to_string(position_) +
               " AND coalesce(t.details->>'partition' = c.details->>'partition', true))";
    };
    return "SELECT hash, sum(n)::int8, max(id::text COLLATE \"C\")::uuid FROM (" +
           side("c.after", "1", "('CREATE', 'UPDATE', 'SNAPSHOT')") + " UNION ALL " +
           side("c.before", "-1", "('UPDATE', 'DELETE')") +
           ") e (hash, n, id) GROUP BY hash HAVING sum(n) <> 0 ORDER BY hash";
}

bool VerifyRecords::ShowsWholeRows(const VerifyTable& table, const Baseline& baseline) {
    return rows_->Value("SELECT true" + From() + "WHERE " + IsOf(table) + Place(baseline.from) +
                        " AND c.details ?| '{identity,missing}' AND c.operation IN " +
                        kRowOperations + " LIMIT 1") != "t";
}

std::vector<std::string> VerifyRecords::AllColumns(const VerifyTable& table,
                                                   const Baseline& baseline) {
    return FirstColumn(rows_->Query(std::string("SELECT DISTINCT jsonb_object_keys(") + kImage +
                                    ")" + From() + "WHERE " + IsOf(table) + Place(baseline.from) +
                                    " AND c.operation IN " + kRowOperations));
}

// A column that a record lacks, and that none before it had.
std::vector<std::string> VerifyRecords::AddedColumns(const VerifyTable& table,
                                                     const Baseline& baseline) {
    std::string records = From() + "WHERE " + IsOf(table) + Place(baseline.from) +
                          " AND c.operation IN " + kRowOperations;
    return FirstColumn(rows_->Query(
        std::string("SELECT b.k FROM (SELECT k, min(c.commit_position) AS birth, count(*) AS n"
                    " FROM (SELECT c.commit_position, jsonb_object_keys(") +
        kImage + ") AS k" + records + ") c GROUP BY k) b WHERE b.n < (SELECT count(*)" + records +
        ") AND NOT EXISTS (SELECT" + records + " AND c.commit_position > b.birth AND NOT (" +
        kImage + ") ? b.k)"));
}

std::vector<std::string> VerifyRecords::OtherTables(const std::vector<VerifyTable>& tables) {
    std::string known = "('', '')";
    for (const VerifyTable& table : tables)
        known += ", (" + rows_->Literal(table.schema) + ", " + rows_->Literal(table.table) + ")";
    return FirstColumn(rows_->Query(
        "SELECT DISTINCT t.schema || '.' || t.\"table\" FROM bemi.tables t WHERE t.slot = " +
        rows_->Literal(progress_.slot) +
        " AND NOT t.had_rows AND (t.schema, t.\"table\") NOT IN (" + known + ") ORDER BY 1"));
}

void VerifyRecords::Save() {
    rows_->Query("SAVEPOINT here");
    lookups_->Query("SAVEPOINT here");
}

void VerifyRecords::Restore() {
    Drain(*rows_);
    rows_->Query("ROLLBACK TO here");
    lookups_->Query("ROLLBACK TO here");
}

EventReader::EventReader(VerifyRecords& records, const std::string& query)
    : records_(records), reader_(records.rows(), query) {
    Advance();
}

void EventReader::Advance() {
    CopyFields row{{}};
    more_ = reader_.Next(&row);
    if (!more_)
        return;
    key_ = row.Field();
    event_.kind = static_cast<KeyEvent::Kind>(row.Field().front());
    event_.commit = static_cast<Lsn>(row.Int64());
    event_.sequence = static_cast<uint64_t>(row.Int64());
    event_.id = *TakeHash(&row);
    event_.before = TakeHash(&row);
    event_.after = TakeHash(&row);
    event_.partition = row.Field();
}

bool EventReader::Next(std::string* key, KeyHistory* history, std::optional<KeyEvent>* ahead) {
    history->Clear();
    ahead->reset();
    if (!more_)
        return false;
    *key = key_;
    for (; more_ && key_ == *key; Advance()) {
        // (A record that changes a key is among those of both.)
        if (event_.kind != KeyEvent::Kind::kLeave &&
            !IsIdOf(event_.id, event_.commit, event_.sequence))
            history->Add(Doubt{Doubt::Kind::kWrongId, {}, event_.id, event_.commit});
        if (event_.commit < records_.position())
            history->Add(event_);
        else if (event_.commit >= records_.stored())
            *ahead = event_;
    }
    return true;
}

}  // namespace bemi::ingest

#include "progress.hpp"

#include <cstdlib>

#include "errors.hpp"

namespace bemi::ingest {

std::optional<Progress> ReadProgress(Connection& destination, const std::string& slot) {
    if (destination.Value("SELECT pg_catalog.to_regclass('bemi.progress')").empty())
        return std::nullopt;
    Result row = destination.Query(
        "SELECT database, system_identifier, timeline, fork, position, start_position,"
        " pg_catalog.to_char(committed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
        " rows, stored_position FROM bemi.progress WHERE slot = " +
        destination.Literal(slot));
    if (row.rows() == 0)
        return std::nullopt;
    Progress progress;
    progress.slot = slot;
    progress.database = row.Get(0, 0);
    progress.system = std::strtoull(row.Get(0, 1).c_str(), nullptr, 10);
    progress.timeline = static_cast<uint32_t>(std::strtoul(row.Get(0, 2).c_str(), nullptr, 10));
    progress.fork = static_cast<uint32_t>(std::strtoul(row.Get(0, 3).c_str(), nullptr, 10));
    progress.position = ParseLsn(row.Get(0, 4));
    progress.start = ParseLsn(row.Get(0, 5));
    progress.committed_at = row.Get(0, 6);
    progress.rows = std::strtoull(row.Get(0, 7).c_str(), nullptr, 10);
    progress.stored = ParseLsn(row.Get(0, 8));
    return progress;
}

Progress DemandProgress(Connection& destination, const std::string& slot) {
    std::optional<Progress> progress = ReadProgress(destination, slot);
    if (!progress)
        throw Failure(Exit::kRefused, "the destination knows no slot " + slot, "bemi_ingest init");
    return *progress;
}

void InsertProgress(Connection& destination, const Progress& progress, const std::string& schema) {
    std::string position = destination.Literal(FormatLsn(progress.position));
    destination.Query(
        "INSERT INTO bemi.progress (slot, system_identifier, timeline, database, changes,"
        " start_position, position, stored_position) VALUES (" +
        destination.Literal(progress.slot) + ", " + std::to_string(progress.system) + ", " +
        std::to_string(progress.timeline) + ", " + destination.Literal(progress.database) + ", " +
        "pg_catalog.format('%I.changes', " + destination.Literal(schema) + "::text), " + position +
        ", " + position + ", " + position + ")");
}

void PutProgressAside(Connection& destination, const std::string& slot) {
    destination.Query(
        "WITH old AS (DELETE FROM bemi.progress WHERE slot = " + destination.Literal(slot) +
        " RETURNING *) INSERT INTO bemi.dropped SELECT * FROM old");
}

bool RecallProgress(Connection& destination, const std::string& slot) {
    return destination
               .Query("WITH old AS (DELETE FROM bemi.dropped WHERE slot = " +
                      destination.Literal(slot) +
                      " RETURNING *) INSERT INTO bemi.progress SELECT * FROM old")
               .Touched() == 1;
}

std::string AdvanceSql(Connection& destination, const Progress& progress, const Advance& advance) {
    std::string sql =
        "UPDATE bemi.progress SET position = " + destination.Literal(FormatLsn(advance.to)) +
        ", updated_at = now()";
    if (advance.rows > 0) {
        // An average that forgets: what is a minute old counts about a third.
        std::string rows = std::to_string(advance.rows);
        sql += ", stored_position = " + destination.Literal(FormatLsn(advance.to)) +
               ", rows = rows + " + rows +
               ", rate = CASE WHEN now() > updated_at THEN rate * s.old + " + rows +
               " * (1 - s.old) / s.elapsed ELSE rate END";
    }
    if (advance.committed_at != kNoTime)
        sql += ", transaction_id = " + std::to_string(advance.transaction_id) +
               ", committed_at = " + TimestampSql(advance.committed_at);
    if (advance.rows > 0)
        sql +=
            " FROM (SELECT exp(-least(e, 6000) / 60.0) AS old, greatest(e, 0.000001) AS elapsed"
            " FROM (SELECT extract(epoch FROM now() - p.updated_at)::float8 AS e"
            " FROM bemi.progress p WHERE p.slot = " +
            destination.Literal(progress.slot) + ") t) s";
    return sql + " WHERE slot = " + destination.Literal(progress.slot) +
           " AND position = " + destination.Literal(FormatLsn(progress.position));
}

}  // namespace bemi::ingest

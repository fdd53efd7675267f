#include "snapshot_tables.hpp"

#include "errors.hpp"
#include "session.hpp"
#include "snapshot_matching.hpp"

namespace bemi::ingest {

namespace {

constexpr char kOutputSettings[] =
    "SET timezone = 'UTC'; SET lc_monetary = 'C'; SET search_path = ''; SET datestyle = 'ISO, MDY';"
    "SET intervalstyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex';"
    "SET xmlbinary = 'base64'; SET quote_all_identifiers = off; SET row_security = off;"
    "SET standard_conforming_strings = on; SET constraint_exclusion = off; SET jit = off;"
    "SET synchronize_seqscans = off;"
    // A view that took the place of a table between two statements would not be read.
    "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings"
    " WHERE name = 'restrict_nonsystem_relation_kind'";

}  // namespace

std::unique_ptr<Connection> ConnectForRows(const Settings& settings, const std::string& snapshot) {
    auto source = ConnectSource(settings, Connection::Kind::kSql);
    if (source->ServerEncoding() == "SQL_ASCII")
        source->Query("SET client_encoding = 'SQL_ASCII'");
    source->Query(kOutputSettings);
    source->Query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT " +
                  source->Literal(snapshot));
    return source;
}

std::vector<SnapshotTable> ListTables(Connection& source, const Settings& settings,
                                      bool without_changes) {
    auto among = [&](const std::string& list) {
        return list.empty() ? std::string("true") : TableMatches(source, list);
    };
    std::string own = without_changes ? " AND NOT (root.relname = 'changes' AND rootn.nspname = " +
                                            source.Literal(settings.schema) + ")"
                                      : "";
    Result rows = source.Query(
        std::string("SELECT c.oid, rootn.nspname, root.relname, format('%I.%I', n.nspname,"
                    " c.relname), c.relispartition, c.relpersistence") +
        kFromTables +
        " WHERE c.relkind = 'r' AND c.relpersistence IN ('p', 'u')"
        " AND rootn.nspname NOT IN ('bemi', 'pg_catalog', 'information_schema')"
        " AND n.nspname NOT IN ('bemi', 'pg_catalog', 'information_schema')" +
        own + " AND " + among(DecoderOption(settings, "tables")) + " AND " +
        among(settings.only_tables) + " AND NOT " +
        TableMatches(source, DecoderOption(settings, "exclude_tables")) + " AND NOT " +
        TableMatches(source, ServerSetting(source, "bemi.exclude_tables")) + " ORDER BY 2, 3, 4");
    std::vector<SnapshotTable> tables;
    for (int i = 0; i < rows.rows(); ++i)
        tables.push_back({rows.Get(i, 0), Utf8Name(source, rows.Get(i, 1)),
                          Utf8Name(source, rows.Get(i, 2)), rows.Get(i, 3),
                          Utf8Name(source, rows.Get(i, 3)), rows.Get(i, 4) == "t",
                          rows.Get(i, 5) == "u"});
    return tables;
}

bool CostsOneTable(const DatabaseError& error) {
    const std::string kind = error.sqlstate.substr(0, 2);
    if (error.side == "destination")
        return kind == "22" || kind == "54";
    for (const char* general : {"08", "25", "40", "53", "57", "58"}) {
        if (kind == general)
            return false;
    }
    return true;
}

bool LockTables(Connection& source, const std::vector<SnapshotTable>& tables) {
    std::string names, oids;
    for (const SnapshotTable& table : tables) {
        names += (names.empty() ? "ONLY " : ", ONLY ") + table.name;
        oids += (oids.empty() ? "" : ", ") + table.oid;
    }
    if (tables.empty())
        return true;
    try {
        source.Query("LOCK TABLE " + names + " IN ACCESS SHARE MODE");
    } catch (const DatabaseError& error) {
        // Dropped, renamed or moved since the snapshot.
        if (error.sqlstate == "42P01" || error.sqlstate == "3F000")
            return false;
        throw;
    }
    // What the snapshot's moment says of their files, and what is so now. A name that now leads
    // elsewhere is not locked under the OID that the snapshot has for it.
    return source.Value(
               "SELECT bool_and(relfilenode IS NOT DISTINCT FROM pg_relation_filenode(oid)"
               " AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.relation ="
               " c.oid AND l.mode = 'AccessShareLock')) FROM pg_class c WHERE oid IN (" +
               oids + ")") == "t";
}

void DemandRights(Connection& source, const std::vector<SnapshotTable>& tables) {
    std::string oids, user = source.Identifier(source.User());
    for (const SnapshotTable& table : tables)
        oids += (oids.empty() ? "" : ",") + table.oid;
    Result row = source.Query(
        "SELECT count(*), min(c.oid::regclass::text),"
        " string_agg(DISTINCT format('GRANT USAGE ON SCHEMA %1$I TO %2$s; GRANT SELECT ON ALL"
        " TABLES IN SCHEMA %1$I TO %2$s;', n.nspname, " +
        source.Literal(user) +
        "), ' ') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE c.oid = ANY ('{" +
        oids +
        "}') AND NOT (has_table_privilege(c.oid, 'SELECT')"
        " AND has_schema_privilege(n.oid, 'USAGE'))");
    if (row.Get(0, 0) != "0")
        throw Failure(Exit::kRefused,
                      "role " + source.User() + " may not read " + row.Get(0, 0) +
                          " of the tables, " + row.Get(0, 1) + " among them",
                      row.Get(0, 2) + " -- or leave them out: --option exclude_tables=…");
}

std::vector<std::pair<std::string, std::string>> ListTablesWithRows(Connection& source) {
    Result rows = source.Query(
        std::string("SELECT DISTINCT rootn.nspname, root.relname") + kFromTables +
        " WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND pg_relation_size(c.oid) > 0"
        " AND rootn.nspname NOT IN ('bemi', 'pg_catalog', 'information_schema')"
        " AND n.nspname NOT IN ('bemi', 'pg_catalog', 'information_schema')");
    std::vector<std::pair<std::string, std::string>> tables;
    for (int i = 0; i < rows.rows(); ++i)
        tables.emplace_back(rows.Get(i, 0), rows.Get(i, 1));
    return tables;
}

}  // namespace bemi::ingest

// What the destination needs.
#include "check.hpp"
#include "errors.hpp"
#include "progress.hpp"
#include "sql_install.hpp"
#include "table.hpp"

namespace bemi::ingest {

namespace {

using State = Finding::State;

void CheckServer(Connection& destination, Findings* findings) {
    int version = destination.ServerVersion();
    findings->push_back({version >= 140000 ? State::kOk : State::kFails,
                         "destination: PostgreSQL 14 or later", std::to_string(version / 10000),
                         "upgrade the destination"});
    std::string encoding = destination.Value("SHOW server_encoding");
    findings->push_back({encoding == "UTF8" ? State::kOk : State::kFails,
                         "destination: the database's encoding is UTF8", encoding,
                         "CREATE DATABASE changes ENCODING 'UTF8' TEMPLATE template0;"});
    std::string standby = destination.Value("SELECT pg_is_in_recovery()");
    findings->push_back({standby == "f" ? State::kOk : State::kFails,
                         "destination: the server is no standby", "it is one",
                         "--destination with the primary"});
}

// A default that somebody has set. That of a database or a server is often for a while, as when a
// disk is full: whoever stores waits until it is gone. That of the role is no accident.
void CheckWritable(Connection& destination, Findings* findings) {
    const Result row = destination.Query(
        "SELECT setting, source FROM pg_settings WHERE name = 'default_transaction_read_only'");
    const std::string source = row.Get(0, 1), setting = "default_transaction_read_only";
    const std::string role = "ALTER ROLE " + destination.Identifier(destination.User());
    const std::string database = destination.Identifier(destination.Database());
    const bool of_role = source == "user" || source == "database user";
    const std::string fix =
        source == "user"            ? role + " RESET " + setting + ";"
        : source == "database user" ? role + " IN DATABASE " + database + " RESET " + setting + ";"
        : source == "database"      ? "ALTER DATABASE " + database + " RESET " + setting + ";"
        : source == "configuration file"
            ? "ALTER SYSTEM SET " + setting + " = off; SELECT pg_reload_conf();"
            : "--destination without " + setting;
    findings->push_back({row.Get(0, 0) == "off" ? State::kOk : State::kFails,
                         "destination: transactions may write",
                         setting + (of_role ? " of the role" : ""), fix, !of_role});
}

// Row security would hide records from those who ask for them, and lets nobody COPY.
void CheckRowSecurity(Connection& destination, const Settings& settings, Findings* findings) {
    const std::string names = destination.Value(
        "SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ') FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE row_security_active(c.oid)"
        " AND (n.nspname = 'bemi' OR c.relname = 'changes' AND n.nspname = " +
        destination.Literal(settings.schema) + ")");
    const std::string user = destination.User();
    findings->push_back(
        {names.empty() ? State::kOk : State::kFails,
         "destination: row security does not stand between role " + user + " and the records",
         names, "ALTER ROLE " + destination.Identifier(user) + " BYPASSRLS;"});
}

// For init, which has something to make.
void CheckMaking(Connection& destination, const Settings& settings, Findings* findings) {
    Result may = destination.Query(
        "SELECT has_database_privilege(current_database(), 'CREATE'),"
        " (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = " +
        destination.Literal(settings.schema) + ")");
    std::string user = destination.Identifier(destination.User()), fix;
    if (may.Get(0, 0) != "t")
        fix = "GRANT CREATE ON DATABASE " + destination.Identifier(destination.Database()) +
              " TO " + user + "; ";
    if (!may.IsNull(0, 1) && may.Get(0, 1) != "t")
        fix += "GRANT CREATE ON SCHEMA " + destination.Identifier(settings.schema) + " TO " + user +
               ";";
    findings->push_back({fix.empty() ? State::kOk : State::kFails,
                         "destination: role " + destination.User() + " may make what init makes",
                         "it may not", fix});
}

void CheckShape(Connection& destination, const Settings& settings, Findings* findings) {
    std::string name = "destination: the table " + settings.schema + ".changes is there";
    TableShape shape = ReadShape(destination, settings.schema);
    if (!shape.exists) {
        CheckMaking(destination, settings, findings);
        findings->push_back({State::kFails, name, "no such table", "bemi_ingest init"});
        return;
    }
    findings->push_back({State::kOk, name, "", ""});
    std::string wrong = shape.Wrong(true);
    std::string fix = shape.Wrong(false).empty()
                          ? "bemi_ingest init -- it takes the table over"
                          : "ALTER TABLE " + destination.Identifier(settings.schema) +
                                ".changes RENAME TO changes_before_bemi; -- then bemi_ingest init";
    findings->push_back({wrong.empty() ? State::kOk : State::kFails,
                         "destination: it has the columns that records need", wrong, fix});
    std::string table = destination.Literal(destination.Identifier(settings.schema) + ".changes");
    std::string may = destination.Value("SELECT has_table_privilege(" + table + ", 'INSERT')");
    findings->push_back({may == "t" ? State::kOk : State::kFails,
                         "destination: role " + destination.User() + " may write to it",
                         "it may not",
                         "GRANT INSERT, SELECT ON " + destination.Identifier(settings.schema) +
                             ".changes TO " + destination.Identifier(destination.User()) + ";"});
}

void CheckProgress(Connection& destination, const Settings& settings, Findings* findings) {
    std::string user = destination.Identifier(destination.User());
    std::string name = "destination: bemi.progress may be read and written";
    std::string may = destination.Value(
        "SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
        " AND has_table_privilege(c.oid, 'UPDATE') FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE n.nspname = 'bemi' AND c.relname = 'progress'");
    bool there = !may.empty();
    findings->push_back({may == "t" ? State::kOk : State::kFails, name,
                         there ? "it may not" : "no such table",
                         there ? "GRANT USAGE ON SCHEMA bemi TO " + user +
                                     "; GRANT ALL ON ALL TABLES IN SCHEMA bemi TO " + user + ";"
                               : "bemi_ingest init"});
    if (may != "t")
        return;
    const SqlMismatch mismatch = CompareSql(destination);
    findings->push_back({mismatch.found.empty() ? State::kOk : State::kFails,
                         "destination: the functions of schema bemi are those of this bemi_ingest",
                         mismatch.found, mismatch.fix});
    bool known = ReadProgress(destination, settings.slot).has_value();
    findings->push_back({known ? State::kOk : State::kFails,
                         "destination: bemi.progress knows slot " + settings.slot, "it does not",
                         "bemi_ingest init"});
}

}  // namespace

void CheckDestination(Connection& destination, const Settings& settings, Findings* findings) {
    CheckServer(destination, findings);
    CheckWritable(destination, findings);
    CheckShape(destination, settings, findings);
    CheckRowSecurity(destination, settings, findings);
    CheckProgress(destination, settings, findings);
}

}  // namespace bemi::ingest

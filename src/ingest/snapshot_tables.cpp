#include "snapshot_tables.hpp"

#include <algorithm>

#include "errors.hpp"
#include "pattern.hpp"
#include "units.hpp"

namespace bemi::ingest {

namespace {

using Names = std::vector<std::string>;

// A setting of the server, where it has the decoder's.
std::string ServerSetting(Connection& source, const char* name) {
    return source.Value(std::string("SELECT current_setting('") + name + "', true)");
}

std::string Matches(Connection& source, const std::string& list, const Names& expressions) {
    return MatchesAnySql(ParsePatterns(list), expressions,
                         [&](const std::string& text) { return source.Literal(text); });
}

// By its own name or its topmost table's.
std::string TableMatches(Connection& source, const std::string& list) {
    return "(" + Matches(source, list, {"c.relname::text", "n.nspname::text"}) + " OR " +
           Matches(source, list, {"root.relname::text", "rootn.nspname::text"}) + ")";
}

std::string ColumnMatches(Connection& source, const std::string& list) {
    return "(" + Matches(source, list, {"a.attname::text", "c.relname::text", "n.nspname::text"}) +
           " OR " +
           Matches(source, list, {"a.attname::text", "root.relname::text", "rootn.nspname::text"}) +
           ")";
}

constexpr char kFrom[] =
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_class root ON root.oid = CASE WHEN c.relispartition THEN"
    " pg_partition_root(c.oid)::oid ELSE c.oid END"
    " JOIN pg_namespace rootn ON rootn.oid = root.relnamespace";

struct Column {
    std::string name, type, key_place;
    bool excluded, masked, own_json_cast;
};

std::vector<Column> ListColumns(Connection& source, const Settings& settings,
                                const std::string& oid) {
    auto matches = [&](const char* option, const char* setting) {
        return "(" + ColumnMatches(source, DecoderOption(settings, option)) + " OR " +
               ColumnMatches(source, ServerSetting(source, setting)) + ")";
    };
    Result rows = source.Query(
        "WITH RECURSIVE base AS (SELECT t.oid AS type, t.oid AS id FROM pg_type t WHERE typtype <> "
        "'d' UNION ALL SELECT t.oid, b.id FROM pg_type t JOIN base b ON t.typbasetype = b.type"
        " WHERE t.typtype = 'd') SELECT a.attname, base.id::regtype::text,"
        " coalesce(array_position(i.indkey::int2[], a.attnum)::text, ''), " +
        matches("exclude_columns", "bemi.exclude_columns") + ", " +
        matches("mask_columns", "bemi.mask_columns") +
        ", base.id >= 16384 AND EXISTS (SELECT FROM pg_cast WHERE castsource = base.id"
        " AND casttarget = 'json'::regtype)" +
        kFrom +
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " AND a.attgenerated <> 'v' JOIN base ON base.type = a.atttypid"
        " LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary WHERE c.oid = " +
        oid + " ORDER BY a.attnum");
    std::vector<Column> columns;
    for (int i = 0; i < rows.rows(); ++i)
        columns.push_back({rows.Get(i, 0), rows.Get(i, 1), rows.Get(i, 2), rows.Get(i, 3) == "t",
                           rows.Get(i, 4) == "t", rows.Get(i, 5) == "t"});
    return columns;
}

bool Quotes(const Settings& settings, const Column& column) {
    std::string quoted = DecoderOption(settings, "quote_numbers");
    return (column.type == "bigint" || column.type == "numeric") &&
           quoted.find(column.type) != std::string::npos;
}

// What jsonb refuses in a json value is kept as a string of its text.
std::string GuardedJson(const std::string& name) {
    std::string text = "replace(t." + name + "::text, '\\\\', '')";
    return "CASE WHEN " + text + " ~ '\\\\u0000|\\\\u[dD][89abAB]..(?!\\\\u[dD][c-fC-F])' OR " +
           text + " ~ '(?<!\\\\u[dD][89abAB]..)\\\\u[dD][c-fC-F]' THEN to_json(t." + name +
           "::text) ELSE t." + name + " END";
}

std::string Expression(Connection& source, const Settings& settings, const Column& column) {
    std::string name = source.Identifier(column.name);
    if (column.own_json_cast || Quotes(settings, column))
        return "t." + name + "::text AS " + name;
    if (column.type == "json")
        return GuardedJson(name) + " AS " + name;
    return "t." + name;
}

// The columns of the key, in its order; none where there is no key, or where a part is not shown.
std::vector<const Column*> KeyColumns(const std::vector<Column>& columns) {
    std::vector<const Column*> key;
    for (const Column& column : columns) {
        if (column.key_place.empty())
            continue;
        if (column.masked || column.excluded)
            return {};
        size_t place = std::stoul(column.key_place);
        if (key.size() <= place)
            key.resize(place + 1);
        key[place] = &column;
    }
    key.erase(std::remove(key.begin(), key.end(), nullptr), key.end());
    return key;
}

// Types whose values are the same as text and as JSON, and read back from either.
bool IsPlain(const Column& column) {
    static const char* const kTypes[] = {"smallint", "integer", "bigint",
                                         "text",     "uuid",    "character varying"};
    return std::find(std::begin(kTypes), std::end(kTypes), column.type) != std::end(kTypes);
}

bool IsPlain(const std::vector<const Column*>& key) {
    return !key.empty() &&
           std::all_of(key.begin(), key.end(), [](const Column* c) { return IsPlain(*c); });
}

// As the contract has it: one column as text, several as an array. `r` is the row, `x.j` its JSON,
// which is looked into only where it must be: it would be made a second time. A column may be
// called r, j or x too: so they are only written with a dot.
std::string KeyExpression(Connection& source, const std::vector<Column>& columns) {
    std::vector<const Column*> key = KeyColumns(columns);
    if (key.empty())
        return "NULL::text";
    std::string list;
    bool plain = IsPlain(key);
    for (const Column* column : key)
        list += (list.empty() ? "" : ", ") + (plain ? "r." + source.Identifier(column->name)
                                                    : "x.j->" + source.Literal(column->name));
    if (key.size() > 1)
        return "jsonb_build_array(" + list + ")::text";
    return plain ? list + "::text" : "x.j->>" + source.Literal(key.front()->name);
}

}  // namespace

const char* const kOutputSettings =
    "SET timezone = 'UTC'; SET lc_monetary = 'C'; SET search_path = ''; SET datestyle = 'ISO, MDY';"
    "SET intervalstyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex';"
    "SET xmlbinary = 'base64'; SET quote_all_identifiers = off; SET row_security = off";

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
        kFrom +
        " WHERE c.relkind = 'r' AND c.relpersistence IN ('p', 'u')"
        " AND rootn.nspname NOT IN ('bemi', 'pg_catalog', 'information_schema')"
        " AND n.nspname NOT IN ('bemi', 'pg_catalog', 'information_schema')" +
        own + " AND " + among(DecoderOption(settings, "tables")) + " AND " +
        among(settings.only_tables) + " AND NOT " +
        TableMatches(source, DecoderOption(settings, "exclude_tables")) + " AND NOT " +
        TableMatches(source, ServerSetting(source, "bemi.exclude_tables")) + " ORDER BY 2, 3, 4");
    std::vector<SnapshotTable> tables;
    for (int i = 0; i < rows.rows(); ++i)
        tables.push_back({rows.Get(i, 0), rows.Get(i, 1), rows.Get(i, 2), rows.Get(i, 3),
                          rows.Get(i, 4) == "t", rows.Get(i, 5) == "u", ""});
    return tables;
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
        std::string("SELECT DISTINCT rootn.nspname, root.relname") + kFrom +
        " WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND pg_relation_size(c.oid) > 0"
        " AND rootn.nspname NOT IN ('bemi', 'pg_catalog', 'information_schema')"
        " AND n.nspname NOT IN ('bemi', 'pg_catalog', 'information_schema')");
    std::vector<std::pair<std::string, std::string>> tables;
    for (int i = 0; i < rows.rows(); ++i)
        tables.emplace_back(rows.Get(i, 0), rows.Get(i, 1));
    return tables;
}

std::string RowsQuery(Connection& source, const Settings& settings, SnapshotTable* table,
                      const std::string& condition) {
    std::vector<Column> columns = ListColumns(source, settings, table->oid);
    std::string list;
    table->missing.clear();
    for (const Column& column : columns) {
        if (column.excluded)
            continue;
        if (column.masked) {
            table->missing +=
                (table->missing.empty() ? "" : ",") + JsonString(column.name) + ":\"masked\"";
            continue;
        }
        list += (list.empty() ? "" : ", ") + Expression(source, settings, column);
    }
    return "SELECT " + KeyExpression(source, columns) + ", x.j FROM (SELECT " + list +
           " FROM ONLY " + table->name + " t" + (condition.empty() ? "" : " WHERE " + condition) +
           ") r, LATERAL (SELECT to_jsonb(r.*) AS j) x";
}

TableKey KeyOf(Connection& source, const Settings& settings, const SnapshotTable& table) {
    std::vector<Column> columns = ListColumns(source, settings, table.oid);
    std::vector<const Column*> key = KeyColumns(columns);
    TableKey found;
    found.exists = !key.empty();
    if (IsPlain(key)) {
        for (const Column* column : key)
            found.plain.push_back({source.Identifier(column->name), column->type});
    }
    return found;
}

Names IgnoredColumns(Connection& source, const Settings& settings, const SnapshotTable& table) {
    Result rows = source.Query(
        std::string("SELECT a.attname") + kFrom +
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.oid = " +
        table.oid + " AND " + ColumnMatches(source, DecoderOption(settings, "ignore_columns")));
    Names names;
    for (int i = 0; i < rows.rows(); ++i)
        names.push_back(rows.Get(i, 0));
    return names;
}

}  // namespace bemi::ingest

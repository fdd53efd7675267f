#include "snapshot_tables.hpp"

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

// As the contract has it: one column as text, several as an array; none where a part is not shown.
std::string KeyExpression(Connection& source, const std::vector<Column>& columns) {
    Names parts(columns.size() + 1);
    size_t count = 0;
    for (const Column& column : columns) {
        if (column.key_place.empty())
            continue;
        if (column.masked || column.excluded)
            return "NULL::text";
        parts[std::stoul(column.key_place)] = source.Literal(column.name);
        ++count;
    }
    if (count == 0)
        return "NULL::text";
    std::string first = parts[0].empty() ? "" : parts[0], list;
    for (const std::string& part : parts) {
        if (part.empty())
            continue;
        list += (list.empty() ? "j->" : ", j->") + part;
        first = part;
    }
    return count == 1 ? "j->>" + first : "jsonb_build_array(" + list + ")::text";
}

}  // namespace

const char* const kOutputSettings =
    "SET timezone = 'UTC'; SET lc_monetary = 'C'; SET search_path = ''; SET datestyle = 'ISO, MDY';"
    "SET intervalstyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex';"
    "SET xmlbinary = 'base64'; SET quote_all_identifiers = off; SET row_security = off";

std::vector<SnapshotTable> ListTables(Connection& source, const Settings& settings,
                                      bool without_changes) {
    std::string included = DecoderOption(settings, "tables");
    std::string own = without_changes ? " AND NOT (root.relname = 'changes' AND rootn.nspname = " +
                                            source.Literal(settings.schema) + ")"
                                      : "";
    Result rows = source.Query(
        std::string("SELECT c.oid, rootn.nspname, root.relname, format('%I.%I', n.nspname,"
                    " c.relname), c.relispartition") +
        kFrom +
        " WHERE c.relkind = 'r' AND c.relpersistence = 'p'"
        " AND rootn.nspname NOT IN ('bemi', 'pg_catalog', 'information_schema')"
        " AND n.nspname NOT IN ('bemi', 'pg_catalog', 'information_schema')" +
        own + " AND " + (included.empty() ? "true" : TableMatches(source, included)) + " AND NOT " +
        TableMatches(source, DecoderOption(settings, "exclude_tables")) + " AND NOT " +
        TableMatches(source, ServerSetting(source, "bemi.exclude_tables")) + " ORDER BY 2, 3, 4");
    std::vector<SnapshotTable> tables;
    for (int i = 0; i < rows.rows(); ++i)
        tables.push_back({rows.Get(i, 0), rows.Get(i, 1), rows.Get(i, 2), rows.Get(i, 3),
                          rows.Get(i, 4) == "t", ""});
    return tables;
}

std::string RowsQuery(Connection& source, const Settings& settings, SnapshotTable* table) {
    std::vector<Column> columns = ListColumns(source, settings, table->oid);
    std::string list;
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
    return "SELECT " + KeyExpression(source, columns) +
           ", j FROM (SELECT to_jsonb(r) AS j FROM (SELECT " + list + " FROM ONLY " + table->name +
           " t) r) x";
}

}  // namespace bemi::ingest

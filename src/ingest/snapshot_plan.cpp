// How to read a table: its columns, their types, its key, and the statement that gives their text.
#include "snapshot_plan.hpp"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "canonical_json.hpp"
#include "errors.hpp"
#include "snapshot_matching.hpp"

namespace bemi::ingest {

namespace {

// SQL about pg_type t: whether array_out or one of the vectors' functions writes it.
constexpr char kIsArray[] =
    "(t.typelem <> 0 AND t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc)";

// All types that a table's columns are made of.
std::string TypesOf(const std::string& oid) {
    return std::string(
               "WITH RECURSIVE reached (id) AS (SELECT a.atttypid FROM pg_attribute a"
               " WHERE a.attrelid = ") +
           oid +
           " AND a.attnum > 0 AND NOT a.attisdropped UNION SELECT next.id FROM reached r JOIN"
           " pg_type t ON t.oid = r.id CROSS JOIN LATERAL (SELECT t.typbasetype AS id"
           " WHERE t.typtype = 'd' UNION ALL SELECT t.typelem WHERE t.typtype <> 'd' AND " +
           kIsArray +
           " UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE t.typtype = 'c' AND a.attrelid ="
           " t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) next) ";
}

// SQL: the index whose columns are the key that records show, by the rules of docs/images.md.
std::string KeyIndex(const std::string& oid, bool unique) {
    std::string chosen =
        " FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid"
        " JOIN pg_class c ON c.oid = i.indrelid LEFT JOIN pg_index top ON c.relispartition"
        " AND top.indexrelid = pg_partition_root(x.oid)::oid"
        " AND top.indrelid = pg_partition_root(c.oid)::oid"
        " LEFT JOIN pg_class topx ON topx.oid = top.indexrelid"
        " WHERE i.indislive AND i.indisvalid AND i.indrelid = " +
        oid + " AND (i.indisprimary";
    if (unique)
        chosen +=
            " OR i.indisunique AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL"
            " AND (c.relreplident = 'i' AND i.indisreplident"
            " OR NOT c.relispartition OR topx.oid IS NOT NULL) AND NOT EXISTS"
            " (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, n)"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
            " WHERE k.n <= i.indnkeyatts AND (NOT a.attnotnull OR EXISTS"
            " (SELECT FROM pg_constraint n WHERE n.conrelid = a.attrelid AND n.contype = 'n'"
            " AND n.conkey = ARRAY[a.attnum] AND NOT n.convalidated)))";
    return "SELECT i.indkey::text, i.indnkeyatts" + chosen +
           ") ORDER BY i.indisprimary DESC, c.relreplident = 'i' AND i.indisreplident DESC,"
           " i.indnkeyatts, coalesce(topx.relname, x.relname)::text COLLATE \"C\" LIMIT 1";
}

TypeId Oid(const std::string& text) {
    return static_cast<TypeId>(std::strtoul(text.c_str(), nullptr, 10));
}

}  // namespace

struct RowPlanner::Column {
    std::string number, quoted, name;  // quoted: as SQL
    TypeId type;
    bool excluded, masked, ignored, generated;
    bool shown() const { return !excluded && !masked; }
};

RowPlanner::RowPlanner(Connection& source, const Settings& settings)
    : source_(source), settings_(settings), guard_(settings) {
    const std::string quoted = DecoderOption(settings, "quote_numbers");
    options_.quote_bigint = quoted.find("bigint") != std::string::npos;
    options_.quote_numeric = quoted.find("numeric") != std::string::npos;
    exclude_ = DecoderOption(settings, "exclude_columns");
    mask_ = DecoderOption(settings, "mask_columns");
    server_exclude_ = ServerSetting(source, "bemi.exclude_columns");
    server_mask_ = ServerSetting(source, "bemi.mask_columns");
}

// Virtual columns are not among them: to read one is to evaluate its expression, and changes do not
// have it.
std::vector<RowPlanner::Column> RowPlanner::ListColumns(const std::string& oid) {
    auto matches = [&](const std::string& option, const std::string& setting) {
        return "(" + ColumnMatches(source_, option) + " OR " + ColumnMatches(source_, setting) +
               ")";
    };
    Result rows = source_.Query(
        "SELECT a.attnum, a.attname, a.atttypid, " + matches(exclude_, server_exclude_) + ", " +
        matches(mask_, server_mask_) + ", " +
        ColumnMatches(source_, DecoderOption(settings_, "ignore_columns")) +
        ", a.attgenerated <> ''" + kFromTables +
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " AND a.attgenerated <> 'v' WHERE c.oid = " +
        oid + " ORDER BY a.attnum");
    std::vector<Column> columns;
    for (int i = 0; i < rows.rows(); ++i)
        columns.push_back({rows.Get(i, 0), source_.Identifier(rows.Get(i, 1)),
                           Utf8Name(source_, rows.Get(i, 1)), Oid(rows.Get(i, 2)),
                           rows.Get(i, 3) == "t", rows.Get(i, 4) == "t", rows.Get(i, 5) == "t",
                           rows.Get(i, 6) == "t"});
    return columns;
}

// The numbers of the key's columns, in its order.
std::vector<std::string> RowPlanner::ListKey(const std::string& oid) {
    const bool unique = DecoderOption(settings_, "keys") != "primary";
    Result rows = source_.Query(KeyIndex(oid, unique));
    if (rows.rows() == 0)
        return {};
    std::istringstream numbers(rows.Get(0, 0));
    std::vector<std::string> key(std::stoul(rows.Get(0, 1)));
    for (std::string& number : key)
        numbers >> number;
    return key;
}

void RowPlanner::DescribeTypes(const std::vector<Column>& columns, const std::string& oid) {
    if (std::all_of(columns.begin(), columns.end(),
                    [&](const Column& column) { return types_.Has(column.type); }))
        return;
    Result types = source_.Query(
        TypesOf(oid) +
        "SELECT t.oid, CASE WHEN t.typtype = 'd' THEN 'd' WHEN t.oid IN (22, 30) THEN 'v' WHEN " +
        kIsArray +
        " THEN 'a' WHEN t.typtype = 'c' THEN 'c' ELSE 'b' END, CASE WHEN t.typtype = 'd' THEN"
        " t.typbasetype ELSE t.typelem END, coalesce(e.typdelim, ',') FROM reached JOIN pg_type t"
        " ON t.oid = id LEFT JOIN pg_type e ON e.oid = t.typelem");
    Result attributes = source_.Query(
        TypesOf(oid) +
        "SELECT t.oid, a.attname, a.atttypid, a.attgenerated <> 'v' FROM reached JOIN pg_type t"
        " ON t.oid = id AND t.typtype = 'c' JOIN pg_attribute a ON a.attrelid = t.typrelid"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY t.oid, a.attnum");
    std::unordered_map<TypeId, CatalogType> described;
    for (int i = 0; i < types.rows(); ++i)
        described[Oid(types.Get(i, 0))] = {static_cast<CatalogType::Kind>(types.Get(i, 1)[0]),
                                           Oid(types.Get(i, 2)),
                                           types.Get(i, 3)[0],
                                           {}};
    for (int i = 0; i < attributes.rows(); ++i)
        described[Oid(attributes.Get(i, 0))].attributes.push_back(
            {Utf8Name(source_, attributes.Get(i, 1)), Oid(attributes.Get(i, 2)),
             attributes.Get(i, 3) == "t"});
    for (auto& type : described)
        types_.Describe(type.first, std::move(type.second));
}

// COPY of a table runs nothing but output functions: there is no plan to be made, whose maker would
// evaluate constants in the expressions of indexes and statistics. What it will not read are
// generated columns.
void RowPlanner::SetStatement(const SnapshotTable& table, const std::vector<Column>& read,
                              RowPlan* plan) {
    std::string list;
    bool generated = false;
    for (const Column& column : read) {
        list += (list.empty() ? "" : ", ") + column.quoted;
        generated |= column.generated;
    }
    if (!generated) {
        plan->statement = "COPY " + table.name + (list.empty() ? "" : " (" + list + ")");
    } else {
        plan->statement = "COPY (SELECT " + list + " FROM ONLY " + table.name + ")";
        plan->guard = &guard_;
        plan->oid = table.oid;
        plan->table = table.name;
    }
    plan->statement += " TO STDOUT";
}

// A key with a column that is not shown is not shown at all.
void RowPlanner::SetKey(const SnapshotTable& table, const std::vector<Column>& read,
                        RowPlan* plan) {
    for (const std::string& number : ListKey(table.oid)) {
        auto found = std::find_if(read.begin(), read.end(), [&](const Column& column) {
            return column.number == number && column.shown();
        });
        if (found == read.end())
            return plan->key.clear();
        plan->key.push_back(static_cast<size_t>(found - read.begin()));
    }
}

RowPlan RowPlanner::Plan(const SnapshotTable& table) {
    std::vector<Column> columns = ListColumns(table.oid), read;
    DescribeTypes(columns, table.oid);
    RowPlan plan;
    plan.options = options_;
    for (const Column& column : columns) {
        if (column.masked && !column.excluded) {
            plan.missing.append(plan.missing.empty() ? "" : ",");
            AppendJsonString(column.name, false, &plan.missing);
            plan.missing.append(":\"masked\"");
        }
        if (column.shown())
            read.push_back(column);
    }
    // COPY without columns would read them all: one is read that is not shown.
    const bool any_shown = !read.empty();
    if (!any_shown && !columns.empty())
        read.push_back(*std::min_element(
            columns.begin(), columns.end(),
            [](const Column& a, const Column& b) { return a.generated < b.generated; }));
    for (const Column& column : read) {
        plan.columns.push_back(
            {column.name, {}, types_.Find(column.type), any_shown, column.ignored});
        AppendJsonString(column.name, false, &plan.columns.back().label);
    }
    for (size_t i = 0; any_shown && i < plan.columns.size(); ++i)
        plan.canonical.push_back(i);
    std::sort(plan.canonical.begin(), plan.canonical.end(), [&](size_t a, size_t b) {
        return KeyIsBefore(plan.columns[a].name, plan.columns[b].name);
    });
    SetKey(table, read, &plan);
    SetStatement(table, read, &plan);
    return plan;
}

}  // namespace bemi::ingest

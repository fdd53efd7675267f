#include "table.hpp"

#include "errors.hpp"

namespace bemi::ingest {

namespace {

struct Need {
    const char* name;
    const char* type;
    const char* definition;  // behind name and type in CREATE TABLE
    const char* old_type;  // that the Bemi worker's table has, without length; null: no such column
};

const Need kNeeds[] = {
    {"id", "uuid", "NOT NULL", "uuid"},
    {"primary_key", "text", "", "character varying"},
    {"previous_key", "text", "", nullptr},
    {"before", "jsonb", "NOT NULL DEFAULT '{}'", "jsonb"},
    {"after", "jsonb", "NOT NULL DEFAULT '{}'", "jsonb"},
    {"context", "jsonb", "NOT NULL DEFAULT '{}'", "jsonb"},
    {"database", "text", "NOT NULL", "character varying"},
    {"schema", "text", "NOT NULL", "character varying"},
    {"table", "text", "NOT NULL", "character varying"},
    {"operation", "text", "NOT NULL", "text"},
    {"committed_at", "timestamp with time zone", "NOT NULL", "timestamp with time zone"},
    {"queued_at", "timestamp with time zone", "NOT NULL", "timestamp with time zone"},
    {"created_at", "timestamp with time zone", "NOT NULL DEFAULT now()",
     "timestamp with time zone"},
    {"transaction_id", "bigint", "NOT NULL", "bigint"},
    {"position", "bigint", "NOT NULL", "bigint"},
    {"commit_position", "bigint", "", nullptr},
    {"sequence", "bigint", "", nullptr},
    {"details", "jsonb", "", nullptr},
};

constexpr char kOperationCheck[] =
    "CONSTRAINT changes_operation CHECK (operation IN"
    " ('CREATE', 'UPDATE', 'DELETE', 'TRUNCATE', 'MESSAGE', 'SNAPSHOT'))";

std::string Name(Connection& c, const std::string& schema) {
    return c.Identifier(schema) + ".changes";
}

// Of the Bemi worker: what would refuse a SNAPSHOT, and what drops rows that share a position.
// Gives what it was, by name.
std::vector<std::string> DropConstraints(Connection& c, const std::string& table) {
    std::vector<std::string> dropped;
    Result rows =
        c.Query("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = " +
                c.Literal(table) +
                "::regclass AND (contype = 'u' AND conkey @> ARRAY[(SELECT attnum FROM pg_attribute"
                " WHERE attrelid = conrelid AND attname = 'position')]"
                " OR contype = 'c' AND pg_get_constraintdef(oid) LIKE '%operation%')");
    for (int i = 0; i < rows.rows(); ++i) {
        c.Query("ALTER TABLE " + table + " DROP CONSTRAINT " + c.Identifier(rows.Get(i, 0)));
        dropped.push_back("constraint " + rows.Get(i, 0) + " " + rows.Get(i, 1));
    }
    Result unique = c.Query(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index WHERE "
        "indrelid = " +
        c.Literal(table) +
        "::regclass AND indisunique AND NOT indisprimary AND (SELECT attnum FROM pg_attribute"
        " WHERE attrelid = indrelid AND attname = 'position') = ANY (indkey)");
    for (int i = 0; i < unique.rows(); ++i) {
        c.Query("DROP INDEX " + unique.Get(i, 0));
        dropped.push_back("index " + unique.Get(i, 0) + " (" + unique.Get(i, 1) + ")");
    }
    return dropped;
}

// "character varying" without its length, "timestamp(0) with time zone" without its precision.
std::string WithoutLength(std::string type) {
    size_t open = type.find('('), close = type.find(')');
    if (open != std::string::npos && close != std::string::npos)
        type.erase(open, close - open + 1);
    return type;
}

}  // namespace

const TableColumn* TableShape::Find(const std::string& name) const {
    for (const TableColumn& column : columns) {
        if (column.name == name)
            return &column;
    }
    return nullptr;
}

std::string TableShape::Wrong(bool complete) const {
    if (!ordinary)
        return "it is no table";
    for (const Need& need : kNeeds) {
        const TableColumn* column = Find(need.name);
        std::string name = std::string("column ") + need.name;
        if (column == nullptr) {
            if (complete || need.old_type != nullptr)
                return name + " is missing";
            continue;
        }
        bool right = column->type == need.type;
        std::string whole = WithoutLength(column->type);
        bool mendable = need.old_type != nullptr && (whole == need.type || whole == need.old_type);
        if (!right && (complete || !mendable))
            return name + " is " + column->type + ", not " + need.type;
    }
    return {};
}

TableShape ReadShape(Connection& destination, const std::string& schema) {
    TableShape shape;
    Result rows = destination.Query(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), c.relkind IN ('r', 'p')"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relname = 'changes' AND c.relkind NOT IN ('i', 'I') AND n.nspname = " +
        destination.Literal(schema) + " ORDER BY a.attnum");
    shape.exists = rows.rows() > 0;
    for (int i = 0; i < rows.rows(); ++i) {
        shape.ordinary = rows.Get(i, 2) == "t";
        shape.columns.push_back({rows.Get(i, 0), rows.Get(i, 1)});
    }
    return shape;
}

void MakeTable(Connection& c, const Settings& settings) {
    std::string sql = "CREATE TABLE " + Name(c, settings.schema) + " (";
    for (const Need& need : kNeeds)
        sql += c.Identifier(need.name) + " " + need.type + " " + need.definition + ", ";
    bool partitioned = !settings.partition_by.empty();
    sql += std::string(kOperationCheck) +
           (partitioned ? ", PRIMARY KEY (id, committed_at)" : ", PRIMARY KEY (id)") + ")";
    if (partitioned)
        sql += " PARTITION BY RANGE (committed_at)";
    c.Query("CREATE SCHEMA IF NOT EXISTS " + c.Identifier(settings.schema));
    c.Query(sql);
}

void TakeOver(Connection& c, const Settings& settings, const TableShape& shape,
              std::vector<std::string>* notes) {
    std::string table = Name(c, settings.schema);
    bool old = false;
    for (const Need& need : kNeeds) {
        const TableColumn* column = shape.Find(need.name);
        if (column != nullptr && column->type == need.type)
            continue;
        old = true;
        std::string name = c.Identifier(need.name);
        c.Query("ALTER TABLE " + table +
                (column == nullptr ? " ADD COLUMN " + name + " " + need.type
                                   : " ALTER COLUMN " + name + " TYPE " + need.type));
    }
    if (!old)
        return;
    for (const std::string& dropped : DropConstraints(c, table))
        notes->push_back("dropped, since it would refuse records: " + dropped);
    c.Query("ALTER TABLE " + table + " ALTER COLUMN created_at SET DEFAULT now(), ADD " +
            kOperationCheck);
    notes->push_back("the table " + table +
                     " is taken over: its rows are kept; they have no commit_position, and values "
                     "as their writer encoded them");
}

}  // namespace bemi::ingest

#include "known_tables.hpp"

#include "record.hpp"

namespace bemi::ingest {

void KnownTables::See(std::string_view schema, std::string_view table) {
    key_.assign(schema).push_back('\0');
    key_.append(table).push_back('\0');
    if (key_ == last_)
        return;
    last_ = key_;
    if (seen_.insert(key_).second)
        new_ += key_;
}

void KnownTables::Store(Connection& destination, const Progress& progress) {
    std::string schema, table;
    for (size_t at = 0; at < new_.size();) {
        size_t middle = new_.find('\0', at), end = new_.find('\0', middle + 1);
        schema.clear();
        table.clear();
        Unescape(std::string_view(new_).substr(at, middle - at), &schema);
        Unescape(std::string_view(new_).substr(middle + 1, end - middle - 1), &table);
        StoreTable(destination, progress, schema, table, false);
        at = end + 1;
    }
    new_.clear();
}

void StoreTable(Connection& destination, const Progress& progress, const std::string& schema,
                const std::string& table, bool had_rows) {
    destination.Query(
        "INSERT INTO bemi.tables (\"table\", schema, database, slot, system_identifier, had_rows)"
        " VALUES (" +
        destination.Literal(table) + ", " + destination.Literal(schema) + ", " +
        destination.Literal(progress.database) + ", " + destination.Literal(progress.slot) + ", " +
        std::to_string(progress.system) + ", " + (had_rows ? "true" : "false") +
        ") ON CONFLICT (\"table\", schema, database, slot, system_identifier)"
        " DO UPDATE SET had_rows = true WHERE excluded.had_rows AND NOT bemi.tables.had_rows");
}

}  // namespace bemi::ingest

// Which tables a snapshot holds, and the query that gives a table's rows as the decoder would write
// them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "connection.hpp"
#include "settings.hpp"

namespace bemi::ingest {

struct SnapshotTable {
    std::string oid;
    std::string schema, table;  // those of the topmost partitioned table
    std::string name;           // its own, quoted
    bool partition = false, unlogged = false;
    std::string missing;  // JSON of the columns that are masked; empty where none is
};

// In the transaction of the snapshot. Ordinary tables and partitions, unlogged ones among them,
// that the options and the server's settings leave in.
std::vector<SnapshotTable> ListTables(Connection& source, const Settings& settings,
                                      bool without_changes);

// Schema and name of the tables, of the topmost ones, that may have rows: they take up space.
std::vector<std::pair<std::string, std::string>> ListTablesWithRows(Connection& source);

// Throws Failure(kRefused) where the role may not read them all.
void DemandRights(Connection& source, const std::vector<SnapshotTable>& tables);

// SELECT with two columns: the key as text, the row as jsonb. Fills in table->missing. `condition`
// is SQL about the table as t.
std::string RowsQuery(Connection& source, const Settings& settings, SnapshotTable* table,
                      const std::string& condition = {});

// The primary key that the records of a table show.
struct TableKey {
    bool exists = false;
    // The columns, as name (quoted) and type, where all of them have values that are the same as
    // text and as JSON, and read back from it; else empty.
    std::vector<std::pair<std::string, std::string>> plain;
};
TableKey KeyOf(Connection& source, const Settings& settings, const SnapshotTable& table);

// Columns of which a change alone is no record (option ignore_columns).
std::vector<std::string> IgnoredColumns(Connection& source, const Settings& settings,
                                        const SnapshotTable& table);

// The settings that to_jsonb looks at, as the decoder has them.
extern const char* const kOutputSettings;

}  // namespace bemi::ingest

// Which tables a snapshot holds, and the query that gives a table's rows as the decoder would write
// them.
#pragma once

#include <string>
#include <vector>

#include "connection.hpp"
#include "settings.hpp"

namespace bemi::ingest {

struct SnapshotTable {
    std::string oid;
    std::string schema, table;  // those of the topmost partitioned table
    std::string name;           // its own, quoted
    bool partition = false;
    std::string missing;  // JSON of the columns that are masked; empty where none is
};

// In the transaction of the snapshot. Ordinary tables and partitions that the options and the
// server's settings leave in.
std::vector<SnapshotTable> ListTables(Connection& source, const Settings& settings,
                                      bool without_changes);

// SELECT with two columns: the key as text, the row as jsonb. Fills in table->missing.
std::string RowsQuery(Connection& source, const Settings& settings, SnapshotTable* table);

// The settings that to_jsonb looks at, as the decoder has them.
extern const char* const kOutputSettings;

}  // namespace bemi::ingest

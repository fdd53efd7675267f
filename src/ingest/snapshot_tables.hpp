// Which tables a snapshot holds, and the settings and locks under which they are read.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connection.hpp"
#include "errors.hpp"
#include "settings.hpp"

namespace bemi::ingest {

struct SnapshotTable {
    std::string oid;
    std::string schema, table;  // those of the topmost partitioned table
    std::string name;           // its own, quoted, as the source has it
    std::string shown;          // the same, as records have it
    bool partition = false, unlogged = false;
};

// In the transaction of the snapshot. Ordinary tables and partitions, unlogged ones among them,
// that the options and the server's settings leave in.
std::vector<SnapshotTable> ListTables(Connection& source, const Settings& settings,
                                      bool without_changes);

// Schema and name of the tables, of the topmost ones, that may have rows: they take up space.
std::vector<std::pair<std::string, std::string>> ListTablesWithRows(Connection& source);

// Throws Failure(kRefused) where the role may not read them all.
void DemandRights(Connection& source, const std::vector<SnapshotTable>& tables);

// Whether an error of a query about one table leaves the others as they were: what its values, its
// rules or its rights bring about, and no trouble of the server's or of the way to it.
bool CostsOneTable(const DatabaseError& error);

// Locks them against changes of their shape. False where one of them was rewritten or truncated
// after the snapshot, which no longer shows its rows then: take another one.
bool LockTables(Connection& source, const std::vector<SnapshotTable>& tables);

// A connection whose transaction sees what the exported snapshot shows. Its settings are those
// under which output functions write as the decoder does, and keep everything else from being run.
// A database without an encoding (SQL_ASCII) sends its bytes as they are.
std::unique_ptr<Connection> ConnectForRows(const Settings& settings, const std::string& snapshot);

}  // namespace bemi::ingest

// What is read of a table, and what its columns are: so that its rows can be written as the decoder
// writes them. Everything from the catalog; no row is read, and nothing of a table's owner is
// evaluated.
#pragma once

#include <string>
#include <vector>

#include "connection.hpp"
#include "settings.hpp"
#include "snapshot_guard.hpp"
#include "snapshot_tables.hpp"
#include "text_to_json.hpp"

namespace bemi::ingest {

// A column that is read.
struct PlannedColumn {
    std::string name;   // in UTF-8
    std::string label;  // the name as a string of JSON
    const ValueType* type;
    bool shown;  // false: it is read for the key, or because something has to be
    bool ignored = false;
};

struct RowPlan {
    // COPY … TO STDOUT, whose columns are these.
    std::string statement;
    PlanGuard* guard = nullptr;  // of a statement that is a query; null: it is not
    std::string oid, table;      // for the guard
    std::vector<PlannedColumn> columns;
    std::vector<size_t> key;        // places of the key's columns, in its order; empty: no key
    std::vector<size_t> canonical;  // places of the columns that are shown, in jsonb's order
    std::string missing;            // members of JSON for those that are masked
    JsonOptions options;
};

class RowPlanner {
 public:
    // The connection is that of the snapshot, and must not be in the middle of a COPY when a plan
    // is made. Plans live no longer than this.
    RowPlanner(Connection& source, const Settings& settings);

    RowPlan Plan(const SnapshotTable& table);

 private:
    struct Column;

    std::vector<Column> ListColumns(const std::string& oid);
    std::vector<std::string> ListKey(const std::string& oid);
    void DescribeTypes(const std::vector<Column>& columns, const std::string& oid);
    void SetKey(const SnapshotTable& table, const std::vector<Column>& read, RowPlan* plan);
    void SetStatement(const SnapshotTable& table, const std::vector<Column>& read, RowPlan* plan);

    Connection& source_;
    const Settings& settings_;
    ValueTypes types_;
    JsonOptions options_;
    PlanGuard guard_;
    std::string exclude_, mask_, server_exclude_, server_mask_;
};

}  // namespace bemi::ingest

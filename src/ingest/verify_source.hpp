// What the source has, at the moment of an exported snapshot: the tables, and their rows by key and
// hash. Rows are read as the snapshot command reads them (snapshot_rows.hpp), and hashed and sorted
// here, so that the source's server evaluates nothing.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connection.hpp"
#include "settings.hpp"
#include "snapshot_plan.hpp"
#include "snapshot_rows.hpp"
#include "snapshot_tables.hpp"
#include "verify_history.hpp"
#include "verify_sort.hpp"

namespace bemi::ingest {

// A table as records name it, with all its partitions.
struct VerifyTable {
    std::string schema, table;
    std::vector<SnapshotTable> parts;
    std::vector<RowPlan> plans;  // one for each part
    bool unlogged = false;
    bool has_key = false;
    bool identity_has_key = true;  // where an index is its replica identity, as that is now
    std::vector<std::string> ignored;

    std::string Name() const { return schema + "." + table; }
};

// SQL for the order of a text, the same in all servers: by the bytes of its UTF-8.
std::string OrderSql(Connection& connection, const std::string& text);
// `image` (SQL for jsonb) without the columns.
std::string WithoutColumns(Connection& connection, const std::string& image,
                           const std::vector<std::string>& columns);

// A row of the source. `number` is its place in the order in which the table is read.
struct SourceRow {
    std::string_view key;
    Hash hash;
    uint64_t number;
};

// The rows of a table in the order of keys. `unkeyed` counts those whose key cannot be written.
class SourceRows {
 public:
    bool Next(SourceRow* row);
    uint64_t unkeyed = 0;

 private:
    friend class VerifySource;
    ExternalSort sort_;
};

// How many rows have a hash, in the order of hashes.
class SourceCounts {
 public:
    bool Next(Hash* hash, uint64_t* rows);
    bool any() const { return any_; }

 private:
    friend class VerifySource;
    ExternalSort sort_;
    SortItem item_;
    bool any_ = false, there_ = false, started_ = false;
};

class VerifySource {
 public:
    VerifySource(const Settings& settings, const std::string& snapshot);

    // Locks the tables against changes of their shape. Empty where one of them was rewritten or
    // truncated after the snapshot, which no longer shows its rows then: take another one.
    std::optional<std::vector<VerifyTable>> Tables(bool same_database);

    // Called now and then while rows are read.
    void WhileReading(std::function<void()> hook) { while_reading_ = std::move(hook); }

    // These throw Unreadable. Hashes are without the columns that are ignored, or those that are
    // named.
    std::unique_ptr<SourceRows> Rows(const VerifyTable& table);
    std::unique_ptr<SourceCounts> Counts(const VerifyTable& table,
                                         const std::vector<std::string>& without);
    // Reads the table once more: calls `with` for the rows of these numbers, which ascend; `next`
    // gives one after the other, none at the end.
    void Images(const VerifyTable& table, const std::function<std::optional<uint64_t>()>& next,
                const std::function<void(const std::string& image)>& with);

    // Names of the columns that images show.
    static std::vector<std::string> Columns(const VerifyTable& table);

    // A place to come back to after an error of a query.
    void Save();
    void Restore();

 private:
    // Calls `with` for each row of the table, with its number and the plan by which it is read.
    using EachRow = std::function<void(const RowReader& row, const RowPlan& plan, uint64_t number)>;
    void Read(const VerifyTable& table, const EachRow& with);
    bool IdentityHasKey(const VerifyTable& table);

    const Settings& settings_;
    std::unique_ptr<Connection> rows_;
    std::unique_ptr<RowPlanner> planner_;
    std::function<void()> while_reading_ = [] {};
};

}  // namespace bemi::ingest

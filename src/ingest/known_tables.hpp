// The list bemi.tables: which tables the table `changes` tells of, so that a name is found without
// a look at all changes.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "connection.hpp"
#include "progress.hpp"

namespace bemi::ingest {

class KnownTables {
 public:
    // Names as in the record, still escaped. Cheap for one that was seen before.
    void See(std::string_view schema, std::string_view table);

    // Adds what is new to the destination, in its current transaction. If that fails, this object
    // must go.
    void Store(Connection& destination, const Progress& progress);

 private:
    std::unordered_set<std::string> seen_;
    std::string last_, key_;
    std::string new_;  // "schema\0table\0", escaped
};

// One of them, in the destination's current transaction. had_rows: it may have had rows when the
// slot was made.
void StoreTable(Connection& destination, const Progress& progress, const std::string& schema,
                const std::string& table, bool had_rows);

}  // namespace bemi::ingest

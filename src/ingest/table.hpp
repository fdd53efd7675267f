// The table `changes`: made, or taken over from the Bemi worker.
#pragma once

#include <string>
#include <vector>

#include "connection.hpp"
#include "settings.hpp"

namespace bemi::ingest {

struct TableColumn {
    std::string name, type;
};

struct TableShape {
    bool exists = false;
    bool ordinary = false;  // a table, partitioned or not
    std::vector<TableColumn> columns;

    const TableColumn* Find(const std::string& name) const;
    // Why rows cannot be stored; empty where they can. Without `complete`, what taking it over
    // would mend is no reason.
    std::string Wrong(bool complete) const;
};

TableShape ReadShape(Connection& destination, const std::string& schema);

// In the current transaction. `notes` get what the user may want to do by hand.
void MakeTable(Connection& destination, const Settings& settings);
void TakeOver(Connection& destination, const Settings& settings, const TableShape& shape,
              std::vector<std::string>* notes);
void MakeIndexes(Connection& destination, const Settings& settings,
                 std::vector<std::string>* notes);

}  // namespace bemi::ingest

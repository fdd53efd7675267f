// The decoder's options about tables and columns as SQL conditions, shared by what lists tables and
// what lists their columns.
#pragma once

#include <string>

#include "connection.hpp"

namespace bemi::ingest {

// SQL: a table as c in schema n, and its topmost table as root in rootn.
extern const char* const kFromTables;

// A setting of the server, empty where it has none of the name.
std::string ServerSetting(Connection& source, const char* name);

// Conditions about kFromTables, and about pg_attribute as a: by the table's own name or its topmost
// one's. Throw Failure(kUsage) where the list is none of patterns.
std::string TableMatches(Connection& source, const std::string& list);
std::string ColumnMatches(Connection& source, const std::string& list);

// Text that a query of the catalog gave, as records have it: in UTF-8, whatever bytes a database
// without an encoding has.
std::string Utf8Name(const Connection& source, const std::string& name);

}  // namespace bemi::ingest

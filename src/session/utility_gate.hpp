// Commands without a plan of ours that write rows: COPY FROM, TRUNCATE, and tables made from a
// query.
#pragma once

#include "bemi/pg.hpp"

namespace bemi {

// Whether the command writes rows that are decoded, and does so without a plan: then the gate is to
// be passed before it runs, since nothing can be seen of its first row. Raises what the command
// itself would raise of its tables' names.
bool WritesByItself(Node* command);

// The table that the command makes out of a query's rows (CREATE TABLE AS, SELECT INTO, also under
// EXPLAIN), NULL if it makes none that is decoded.
const IntoClause* DecodedInto(Node* command);

// Whether the command may build indexes, which parallel workers help with.
bool BuildsIndexes(Node* command);

// The name of the prepared statement that the command runs, NULL if it runs none.
const char* PreparedName(Node* command);

}  // namespace bemi

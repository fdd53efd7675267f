// The gate in a plan that changes tables.
#pragma once

#include "bemi/pg.hpp"

namespace bemi {

// Puts the gate in front of each ModifyTable node of a plan that was just started: EnsureContext
// runs whenever its subplan has given it a row to write, and never where there is none. A plan that
// writes only what is not decoded is left alone.
void GuardPlan(QueryDesc* query);

// The same in front of what receives the rows of the query itself, which makes a table of them.
void GuardRows(QueryDesc* query);

}  // namespace bemi

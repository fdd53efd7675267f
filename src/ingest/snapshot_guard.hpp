// The one query that is made of a table: for its stored generated columns, which COPY of the table
// itself does not read.
//
// Whoever plans a query evaluates the functions of constants in the expressions of the table's
// indexes and statistics, if they are immutable: so those of the table's owner would run with our
// rights. Such a table is not read. A lock keeps the owner from adding one between the look and
// the plan; a role that may only read cannot have that lock, and a standby has none: there the look
// alone has to do.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "connection.hpp"
#include "settings.hpp"

namespace bemi::ingest {

// A table cannot be read without the risk that code of its owner's choice runs. What it says is for
// the user.
struct Unreadable : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class PlanGuard {
 public:
    explicit PlanGuard(const Settings& settings) : settings_(settings) {}

    // To be called before the query is sent; throws Unreadable. `name` is SQL.
    void Enter(const std::string& oid, const std::string& name);
    // Once its plan is made, or it has failed.
    void Leave();

 private:
    void Lock(const std::string& oid, const std::string& name);

    const Settings& settings_;
    std::unique_ptr<Connection> source_;  // sees what is there now, not what a snapshot shows
};

}  // namespace bemi::ingest

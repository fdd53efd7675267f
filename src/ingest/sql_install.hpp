// The SQL that the destination has from `init`: of which version it is, and how one follows
// another.
//
// One constant is the version; a sum over the files tells apart builds of one version. The function
// bemi._installed() gives both, and the names of what was installed: so that what a later version
// has no more, or has with other arguments, goes when that is installed.
#pragma once

#include <string>

#include "connection.hpp"
#include "settings.hpp"

namespace bemi::ingest {

// Greater whenever a file of sql/ changes in a release. 1 had no bemi._installed().
inline constexpr int kSqlVersion = 2;

// Why the functions there are not those of this program, and what to do; both empty where they are.
struct SqlMismatch {
    std::string found, fix;
};
SqlMismatch CompareSql(Connection& destination);
// Throws Failure where they are not.
void DemandSql(Connection& destination);

// In the current transaction: schema and tables of bemi; then functions, types and views, which
// need the table `changes`. What is there of another version is replaced, with the rights on it;
// Failure where something of somebody else depends on what has changed.
void InstallTables(Connection& destination, const Settings& settings);
void InstallFunctions(Connection& destination, const Settings& settings);

}  // namespace bemi::ingest

// The requirements of both sides, in the order in which one would meet them.
#pragma once

#include <string>
#include <vector>

#include "connection.hpp"
#include "settings.hpp"

namespace bemi::ingest {

struct Finding {
    enum class State {
        kOk,
        kNote,   // works without, but somebody should know
        kFails,  // must be mended
    };
    State state;
    std::string name;      // "source: wal_level is logical"
    std::string found;     // what is there instead
    std::string fix;       // the statement or command
    bool passing = false;  // of kFails: may pass by itself, so that `run` waits for it
};

using Findings = std::vector<Finding>;

// On a replication connection.
void CheckSource(Connection& source, const Settings& settings, Findings* findings);
// Whether a slot could be made: it loads the plugin, through a slot that lives for a moment.
void CheckPlugin(Connection& source, const Settings& settings, Findings* findings);
// Whether all rows that change are recorded in full.
void CheckTables(Connection& source, Findings* findings);
void CheckDestination(Connection& destination, const Settings& settings, Findings* findings);

bool Fails(const Findings& findings);
// A line each, and one for the fix. `all`: those that are met as well.
std::vector<std::string> Describe(const Findings& findings, bool all);

// The command.
int RunCheck(const Settings& settings);

}  // namespace bemi::ingest

// What can end a command, and the exit codes that tell a caller which it was.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bemi::ingest {

enum class Exit {
    kDone = 0,
    kFailed = 1,       // an error that is none of the others; `status` past a limit
    kUsage = 2,        // the command line or the configuration file
    kRefused = 3,      // a requirement of the source or the destination is not met
    kGap = 4,          // changes are missing or foreign: only --accept-gap goes on
    kInterrupted = 5,  // SIGTERM or SIGINT
    kDifferent = 6,    // verify: source and changes differ
};

// Ends the command. `fix` is the statement or command that mends it, empty where there is none;
// `lines` are shown below the message, each on one line.
struct Failure : std::runtime_error {
    Failure(Exit exit_code, const std::string& message, std::string how = {},
            std::vector<std::string> below = {})
        : std::runtime_error(message),
          code(exit_code),
          fix(std::move(how)),
          lines(std::move(below)) {}
    Exit code;
    std::string fix;
    std::vector<std::string> lines;
};

// A signal asked us to end; thrown out of every wait.
struct Interrupted {};

// An error of one of the two servers, or of the way to it.
struct DatabaseError : std::runtime_error {
    DatabaseError(std::string which, std::string state, const std::string& message)
        : std::runtime_error(message), side(std::move(which)), sqlstate(std::move(state)) {}
    // True where the same attempt may succeed later without anybody's help: no connection, restart,
    // full disk, read-only, serialization, a slot or lock still held.
    bool Passing() const;
    // True where the server, or the way to it, went away.
    bool NoConnection() const;
    std::string side;          // "source" or "destination"
    std::string sqlstate;      // five characters
    std::string fix;           // the statement that mends it, where it is known
    std::string detail, hint;  // the server's, as they came
};

}  // namespace bemi::ingest

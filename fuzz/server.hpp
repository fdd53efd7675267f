// What the plugin's rooms ask of a server, for fuzzers that run them in a process of their own:
// memory that is freed after each input (by malloc, so that the sanitizers see every byte), and
// errors as C++ exceptions.
#pragma once

#include <string>

namespace fuzz {

// An ereport(ERROR, …).
struct ServerError {
    std::string message;
};

// Frees what was allocated since the last call.
void FreeAll();

void Require(bool condition);

}  // namespace fuzz

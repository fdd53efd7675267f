// What the plugin's rooms ask of a server, for fuzzers that run them in a process of their own:
// memory that is freed after each input (by malloc, so that the sanitizers see every byte), and
// errors as C++ exceptions. It is as rude as the server: what raises an ERROR there, or gives NULL,
// does so here.
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

// What GetDatabaseEncoding gives; PG_UTF8 to begin with.
void SetDatabaseEncoding(int encoding);

// Raises an ERROR.
[[noreturn]] void Raise(const char* message);

}  // namespace fuzz

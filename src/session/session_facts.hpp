// What the server itself knows of a session: the value of the key "session".
#pragma once

#include <string_view>

#include "bemi/json_writer.hpp"

namespace bemi {

// Writes the object with the facts asked for (IncludedFact). `query` is the statement of the client
// that runs, in the database's encoding.
void WriteSessionFacts(JsonStream& out, unsigned include, std::string_view query);

}  // namespace bemi

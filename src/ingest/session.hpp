// What the commands have in common: connections with the settings that we rely on, and the options
// that the decoder is given.
#pragma once

#include <memory>
#include <string>

#include "connection.hpp"
#include "settings.hpp"
#include "slot.hpp"
#include "slot_stream.hpp"

namespace bemi::ingest {

std::unique_ptr<Connection> ConnectDestination(const Settings& settings);
std::unique_ptr<Connection> ConnectSource(const Settings& settings, Connection::Kind kind);

// What the destination says of itself.
struct Place {
    bool same_cluster = false;   // the destination's WAL is the source's
    bool same_database = false;  // and its tables are among those that are decoded
};
Place Compare(Connection& destination, const System& source_system,
              const std::string& source_database);

// The user's options, and ours: the batches, the format, and our own table left out.
DecoderOptions OptionsFor(const Settings& settings, const Place& place);

// A name as a pattern that matches nothing else.
std::string QuotedPattern(const std::string& name);

}  // namespace bemi::ingest

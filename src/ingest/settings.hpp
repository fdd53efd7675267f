// What the command line, the configuration file and the environment ask for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bemi::ingest {

struct Settings {
    std::string command;
    std::string source, destination;  // connection strings; never printed
    std::string slot = "bemi";
    std::string schema = "public";
    // Options of the decoder, in the order given, names with _ for -.
    std::vector<std::pair<std::string, std::string>> options;
    size_t options_of_file = 0;  // the first of them, which the command line replaces

    std::string only_tables;          // of those, patterns; empty: all
    std::string indexes = "default";  // default, full, minimal
    std::string partition_by;         // day, month or empty
    std::optional<int64_t> retain_ms;
    bool failover = false;  // standbys are to follow the slot
    uint64_t transaction_size = 16 << 20;
    int64_t transaction_time_ms = 1000;

    bool until_current = false, accept_gap = false, yes = false;
    bool locked = false;  // no flag: the caller holds the slot's lock for this `run`
    bool json = false, prometheus = false;
    std::optional<uint64_t> fail_lag;
    std::optional<int64_t> fail_age_ms;
};

// Throws Failure(kUsage) with what was expected. `--help` and `--version` print and leave the
// command empty.
Settings ParseCommandLine(int argc, char** argv);

// Names of the keys that a configuration file may have.
std::vector<std::string> ConfigKeys();

// The value of a decoder option, or empty.
std::string DecoderOption(const Settings& settings, const std::string& name);

}  // namespace bemi::ingest

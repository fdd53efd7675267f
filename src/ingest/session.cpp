#include "session.hpp"

#include <cstdlib>

namespace bemi::ingest {

namespace {

constexpr char kBatchSize[] = "64kB";

// By itself, and first: what is sent in one message is still under the limit that it began with.
constexpr char kNoLimit[] = "SET statement_timeout = 0";

// What our statements mean, and how long they may take. Each is set in the session itself, whatever
// it is at the moment: only that holds against ALTER ROLE, ALTER DATABASE and a configuration file
// that is read again while we are connected. Whether transactions may write at all is left alone:
// somebody who forbids that means us, too.
constexpr char kSettings[] =
    "SET search_path = pg_catalog, pg_temp; SET standard_conforming_strings = on;"
    "SET quote_all_identifiers = off; SET array_nulls = on; SET transform_null_equals = off;"
    "SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres';"
    "SET bytea_output = 'hex'; SET extra_float_digits = 1; SET check_function_bodies = on;"
    "SET default_transaction_isolation = 'read committed';"
    "SET default_transaction_deferrable = off;"
    "SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
    "SELECT set_config(name, '0', false) FROM pg_settings"
    " WHERE name IN ('idle_session_timeout', 'transaction_timeout');";

bool Given(const DecoderOptions& options, const std::string& name) {
    for (const auto& option : options) {
        if (option.first == name)
            return true;
    }
    return false;
}

}  // namespace

std::unique_ptr<Connection> ConnectDestination(const Settings& settings) {
    auto connection =
        std::make_unique<Connection>(settings.destination, Connection::Kind::kSql, "destination");
    connection->Query(kNoLimit);
    // What is stored must stay stored, also on the standbys that the server waits for, and a
    // connection of ours that is dead must not keep the lock.
    connection->Query(
        std::string(kSettings) +
        "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10;"
        "SET tcp_keepalives_count = 3;"
        "SELECT set_config(name, '10s', false) FROM pg_settings"
        " WHERE name = 'client_connection_check_interval' AND version() LIKE '%linux%';"
        "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
        " WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)");
    return connection;
}

std::unique_ptr<Connection> ConnectSource(const Settings& settings, Connection::Kind kind) {
    auto connection = std::make_unique<Connection>(settings.source, kind, "source");
    connection->Query(kNoLimit);
    connection->Query(kSettings);
    return connection;
}

Place Compare(Connection& destination, const System& source_system,
              const std::string& source_database) {
    Place place;
    std::string identifier =
        destination.Value("SELECT system_identifier FROM pg_catalog.pg_control_system()");
    place.same_cluster = std::strtoull(identifier.c_str(), nullptr, 10) == source_system.identifier;
    place.same_database = place.same_cluster && destination.Database() == source_database;
    return place;
}

DecoderOptions OptionsFor(const Settings& settings, const Place& place) {
    DecoderOptions options = settings.options;
    if (!Given(options, "batch_size"))
        options.emplace_back("batch_size", kBatchSize);
    if (!Given(options, "format_version"))
        options.emplace_back("format_version", "1");
    if (!place.same_database)
        return options;
    std::string own = QuotedPattern(settings.schema) + ".changes";
    for (auto& option : options) {
        if (option.first == "exclude_tables") {
            option.second += "," + own;
            return options;
        }
    }
    options.emplace_back("exclude_tables", own);
    return options;
}

std::string QuotedPattern(const std::string& name) {
    std::string quoted = "\"";
    for (char c : name)
        quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

}  // namespace bemi::ingest

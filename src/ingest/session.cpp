#include "session.hpp"

#include <cstdlib>

namespace bemi::ingest {

namespace {

constexpr char kBatchSize[] = "64kB";

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
    // What is stored must stay stored, and a connection of ours that is dead must not keep the
    // lock. Retention must see what was forgotten while it waited.
    connection->Query(
        "SET search_path = pg_catalog; SET timezone = 'UTC'; SET datestyle = 'ISO';"
        "SET default_transaction_isolation = 'read committed';"
        "SET statement_timeout = 0; SET lock_timeout = 0;"
        "SET idle_in_transaction_session_timeout = 0;"
        "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10;"
        "SET tcp_keepalives_count = 3;"
        "SELECT set_config(name, '0', false) FROM pg_settings"
        " WHERE name IN ('idle_session_timeout', 'transaction_timeout');"
        "SELECT set_config(name, '10s', false) FROM pg_settings"
        " WHERE name = 'client_connection_check_interval' AND version() LIKE '%linux%';"
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') IN ('off', 'local')");
    return connection;
}

std::unique_ptr<Connection> ConnectSource(const Settings& settings, Connection::Kind kind) {
    auto connection = std::make_unique<Connection>(settings.source, kind, "source");
    connection->Query(
        "SET search_path = pg_catalog; SET statement_timeout = 0; SET lock_timeout = 0;"
        "SET idle_in_transaction_session_timeout = 0;"
        "SELECT set_config(name, '0', false) FROM pg_settings"
        " WHERE name IN ('idle_session_timeout', 'transaction_timeout')");
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

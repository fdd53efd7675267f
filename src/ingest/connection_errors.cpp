// What a connection throws, and how lasting it is.
#include <algorithm>
#include <regex>

#include "connection.hpp"
#include "errors.hpp"

namespace bemi::ingest {

namespace {

std::string Trim(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.pop_back();
    // One line, whatever libpq makes of it.
    for (size_t at; (at = text.find_first_of("\n\t")) != std::string::npos;)
        text.replace(at, std::min(text.find_first_not_of("\n\t ", at), text.size()) - at, " ");
    return text;
}

// As a server's message and its parts are shown: on one line.
std::string OneLine(const char* text) {
    return text != nullptr ? Trim(text) : std::string();
}

// libpq has no SQLSTATE for a failed connection but in the verbose text: "FATAL:  28P01: password
// …", where the server's language may have another word for FATAL.
std::string TakeSqlState(std::string* message) {
    static const std::regex state("(:  )([0-9A-Z]{5}): ");
    static const std::regex location("\n?LOCATION:[^\n]*");
    std::smatch match;
    std::string found = "08001";
    if (std::regex_search(*message, match, state))
        found = match[2];
    *message = std::regex_replace(*message, state, "$1");
    *message = Trim(std::regex_replace(*message, location, ""));
    return found;
}

// As libpq would quote it, but without a connection.
std::string Quoted(const std::string& name) {
    std::string quoted = "\"";
    for (char c : name)
        quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

}  // namespace

bool DatabaseError::Passing() const {
    static const char* const kStates[] = {"25006", "55006", "55P03", "3B001"};
    static const char* const kClasses[] = {"08", "53", "57", "40", "XX"};
    if (sqlstate.compare(0, 2, "58") == 0)
        return sqlstate != "58P01";  // a file that is not there: the plugin's library
    return std::find(std::begin(kStates), std::end(kStates), sqlstate) != std::end(kStates) ||
           std::find(std::begin(kClasses), std::end(kClasses), sqlstate.substr(0, 2)) !=
               std::end(kClasses);
}

bool DatabaseError::NoConnection() const {
    return sqlstate.compare(0, 2, "08") == 0 || sqlstate.compare(0, 2, "57") == 0;
}

void Connection::ThrowConnectFailure() {
    std::string message = PQerrorMessage(conn_.get());
    std::string state_code = TakeSqlState(&message);
    DatabaseError error(side_, state_code, message);
    if (state_code == "42501" && replication_)
        error.fix = "ALTER ROLE " + Quoted(User()) + " REPLICATION;";
    if (state_code == "53300" && replication_)
        error.fix = "ALTER SYSTEM SET max_wal_senders = 20; -- then restart the server";
    throw error;
}

void Connection::ThrowConnectionError() {
    // The server's last words, where it had any, say more than "connection lost".
    while (PGresult* result = PQgetResult(conn_.get())) {
        Result held(result);
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_FATAL_ERROR)
            ThrowResultError(result);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_BOTH || status == PGRES_COPY_OUT)
            break;
    }
    throw DatabaseError(side_, "08006", Trim(PQerrorMessage(conn_.get())));
}

void Connection::ThrowResultError(const PGresult* result) {
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char* detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char* hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    const char* where = PQresultErrorField(result, PG_DIAG_CONTEXT);
    std::string message = OneLine(primary != nullptr ? primary : PQresultErrorMessage(result));
    if (detail != nullptr)
        message += ": " + OneLine(detail);
    if (hint != nullptr)
        message += " (" + OneLine(hint) + ")";
    if (where != nullptr && state != nullptr && state[0] != '0')
        message += " [" + OneLine(where).substr(0, 200) + "]";
    DatabaseError error(side_, state != nullptr ? state : "08006", message);
    error.detail = detail != nullptr ? detail : "";
    error.hint = hint != nullptr ? hint : "";
    if (error.sqlstate == "53200" &&
        error.hint.find("max_locks_per_transaction") != std::string::npos)
        error.fix =
            "ALTER SYSTEM SET max_locks_per_transaction = 1024; -- of the " + side_ +
            ", then restart it; or some of the tables at a time: --table, --option exclude_tables";
    throw error;
}

}  // namespace bemi::ingest

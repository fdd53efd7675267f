#include "connection.hpp"

#include <algorithm>
#include <cstdlib>
#include <poll.h>
#include <vector>

#include "errors.hpp"
#include "hosts.hpp"
#include "interrupt.hpp"

namespace bemi::ingest {

namespace {

using namespace std::chrono_literals;

constexpr auto kConnectTimeout = 15s;
constexpr auto kSlice = 1000ms;

// A URI whose password has an @ or a / of its own: libpq would take the rest of it for the host or
// the port, and show it in its error.
bool IsAmbiguousUri(const std::string& conninfo) {
    const size_t scheme = conninfo.find("://");
    if (scheme == std::string::npos || conninfo.compare(0, 8, "postgres") != 0)
        return false;
    const std::string rest = conninfo.substr(scheme + 3);
    const size_t end = std::min(rest.find_first_of("/?"), rest.size());
    const std::string authority = rest.substr(0, end);
    const size_t at = authority.find('@');
    if (at != std::string::npos)
        return authority.find('@', at + 1) != std::string::npos;
    const std::string path = rest.substr(end, rest.find('?', end) - end);
    return authority.find(':') != std::string::npos && path.find('@') != std::string::npos;
}

void IgnoreNotice(void*, const PGresult*) {}

}  // namespace

long Result::Touched() const {
    return std::strtol(PQcmdTuples(result_.get()), nullptr, 10);
}

std::string Result::Get(int row, int column) const {
    if (row < 0 || row >= rows() || column < 0 || column >= columns())
        throw Failure(Exit::kFailed,
                      "a server had no answer to a question that has one: something that "
                      "bemi_ingest needs was dropped or changed meanwhile",
                      "bemi_ingest check");
    return PQgetvalue(result_.get(), row, column);
}

Connection::Connection(const std::string& conninfo, Kind kind, std::string side)
    : side_(std::move(side)),
      replication_(kind == Kind::kReplication),
      conn_(nullptr, PQfinish),
      message_(nullptr, PQfreemem) {
    Connect(conninfo, kind, nullptr);
    Hosts hosts(conn_.get());
    while (!FinishConnecting(hosts.timeout())) {
        if (!hosts.LeaveOut(conn_.get()))
            throw DatabaseError(side_, "08001", "no answer from " + Describe());
        Connect(conninfo, kind, &hosts);
    }
    PQsetErrorVerbosity(conn_.get(), PQERRORS_DEFAULT);
    PQsetnonblocking(conn_.get(), 1);
    PQsetNoticeReceiver(conn_.get(), IgnoreNotice, nullptr);
}

void Connection::Connect(const std::string& conninfo, Kind kind, const Hosts* hosts) {
    // libpq's own words about a connection string may repeat its password: ours don't.
    char* why = nullptr;
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
        PQconninfoParse(conninfo.c_str(), &why), PQconninfoFree);
    PQfreemem(why);
    if (!parsed && conninfo.find_first_of("=:") != std::string::npos)
        throw Failure(Exit::kUsage, "--" + side_ +
                                        " is not a connection string that libpq can read "
                                        "(it is not shown here: it may hold a password)");
    if (IsAmbiguousUri(conninfo))
        throw Failure(
            Exit::kUsage,
            "--" + side_ + " is a URI with an @, / or : in its password (it is not shown here)",
            "write them %40, %2F and %3A");
    std::vector<const char*> keys = {
        "dbname",          "fallback_application_name", "client_encoding",
        "keepalives_idle", "keepalives_interval",       "keepalives_count"};
    std::vector<const char*> values = {conninfo.c_str(), "bemi_ingest", "UTF8", "30", "10", "3"};
    auto add = [&](const char* key, const char* value) {
        keys.push_back(key);
        values.push_back(value);
    };
    if (kind == Kind::kReplication)
        add("replication", "database");
    std::string names, addresses, ports;
    if (hosts != nullptr) {
        add("host", (names = hosts->Names()).c_str());
        add("hostaddr", (addresses = hosts->Addresses()).c_str());
        add("port", (ports = hosts->Ports()).c_str());
    }
    add(nullptr, nullptr);
    conn_.reset(PQconnectStartParams(keys.data(), values.data(), 1));
    if (!conn_)
        throw std::bad_alloc();
    PQsetErrorVerbosity(conn_.get(), PQERRORS_VERBOSE);
}

bool Connection::FinishConnecting(int seconds) {
    const std::chrono::seconds limit =
        seconds > 0 ? std::chrono::seconds(seconds) : kConnectTimeout;
    auto deadline = Clock::now() + limit;
    auto place = [this] { return std::string(PQhost(conn_.get())) + ' ' + PQport(conn_.get()); };
    std::string at = place();
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (PQstatus(conn_.get()) != CONNECTION_BAD && state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED)
            break;
        if (!Wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
            return false;
        state = PQconnectPoll(conn_.get());
        // Each server has its time.
        if (place() != at) {
            at = place();
            deadline = Clock::now() + limit;
        }
    }
    if (PQstatus(conn_.get()) != CONNECTION_OK)
        ThrowConnectFailure();
    return true;
}

bool Connection::Wait(short events, Clock::time_point deadline) {
    const auto began = Clock::now();
    for (;;) {
        if (InterruptRequested())
            throw Interrupted();
        auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        auto slice =
            std::clamp(left, std::chrono::milliseconds(0), std::chrono::milliseconds(kSlice));
        pollfd sockets[] = {{PQsocket(conn_.get()), events, 0}, {InterruptDescriptor(), POLLIN, 0}};
        int ready = poll(sockets, 2, static_cast<int>(slice.count()));
        if (InterruptRequested())
            throw Interrupted();
        if (ready > 0)
            return true;
        if (left <= slice)
            return false;
        if (while_waiting_)
            while_waiting_(std::chrono::floor<std::chrono::milliseconds>(Clock::now() - began));
    }
}

void Connection::Flush() {
    for (;;) {
        int state = PQflush(conn_.get());
        if (state == 0)
            return;
        if (state < 0)
            ThrowConnectionError();
        // The server may have something to say that it wants read before it takes more.
        Wait(POLLIN | POLLOUT, Clock::time_point::max());
        if (PQconsumeInput(conn_.get()) == 0)
            ThrowConnectionError();
    }
}

PGresult* Connection::NextResult() {
    Flush();
    while (PQisBusy(conn_.get()) != 0) {
        Wait(POLLIN, Clock::time_point::max());
        if (PQconsumeInput(conn_.get()) == 0)
            ThrowConnectionError();
    }
    return PQgetResult(conn_.get());
}

Result Connection::Query(const std::string& sql) {
    if (PQsendQuery(conn_.get(), sql.c_str()) == 0)
        ThrowConnectionError();
    Result last(nullptr);
    Result error(nullptr);
    while (PGresult* result = NextResult()) {
        last = Result(result);
        switch (PQresultStatus(result)) {
            case PGRES_COPY_IN:
            case PGRES_COPY_OUT:
            case PGRES_COPY_BOTH:
                return last;
            case PGRES_TUPLES_OK:
            case PGRES_COMMAND_OK:
            case PGRES_EMPTY_QUERY:
                break;
            default:
                error = std::move(last);
        }
        if (error.get() != nullptr && PQstatus(conn_.get()) == CONNECTION_BAD)
            break;
    }
    if (error.get() != nullptr)
        ThrowResultError(error.get());
    return last;
}

std::string Connection::Value(const std::string& sql, const std::string& none) {
    Result result = Query(sql);
    return result.rows() > 0 && !result.IsNull(0, 0) ? result.Get(0, 0) : none;
}

std::string Connection::Database() {
    if (database_.empty())
        database_ = Value("SELECT pg_catalog.current_database()");
    return database_;
}

void Connection::PutCopy(std::string_view data) {
    for (;;) {
        int state = PQputCopyData(conn_.get(), data.data(), static_cast<int>(data.size()));
        if (state < 0)
            ThrowConnectionError();
        Flush();
        if (state == 1)
            return;
    }
}

void Connection::EndCopy() {
    while (PQputCopyEnd(conn_.get(), nullptr) == 0)
        Flush();
    Result error(nullptr);
    while (PGresult* result = NextResult()) {
        Result held(result);
        if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
            error = std::move(held);
        if (PQstatus(conn_.get()) == CONNECTION_BAD)
            break;
    }
    if (error.get() != nullptr)
        ThrowResultError(error.get());
}

void Connection::AbortCopy() {
    while (PQputCopyEnd(conn_.get(), "given up") == 0)
        Flush();
    while (PGresult* result = NextResult()) {
        Result held(result);
        if (PQstatus(conn_.get()) == CONNECTION_BAD)
            ThrowConnectionError();
    }
}

bool Connection::NextCopy(std::string_view* message, std::chrono::milliseconds wait, bool* ended) {
    auto deadline = Clock::now() + wait;
    *ended = false;
    for (;;) {
        char* text = nullptr;
        int length = PQgetCopyData(conn_.get(), &text, 1);
        message_.reset(text);
        if (length > 0) {
            *message = {text, static_cast<size_t>(length)};
            return true;
        }
        if (length < 0) {
            Result result(NextResult());
            if (result.get() == nullptr)
                ThrowConnectionError();
            if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR)
                ThrowResultError(result.get());
            // A COPY is over with its last result; a stream would still be open on our side.
            while (PQresultStatus(result.get()) == PGRES_COMMAND_OK) {
                result = Result(NextResult());
                if (result.get() == nullptr)
                    break;
            }
            *ended = true;
            return false;
        }
        if (!Wait(POLLIN, deadline))
            return false;
        if (PQconsumeInput(conn_.get()) == 0)
            ThrowConnectionError();
    }
}

void Connection::SendCopyMessage(std::string_view message) {
    if (PQputCopyData(conn_.get(), message.data(), static_cast<int>(message.size())) < 0 ||
        PQflush(conn_.get()) < 0)
        ThrowConnectionError();
}

void Connection::Cancel() {
    std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> handle(PQgetCancel(conn_.get()),
                                                              PQfreeCancel);
    char why[256];
    if (handle)
        PQcancel(handle.get(), why, sizeof why);
}

std::string Connection::Literal(std::string_view text) const {
    std::unique_ptr<char, decltype(&PQfreemem)> quoted(
        PQescapeLiteral(conn_.get(), text.data(), text.size()), PQfreemem);
    if (!quoted)
        throw Failure(Exit::kUsage, "a value is not valid UTF-8");
    return quoted.get();
}

std::string Connection::Identifier(std::string_view text) const {
    std::unique_ptr<char, decltype(&PQfreemem)> quoted(
        PQescapeIdentifier(conn_.get(), text.data(), text.size()), PQfreemem);
    if (!quoted)
        throw Failure(Exit::kUsage, "a name is not valid UTF-8");
    return quoted.get();
}

std::string Connection::Describe() const {
    auto part = [](const char* name, const char* value) {
        return value != nullptr && *value != '\0' ? std::string(" ") + name + "=" + value
                                                  : std::string();
    };
    return "the " + side_ + part("host", PQhost(conn_.get())) + part("port", PQport(conn_.get())) +
           part("dbname", PQdb(conn_.get())) + part("user", PQuser(conn_.get()));
}

void Sleep(std::chrono::milliseconds time) {
    pollfd wake = {InterruptDescriptor(), POLLIN, 0};
    poll(&wake, 1, static_cast<int>(time.count()));
    if (InterruptRequested())
        throw Interrupted();
}

}  // namespace bemi::ingest

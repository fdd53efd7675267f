// One libpq connection. Every wait of it ends at a signal (throws Interrupted) and lets the other
// side be served meanwhile, so that a slow destination never costs us the source's connection.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <libpq-fe.h>

namespace bemi::ingest {

using Clock = std::chrono::steady_clock;

class Result {
 public:
    explicit Result(PGresult* result) : result_(result, PQclear) {}
    int rows() const { return PQntuples(result_.get()); }
    int columns() const { return PQnfields(result_.get()); }
    bool IsNull(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
    // Throws Failure where there is no such row or column: others drop what we ask for.
    std::string Get(int row, int column) const;
    // Rows that an UPDATE, INSERT or DELETE touched.
    long Touched() const;
    PGresult* get() const { return result_.get(); }

 private:
    std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

class Hosts;

class Connection {
 public:
    enum class Kind { kSql, kReplication };

    // Connects; throws DatabaseError. `side` is "source" or "destination", for messages.
    Connection(const std::string& conninfo, Kind kind, std::string side);

    // Runs SQL (several statements are one transaction) and gives the last result; throws
    // DatabaseError. A statement that starts a COPY returns at once.
    Result Query(const std::string& sql);
    // The first column of the first row, or `none`.
    std::string Value(const std::string& sql, const std::string& none = {});

    // COPY FROM STDIN: the data goes out as fast as the server takes it, little is buffered here.
    void PutCopy(std::string_view data);
    // Ends it and waits for the result.
    void EndCopy();
    // Gives it up: what was sent is not stored, and the transaction has failed.
    void AbortCopy();

    // COPY TO STDOUT and streaming. The next message, if one comes within `wait`; `*ended` tells
    // that the server ended the stream in good order. The text lives until the next call.
    bool NextCopy(std::string_view* message, std::chrono::milliseconds wait, bool* ended);
    // Sends a message on a stream without waiting for it to leave.
    void SendCopyMessage(std::string_view message);

    // Asks the server to give up the running statement.
    void Cancel();

    std::string Literal(std::string_view text) const;
    std::string Identifier(std::string_view text) const;
    // "dbname=… host=… port=… user=…": never a password.
    std::string Describe() const;
    std::string User() const { return PQuser(conn_.get()); }
    // As the server calls it: a pooler may have another name for it, and the connection string too.
    std::string Database();
    std::string ServerEncoding() const { return PQparameterStatus(conn_.get(), "server_encoding"); }
    int ServerVersion() const { return PQserverVersion(conn_.get()); }
    const std::string& side() const { return side_; }

    // Called about once a second while this connection waits, with how long the server has now
    // neither answered nor taken anything.
    using Hook = std::function<void(std::chrono::milliseconds waited)>;
    void WhileWaiting(Hook hook) { while_waiting_ = std::move(hook); }
    // The number of the session, in the server.
    int Pid() const { return PQbackendPID(conn_.get()); }

 private:
    // `hosts`: those that are left to try; null: all.
    void Connect(const std::string& conninfo, Kind kind, const Hosts* hosts);
    // False where a server is silent for so many seconds; 0: for as long as usual.
    bool FinishConnecting(int seconds);
    // Waits for the socket; false after the deadline.
    bool Wait(short events, Clock::time_point deadline);
    void Flush();
    PGresult* NextResult();
    [[noreturn]] void ThrowConnectFailure();
    [[noreturn]] void ThrowConnectionError();
    [[noreturn]] void ThrowResultError(const PGresult* result);

    std::string side_, database_;
    bool replication_;
    std::unique_ptr<PGconn, decltype(&PQfinish)> conn_;
    std::unique_ptr<char, decltype(&PQfreemem)> message_;
    Hook while_waiting_;
};

// Sleeps, unless a signal comes (Interrupted).
void Sleep(std::chrono::milliseconds time);

}  // namespace bemi::ingest

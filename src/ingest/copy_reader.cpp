#include "copy_reader.hpp"

#include "errors.hpp"

namespace bemi::ingest {

namespace {

using namespace std::chrono_literals;

constexpr size_t kHeader = 19;
constexpr uint64_t kTrailer = 0xFFFF;

std::string_view Take(std::string_view* rest, size_t bytes) {
    if (rest->size() < bytes)
        throw DatabaseError("source", "08P01", "a row of COPY cannot be understood");
    std::string_view taken = rest->substr(0, bytes);
    rest->remove_prefix(bytes);
    return taken;
}

uint64_t Number(std::string_view bytes) {
    uint64_t value = 0;
    for (char c : bytes)
        value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

}  // namespace

std::string_view CopyFields::Field() {
    auto length = static_cast<int32_t>(Number(Take(&rest_, 4)));
    return length < 0 ? std::string_view() : Take(&rest_, static_cast<size_t>(length));
}

int64_t CopyFields::Int64() {
    return static_cast<int64_t>(Number(Field()));
}

CopyReader::CopyReader(Connection& connection, const std::string& query) : connection_(connection) {
    connection_.Query("COPY (" + query + ") TO STDOUT (FORMAT binary)");
}

// The server sends a row a message: the first of them behind the header, and the end as one of its
// own.
bool CopyReader::Next(CopyFields* row) {
    std::string_view message;
    while (!ended_) {
        if (!connection_.NextCopy(&message, 1000ms, &ended_))
            continue;
        if (first_)
            Take(&message, kHeader);
        first_ = false;
        if (message.empty() || Number(Take(&message, 2)) == kTrailer)
            continue;
        *row = CopyFields(message);
        return true;
    }
    return false;
}

void Drain(Connection& connection) {
    std::string_view message;
    bool ended = false;
    try {
        while (!ended)
            connection.NextCopy(&message, 1000ms, &ended);
    } catch (const DatabaseError&) {
        // It has ended in an error already.
    }
}

}  // namespace bemi::ingest

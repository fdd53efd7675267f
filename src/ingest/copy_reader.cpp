#include "copy_reader.hpp"

#include <cstring>

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

// A field of COPY's text format that has a backslash.
void AppendUnescapedField(std::string_view field, std::string* out) {
    static const char kFrom[] = "bfnrtv", kTo[] = "\b\f\n\r\t\v";
    for (size_t i = 0; i < field.size(); ++i) {
        const char c = field[i];
        if (c != '\\' || i + 1 == field.size()) {
            out->push_back(c);
            continue;
        }
        const char next = field[++i];
        const void* found = std::memchr(kFrom, next, sizeof kFrom - 1);
        out->push_back(found != nullptr ? kTo[static_cast<const char*>(found) - kFrom] : next);
    }
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

CopyTextReader::CopyTextReader(Connection& connection, const std::string& statement)
    : connection_(connection) {
    connection_.Query(statement);
}

bool CopyTextReader::Next(std::vector<std::string_view>* fields) {
    std::string_view row;
    while (!ended_ && !connection_.NextCopy(&row, 1000ms, &ended_)) {
    }
    if (ended_)
        return false;
    if (!row.empty() && row.back() == '\n')
        row.remove_suffix(1);
    fields->clear();
    unescaped_.clear();
    unescaped_.reserve(row.size());  // so that no field that points into it moves
    for (bool more = true; more;) {
        const size_t tab = row.find('\t');
        const std::string_view field = row.substr(0, tab);
        more = tab != std::string_view::npos;
        if (more)
            row.remove_prefix(tab + 1);
        if (field == "\\N") {
            fields->emplace_back();
        } else if (field.find('\\') == std::string_view::npos) {
            fields->push_back(field.empty() ? std::string_view("") : field);
        } else {
            const size_t start = unescaped_.size();
            AppendUnescapedField(field, &unescaped_);
            fields->push_back(std::string_view(unescaped_).substr(start));
        }
    }
    return true;
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

// Rows of a COPY TO, in binary or in text format, one after the other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connection.hpp"

namespace bemi::ingest {

// A row; its fields live until the next one is asked for.
class CopyFields {
 public:
    explicit CopyFields(std::string_view rest) : rest_(rest) {}

    // The next field; data() is null where it is null.
    std::string_view Field();
    int64_t Int64();

 private:
    std::string_view rest_;
};

class CopyReader {
 public:
    // Starts COPY (query) TO STDOUT. The connection must outlive the reader, and has to be read to
    // the end before it is asked for anything else.
    CopyReader(Connection& connection, const std::string& query);

    // False at the end. `row` is set otherwise.
    bool Next(CopyFields* row);

 private:
    Connection& connection_;
    bool first_ = true, ended_ = false;
};

// The same of COPY … TO STDOUT in text format: what the types' output functions give.
class CopyTextReader {
 public:
    // Starts the statement; as CopyReader.
    CopyTextReader(Connection& connection, const std::string& statement);

    // False at the end. Fields live until the next call; data() is null where one is null.
    bool Next(std::vector<std::string_view>* fields);

 private:
    Connection& connection_;
    std::string unescaped_;
    bool ended_ = false;
};

// Reads what is left of a COPY that nobody wants any more, if there is one.
void Drain(Connection& connection);

}  // namespace bemi::ingest

// What verify finds, as lines of text or of JSON on stdout.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reporter.hpp"
#include "verify_history.hpp"

namespace bemi::ingest {

// A row that differs, by its key; without one, `image` tells which it is.
struct Difference {
    enum class Kind { kLost, kAltered, kExtra, kBroken };
    Kind kind;
    std::string key;
    bool keyless = false;
    uint64_t rows = 1;                   // that are the same, without a key
    std::vector<std::string> columns{};  // that differ, where it is known
    std::string why{};                   // of kBroken; else may be empty
    Uuid record{};                       // the last record of the row; all zero: there is none
    Lsn commit = 0;                      // its commit_position
};

inline constexpr char kWrongId[] =
    "the id of a record is not that of its place: its id, commit_position or sequence was changed";

class VerifyReport {
 public:
    explicit VerifyReport(bool json) : json_(json), reporter_("compared") {}

    void Begin(const std::string& table);
    void Compared(uint64_t rows);
    // Rows of the source that were there before anything was recorded.
    void Unknown(uint64_t rows) { unknown_ += rows; }
    void Add(const Difference& difference);
    // Why something of a table is not compared.
    void Note(const std::string& table, const std::string& note);
    // Why all of it is not, and can't be.
    void NotCompared(const std::string& table, const std::string& why);
    // The same, where it should have been.
    void Fail(const std::string& table, const std::string& why);
    void End();
    void Finish(Lsn position);

    uint64_t differences() const { return all_differences_; }
    uint64_t failures() const { return failures_; }
    Reporter& reporter() { return reporter_; }

 private:
    void Line(const std::string& line);

    bool json_;
    Reporter reporter_;
    std::string table_;
    uint64_t rows_ = 0, unknown_ = 0, counts_[4] = {};
    uint64_t all_rows_ = 0, all_differences_ = 0, tables_ = 0, not_compared_ = 0, failures_ = 0;
};

std::string FormatUuid(const Uuid& id);

}  // namespace bemi::ingest

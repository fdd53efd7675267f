// What a command tells people meanwhile: a live line on a terminal, elsewhere a line a minute.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace bemi::ingest {

class Reporter {
 public:
    // `done` is what happens to rows: "stored", "compared".
    explicit Reporter(const char* done = "stored");
    ~Reporter();  // ends the live line
    Reporter(const Reporter&) = delete;
    Reporter& operator=(const Reporter&) = delete;
    // A line of its own, at once.
    void Say(const std::string& line);
    // Before something else is written.
    void ClearLiveLine();
    // The next rows that are done get a line: it has been said that they could not be.
    void OweNews() { owes_news_ = true; }
    // These rows are done.
    void Done(uint64_t rows);
    // So much has been taken that is not done: a transaction that goes on arriving.
    void Taken(uint64_t rows, uint64_t bytes) { taken_rows_ = rows, taken_bytes_ = bytes; }
    // What is at work: "public.person, table 3 of 12".
    void Subject(std::string subject) { subject_ = std::move(subject); }
    // Writes what is due. `commit_time` is that of the last record taken, in PostgreSQL's
    // microseconds; kNoTime where there is none.
    void Tick(int64_t commit_time);
    uint64_t rows() const { return rows_; }

 private:
    using Clock = std::chrono::steady_clock;

    std::string Line(int64_t commit_time, double seconds) const;

    const char* done_;
    bool terminal_;
    bool live_line_ = false, owes_news_ = false;
    std::string subject_;
    uint64_t rows_ = 0, taken_rows_ = 0, taken_bytes_ = 0;
    uint64_t rows_at_last_ = 0;  // done and taken, when the last line was written
    Clock::time_point last_;
};

}  // namespace bemi::ingest

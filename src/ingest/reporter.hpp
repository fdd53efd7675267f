// What `run` tells people: a live line on a terminal, elsewhere a line a minute.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace bemi::ingest {

class Reporter {
 public:
    Reporter();
    // A line of its own, at once.
    void Say(const std::string& line);
    // These rows are stored.
    void Stored(uint64_t rows);
    // Writes what is due. `commit_time` is that of the last record taken, in PostgreSQL's
    // microseconds; 0 where there is none.
    void Tick(int64_t commit_time);
    uint64_t rows() const { return rows_; }

 private:
    using Clock = std::chrono::steady_clock;

    std::string Line(int64_t commit_time, double seconds) const;
    void ClearLiveLine();

    bool terminal_;
    bool live_line_ = false;
    uint64_t rows_ = 0, rows_at_last_ = 0;
    Clock::time_point last_;
};

}  // namespace bemi::ingest

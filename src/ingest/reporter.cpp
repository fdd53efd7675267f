#include "reporter.hpp"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

#include "print.hpp"
#include "timestamp.hpp"
#include "units.hpp"

namespace bemi::ingest {

namespace {

using namespace std::chrono_literals;

constexpr auto kLiveInterval = 500ms;
constexpr auto kLogInterval = 60s;

}  // namespace

Reporter::Reporter(const char* done)
    : done_(done), terminal_(isatty(STDERR_FILENO) != 0), last_(Clock::now()) {}

Reporter::~Reporter() {
    if (live_line_)
        std::fputc('\n', stderr);
}

void Reporter::ClearLiveLine() {
    if (live_line_)
        std::fputs("\r\033[K", stderr);
    live_line_ = false;
}

void Reporter::Say(const std::string& line) {
    ClearLiveLine();
    Complain(line);
}

void Reporter::Done(uint64_t rows) {
    rows_ += rows;
    taken_rows_ = taken_bytes_ = 0;
    if (owes_news_)
        Say("storing again");
    owes_news_ = false;
}

std::string Reporter::Line(int64_t commit_time, double seconds) const {
    // What a lost connection had taken is taken again.
    const uint64_t rows = std::max(rows_ + taken_rows_, rows_at_last_) - rows_at_last_;
    double rate = static_cast<double>(rows) / seconds;
    std::string line = (subject_.empty() ? "" : subject_ + ": ") + FormatCount(rows_) + " rows " +
                       done_ + ", " + FormatCount(static_cast<uint64_t>(rate)) + " a second";
    if (taken_rows_ > 0)
        line += ", " + FormatCount(taken_rows_) + " more (" +
                FormatSize(static_cast<double>(taken_bytes_)) + ") of a transaction under way";
    if (commit_time != kNoTime)
        line += ", the last committed " + FormatSeconds(SecondsSince(commit_time)) + " ago";
    return line;
}

void Reporter::Tick(int64_t commit_time) {
    auto elapsed = Clock::now() - last_;
    if (elapsed < (terminal_ ? std::chrono::milliseconds(kLiveInterval) : kLogInterval))
        return;
    std::string line = Line(commit_time, std::chrono::duration<double>(elapsed).count());
    if (terminal_) {
        std::fprintf(stderr, "\r\033[K%s", Printable(line).c_str());
        std::fflush(stderr);
        live_line_ = true;
    } else {
        Complain(line);
    }
    rows_at_last_ = rows_ + taken_rows_;
    last_ = Clock::now();
}

}  // namespace bemi::ingest

#include "continuity.hpp"

#include <algorithm>

#include "errors.hpp"

namespace bemi::ingest {

namespace {

// Where the source's history left the timeline of our progress; nothing where it never was on it.
std::optional<Lsn> SwitchPoint(const Evidence& e) {
    if (e.system.timeline == e.progress.timeline)
        return UINT64_MAX;
    for (const TimelineSwitch& left : e.history) {
        if (left.timeline == e.progress.timeline)
            return left.position;
    }
    return std::nullopt;
}

Gap MakeGap(const Evidence& e, const char* reason, Lsn to, std::string explanation) {
    Gap gap;
    gap.reason = reason;
    gap.from = e.progress.position;
    gap.to = gap.resume = to;
    gap.explanation = std::move(explanation);
    return gap;
}

std::optional<Gap> FindFork(const Evidence& e) {
    std::string timelines = "timeline " + std::to_string(e.system.timeline) + " of the source";
    std::optional<Lsn> switched = SwitchPoint(e);
    if (!switched) {
        Gap gap = MakeGap(e, "timeline", e.slot.confirmed,
                          timelines + " does not descend from timeline " +
                              std::to_string(e.progress.timeline) + ", which is stored");
        gap.fork = true;
        return gap;
    }
    if (e.progress.stored <= *switched)
        return std::nullopt;
    Gap gap = MakeGap(e, "timeline", std::max(*switched, e.slot.confirmed),
                      timelines + " began at " + FormatLsn(*switched) +
                          ", before changes that are stored: a standby was promoted that had not "
                          "received them");
    gap.fork = true;
    return gap;
}

}  // namespace

Lsn ResumePosition(const Evidence& e) {
    std::optional<Lsn> switched = SwitchPoint(e);
    return switched ? std::min(e.progress.position, *switched) : e.progress.position;
}

std::optional<Gap> FindGap(const Evidence& e) {
    if (e.system.identifier != e.progress.system)
        return MakeGap(e, "system", e.slot.confirmed,
                       "the source is another cluster (system identifier " +
                           std::to_string(e.system.identifier) + ", stored is " +
                           std::to_string(e.progress.system) + ")");
    if (std::optional<Gap> fork = FindFork(e))
        return fork;
    if (e.slot.wal_status == "lost") {
        Gap gap =
            MakeGap(e, "lost", e.system.end,
                    "the slot is lost: " +
                        (e.slot.lost_because.empty() || e.slot.lost_because == "wal_removed"
                             ? "the source has removed WAL that it needed "
                               "(max_slot_wal_keep_size)"
                             : "the source has invalidated it (" + e.slot.lost_because + ")"));
        gap.remake_slot = true;
        return gap;
    }
    Lsn resume = ResumePosition(e);
    if (resume > e.system.end) {
        Gap gap = MakeGap(e, "behind", e.slot.confirmed,
                          "the source's WAL ends at " + FormatLsn(e.system.end) +
                              ", before what is stored: it was restored from a backup");
        gap.fork = true;
        return gap;
    }
    if (e.slot.confirmed > resume)
        return MakeGap(e, "ahead", e.slot.confirmed,
                       "the slot is ahead of what is stored: somebody else read it, it was dropped "
                       "and made again, or the destination was restored from a backup");
    return std::nullopt;
}

void RecordGap(Connection& destination, const Evidence& e, const Gap& gap,
               std::optional<int64_t> next_committed_at) {
    auto text = [&](const std::string& value) { return destination.Literal(value); };
    std::string to_time = next_committed_at ? TimestampSql(*next_committed_at) : "NULL";
    const Progress& p = e.progress;
    std::string resume = text(FormatLsn(gap.resume));
    destination.Query(
        "INSERT INTO bemi.gaps (slot, system_identifier, database, reason, from_position,"
        " to_position, from_time, to_time, explanation) VALUES (" +
        text(p.slot) + ", " + std::to_string(e.system.identifier) + ", " + text(p.database) + ", " +
        text(gap.reason) + ", " + text(FormatLsn(gap.from)) + ", " + text(FormatLsn(gap.to)) +
        ", (SELECT committed_at FROM bemi.progress WHERE slot = " + text(p.slot) + "), " + to_time +
        ", " + text(gap.explanation) + ")");
    Result moved = destination.Query(
        "UPDATE bemi.progress SET position = " + resume + ", stored_position = " + resume +
        ", system_identifier = " + std::to_string(e.system.identifier) +
        ", timeline = " + std::to_string(e.system.timeline) + ", fork = fork + " +
        (gap.fork ? "1" : "0") + ", updated_at = now() WHERE slot = " + text(p.slot) +
        " AND position = " + text(FormatLsn(p.position)));
    if (moved.Touched() != 1)
        throw DatabaseError("destination", "40001", "somebody else has moved bemi.progress");
}

}  // namespace bemi::ingest

#include "status.hpp"

#include <cstdio>
#include <cstdlib>

#include "commands.hpp"
#include "continuity.hpp"
#include "errors.hpp"
#include "peek.hpp"
#include "print.hpp"
#include "session.hpp"
#include "sql_install.hpp"
#include "timestamp.hpp"

namespace bemi::ingest {

namespace {

void ReadDestination(Connection& destination, const Settings& settings, Status* status) {
    std::string slot = destination.Literal(settings.slot);
    Result row = destination.Query(
        "SELECT rows, rate * exp(-least(extract(epoch FROM now() - updated_at), 6000)::float8 / "
        "60),"
        " coalesce(to_char(committed_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), ''),"
        " to_char(updated_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
        " CASE WHEN isfinite(committed_at) THEN extract(epoch FROM committed_at) ELSE 0 END"
        " FROM bemi.progress WHERE slot = " +
        slot);
    if (row.rows() == 0)  // dropped since
        throw Failure(Exit::kRefused, "the destination knows no slot " + settings.slot,
                      "bemi_ingest init");
    status->rows = std::strtoull(row.Get(0, 0).c_str(), nullptr, 10);
    status->rate = std::strtod(row.Get(0, 1).c_str(), nullptr);
    status->last_commit = row.Get(0, 2);
    status->updated = row.Get(0, 3);
    status->last_commit_epoch = std::strtod(row.Get(0, 4).c_str(), nullptr);
    Result gaps = destination.Query(
        "SELECT reason, from_position, to_position, coalesce(from_time::text, ''),"
        " coalesce(to_time::text, ''), accepted_at::text FROM bemi.gaps WHERE slot = " +
        slot + " ORDER BY id");
    for (int i = 0; i < gaps.rows(); ++i)
        status->gaps.push_back({gaps.Get(i, 0), gaps.Get(i, 1), gaps.Get(i, 2), gaps.Get(i, 3),
                                gaps.Get(i, 4), gaps.Get(i, 5)});
}

// Real seconds: the commit time of the record that comes next.
void ReadAge(const Settings& settings, const Place& place, Status* status) {
    NextRecord next = PeekNext(settings, status->stored, OptionsFor(settings, place));
    if (!next.known)
        status->age_unknown = next.why;
    else if (!next.exists)
        status->age = 0;
    else
        status->age = SecondsSince(next.committed_at);
}

Status ReadStatus(const Settings& settings) {
    auto source = ConnectSource(settings, Connection::Kind::kReplication);
    auto destination = ConnectDestination(settings);
    const Progress progress = DemandProgress(*destination, settings.slot);
    if (const SqlMismatch mismatch = CompareSql(*destination); !mismatch.found.empty())
        Complain(
            "note: the functions of schema bemi in the destination are not those of this "
            "bemi_ingest: " +
            mismatch.found + "; " + mismatch.fix);
    Status status;
    status.slot = settings.slot;
    status.database = source->Database();
    status.stored = progress.position;
    ReadDestination(*destination, settings, &status);
    System system = IdentifySystem(*source);
    status.source_end = system.end;
    status.lag_bytes = system.end > status.stored ? system.end - status.stored : 0;
    std::optional<SlotState> slot = ReadSlot(*source, settings.slot);
    if (!slot) {
        status.pending_gap = "the slot does not exist";
        status.age_unknown = status.pending_gap;
        return status;
    }
    status.wal_status = slot->wal_status;
    status.active = slot->active;
    status.confirmed = slot->confirmed;
    status.retained_from = slot->restart;
    status.safe_size = slot->safe_size;
    Evidence evidence{progress, system, *slot, TimelineHistory(*source, system.timeline)};
    // While a run is at work the slot moves between our two looks.
    if (std::optional<Gap> gap = FindGap(evidence);
        gap && !(slot->active && gap->reason == "ahead"))
        status.pending_gap = gap->reason + ": " + gap->explanation;
    if (status.pending_gap.empty())
        ReadAge(settings, Compare(*destination, system, status.database), &status);
    else
        status.age_unknown = "there is a gap";
    return status;
}

bool PastLimit(const Settings& settings, const Status& status) {
    bool limited = settings.fail_lag || settings.fail_age_ms;
    if (limited && !status.pending_gap.empty())
        return true;
    if (settings.fail_lag && status.lag_bytes > *settings.fail_lag)
        return true;
    return settings.fail_age_ms &&
           (!status.age || *status.age * 1000 > static_cast<double>(*settings.fail_age_ms));
}

}  // namespace

int RunStatus(const Settings& settings) {
    Status status = ReadStatus(settings);
    std::string text = settings.json         ? AsJson(status)
                       : settings.prometheus ? AsPrometheus(status)
                                             : AsText(status);
    PrintText(stdout, text);
    if (PastLimit(settings, status))
        return static_cast<int>(Exit::kFailed);
    return static_cast<int>(status.wal_status.empty() ? Exit::kRefused : Exit::kDone);
}

}  // namespace bemi::ingest

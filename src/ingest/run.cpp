// `run`: one session after the other, each from where the destination says, until told to stop.
#include <algorithm>

#include "check.hpp"
#include "commands.hpp"
#include "continuity.hpp"
#include "errors.hpp"
#include "lock.hpp"
#include "loop.hpp"
#include "peek.hpp"
#include "progress.hpp"
#include "record.hpp"
#include "reporter.hpp"
#include "session.hpp"
#include "table_sink.hpp"
#include "timestamp.hpp"
#include "units.hpp"

namespace bemi::ingest {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kFirstWait = 250ms;
constexpr std::chrono::milliseconds kLongestWait = 30s;
// A destination that is silent for so long is mentioned, and again so often.
constexpr std::chrono::milliseconds kHangPatience = 10s;
constexpr auto kHangNews = 60s;
// A run that is to end when current does not wait for ever for a server that is away.
constexpr auto kCurrentPatience = 60s;

class Runner {
 public:
    explicit Runner(const Settings& settings) : settings_(settings) {}
    int Run();

 private:
    bool Session();
    void Refuse();
    void Lock();
    void TellHang(std::chrono::milliseconds waited);
    void SetRetention();
    Progress Continue(const System& system);
    Progress Accept(Evidence evidence, const Gap& gap);
    [[noreturn]] void StopAt(const Evidence& evidence, const Gap& gap, const std::string& to_time);
    void Follow(const Evidence& evidence);
    void Wait(const DatabaseError& error);
    [[noreturn]] void GiveUp(const DatabaseError& error);

    const Settings& settings_;
    Reporter reporter_;
    std::unique_ptr<Connection> source_, destination_;
    bool started_ = false;  // a session has streamed before
    bool in_vain_ = false;  // the last one could not store what came
    std::optional<Clock::time_point> streaming_since_, failing_since_, hang_told_;
    uint64_t rows_at_wait_ = 0;
    std::chrono::milliseconds wait_ = kFirstWait;
    std::optional<Lsn> until_;
};

int Runner::Run() {
    for (;;) {
        try {
            if (Session())
                return static_cast<int>(Exit::kDone);
            throw DatabaseError("source", "08006", "the server has ended the stream");
        } catch (const DatabaseError& error) {
            source_.reset();
            destination_.reset();
            if (!error.Passing())
                GiveUp(error);
            Wait(error);
        }
    }
}

bool Runner::Session() {
    destination_ = ConnectDestination(settings_);
    source_ = ConnectSource(settings_, Connection::Kind::kReplication);
    Refuse();
    Lock();
    System system = IdentifySystem(*source_);
    Progress progress = Continue(system);
    Place place = Compare(*destination_, system, source_->Database());
    if (settings_.until_current && !until_)
        until_ = system.end;
    if (settings_.retain_ms)
        SetRetention();
    SlotStream stream(*source_, settings_.slot, progress.position, OptionsFor(settings_, place));
    destination_->WhileWaiting([&](std::chrono::milliseconds waited) {
        stream.StayAlive();
        TellHang(waited);
    });
    TableSink sink(*destination_, progress, settings_.schema, place.same_cluster);
    LoopSettings loop_settings;
    loop_settings.transaction_size = settings_.transaction_size;
    loop_settings.transaction_time = std::chrono::milliseconds(settings_.transaction_time_ms);
    loop_settings.until = until_;
    // What fails only when it is stored would make this line a lie each time.
    if (in_vain_)
        reporter_.OweNews();
    else
        reporter_.Say("storing from " + FormatLsn(progress.position));
    started_ = true;
    streaming_since_ = Clock::now();
    bool done = Loop(stream, sink, reporter_, loop_settings).Run();
    destination_->WhileWaiting(nullptr);
    if (done)
        reporter_.Say(FormatCount(reporter_.rows()) + " rows stored, all up to " +
                      FormatLsn(sink.Stored()));
    return done;
}

// A destination that takes its time is no error: but somebody should know that it is waited for.
void Runner::TellHang(std::chrono::milliseconds waited) {
    if (waited < kHangPatience)
        hang_told_.reset();
    if (waited < kHangPatience || (hang_told_ && Clock::now() - *hang_told_ < kHangNews))
        return;
    hang_told_ = Clock::now();
    const std::string pid = std::to_string(destination_->Pid());
    reporter_.Say("destination: no answer for " +
                  FormatSeconds(static_cast<double>(waited.count()) / 1000) +
                  "; waiting. There: SELECT wait_event_type, wait_event, pg_blocking_pids(pid)"
                  " FROM pg_stat_activity WHERE pid = " +
                  pid + ";");
    reporter_.OweNews();
}

void Runner::SetRetention() {
    const std::string retain = "'" + std::to_string(*settings_.retain_ms) + " milliseconds'";
    const std::string where =
        " WHERE partition_by IS NOT NULL AND schema = " + destination_->Literal(settings_.schema);
    // Whoever forgets holds this row: it is left alone where it is right.
    const std::string differs = destination_->Value("SELECT retain IS DISTINCT FROM " + retain +
                                                    "::interval FROM bemi.target" + where);
    if (differs == "t")
        destination_->Query("UPDATE bemi.target SET retain = " + retain + where);
    if (differs.empty())
        throw Failure(Exit::kRefused, "--retain drops partitions, and there are none",
                      "run without it; or init --partition-by day, with a table that is made then");
}

// The requirements that are not met, with their fixes; only the first time: later it is the servers
// that come and go.
void Runner::Refuse() {
    if (started_)
        return;
    Findings findings;
    CheckSource(*source_, settings_, &findings);
    CheckDestination(*destination_, settings_, &findings);
    findings.erase(std::remove_if(findings.begin(), findings.end(),
                                  [](const Finding& finding) { return finding.passing; }),
                   findings.end());
    if (Fails(findings))
        throw Failure(Exit::kRefused, "requirements are not met:", "", Describe(findings, false));
}

void Runner::Lock() {
    if (settings_.locked)
        return;
    const auto began = Clock::now();
    auto news = began + kLockPatience;
    for (;;) {
        const LockAttempt lock = LockSlot(*destination_, settings_.slot);
        if (lock.result == LockAttempt::Result::kTaken)
            return;
        const std::string whose = "the lock of slot " + settings_.slot + " (" + lock.holder + ")";
        if (lock.result == LockAttempt::Result::kPassedOver)
            return reporter_.Say("destination: passing over " + whose +
                                 ": that role may not write bemi.progress");
        if (settings_.until_current && Clock::now() - began > kCurrentPatience)
            throw Failure(Exit::kFailed, "another bemi_ingest stores slot " + settings_.slot +
                                             " here (" + lock.holder + ")");
        if (Clock::now() >= news) {
            reporter_.Say("destination: waiting for " + whose);
            news = Clock::now() + kLockNews;
        }
        Sleep(kLockInterval);
    }
}

Progress Runner::Continue(const System& system) {
    Progress progress = DemandProgress(*destination_, settings_.slot);
    // Questions are asked of the database's name: under another one, new records would not be
    // found.
    if (progress.database != source_->Database())
        throw Failure(
            Exit::kRefused,
            "slot " + settings_.slot + " is stored here for the database " + progress.database +
                ", and the source is the database " + source_->Database(),
            "--source with dbname=" + progress.database +
                ", or another --slot; where the database was renamed: UPDATE bemi.progress SET "
                "database = " +
                destination_->Literal(source_->Database()) +
                " WHERE slot = " + destination_->Literal(settings_.slot) +
                "; and the same for its rows of bemi.tables, bemi.snapshots, bemi.gaps and " +
                destination_->Identifier(settings_.schema) + ".changes");
    std::optional<SlotState> slot = ReadSlot(*source_, settings_.slot);
    if (!slot)
        throw Failure(Exit::kRefused, "the source has no slot " + settings_.slot + " any more",
                      "bemi_ingest init, then run --accept-gap: what happened since " +
                          FormatLsn(progress.position) + " is missing");
    Evidence evidence{progress, system, *slot, TimelineHistory(*source_, system.timeline)};
    if (std::optional<Gap> gap = FindGap(evidence))
        return Accept(evidence, *gap);
    Follow(evidence);
    evidence.progress.position = ResumePosition(evidence);
    evidence.progress.timeline = system.timeline;
    return evidence.progress;
}

// The source goes on on another timeline, and nothing is missing.
void Runner::Follow(const Evidence& evidence) {
    const Progress& progress = evidence.progress;
    if (progress.timeline == evidence.system.timeline)
        return;
    Result moved = destination_->Query(
        "UPDATE bemi.progress SET timeline = " + std::to_string(evidence.system.timeline) +
        ", position = '" + FormatLsn(ResumePosition(evidence)) +
        "' WHERE slot = " + destination_->Literal(progress.slot) + " AND position = '" +
        FormatLsn(progress.position) + "'");
    if (moved.Touched() != 1)
        throw DatabaseError("destination", "40001", "somebody else has moved bemi.progress");
    reporter_.Say("the source is on timeline " + std::to_string(evidence.system.timeline) +
                  " now; nothing is missing");
}

std::string TimeText(const std::string& time) {
    return time.empty() ? "unknown" : time;
}

void Runner::StopAt(const Evidence& evidence, const Gap& gap, const std::string& to_time) {
    throw Failure(
        Exit::kGap, "gap (" + gap.reason + "): " + gap.explanation,
        "bemi_ingest run --accept-gap -- it records the gap in bemi.gaps and goes on",
        {"  stored up to " + FormatLsn(gap.from) + ", last commit " +
             TimeText(evidence.progress.committed_at),
         "  the source goes on from " + FormatLsn(gap.to) + ", next commit " + TimeText(to_time)});
}

Progress Runner::Accept(Evidence evidence, const Gap& given) {
    Gap gap = given;
    std::optional<int64_t> next_committed_at;
    if (!gap.remake_slot) {
        Place place = Compare(*destination_, evidence.system, source_->Database());
        NextRecord next =
            PeekNext(settings_, evidence.slot.confirmed, OptionsFor(settings_, place));
        if (next.exists)
            next_committed_at = next.committed_at;
    }
    if (!settings_.accept_gap)
        StopAt(evidence, gap, next_committed_at ? FormatTimestamp(*next_committed_at) : "");
    if (gap.remake_slot) {
        source_->Query("DROP_REPLICATION_SLOT " + source_->Identifier(settings_.slot));
        gap.to = gap.resume = CreateSlot(
            *source_, settings_.slot,
            evidence.slot.failover ? SlotKind::kFailover : SlotKind::kPersistent, nullptr);
    }
    destination_->Query("BEGIN");
    RecordGap(*destination_, evidence, gap, next_committed_at);
    destination_->Query("COMMIT");
    reporter_.Say("gap accepted (" + gap.reason + "): " + FormatLsn(gap.from) + " to " +
                  FormatLsn(gap.to) + ", recorded in bemi.gaps");
    return DemandProgress(*destination_, settings_.slot);
}

void Runner::Wait(const DatabaseError& error) {
    auto now = Clock::now();
    bool well = reporter_.rows() != rows_at_wait_ ||
                (streaming_since_ && now - *streaming_since_ > kCurrentPatience);
    if (well)
        wait_ = kFirstWait;
    if (well || !failing_since_)
        failing_since_ = now;
    in_vain_ = streaming_since_ && !well && error.side == "destination" && !error.NoConnection();
    streaming_since_.reset();
    rows_at_wait_ = reporter_.rows();
    if (settings_.until_current && now - *failing_since_ > kCurrentPatience)
        throw Failure(Exit::kFailed, error.side + ": " + error.what());
    char seconds[16];
    std::snprintf(seconds, sizeof seconds, "%.3g", static_cast<double>(wait_.count()) / 1000);
    reporter_.Say(error.side + ": " + error.what() + "; again in " + seconds + " s");
    Sleep(wait_);
    wait_ = std::min(wait_ * 2, kLongestWait);
}

void Runner::GiveUp(const DatabaseError& error) {
    std::string message = error.side + ": " + error.what();
    try {
        started_ = false;
        destination_ = ConnectDestination(settings_);
        source_ = ConnectSource(settings_, Connection::Kind::kReplication);
        Refuse();
    } catch (const DatabaseError&) {
        // The first error says it.
    } catch (const Failure& failure) {
        std::vector<std::string> lines = {failure.what()};
        lines.insert(lines.end(), failure.lines.begin(), failure.lines.end());
        throw Failure(Exit::kRefused, message, failure.fix, std::move(lines));
    }
    throw Failure(Exit::kRefused, message, error.fix.empty() ? "bemi_ingest check" : error.fix);
}

}  // namespace

int RunIngest(const Settings& settings) {
    Runner runner(settings);
    try {
        return runner.Run();
    } catch (const BadRecord& error) {
        throw Failure(Exit::kFailed, std::string("a record cannot be understood: ") + error.what(),
                      "is the slot's plugin of a version that this bemi_ingest knows?");
    }
}

}  // namespace bemi::ingest

// `verify`: the tables, rebuilt from `changes`, against the source's, at one position.
//
// A temporary slot gives a position and a snapshot of exactly what was committed before it. Once
// the records up to there are stored, both sides are read side by side in the order of keys, as
// hashes: the destination's server sorts records, and this command sorts the source's rows, with
// bounded memory. Where hashes differ, images are looked at.
#include <unistd.h>

#include "commands.hpp"
#include "errors.hpp"
#include "lock.hpp"
#include "progress.hpp"
#include "session.hpp"
#include "sql_install.hpp"
#include "units.hpp"
#include "verify_compare.hpp"
#include "verify_records.hpp"
#include "verify_report.hpp"
#include "verify_source.hpp"

namespace bemi::ingest {

namespace {

using namespace std::chrono_literals;

// How often a snapshot is taken again because a table was rewritten right after it.
constexpr int kSnapshots = 10;
constexpr auto kPollInterval = 200ms;
constexpr auto kNewsInterval = 10s;

class Verify {
 public:
    explicit Verify(const Settings& settings) : settings_(settings), report_(settings.json) {}
    int Run();

 private:
    void TakeSnapshot();
    void RefuseOptions();
    void CatchUp();
    void Nudge();
    void CompareTable(VerifyTable* table);
    void GiveUp(const VerifyTable& table, const std::string& why);
    void TellRest(size_t done);
    int Finish();

    const Settings& settings_;
    VerifyReport report_;
    std::unique_ptr<Connection> destination_;
    System system_;
    Place place_;
    Progress progress_;
    Lsn position_ = 0;
    std::unique_ptr<VerifySource> source_;
    std::unique_ptr<VerifyRecords> records_;
    std::vector<VerifyTable> tables_;
};

// With these, `changes` lacks changes on purpose: no table could be rebuilt from it.
void Verify::RefuseOptions() {
    std::string origin = DecoderOption(settings_, "origin");
    if (!DecoderOption(settings_, "operations").empty() || (!origin.empty() && origin != "any"))
        throw Failure(Exit::kRefused,
                      "with the decoder's options operations and origin changes are left out: "
                      "tables cannot be rebuilt from the rest");
}

void Verify::TakeSnapshot() {
    for (int i = 0; i < kSnapshots; ++i) {
        auto replication = ConnectSource(settings_, Connection::Kind::kReplication);
        system_ = IdentifySystem(*replication);
        std::string name = "bemi_verify_" + std::to_string(getpid()) + "_" + std::to_string(i);
        std::string snapshot;
        position_ = CreateSlotAndTell(*replication, name, SlotKind::kTemporary, &snapshot);
        source_ = std::make_unique<VerifySource>(settings_, snapshot);
        place_ = bemi::ingest::Compare(*destination_, system_, replication->Database());
        if (progress_.system != system_.identifier || progress_.database != replication->Database())
            throw Failure(Exit::kRefused,
                          "slot " + settings_.slot + " of the destination is of another source");
        if (auto tables = source_->Tables(place_.same_database)) {
            tables_ = std::move(*tables);
            return;
        }
    }
    throw Failure(Exit::kFailed, "tables are truncated or rewritten all the time",
                  "leave them out: --table …");
}

// The source's WAL, where it is the destination's as well, ends with what `run` has written itself,
// and `run` does not tell its position for that alone. (A source that is a standby can't write.)
void Verify::Nudge() {
    if (place_.same_cluster)
        destination_->Query(
            "SELECT pg_catalog.pg_logical_emit_message(false, 'bemi_verify',"
            " pg_catalog.repeat(' ', 65536))");
}

// Until all records before the position are stored: by a `run` that is at work, or by ourselves.
void Verify::CatchUp() {
    auto news = Clock::now() + kNewsInterval;
    bool nudged = false;
    for (;;) {
        progress_ = DemandProgress(*destination_, settings_.slot);
        if (progress_.position >= position_)
            return;
        const LockAttempt lock = LockSlot(*destination_, settings_.slot);
        if (lock.result != LockAttempt::Result::kHeld) {
            // Ours until all is stored: in between, another `run` would have it.
            Settings run = settings_;
            run.until_current = run.locked = true;
            RunIngest(run);
            if (lock.result == LockAttempt::Result::kTaken)
                UnlockSlot(*destination_, settings_.slot);
            continue;
        }
        if (!nudged)
            Nudge();
        nudged = true;
        Sleep(kPollInterval);
        if (Clock::now() < news)
            continue;
        news = Clock::now() + kNewsInterval;
        report_.reporter().Say("waiting for bemi_ingest run (" + lock.holder +
                               "), which has stored up to " + FormatLsn(progress_.position) +
                               " of " + FormatLsn(position_));
    }
}

int Verify::Run() {
    RefuseOptions();
    destination_ = ConnectDestination(settings_);
    progress_ = DemandProgress(*destination_, settings_.slot);
    DemandSql(*destination_);
    TakeSnapshot();
    if (tables_.empty() && !settings_.only_tables.empty())
        throw Failure(Exit::kUsage, "no table of the source matches " + settings_.only_tables);
    CatchUp();
    records_ = std::make_unique<VerifyRecords>(settings_, progress_, position_);
    source_->WhileReading([this] { report_.reporter().Tick(kNoTime); });
    for (size_t i = 0; i < tables_.size(); ++i) {
        report_.reporter().Subject(tables_[i].Name() + ", table " + std::to_string(i + 1) + " of " +
                                   std::to_string(tables_.size()));
        try {
            CompareTable(&tables_[i]);
        } catch (const Interrupted&) {
            TellRest(i);
            throw;
        }
    }
    return Finish();
}

void Verify::TellRest(size_t done) {
    std::string rest;
    for (size_t i = done; i < tables_.size(); ++i) {
        std::string pattern =
            QuotedPattern(tables_[i].schema) + "." + QuotedPattern(tables_[i].table);
        rest += (rest.empty() ? "" : ",") + pattern;
    }
    report_.reporter().Say("to go on with the rest: bemi_ingest verify --table '" + rest + "'");
}

int Verify::Finish() {
    if (settings_.only_tables.empty() && DecoderOption(settings_, "tables").empty()) {
        for (const std::string& name : records_->OtherTables(tables_))
            report_.NotCompared(
                name, "the source has no such table (any more), or an option leaves it out");
    }
    report_.Finish(position_);
    if (report_.differences() > 0)
        return static_cast<int>(Exit::kDifferent);
    return static_cast<int>(report_.failures() > 0 ? Exit::kFailed : Exit::kDone);
}

// A table that cannot be read, or a value of which cannot, does not cost the others.
void Verify::CompareTable(VerifyTable* table) {
    Baseline baseline = records_->ReadBaseline(*table);
    if (table->unlogged && records_->AllColumns(*table, baseline).empty())
        return report_.NotCompared(table->Name(),
                                   "it is unlogged, and its changes are not recorded");
    if (baseline.hides_keys)
        return report_.NotCompared(
            table->Name(),
            "its replica identity lacks its key, so that records do not tell which row they "
            "changed (replica identity full does, from the next bemi_ingest snapshot on)");
    source_->Save();
    records_->Save();
    try {
        (baseline.by_key ? CompareByKey : CompareKeyless)(
            {*source_, *records_, settings_, table, baseline, report_});
    } catch (const DatabaseError& error) {
        if (!CostsOneTable(error))
            throw;
        GiveUp(*table, error.side + ": " + error.what());
    } catch (const Unreadable& error) {
        GiveUp(*table, error.what());
    }
}

void Verify::GiveUp(const VerifyTable& table, const std::string& why) {
    source_->Restore();
    records_->Restore();
    report_.Fail(table.Name(), why);
}

}  // namespace

int RunVerify(const Settings& settings) {
    Verify verify(settings);
    return verify.Run();
}

}  // namespace bemi::ingest

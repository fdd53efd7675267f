#include "check.hpp"

#include "continuity.hpp"
#include "errors.hpp"
#include "print.hpp"
#include "progress.hpp"
#include "session.hpp"

namespace bemi::ingest {

namespace {

using State = Finding::State;

std::unique_ptr<Connection> Try(const std::string& side, const Settings& settings,
                                Findings* findings) {
    bool source = side == "source";
    try {
        auto connection = source ? ConnectSource(settings, Connection::Kind::kReplication)
                                 : ConnectDestination(settings);
        findings->push_back({State::kOk, side + ": a connection is possible", "", ""});
        return connection;
    } catch (const DatabaseError& error) {
        findings->push_back({State::kFails, side + ": a connection is possible", error.what(),
                             error.fix.empty()
                                 ? "--" + side + " with a connection string that psql accepts"
                                 : error.fix});
        return nullptr;
    }
}

void CheckContinuity(Connection& source, Connection& destination, const Settings& settings,
                     Findings* findings) {
    std::optional<Progress> progress = ReadProgress(destination, settings.slot);
    std::optional<SlotState> slot = ReadSlot(source, settings.slot);
    if (!progress || !slot)
        return;
    Evidence evidence{*progress, IdentifySystem(source), *slot, {}};
    evidence.history = TimelineHistory(source, evidence.system.timeline);
    std::optional<Gap> gap = FindGap(evidence);
    findings->push_back({gap ? State::kFails : State::kOk,
                         "both: the slot goes on where the destination is",
                         gap ? gap->explanation : "", "bemi_ingest run --accept-gap"});
}

}  // namespace

bool Fails(const Findings& findings) {
    for (const Finding& finding : findings) {
        if (finding.state == State::kFails)
            return true;
    }
    return false;
}

std::vector<std::string> Describe(const Findings& findings, bool all) {
    std::vector<std::string> lines;
    for (const Finding& finding : findings) {
        if (finding.state == State::kOk && all)
            lines.push_back("ok    " + finding.name);
        if (finding.state == State::kOk || (!all && finding.state == State::kNote))
            continue;
        lines.push_back((finding.state == State::kNote ? "note  " : "FAILS ") + finding.name +
                        (finding.found.empty() ? "" : " -- " + finding.found));
        if (!finding.fix.empty())
            lines.push_back("      fix: " + finding.fix);
    }
    return lines;
}

int RunCheck(const Settings& settings) {
    Findings findings;
    auto source = Try("source", settings, &findings);
    if (source) {
        CheckSource(*source, settings, &findings);
        CheckPlugin(*source, settings, &findings);
        CheckTables(*source, &findings);
    }
    auto destination = Try("destination", settings, &findings);
    if (destination)
        CheckDestination(*destination, settings, &findings);
    if (source && destination)
        CheckContinuity(*source, *destination, settings, &findings);
    for (const std::string& line : Describe(findings, true))
        PrintLine(stdout, WithoutPasswords(line));
    return static_cast<int>(Fails(findings) ? Exit::kRefused : Exit::kDone);
}

}  // namespace bemi::ingest

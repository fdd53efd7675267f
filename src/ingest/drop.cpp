// `drop`: the slot and its progress. The table stays.
#include <iostream>

#include "commands.hpp"
#include "errors.hpp"
#include "interrupt.hpp"
#include "lock.hpp"
#include "print.hpp"
#include "progress.hpp"
#include "session.hpp"

namespace bemi::ingest {

namespace {

void Ask(const Settings& settings) {
    if (settings.yes)
        return;
    PrintText(stdout, "Drop slot " + settings.slot +
                          " of the source and its progress? Changes from now on are not recorded. "
                          "[y/N] ");
    std::string answer;
    const bool answered = !std::getline(std::cin, answer).fail();
    if (InterruptRequested())
        throw Interrupted();
    if (!answered)
        throw Failure(Exit::kUsage, "drop asks first, and there is nobody to ask", "--yes");
    if (answer != "y" && answer != "yes")
        throw Failure(Exit::kRefused, "nothing is dropped");
}

void DropSlot(Connection& source, const Settings& settings) {
    std::optional<SlotState> slot = ReadSlot(source, settings.slot);
    if (!slot) {
        PrintLine(stdout, "there is no slot " + settings.slot);
        return;
    }
    if (slot->plugin != kPlugin)
        throw Failure(Exit::kRefused, "slot " + settings.slot + " is not of bemi_decoder");
    if (slot->active)
        throw Failure(Exit::kRefused,
                      "slot " + settings.slot + " is being read by pid " +
                          std::to_string(slot->active_pid) + " of the source",
                      "stop bemi_ingest run, or SELECT pg_terminate_backend(" +
                          std::to_string(slot->active_pid) + ");");
    source.Query("SELECT pg_catalog.pg_drop_replication_slot(" + source.Literal(settings.slot) +
                 ")");
    PrintLine(stdout, "slot " + settings.slot + " dropped");
}

}  // namespace

int RunDrop(const Settings& settings) {
    auto source = ConnectSource(settings, Connection::Kind::kReplication);
    auto destination = ConnectDestination(settings);
    std::optional<Progress> progress = ReadProgress(*destination, settings.slot);
    const LockAttempt lock = LockSlot(*destination, settings.slot);
    if (lock.result == LockAttempt::Result::kHeld)
        throw Failure(Exit::kRefused,
                      "bemi_ingest run stores slot " + settings.slot + " (" + lock.holder + ")",
                      "stop it first");
    if (!progress && !ReadSlot(*source, settings.slot))
        throw Failure(Exit::kRefused,
                      "neither the source nor the destination has a slot " + settings.slot,
                      "--slot with the name that init was given");
    Ask(settings);
    DropSlot(*source, settings);
    if (progress) {
        PutProgressAside(*destination, settings.slot);
        PrintLine(stdout, "progress put aside; it was at " + FormatLsn(progress->position));
    }
    PrintLine(stdout, "the table " + settings.schema + ".changes stays");
    return 0;
}

}  // namespace bemi::ingest

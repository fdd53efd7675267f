// `drop`: the slot and its progress. The table stays.
#include <cstdio>
#include <iostream>

#include "commands.hpp"
#include "errors.hpp"
#include "progress.hpp"
#include "session.hpp"

namespace bemi::ingest {

namespace {

void Ask(const Settings& settings) {
    if (settings.yes)
        return;
    std::printf(
        "Drop slot %s of the source and its progress? Changes from now on are not "
        "recorded. [y/N] ",
        settings.slot.c_str());
    std::fflush(stdout);
    std::string answer;
    if (!std::getline(std::cin, answer))
        throw Failure(Exit::kUsage, "drop asks first, and there is nobody to ask", "--yes");
    if (answer != "y" && answer != "yes")
        throw Failure(Exit::kRefused, "nothing is dropped");
}

void DropSlot(Connection& source, const Settings& settings) {
    std::optional<SlotState> slot = ReadSlot(source, settings.slot);
    if (!slot) {
        std::printf("there is no slot %s\n", settings.slot.c_str());
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
    std::printf("slot %s dropped\n", settings.slot.c_str());
}

}  // namespace

int RunDrop(const Settings& settings) {
    auto source = ConnectSource(settings, Connection::Kind::kReplication);
    auto destination = ConnectDestination(settings);
    std::optional<Progress> progress = ReadProgress(*destination, settings.slot);
    std::string holder;
    if (!LockSlot(*destination, settings.slot, &holder))
        throw Failure(Exit::kRefused,
                      "bemi_ingest run stores slot " + settings.slot + " (" + holder + ")",
                      "stop it first");
    Ask(settings);
    DropSlot(*source, settings);
    if (progress) {
        PutProgressAside(*destination, settings.slot);
        std::printf("progress put aside; it was at %s\n", FormatLsn(progress->position).c_str());
    }
    std::printf("the table %s.changes stays\n", settings.schema.c_str());
    return 0;
}

}  // namespace bemi::ingest

#include "peek.hpp"

#include <unistd.h>

#include "errors.hpp"
#include "record.hpp"
#include "session.hpp"
#include "slot.hpp"

namespace bemi::ingest {

namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

void ReadFirst(SlotStream* stream, Lsn end, NextRecord* next) {
    auto deadline = Clock::now() + kPatience;
    while (Clock::now() < deadline) {
        Delivery delivery = stream->Next(100ms);
        if (delivery.kind == Delivery::Kind::kEnd)
            break;
        if (delivery.kind == Delivery::Kind::kRecords) {
            std::string_view line = delivery.text.substr(0, delivery.text.find('\n'));
            next->committed_at = ScanRecord(line).committed_at;
            next->known = next->exists = true;
            return;
        }
        if (delivery.kind == Delivery::Kind::kPosition && delivery.position >= end) {
            next->known = true;
            return;
        }
        stream->AskPosition();
    }
    next->why = "the source did not say within 20 s";
}

}  // namespace

NextRecord PeekNext(const Settings& settings, Lsn from, const DecoderOptions& options) {
    NextRecord next;
    try {
        const auto source = ConnectSource(settings, Connection::Kind::kReplication);
        Connection& connection = *source;
        Lsn end = IdentifySystem(connection).end;
        if (end <= from) {
            next.known = true;
            return next;
        }
        std::string copy = "bemi_peek_" + std::to_string(getpid());
        connection.Query("SELECT pg_catalog.pg_copy_logical_replication_slot(" +
                         connection.Literal(settings.slot) + ", " + connection.Literal(copy) +
                         ", true)");
        SlotStream stream(connection, copy, from, options);
        ReadFirst(&stream, end, &next);
    } catch (const DatabaseError& error) {
        next.why = error.what();
    } catch (const BadRecord& error) {
        next.why = error.what();
    }
    return next;
}

}  // namespace bemi::ingest

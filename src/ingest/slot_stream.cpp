#include "slot_stream.hpp"

#include <algorithm>
#include <cstdlib>

#include "errors.hpp"
#include "frame.hpp"
#include "timestamp.hpp"

namespace bemi::ingest {

namespace {

using namespace std::chrono_literals;

constexpr auto kMaxStatusInterval = std::chrono::milliseconds(5s);
constexpr auto kMinSilence = std::chrono::milliseconds(60s);

void WriteInt64(uint64_t value, std::string* out) {
    for (int shift = 56; shift >= 0; shift -= 8)
        out->push_back(static_cast<char>(value >> shift));
}

// The grammar of replication commands knows no E'…': a backslash is one.
std::string ReplicationLiteral(const std::string& text) {
    std::string quoted = "'";
    for (char c : text)
        quoted += c == '\'' ? std::string("''") : std::string(1, c);
    return quoted + "'";
}

std::string StartCommand(Connection& connection, const std::string& slot, Lsn from,
                         const DecoderOptions& options) {
    std::string command = "START_REPLICATION SLOT " + connection.Identifier(slot) + " LOGICAL " +
                          FormatLsn(from) + " (";
    const char* comma = "";
    for (const auto& [name, value] : options) {
        command += comma + connection.Identifier(name) + " " + ReplicationLiteral(value);
        comma = ", ";
    }
    return command + ")";
}

}  // namespace

SlotStream::SlotStream(Connection& connection, const std::string& slot, Lsn from,
                       const DecoderOptions& options)
    : connection_(connection), received_(from), stored_(from) {
    // As it is now, so that another one does not come into force under our feet.
    std::string timeout = connection.Value(
        "SELECT setting FROM pg_catalog.pg_settings, pg_catalog.set_config(name, setting, false)"
        " WHERE name = 'wal_sender_timeout'",
        "60000");
    std::chrono::milliseconds limit(std::strtol(timeout.c_str(), nullptr, 10));
    if (limit == 0ms)
        limit = 60s;
    status_interval_ = std::min(limit / 4, kMaxStatusInterval);
    silence_limit_ = std::max(limit * 2, kMinSilence);
    connection.Query(StartCommand(connection, slot, from, options));
    asked_at_ = status_at_ = heard_at_ = first_probe_at_ = probed_at_ = Clock::now();
}

Delivery SlotStream::Next(std::chrono::milliseconds wait) {
    StayAlive();
    std::string_view message;
    bool ended = false;
    if (!connection_.NextCopy(&message, std::min(wait, status_interval_), &ended)) {
        Delivery nothing;
        nothing.kind = ended ? Delivery::Kind::kEnd : Delivery::Kind::kNothing;
        if (!ended && wait > 0ms)
            CheckSilence();
        return nothing;
    }
    heard_at_ = Clock::now();
    return Read(message);
}

Delivery SlotStream::Read(std::string_view message) {
    const Frame frame = ReadFrame(message);
    if (frame.kind == Frame::Kind::kUnknown)
        throw DatabaseError("source", "08P01", "a message of the stream cannot be understood");
    received_ = std::max(received_, frame.position);
    Delivery delivery;
    delivery.position = frame.position;
    delivery.text = frame.payload;
    delivery.kind = Delivery::Kind::kRecords;
    if (frame.kind == Frame::Kind::kKeepalive) {
        delivery.kind = Delivery::Kind::kPosition;
        delivery.urgent = frame.wants_reply && AnswersAgain(frame.position);
    }
    return delivery;
}

// A sender that asks again for what it has just been answered waits for us, to shut down.
bool SlotStream::AnswersAgain(Lsn position) {
    const bool again = asked_twice_ == position && Clock::now() - asked_at_ < 5s;
    asked_twice_ = position;
    asked_at_ = Clock::now();
    SendStatus(false);
    return again;
}

void SlotStream::Confirm(Lsn stored) {
    stored_ = std::max(stored_, stored);
    SendStatus(false);
}

void SlotStream::StayAlive() {
    if (Clock::now() - status_at_ >= status_interval_)
        SendStatus(false);
}

void SlotStream::AskPosition() {
    SendStatus(true);
}

// A connection on which nothing comes though we ask is dead, whatever TCP says. Silence alone says
// nothing: a source that has no changes only answers, and while the destination kept us nobody
// asked.
void SlotStream::CheckSilence() {
    const auto now = Clock::now();
    if (now - heard_at_ <= silence_limit_ / 3)
        return;
    if (first_probe_at_ <= heard_at_)
        first_probe_at_ = now;
    if (now - first_probe_at_ > silence_limit_ * 2 / 3)
        throw DatabaseError("source", "08006", "no word on the stream for too long");
    if (first_probe_at_ == now || now - probed_at_ > silence_limit_ / 6) {
        probed_at_ = now;
        SendStatus(true);
    }
}

void SlotStream::SendStatus(bool ask) {
    std::string message = "r";
    WriteInt64(received_, &message);  // received
    WriteInt64(stored_, &message);    // stored: only this lets the slot move
    WriteInt64(stored_, &message);    // visible
    WriteInt64(static_cast<uint64_t>(NowMicros()), &message);
    message.push_back(ask ? 1 : 0);
    connection_.SendCopyMessage(message);
    status_at_ = Clock::now();
}

}  // namespace bemi::ingest

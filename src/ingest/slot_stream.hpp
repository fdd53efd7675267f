// A replication slot as a source: the streaming protocol, and nothing of records.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "connection.hpp"
#include "pipe.hpp"

namespace bemi::ingest {

using DecoderOptions = std::vector<std::pair<std::string, std::string>>;

class SlotStream : public Source {
 public:
    // Starts streaming on a replication connection, which must outlive the stream. Throws
    // DatabaseError 55006 while another connection has the slot.
    SlotStream(Connection& connection, const std::string& slot, Lsn from,
               const DecoderOptions& options);

    Delivery Next(std::chrono::milliseconds wait) override;
    void Confirm(Lsn stored) override;
    void StayAlive() override;
    void AskPosition() override;

 private:
    Delivery Read(std::string_view message);
    bool AnswersAgain(Lsn position);
    void SendStatus(bool ask);
    void CheckSilence();

    Connection& connection_;
    std::chrono::milliseconds status_interval_;
    std::chrono::milliseconds silence_limit_;
    Lsn received_;
    Lsn stored_;
    Lsn asked_twice_ = 0;  // position of the last keepalive that wanted an answer
    Clock::time_point asked_at_, status_at_, heard_at_;
    Clock::time_point first_probe_at_, probed_at_;  // since something was heard
};

}  // namespace bemi::ingest

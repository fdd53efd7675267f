#include "frame.hpp"

#include <cstdint>

namespace bemi::ingest {

namespace {

constexpr size_t kDataHeader = 1 + 8 + 8 + 8;
constexpr size_t kKeepaliveSize = 1 + 8 + 8 + 1;

uint64_t ReadInt64(std::string_view bytes, size_t at) {
    uint64_t value = 0;
    for (size_t i = at; i < at + 8; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

}  // namespace

Frame ReadFrame(std::string_view message) {
    Frame frame;
    if (message.size() >= kKeepaliveSize && message[0] == 'k') {
        frame.kind = Frame::Kind::kKeepalive;
        frame.position = ReadInt64(message, 1);
        frame.wants_reply = message[17] != 0;
    } else if (message.size() >= kDataHeader && message[0] == 'w') {
        frame.kind = Frame::Kind::kData;
        frame.position = ReadInt64(message, 1);
        frame.payload = message.substr(kDataHeader);
    }
    return frame;
}

}  // namespace bemi::ingest

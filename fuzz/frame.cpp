// Fuzzes bemi_ingest's reader of the messages of the streaming protocol.
//
// sources: src/ingest/frame.cpp
// include: src/ingest

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "frame.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::unique_ptr<char[]> copy(new char[size]);
    if (size > 0)
        std::memcpy(copy.get(), data, size);
    const std::string_view message(copy.get(), size);
    const bemi::ingest::Frame frame = bemi::ingest::ReadFrame(message);
    using Kind = bemi::ingest::Frame::Kind;
    const bool is_data = size >= 25 && data[0] == 'w';
    const bool is_keepalive = size >= 18 && data[0] == 'k';
    if (frame.kind != (is_data ? Kind::kData : is_keepalive ? Kind::kKeepalive : Kind::kUnknown))
        abort();
    if (is_data && frame.payload != message.substr(25))
        abort();
    if (frame.kind != Kind::kUnknown && frame.position >> 56 != data[1])
        abort();
    return 0;
}

#include "change_id.hpp"

#include <algorithm>

namespace bemi::ingest {

namespace {

constexpr uint64_t kPrime = 1073741789;

void PutBigEndian(uint64_t value, unsigned char* to) {
    for (int i = 7; i >= 0; --i) {
        to[i] = static_cast<unsigned char>(value);
        value >>= 8;
    }
}

}  // namespace

Uuid ChangeId(uint64_t commit_position, uint32_t sequence, uint32_t system_hash) {
    Uuid id;
    uint64_t position = commit_position & 0x0FFFFFFFFFFFFFFF;
    PutBigEndian((position >> 12) << 16 | uint64_t{8} << 12 | (position & 0xFFF), id.data());
    PutBigEndian(uint64_t{2} << 62 | uint64_t{sequence} << 30 | system_hash, id.data() + 8);
    return id;
}

bool IsIdOf(const Uuid& id, uint64_t commit_position, uint64_t sequence) {
    constexpr unsigned char kOfPlace = 0xC0;  // of the byte where the system's bits begin
    const Uuid expected = ChangeId(commit_position, static_cast<uint32_t>(sequence), 0);
    return sequence <= UINT32_MAX && std::equal(id.begin(), id.begin() + 12, expected.begin()) &&
           (id[12] & kOfPlace) == expected[12];
}

uint32_t SystemHash(uint64_t system_identifier, uint32_t fork) {
    return static_cast<uint32_t>((system_identifier % kPrime + fork) % kPrime);
}

}  // namespace bemi::ingest

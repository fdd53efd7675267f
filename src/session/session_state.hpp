// What the rooms of the session library share: its memory, and when what they know may have
// changed.
#pragma once

#include <cstdint>
#include <string_view>

#include "bemi/encoding.hpp"
#include "bemi/pg.hpp"

namespace bemi {

// Lives as long as the process.
MemoryContext SessionMemory();

// The database's encoding; reads it where that was not done before, which needs a transaction.
const TextEncoding& SessionEncoding();

// The first `max` bytes of a text in the database's encoding, or fewer, cut between characters;
// what is no character counts as one of a byte.
std::string_view CutText(std::string_view text, std::size_t max);

// So much of a statement's text is told at most, in bytes.
inline constexpr std::size_t kMaxQueryText = 8192;
// What the decoder's default of max_context_size leaves beside the key "session", at its largest,
// and the names of what was left out. A byte of text takes six in JSON at most.
inline constexpr std::size_t kMaxWithSession = (1u << 20) - 6 * kMaxQueryText - 16384;

// Grows whenever the context of what is written next may have become another one.
extern std::uint64_t context_version;
inline void ContextMayDiffer() {
    context_version++;
}

}  // namespace bemi

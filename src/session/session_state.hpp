// What the rooms of the session library share: its memory, and when what they know may have
// changed.
#pragma once

#include <cstdint>

#include "bemi/encoding.hpp"
#include "bemi/pg.hpp"

namespace bemi {

// Lives as long as the process.
MemoryContext SessionMemory();

// The database's encoding; reads it where that was not done before, which needs a transaction.
const TextEncoding& SessionEncoding();

// Grows whenever the context of what is written next may have become another one.
extern std::uint64_t context_version;
inline void ContextMayDiffer() {
    context_version++;
}

}  // namespace bemi

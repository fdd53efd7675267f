// Shared state of the session library.

#include "session_state.hpp"

namespace bemi {

std::uint64_t context_version = 1;

MemoryContext SessionMemory() {
    static MemoryContext memory = nullptr;
    if (memory == nullptr)
        memory =
            AllocSetContextCreateInternal(TopMemoryContext, "bemi_session", ALLOCSET_DEFAULT_SIZES);
    return memory;
}

const TextEncoding& SessionEncoding() {
    static TextEncoding encoding;
    static bool is_known = false;
    if (!is_known) {
        encoding = LookUpTextEncoding();
        is_known = true;
    }
    return encoding;
}

}  // namespace bemi

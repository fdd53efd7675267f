// Shared state of the session library.

#include "bemi/character.hpp"
#include "bemi/text.hpp"
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

std::string_view CutText(std::string_view text, std::size_t max) {
    if (text.size() <= max)
        return text;
    const int encoding = SessionEncoding().server;
    std::size_t end = 0;
    for (;;) {
        const std::size_t length = CharacterLength(encoding, Behind(text, end));
        const std::size_t size = length > 0 ? length : 1;
        if (end + size > max)
            return First(text, end);
        end += size;
    }
}

}  // namespace bemi

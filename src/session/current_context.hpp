// The context of what is written now: what the application says in bemi.context and in comments,
// and what the server knows of the session. Put together only where something that it is made of
// has changed: a session may write very many statements with one large context.
#pragma once

#include <cstdint>
#include <string_view>

namespace bemi {

struct CurrentContext {
    std::string_view text;  // canonical JSON, empty for none; good until the next call
    std::uint64_t version;  // another one for another text; never 0
};

// Scratch memory is taken from the current memory context.
CurrentContext GetCurrentContext();

}  // namespace bemi

// Contexts, as canonical JSON, put together key by key.
#pragma once

#include <string_view>

#include "bemi/json_writer.hpp"

namespace bemi {

// Writes `weak` and `strong` as one context at the end of `out`: objects are joined, where a key of
// the strong one replaces that of the weak one. What is no object can't be joined: then only the
// strong one is written. An empty text, `null` and `{}` are no context; nothing is written where
// neither is one.
void WriteMerged(JsonStream& out, std::string_view weak, std::string_view strong);

// Writes `context` with the member `key` taken to be `value` (JSON) and nothing else. What is no
// object becomes the member "context" of one.
void WriteWithMember(JsonStream& out, std::string_view context, std::string_view key,
                     std::string_view value);

}  // namespace bemi

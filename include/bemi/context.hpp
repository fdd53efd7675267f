// The application context: untrusted bytes of a logical message → the tail of records.
#pragma once

#include <string_view>

#include "bemi/encoding.hpp"
#include "bemi/json_writer.hpp"

namespace bemi {

// Writes the one canonical line of a context at the end of `out`; returns nullptr, or why it can't
// be used, as a phrase allocated in the current memory context; `out` is then as it was.
const char* WriteCanonicalContext(JsonStream& out, std::string_view context,
                                  const TextEncoding& encoding, std::size_t max_size);

// Writes `,"context":…` and, where the message can't be used, `,"context_error":…`. Never raises an
// ERROR for what the message holds. Scratch memory is taken from the current memory context.
void WriteContext(JsonStream& out, std::string_view message, const TextEncoding& encoding,
                  std::size_t max_size);

// What a change without a context has.
constexpr std::string_view kNoContext = ",\"context\":{}";

}  // namespace bemi

// The application context: untrusted bytes of a logical message → the tail of records.
#pragma once

#include <string_view>

#include "bemi/encoding.hpp"
#include "bemi/json_writer.hpp"

namespace bemi {

// Writes `,"context":…` and, where the message can't be used, `,"context_error":…`. Never raises an
// ERROR for what the message holds. Scratch memory is taken from the current memory context.
void WriteContext(JsonStream& out, std::string_view message, const TextEncoding& encoding,
                  std::size_t max_size);

// What a change without a context has.
constexpr std::string_view kNoContext = ",\"context\":{}";

}  // namespace bemi

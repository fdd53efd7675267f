// Fuzzes the checker of contexts: whatever a message holds, the tail of a record is JSON on one
// line, a context is one that is stable under checking again, and a refusal gives the empty one
// with the reason; in databases of other encodings as well.
//
// server: yes
// sources: src/decoder/context.cpp
// sources: src/decoder/encoding.cpp
// sources: src/decoder/json_check.cpp
// sources: src/decoder/json_simple.cpp
// sources: src/decoder/json_string.cpp
// sources: src/decoder/json_writer.cpp
// sources: src/decoder/jsonb_size.cpp

#include <cstdint>
#include <string>
#include <string_view>

#include "bemi/context.hpp"
#include "json_reader.hpp"
#include "server.hpp"

namespace {

using fuzz::Require;

std::string Tail(std::string_view message, std::size_t max_size, int encoding) {
    bemi::JsonStream out;
    out.Init(CurrentMemoryContext, encoding != PG_UTF8);
    out.SetLimit(bemi::JsonStream::kMaxLength);
    fuzz::SetDatabaseEncoding(encoding);
    bemi::WriteContext(out, message, bemi::LookUpTextEncoding(), max_size);
    return std::string(out.view());
}

int Depth(std::string_view json) {
    int depth = 0, deepest = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < json.size(); i++) {
        const char c = json[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!in_string && (c == '}' || c == ']'))
            depth--;
    }
    return deepest;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1)
        return 0;
    const std::size_t max_size = (data[0] & 1) != 0 ? 16 : 1 << 20;
    constexpr int kEncodings[] = {PG_UTF8, PG_EUC_JP, PG_SQL_ASCII, PG_MULE_INTERNAL};
    const int encoding = kEncodings[data[0] >> 1 & 3];
    const std::string_view message(reinterpret_cast<const char*>(data + 1), size - 1);
    const std::string tail = Tail(message, max_size, encoding);
    constexpr std::string_view kStart = ",\"context\":";
    Require(tail.compare(0, kStart.size(), kStart) == 0);
    Require(tail.find('\n') == std::string::npos && tail.find('\0') == std::string::npos);
    fuzz::LastString handler;
    constexpr std::string_view kRefused = ",\"context\":{},\"context_error\":\"";
    // The Reader, unlike numeric, has no number beyond a double: those it can't judge.
    const bool has_exponent = tail.find_first_of("eE", kStart.size()) != std::string::npos;
    Require(fuzz::ReadJson("{" + tail.substr(1) + "}", &handler) ||
            (has_exponent || tail.size() > 300));
    if (encoding == PG_UTF8 && tail.compare(0, kRefused.size(), kRefused) != 0) {
        const std::string context = tail.substr(kStart.size());
        Require(context.size() <= message.size() + 2 && Depth(context) <= 64);
        Require(context.size() > max_size || Tail(context, max_size, encoding) == tail);
    }
    fuzz::FreeAll();
    return 0;
}

// Fuzzes the embedding of json values: what jsonb would take comes as it is but for white space,
// all else as a string of its very text; the bound of jsonb's size is never below what its layout
// needs. The short way for simple texts is the Reader's.
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

#include "bemi/json_check.hpp"
#include "bemi/wire.hpp"
#include "json_reader.hpp"
#include "server.hpp"

namespace {

using fuzz::Require;

// As value_containers.cpp writes a json value; false where its text is not UTF-8.
bool Write(bemi::JsonStream& out, std::string_view text, bool* embedded) {
    *embedded = bemi::WriteCheckedJson(out, text, bemi::wire::kMaxValueDepth) == nullptr;
    if (!*embedded)
        bemi::WriteUtf8String(out, text);
    return out.failure() == nullptr;
}

// What the short way takes, the Reader writes as well: the text behind is one that is not simple.
void CheckSimple(std::string_view text) {
    bemi::JsonStream simple;
    simple.Init(CurrentMemoryContext, false);
    simple.SetLimit(bemi::JsonStream::kMaxLength);
    if (!bemi::WriteSimpleJson(simple, text, bemi::wire::kMaxContextDepth)) {
        Require(simple.length() == 0);
        return;
    }
    bemi::JsonStream whole;
    whole.Init(CurrentMemoryContext, false);
    whole.SetLimit(bemi::JsonStream::kMaxLength);
    const std::string array = "[" + std::string(text) + ",\"\\u00e9\"]";
    Require(bemi::WriteCheckedJson(whole, array, bemi::wire::kMaxContextDepth + 1) == nullptr);
    Require(whole.view() == "[" + std::string(simple.view()) + ",\"\u00e9\"]");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const bool valid = pg_verify_mbstr(PG_UTF8, text.data(), static_cast<int>(size), true);
    bemi::JsonStream out;
    out.Init(CurrentMemoryContext, (size & 1) != 0);
    out.SetLimit(bemi::JsonStream::kMaxLength);
    out.Restart();
    bool embedded;
    if (valid && Write(out, text, &embedded)) {
        const std::string json(out.view());
        Require(json.find('\n') == std::string::npos);
        fuzz::LastString handler;
        // The Reader, unlike numeric, has no number beyond a double: those it can't judge.
        const bool read = fuzz::ReadJson(json, &handler);
        Require(read ||
                (embedded && (json.find_first_of("eE") != std::string::npos || json.size() > 300)));
        if (!embedded)
            Require(handler.strings == 1 && handler.others == 0 && handler.value == text);
        Require(bemi::JsonbSize(json) > 0 || json == "\"\"");
        bemi::JsonStream again;
        again.Init(CurrentMemoryContext, out.ascii_only());
        again.SetLimit(bemi::JsonStream::kMaxLength);
        Require(!embedded ||
                bemi::WriteCheckedJson(again, json, bemi::wire::kMaxValueDepth) == nullptr);
        Require(!embedded || again.view() == out.view());
    }
    CheckSimple(text);
    fuzz::FreeAll();
    return 0;
}

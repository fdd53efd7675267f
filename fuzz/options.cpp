// Fuzzes the parser of options: pairs of names and values, each ended by a NUL. Whatever is given,
// it gives options within their bounds or raises an error that says what was wrong.
//
// server: yes
// sources: src/decoder/options.cpp
// sources: src/decoder/pattern.cpp

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bemi/options.hpp"
#include "server.hpp"

namespace {

using fuzz::Require;

struct Given {
    std::vector<std::string> texts;
    std::vector<DefElem> elements;
    std::vector<String> values;
    std::vector<ListCell> cells;
    List list;
};

void Split(Given* given, const std::uint8_t* data, std::size_t size) {
    given->texts.emplace_back();
    for (std::size_t i = 0; i < size; i++) {
        if (data[i] == '\0')
            given->texts.emplace_back();
        else
            given->texts.back() += static_cast<char>(data[i]);
    }
    const std::size_t count = given->texts.size() / 2;
    given->elements.resize(count);
    given->values.resize(count);
    given->cells.resize(count);
    for (std::size_t i = 0; i < count; i++) {
        given->values[i] = {};
        given->values[i].type = T_String;
        given->values[i].sval = given->texts[2 * i + 1].data();
        given->elements[i] = {};
        given->elements[i].type = T_DefElem;
        given->elements[i].defname = given->texts[2 * i].data();
        // An option may come without a value.
        if (given->texts[2 * i + 1] != "-")
            given->elements[i].arg = reinterpret_cast<Node*>(&given->values[i]);
        given->cells[i].ptr_value = &given->elements[i];
    }
    given->list.type = T_List;
    given->list.length = given->list.max_length = static_cast<int>(count);
    given->list.elements = given->cells.data();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (!pg_verify_mbstr(PG_UTF8, "", 0, true))
        return 0;
    Given given = {};
    Split(&given, data, size);
    try {
        const bemi::Options options =
            bemi::ParseOptions(given.list.length == 0 ? nullptr : &given.list);
        Require(options.max_record_size >= 1024 && options.max_record_size <= (256u << 20));
        Require(options.context_hold <= (256u << 20) && options.max_context_size <= (64u << 20));
        Require(options.batch_size <= (64u << 20) && options.operations != 0 &&
                options.operations < 16);
    } catch (const fuzz::ServerError& error) {
        Require(!error.message.empty());
    }
    fuzz::FreeAll();
    return 0;
}

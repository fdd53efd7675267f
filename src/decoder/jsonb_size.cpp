// How large a JSON text would be as jsonb, whose own limits are far below those of a text.
//
// Its layout, from jsonb.h: a container is a header of 4 bytes and 4 bytes for each element (two
// for a member of an object), then the contents: strings as they are, numbers as numeric, nested
// containers; numbers and containers are aligned to 4.

#include "bemi/json_check.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"

namespace bemi {

namespace {

constexpr std::size_t kEntry = 4;
constexpr std::size_t kHeader = 4;
constexpr int kDeepest = 8192;

struct Container {
    std::size_t count;
    std::size_t largest;
};

std::size_t Align(std::size_t size) {
    return (size + 3) & ~static_cast<std::size_t>(3);
}

// Length of the string literal that `json` begins with, quotes included; `size` gets the bytes of
// its text, at most.
std::size_t StringLiteral(std::string_view json, std::size_t* size) {
    std::size_t i = 1;
    *size = 0;
    while (i < json.size() && json[i] != '"') {
        const bool unicode = json[i] == '\\' && i + 1 < json.size() && json[i + 1] == 'u';
        i += unicode ? 6 : json[i] == '\\' ? 2 : 1;
        *size += unicode ? 3 : 1;
    }
    return i + 1;
}

std::size_t NumberLiteral(std::string_view json) {
    std::size_t i = 0;
    while (i < json.size() && json[i] != ',' && json[i] != ']' && json[i] != '}' && json[i] > ' ')
        i++;
    return i;
}

// A numeric has a header of 6 or 8 bytes and 2 for every group of four digits, counted from the
// point: an integer of up to four digits is one group, all else may have one more than its length
// tells.
std::size_t NumericSize(std::string_view literal) {
    const std::size_t groups = (literal.size() + 3) / 4;
    const bool is_integer = literal.find_first_of(".eE") == std::string_view::npos;
    return is_integer && literal.size() <= 4 ? 6 + 2 * groups : 8 + 2 * (groups + 1);
}

}  // namespace

std::size_t JsonbSize(std::string_view json) {
    Container* const open = static_cast<Container*>(palloc(sizeof(Container) * (kDeepest + 1)));
    int depth = 0;
    open[0] = {0, SIZE_MAX};
    std::size_t total = 0;
    bool refused = false;
    for (std::size_t i = 0; i < json.size() && !refused;) {
        const char c = json[i];
        std::size_t length = 1;
        std::size_t size = 0;
        if (c == '{' || c == '[') {
            total = Align(total + kEntry) + kHeader;
            refused = ++depth >= kDeepest;
            open[depth] = {1, c == '{' ? wire::kMaxJsonbMembers : wire::kMaxJsonbElements};
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ',') {
            refused = ++open[depth].count > open[depth].largest;
        } else if (c == '"') {
            length = StringLiteral(Behind(json, i), &size);
            total += kEntry + size;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            length = NumberLiteral(Behind(json, i));
            total = Align(total) + kEntry + NumericSize(First(Behind(json, i), length));
        } else if (c == 't' || c == 'f' || c == 'n') {
            length = c == 'f' ? 5 : 4;
            total += kEntry;
        }
        i += length;
    }
    pfree(open);
    return refused ? SIZE_MAX : total;
}

}  // namespace bemi

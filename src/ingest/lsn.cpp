#include "lsn.hpp"

#include <cstdio>
#include <stdexcept>

namespace bemi::ingest {

namespace {

uint64_t ParseHalf(std::string_view hex) {
    if (hex.empty() || hex.size() > 8)
        throw std::invalid_argument("not a WAL position");
    uint64_t value = 0;
    for (char c : hex) {
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0)
            throw std::invalid_argument("not a WAL position");
        value = value << 4 | static_cast<uint64_t>(digit);
    }
    return value;
}

}  // namespace

std::string FormatLsn(Lsn lsn) {
    char text[24];
    std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(lsn >> 32),
                  static_cast<unsigned>(lsn));
    return text;
}

Lsn ParseLsn(std::string_view text) {
    size_t slash = text.find('/');
    if (slash == std::string_view::npos)
        throw std::invalid_argument("not a WAL position");
    return ParseHalf(text.substr(0, slash)) << 32 | ParseHalf(text.substr(slash + 1));
}

}  // namespace bemi::ingest

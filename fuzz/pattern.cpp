// Fuzzes patterns: the first line is a list of patterns, the next three are names. The matcher
// must agree with one that is plain and slow.
//
// server: yes
// sources: src/decoder/pattern.cpp

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bemi/pattern.hpp"
#include "server.hpp"

namespace {

using fuzz::Require;

// By dynamic programming over both texts.
bool SlowMatch(const bemi::NamePattern& pattern, std::string_view name) {
    std::vector<bool> reached(name.size() + 1, false);
    reached[0] = true;
    for (int i = 0; i < pattern.length; i++) {
        const char c = pattern.text[i];
        if (pattern.wildcard[i] && c == '*') {
            for (std::size_t j = 1; j <= name.size(); j++)
                reached[j] = reached[j] || reached[j - 1];
            continue;
        }
        const bool any = pattern.wildcard[i] && c == '?';
        std::vector<bool> next(name.size() + 1, false);
        for (std::size_t j = 0; j < name.size();) {
            const int size =
                any ? pg_utf_mblen(reinterpret_cast<const unsigned char*>(name.data() + j)) : 1;
            const std::size_t end = j + static_cast<std::size_t>(size);
            if (reached[j] && end <= name.size() && (any || name[j] == c))
                next[end] = true;
            j++;
        }
        reached = next;
    }
    return reached[name.size()];
}

bool IsText(std::string_view text) {
    return pg_verify_mbstr(PG_UTF8, text.data(), static_cast<int>(text.size()), true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (size > 4096 || !IsText(input))
        return 0;
    std::vector<std::string> lines(1);
    for (char c : input) {
        if (c == '\n')
            lines.emplace_back();
        else
            lines.back() += c;
    }
    lines.resize(4);
    const int max_names = size % 3 + 1;
    bemi::PatternList list;
    if (bemi::ParsePatterns(lines[0], max_names, &list) == nullptr) {
        const std::string_view names[] = {lines[1], lines[2], lines[3]};
        bool expected = false;
        for (int i = 0; i < list.count; i++) {
            const bemi::Pattern& pattern = list.patterns[i];
            Require(pattern.name_count >= 1 && pattern.name_count <= max_names);
            bool matches = true;
            for (int j = 0; j < pattern.name_count; j++) {
                const bemi::NamePattern& name = pattern.names[pattern.name_count - 1 - j];
                Require(bemi::MatchesName(name, names[j]) == SlowMatch(name, names[j]));
                matches &= SlowMatch(name, names[j]);
            }
            expected |= matches;
        }
        Require(bemi::MatchesAny(list, names, 3) == expected);
    }
    fuzz::FreeAll();
    return 0;
}

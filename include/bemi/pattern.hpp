// Lists of name patterns, as users write them in options and settings:
//
//   list    = pattern { "," pattern }
//   pattern = name { "." name }            outermost first; missing ones match anything
//   name    = { character | "*" | "?" | '"' characters '"' }
//
// `*` matches any run of characters and `?` one. Names are compared as stored, nothing is folded.
// Double quotes protect `.`, `,`, `*`, `?`, blanks and backslashes; `""` in them is a quote.
#pragma once

#include <string_view>

#include "bemi/pg.hpp"

namespace bemi {

constexpr int kMaxPatternNames = 3;

// One name of a pattern; `wildcard[i]` tells that `text[i]` is a wildcard and not a character.
struct NamePattern {
    const char* text;
    const bool* wildcard;
    int length;
};

struct Pattern {
    NamePattern names[kMaxPatternNames];
    int name_count;
};

struct PatternList {
    Pattern* patterns;
    int count;

    bool empty() const { return count == 0; }
};

// Parses into the current memory context. Returns nullptr, or what is wrong as a phrase for
// errdetail, without raising an ERROR; `list` is then unspecified. With `max_names` of 1, dots are
// ordinary characters.
const char* ParsePatterns(std::string_view text, int max_names, PatternList* list);

bool MatchesName(const NamePattern& pattern, std::string_view name);

// `names` are innermost first; the pattern's last name is matched with the first of them.
bool MatchesAny(const PatternList& list, const std::string_view* names, int name_count);

}  // namespace bemi

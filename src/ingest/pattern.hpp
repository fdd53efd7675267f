// The decoder's name patterns as conditions of SQL, so that a snapshot leaves out what the decoder
// would leave out.
//
//   list    = pattern { "," pattern }
//   pattern = name { "." name }        outermost first; missing ones match anything
//
// `*` matches any run of characters and `?` one; double quotes protect everything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bemi::ingest {

// The names of one pattern as regular expressions (anchored), outermost first.
using NameRegexes = std::vector<std::string>;

// Throws Failure(kUsage) where the text is no list of patterns.
std::vector<NameRegexes> ParsePatterns(std::string_view text);

// True where one of the patterns matches. `expressions` are SQL for the names, innermost first.
// `literal` quotes a string. "false" for an empty list.
template <typename Quote>
std::string MatchesAnySql(const std::vector<NameRegexes>& patterns,
                          const std::vector<std::string>& expressions, Quote literal) {
    std::string any = "false";
    for (const NameRegexes& names : patterns) {
        std::string all = names.size() > expressions.size() ? "false" : "true";
        for (size_t i = 0; i < names.size() && i < expressions.size(); ++i)
            all += " AND " + expressions[i] + " ~ " + literal(names[names.size() - 1 - i]);
        any += " OR (" + all + ")";
    }
    return "(" + any + ")";
}

}  // namespace bemi::ingest

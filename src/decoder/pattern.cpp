// Parsing and matching of name patterns; the grammar is in the header.

#include "bemi/character.hpp"
#include "bemi/pattern.hpp"
#include "bemi/text.hpp"

namespace bemi {

namespace {

bool IsBlank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Reads one list; all names share two arrays that are as long as the text.
class PatternParser {
 public:
    PatternParser(std::string_view text, int max_names)
        : rest_(text),
          max_names_(max_names),
          text_(static_cast<char*>(palloc(text.size() + 1))),
          wildcard_(static_cast<bool*>(palloc(text.size() + 1))),
          used_(0) {}

    const char* ParseList(PatternList* list) {
        // Every pattern but the first needs a comma, so this is enough.
        int commas = 0;
        for (char c : rest_)
            commas += c == ',';
        list->patterns =
            static_cast<Pattern*>(palloc(sizeof(Pattern) * static_cast<std::size_t>(commas + 1)));
        list->count = 0;
        for (;;) {
            if (const char* error = ParsePattern(&list->patterns[list->count]))
                return error;
            list->count++;
            if (rest_.empty())
                return nullptr;
            rest_.remove_prefix(1);  // the comma
        }
    }

 private:
    const char* ParsePattern(Pattern* pattern) {
        pattern->name_count = 0;
        SkipBlanks();
        for (;;) {
            if (pattern->name_count == max_names_)
                return max_names_ == 2 ? "A pattern has at most two names: schema and table."
                                       : "A pattern has at most three names: schema, table and "
                                         "column.";
            if (const char* error = ParseName(&pattern->names[pattern->name_count]))
                return error;
            pattern->name_count++;
            SkipBlanks();
            if (rest_.empty() || rest_[0] == ',')
                return nullptr;
            if (rest_[0] != '.' || max_names_ == 1)
                return "A blank inside of a name must be in double quotes.";
            rest_.remove_prefix(1);
            SkipBlanks();
        }
    }

    const char* ParseName(NamePattern* name) {
        const std::size_t start = used_;
        while (!rest_.empty() && !EndsName(rest_[0])) {
            const char c = rest_[0];
            rest_.remove_prefix(1);
            if (c == '"') {
                if (const char* error = ParseQuoted())
                    return error;
            } else if (c == '\\') {
                return "A backslash must be in double quotes.";
            } else {
                Add(c, c == '*' || c == '?');
            }
        }
        if (used_ == start)
            return "A name is empty.";
        *name = {text_ + start, wildcard_ + start, static_cast<int>(used_ - start)};
        return nullptr;
    }

    const char* ParseQuoted() {
        for (;;) {
            const std::size_t quote = rest_.find('"');
            if (quote == std::string_view::npos)
                return "A double quote is not closed.";
            for (char c : First(rest_, quote))
                Add(c, false);
            rest_.remove_prefix(quote + 1);
            if (rest_.empty() || rest_[0] != '"')
                return nullptr;
            Add('"', false);
            rest_.remove_prefix(1);
        }
    }

    bool EndsName(char c) const { return c == ',' || (c == '.' && max_names_ > 1) || IsBlank(c); }

    void Add(char c, bool wildcard) {
        text_[used_] = c;
        wildcard_[used_] = wildcard;
        used_++;
    }

    void SkipBlanks() {
        while (!rest_.empty() && IsBlank(rest_[0]))
            rest_.remove_prefix(1);
    }

    std::string_view rest_;
    const int max_names_;
    char* const text_;
    bool* const wildcard_;
    std::size_t used_;
};

}  // namespace

const char* ParsePatterns(std::string_view text, int max_names, PatternList* list) {
    return PatternParser(text, max_names).ParseList(list);
}

namespace {

// What `?` stands for: a character, or a byte that is none.
std::size_t Step(std::string_view name, std::size_t at) {
    const std::size_t length = CharacterLength(GetDatabaseEncoding(), Behind(name, at));
    return length > 0 ? length : 1;
}

}  // namespace

// Greedy matching with one point to come back to: the last star. No pattern takes more than
// length of pattern × length of name steps.
bool MatchesName(const NamePattern& pattern, std::string_view name) {
    int p = 0;
    std::size_t n = 0;
    int star = -1;
    std::size_t star_name = 0;
    while (n < name.size()) {
        const bool more = p < pattern.length;
        if (more && pattern.wildcard[p] && pattern.text[p] == '*') {
            star = p++;
            star_name = n;
        } else if (more && pattern.wildcard[p]) {
            p++;
            n += Step(name, n);
        } else if (more && pattern.text[p] == name[n]) {
            p++;
            n++;
        } else if (star >= 0) {
            p = star + 1;
            star_name += Step(name, star_name);
            n = star_name;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.wildcard[p] && pattern.text[p] == '*')
        p++;
    return p == pattern.length && n == name.size();
}

bool MatchesAny(const PatternList& list, const std::string_view* names, int name_count) {
    for (int i = 0; i < list.count; i++) {
        const Pattern& pattern = list.patterns[i];
        bool matches = pattern.name_count <= name_count;
        for (int k = 0; matches && k < pattern.name_count; k++)
            matches = MatchesName(pattern.names[pattern.name_count - 1 - k], names[k]);
        if (matches)
            return true;
    }
    return false;
}

}  // namespace bemi

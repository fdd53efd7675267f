#include "pattern.hpp"

#include <cctype>

#include "errors.hpp"

namespace bemi::ingest {

namespace {

class Parser {
 public:
    explicit Parser(std::string_view text) : rest_(text) {}

    std::vector<NameRegexes> List() {
        std::vector<NameRegexes> list;
        for (;;) {
            list.push_back(Pattern());
            if (rest_.empty())
                return list;
            rest_.remove_prefix(1);  // the comma
        }
    }

 private:
    NameRegexes Pattern() {
        NameRegexes names;
        SkipBlanks();
        for (;;) {
            names.push_back(Name());
            SkipBlanks();
            if (rest_.empty() || rest_[0] == ',')
                return names;
            if (rest_[0] != '.')
                throw Failure(Exit::kUsage, "a blank inside of a pattern's name must be quoted");
            rest_.remove_prefix(1);
        }
    }

    std::string Name() {
        std::string regex = "^";
        while (!rest_.empty() && rest_[0] != ',' && rest_[0] != '.' && !IsBlank(rest_[0])) {
            char c = rest_[0];
            rest_.remove_prefix(1);
            if (c == '"')
                Quoted(&regex);
            else if (c == '*')
                regex += ".*";
            else if (c == '?')
                regex += '.';
            else
                Add(c, &regex);
        }
        if (regex.size() == 1)
            throw Failure(Exit::kUsage, "a name in a list of patterns is empty");
        return regex + "$";
    }

    void Quoted(std::string* regex) {
        for (;;) {
            if (rest_.empty())
                throw Failure(Exit::kUsage, "a double quote in a list of patterns is not closed");
            char c = rest_[0];
            rest_.remove_prefix(1);
            if (c != '"') {
                Add(c, regex);
                continue;
            }
            if (rest_.empty() || rest_[0] != '"')
                return;
            rest_.remove_prefix(1);
            Add('"', regex);
        }
    }

    static void Add(char c, std::string* regex) {
        auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80 && std::isalnum(byte) == 0 && c != '_')
            *regex += '\\';
        *regex += c;
    }

    static bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

    void SkipBlanks() {
        while (!rest_.empty() && IsBlank(rest_[0]))
            rest_.remove_prefix(1);
    }

    std::string_view rest_;
};

}  // namespace

std::vector<NameRegexes> ParsePatterns(std::string_view text) {
    if (text.empty())
        return {};
    return Parser(text).List();
}

}  // namespace bemi::ingest

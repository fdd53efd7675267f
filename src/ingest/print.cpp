// The one file that prints. What comes from servers, files and arguments may hold anything.
#include "print.hpp"

#include <algorithm>
#include <cctype>

namespace bemi::ingest {

namespace {

bool Continues(std::string_view text, size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

void AppendEscape(const char* format, unsigned long value, std::string* out) {
    char escape[32];  // room for any unsigned long
    std::snprintf(escape, sizeof escape, format, value);
    *out += escape;
}

void AppendControl(char c, std::string* out) {
    switch (c) {
        case '\n':
            *out += "\\n";
            return;
        case '\r':
            *out += "\\r";
            return;
        case '\t':
            *out += "\\t";
            return;
        default:
            AppendEscape("\\x%02lx", static_cast<unsigned char>(c), out);
    }
}

bool IsBlank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Behind the value that begins here, as a connection string or a URI's parameter has one.
size_t EndOfValue(std::string_view text, size_t at) {
    if (at < text.size() && text[at] == '\'') {
        for (++at; at < text.size() && text[at] != '\''; ++at)
            at += text[at] == '\\' ? 1 : 0;
        return std::min(at + 1, text.size());
    }
    while (at < text.size() && !IsBlank(text[at]) && text[at] != '&' && text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    return std::min(at, text.size());
}

// The value of "password = value" at `at`, behind the word; its own start where there is none.
size_t StartOfValue(std::string_view text, size_t at) {
    while (at < text.size() && text[at] == ' ')
        ++at;
    if (at == text.size() || text[at] != '=')
        return std::string_view::npos;
    for (++at; at < text.size() && text[at] == ' ';)
        ++at;
    return at;
}

std::string WithoutParameters(std::string_view text) {
    std::string lower(text), out;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    size_t done = 0;
    for (size_t at = 0; (at = lower.find("passw", at)) != std::string::npos;) {
        while (at < lower.size() && std::isalpha(static_cast<unsigned char>(lower[at])) != 0)
            ++at;
        const size_t start = StartOfValue(text, at);
        if (start == std::string_view::npos)
            continue;
        out.append(text.substr(done, start - done)).append("…");
        done = at = EndOfValue(text, start);
    }
    return out.append(text.substr(done));
}

// user:password@ of a URI, where the password may have any character but a blank.
std::string WithoutUserinfo(std::string_view text) {
    std::string out;
    size_t done = 0;
    for (size_t at = 0; (at = text.find("://", at)) != std::string_view::npos;) {
        at += 3;
        size_t end = at;
        while (end < text.size() && !IsBlank(text[end]) && text[end] != '"')
            ++end;
        const size_t host = text.substr(0, end).rfind('@'), colon = text.find(':', at);
        if (host == std::string_view::npos || host < at || colon > host)
            continue;
        out.append(text.substr(done, colon + 1 - done)).append("…");
        done = at = host;
    }
    return out.append(text.substr(done));
}

}  // namespace

bool IsUnprintable(char32_t c) {
    struct Range {
        char32_t first, last;
    };
    // C1 controls, soft hyphen, Arabic letter mark, Mongolian separator, zero widths and marks of
    // direction, line and paragraph separators, embeddings, invisible operators and isolates, byte
    // order mark, annotations, tags and private variation selectors.
    static constexpr Range kRanges[] = {
        {0x7F, 0x9F},     {0xAD, 0xAD},     {0x61C, 0x61C},   {0x180E, 0x180E}, {0x200B, 0x200F},
        {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE0FFF}};
    return std::any_of(std::begin(kRanges), std::end(kRanges),
                       [c](const Range& range) { return c >= range.first && c <= range.last; });
}

Character TakeCharacter(std::string_view* text) {
    const auto first = static_cast<unsigned char>((*text)[0]);
    const size_t length = first < 0x80                    ? 1
                          : first >= 0xC2 && first < 0xE0 ? 2
                          : first >= 0xE0 && first < 0xF0 ? 3
                          : first >= 0xF0 && first < 0xF5 ? 4
                                                          : 0;
    long code = length < 2 ? first : first & (0x7F >> length);
    bool whole = length > 0;
    for (size_t i = 1; i < length && whole; ++i) {
        whole = Continues(*text, i);
        if (whole)
            code = code << 6 | ((*text)[i] & 0x3F);
    }
    static constexpr long kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    whole = whole && code >= kLeast[length] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    const Character taken = {whole ? code : -1, text->substr(0, whole ? length : 1)};
    text->remove_prefix(taken.bytes.size());
    return taken;
}

std::string Printable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const Character c = TakeCharacter(&text);
        if (c.code_point < 0 || c.code_point < 0x20 || c.code_point == 0x7F)
            AppendControl(c.bytes[0], &out);
        else if (IsUnprintable(static_cast<char32_t>(c.code_point)))
            AppendEscape(c.code_point > 0xFFFF ? "\\U%08lx" : "\\u%04lx",
                         static_cast<unsigned long>(c.code_point), &out);
        else
            out += c.bytes;
    }
    return out;
}

std::string WithoutPasswords(std::string_view text) {
    return WithoutUserinfo(WithoutParameters(text));
}

std::string Shown(const std::string& argument, const char* quote) {
    const bool may_be_secret = argument.find('=') != std::string::npos ||
                               argument.find("://") != std::string::npos ||
                               argument.find('@') != std::string::npos;
    return may_be_secret ? "\"…\" (it is not shown: it may hold a password)"
                         : quote + argument + quote;
}

void PrintLine(std::FILE* to, std::string_view line) {
    PrintText(to, Printable(line) + "\n");
}

void PrintText(std::FILE* to, std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), to);
    std::fflush(to);
}

void Complain(std::string_view line) {
    PrintLine(stderr, "bemi_ingest: " + WithoutPasswords(line));
}

}  // namespace bemi::ingest

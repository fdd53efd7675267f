// The escapes of JSON strings.
#include "record.hpp"

namespace bemi::ingest {

namespace {

unsigned HexAt(std::string_view text, size_t at) {
    if (at + 4 > text.size())
        throw BadRecord("an escape is cut off");
    unsigned value = 0;
    for (size_t i = at; i < at + 4; ++i) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            throw BadRecord("an escape is not hexadecimal");
        value = value << 4 | static_cast<unsigned>(digit);
    }
    return value;
}

void AppendUtf8(unsigned point, std::string* out) {
    if (point < 0x80) {
        out->push_back(static_cast<char>(point));
    } else if (point < 0x800) {
        out->push_back(static_cast<char>(0xC0 | point >> 6));
        out->push_back(static_cast<char>(0x80 | (point & 0x3F)));
    } else if (point < 0x10000) {
        out->push_back(static_cast<char>(0xE0 | point >> 12));
        out->push_back(static_cast<char>(0x80 | (point >> 6 & 0x3F)));
        out->push_back(static_cast<char>(0x80 | (point & 0x3F)));
    } else {
        out->push_back(static_cast<char>(0xF0 | point >> 18));
        out->push_back(static_cast<char>(0x80 | (point >> 12 & 0x3F)));
        out->push_back(static_cast<char>(0x80 | (point >> 6 & 0x3F)));
        out->push_back(static_cast<char>(0x80 | (point & 0x3F)));
    }
}

// `at` is on the first digit of \uXXXX; gives the place behind the escape or the pair of them.
size_t AppendUnicode(std::string_view text, size_t at, std::string* out) {
    unsigned point = HexAt(text, at);
    at += 4;
    if (point >= 0xD800 && point < 0xDC00 && text.substr(at, 2) == "\\u") {
        unsigned low = HexAt(text, at + 2);
        if (low < 0xDC00 || low > 0xDFFF)
            throw BadRecord("half of a surrogate pair");
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
        at += 6;
    } else if (point == 0 || (point >= 0xD800 && point <= 0xDFFF)) {
        throw BadRecord("an escape that no text can hold");
    }
    AppendUtf8(point, out);
    return at;
}

char Plain(char c) {
    switch (c) {
        case '"':
        case '\\':
        case '/':
            return c;
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        default:
            throw BadRecord("an unknown escape");
    }
}

}  // namespace

void Unescape(std::string_view escaped, std::string* out) {
    size_t at = 0;
    for (;;) {
        size_t backslash = escaped.find('\\', at);
        out->append(escaped.substr(at, backslash - at));
        if (backslash == std::string_view::npos)
            return;
        if (backslash + 1 >= escaped.size())
            throw BadRecord("an escape is cut off");
        char c = escaped[backslash + 1];
        at = backslash + 2;
        if (c == 'u')
            at = AppendUnicode(escaped, at, out);
        else
            out->push_back(Plain(c));
    }
}

}  // namespace bemi::ingest

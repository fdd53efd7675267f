// Strings by runs of bytes that need no escape; json values are checked before they are embedded,
// since what jsonb refuses must become a string.
#include "json_text.hpp"

#include <cstdint>
#include <cstring>
#include <vector>

#include <rapidjson/reader.h>

#include "bemi/wire.hpp"
#include "json_number.hpp"

namespace bemi {

namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

void AppendUnicodeEscape(uint32_t unit, std::string* out) {
    out->append("\\u");
    for (int shift = 12; shift >= 0; shift -= 4)
        out->push_back(kHexDigits[(unit >> shift) & 15]);
}

void AppendEscape(unsigned char byte, std::string* out) {
    static const char kShort[] = "btn\0fr";  // 0x08 to 0x0D
    if (byte == '"' || byte == '\\') {
        out->push_back('\\');
        out->push_back(static_cast<char>(byte));
    } else if (byte >= 0x08 && byte <= 0x0D && byte != 0x0B) {
        out->push_back('\\');
        out->push_back(kShort[byte - 0x08]);
    } else {
        AppendUnicodeEscape(byte, out);
    }
}

// The character that begins with a byte beyond ASCII; its length, 0 where it is none of UTF-8.
size_t Decode(const unsigned char* from, size_t left, uint32_t* code) {
    const unsigned char lead = from[0];
    const size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length == 0 || length > left)
        return 0;
    *code = lead & (0x7Fu >> length);
    for (size_t i = 1; i < length; ++i) {
        if ((from[i] & 0xC0) != 0x80)
            return 0;
        *code = *code << 6 | (from[i] & 0x3F);
    }
    const bool shorter = (length == 3 && *code < 0x800) || (length == 4 && *code < 0x10000);
    const bool surrogate = *code >= 0xD800 && *code <= 0xDFFF;
    return shorter || surrogate || *code > 0x10FFFF ? 0 : length;
}

void AppendAsAscii(uint32_t code, std::string* out) {
    if (code >= 0x10000) {
        AppendUnicodeEscape(0xD800 + ((code - 0x10000) >> 10), out);
        code = 0xDC00 + ((code - 0x10000) & 0x3FF);
    }
    AppendUnicodeEscape(code, out);
}

void AppendCodePoint(uint32_t code, std::string* out) {
    static const unsigned char kLead[] = {0, 0xC0, 0xE0, 0xF0};
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    out->push_back(static_cast<char>(kLead[more] | code >> (6 * more)));
    for (int shift = 6 * (more - 1); shift >= 0; shift -= 6)
        out->push_back(static_cast<char>(0x80 | ((code >> shift) & 0x3F)));
}

// The number of the four hexadecimal digits behind `\u`.
uint32_t HexUnit(std::string_view text, size_t at) {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4 && i < text.size(); ++i) {
        const char c = text[i];
        const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
        value = value << 4 | (static_cast<uint32_t>(digit) & 15);
    }
    return value;
}

bool IsClean(unsigned char byte) {
    return byte >= 0x20 && byte != '"' && byte != '\\' && byte < 0x80;
}

// Writes what the Reader reports, unless jsonb would not have it. A number is taken from the
// original text: the copy that is read may hide it.
class Embedding {
 public:
    Embedding(const char* copy, std::string_view original, bool ascii, std::string* out)
        : copy_(copy), original_(original), ascii_(ascii), out_(out) {}

    bool Null() { return Word("null"); }
    bool Bool(bool value) { return Word(value ? "true" : "false"); }
    // Never called: numbers are asked for as text.
    bool Int(int) { return false; }
    bool Uint(unsigned) { return false; }
    bool Int64(int64_t) { return false; }
    bool Uint64(uint64_t) { return false; }
    bool Double(double) { return false; }

    bool RawNumber(const char* text, rapidjson::SizeType, bool) {
        std::string_view rest = original_.substr(static_cast<size_t>(text - copy_));
        size_t length = 0;
        while (length < rest.size() && json::IsNumberByte(rest[length]))
            ++length;
        return Word(rest.substr(0, length));
    }
    bool String(const char* text, rapidjson::SizeType length, bool) {
        return Text({text, length}, false);
    }
    bool Key(const char* text, rapidjson::SizeType length, bool) {
        return Text({text, length}, true);
    }
    bool StartObject() { return Open('{'); }
    bool EndObject(rapidjson::SizeType) { return Close('}'); }
    bool StartArray() { return Open('['); }
    bool EndArray(rapidjson::SizeType) { return Close(']'); }

 private:
    void Separate() {
        if (behind_value_)
            out_->push_back(',');
        behind_value_ = true;
    }
    bool Word(std::string_view word) {
        Separate();
        out_->append(word);
        return true;
    }
    // A NUL, and a surrogate without its pair, which the Reader decodes into what is no UTF-8.
    bool Text(std::string_view text, bool key) {
        if (text.find('\0') != std::string_view::npos)
            return false;
        Separate();
        try {
            AppendJsonString(text, ascii_, out_);
        } catch (const ValueError&) {
            return false;
        }
        if (key)
            out_->push_back(':');
        behind_value_ = !key;
        return true;
    }
    bool Open(char bracket) {
        Separate();
        behind_value_ = false;
        out_->push_back(bracket);
        return ++depth_ <= wire::kMaxValueDepth;
    }
    bool Close(char bracket) {
        --depth_;
        behind_value_ = true;
        out_->push_back(bracket);
        return true;
    }

    const char* const copy_;
    const std::string_view original_;
    const bool ascii_;
    std::string* const out_;
    int depth_ = 0;
    bool behind_value_ = false;
};

bool Embed(std::string_view text, bool ascii, std::string* out) {
    constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                                rapidjson::kParseValidateEncodingFlag |
                                rapidjson::kParseNumbersAsStringsFlag;
    if (text.find('\0') != std::string_view::npos)
        return false;
    std::vector<char> copy(text.begin(), text.end());
    copy.push_back('\0');
    if (!json::HideLongNumbers(copy.data(), text.size()))
        return false;
    rapidjson::Reader reader;
    Embedding handler(copy.data(), text, ascii, out);
    rapidjson::InsituStringStream stream(copy.data());
    return !reader.Parse<kFlags>(stream, handler).IsError() && stream.Tell() == text.size();
}

}  // namespace

bool IsUtf8(std::string_view text) {
    uint32_t code;
    for (size_t i = 0, length; i < text.size(); i += length) {
        const auto* from = reinterpret_cast<const unsigned char*>(text.data()) + i;
        length = *from < 0x80 ? 1 : Decode(from, text.size() - i, &code);
        if (length == 0)
            return false;
    }
    return true;
}

void AppendJsonString(std::string_view text, bool ascii, std::string* out) {
    const size_t start = out->size();
    const auto* from = reinterpret_cast<const unsigned char*>(text.data());
    const auto* const end = from + text.size();
    out->push_back('"');
    while (from < end) {
        const auto* clean = from;
        while (clean < end && IsClean(*clean))
            ++clean;
        out->append(reinterpret_cast<const char*>(from), static_cast<size_t>(clean - from));
        from = clean;
        if (from == end)
            break;
        uint32_t code = 0;
        size_t length = 1;
        if (*from >= 0x80)
            length = Decode(from, static_cast<size_t>(end - from), &code);
        if (length == 0 || *from == '\0') {
            out->resize(start);
            throw ValueError("invalid byte sequence for encoding \"UTF8\"");
        }
        if (*from < 0x80)
            AppendEscape(*from, out);
        else if (ascii)
            AppendAsAscii(code, out);
        else
            out->append(reinterpret_cast<const char*>(from), length);
        from += length;
    }
    out->push_back('"');
}

void AppendUnescaped(std::string_view literal, std::string* out) {
    literal = literal.substr(1, literal.size() - 2);
    if (literal.find('\\') == std::string_view::npos) {
        out->append(literal);
        return;
    }
    for (size_t i = 0; i < literal.size(); ++i) {
        if (literal[i] != '\\') {
            out->push_back(literal[i]);
            continue;
        }
        static const char kFrom[] = "bfnrt", kTo[] = "\b\f\n\r\t";
        const char c = literal[++i];
        if (c != 'u') {
            const char* found = std::strchr(kFrom, c);
            out->push_back(found != nullptr ? kTo[found - kFrom] : c);
            continue;
        }
        uint32_t code = HexUnit(literal, i + 1);
        i += 4;
        if (code >= 0xD800 && code < 0xDC00) {
            code = 0x10000 + ((code - 0xD800) << 10) + (HexUnit(literal, i + 3) - 0xDC00);
            i += 6;
        }
        AppendCodePoint(code, out);
    }
}

void AppendJsonValue(std::string_view text, bool ascii, std::string* out) {
    const size_t start = out->size();
    if (Embed(text, ascii, out))
        return;
    out->resize(start);
    AppendJsonString(text, ascii, out);
}

void AppendJsonbValue(std::string_view text, bool ascii, std::string* out) {
    const size_t start = out->size();
    int depth = 0, deepest = 0;
    for (size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (c != '"') {
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            deepest = depth > deepest ? depth : deepest;
            if (c != ' ')
                out->push_back(c);
            ++i;
            continue;
        }
        size_t end = i + 1;
        while (end < text.size() && text[end] != '"')
            end += text[end] == '\\' ? 2 : 1;
        if (end >= text.size()) {
            out->resize(start);
            throw ValueError("not the text of a jsonb value");
        }
        const std::string_view literal = text.substr(i, end + 1 - i);
        if (ascii) {
            std::string string;
            AppendUnescaped(literal, &string);
            AppendJsonString(string, true, out);
        } else {
            out->append(literal);
        }
        i = end + 1;
    }
    if (deepest <= wire::kMaxJsonbDepth)
        return;
    out->resize(start);
    AppendJsonString(text, ascii, out);
}

}  // namespace bemi

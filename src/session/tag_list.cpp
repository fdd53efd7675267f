// sqlcommenter's tags.

#include "tag_list.hpp"

namespace bemi {

namespace {

bool IsBlank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool IsOneOf(std::string_view bytes, char c) {
    return bytes.find(c) != std::string_view::npos;
}
bool IsAlphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
// What percent-encoding leaves as it is, the percent sign, and a blank's plus.
bool IsKeyByte(char c) {
    return IsAlphanumeric(c) || IsOneOf("%+-_.~!()", c);
}
bool IsBareByte(char c) {
    return IsAlphanumeric(c) || IsOneOf("+-_.", c);
}

int HexDigit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}
bool AreHexDigits(std::string_view text, std::size_t place) {
    return place + 1 < text.size() && HexDigit(text[place]) >= 0 && HexDigit(text[place + 1]) >= 0;
}

// Whether the quote there ends a value.
bool Closes(std::string_view text, std::size_t quote) {
    std::size_t next = quote + 1;
    while (next < text.size() && IsBlank(text[next]))
        next++;
    return next == text.size() || text[next] == ',';
}

// Length of the value that ends before the closing quote; npos where it is not closed. Each byte is
// looked at twice at most: the second look begins only where the first has met the next tag's
// quote, or this one's.
std::size_t ValueLength(std::string_view text) {
    std::size_t quote = 0;
    while (quote < text.size() && text[quote] != '\'') {
        const bool is_escape =
            text[quote] == '\\' && quote + 1 < text.size() && text[quote + 1] == '\'';
        quote += is_escape ? 2 : 1;
    }
    if (quote >= text.size())
        return std::string_view::npos;
    if (Closes(text, quote))
        return quote;
    for (quote = text.find('\''); quote != std::string_view::npos;
         quote = text.find('\'', quote + 1)) {
        if (Closes(text, quote))
            return quote;
    }
    return std::string_view::npos;
}

}  // namespace

void TagList::SkipBlanks() {
    while (!rest_.empty() && IsBlank(rest_[0]))
        rest_.remove_prefix(1);
}

bool TagList::TakeKey(Tag* tag) {
    std::size_t length = 0;
    bool is_good = true;
    for (; length < rest_.size() && rest_[length] != '='; length++) {
        if (IsBlank(rest_[length]) || rest_[length] == ',')
            return Fail();
        is_good &= IsKeyByte(rest_[length]);
    }
    if (length == rest_.size())
        return Fail();
    if (length == 0)
        tag->problem = "its key is empty";
    else if (!is_good)
        tag->problem = "its key is not percent-encoded";
    tag->key = std::string_view(rest_.data(), length);
    rest_.remove_prefix(length + 1);
    return true;
}

bool TagList::TakeBare(Tag* tag) {
    std::size_t length = 0;
    while (length < rest_.size() && IsBareByte(rest_[length]))
        length++;
    if (length == 0)
        return Fail();
    tag->value = std::string_view(rest_.data(), length);
    rest_.remove_prefix(length);
    return true;
}

void TagList::TakeQuoted(Tag* tag) {
    rest_.remove_prefix(1);
    const std::size_t length = ValueLength(rest_);
    if (length == std::string_view::npos) {
        tag->problem = "its value is not closed";
        tag->value = rest_;
        rest_ = {};
        return;
    }
    tag->value = std::string_view(rest_.data(), length);
    rest_.remove_prefix(length + 1);
    if (tag->value.find("='") != std::string_view::npos)
        tag->problem = "its value is not percent-encoded";
    has_whole_ |= tag->problem == nullptr;
}

bool TagList::Next(Tag* tag) {
    if (state_ == State::kEnded || state_ == State::kNoList)
        return false;
    SkipBlanks();
    if (state_ == State::kMore) {
        if (rest_.empty()) {
            state_ = State::kEnded;
            return false;
        }
        if (rest_[0] != ',')
            return Fail();
        rest_.remove_prefix(1);
        SkipBlanks();
    }
    *tag = {{}, {}, false, nullptr};
    if (!TakeKey(tag))
        return false;
    tag->is_quoted = !rest_.empty() && rest_[0] == '\'';
    if (tag->is_quoted)
        TakeQuoted(tag);
    else if (!TakeBare(tag))
        return false;
    state_ = State::kMore;
    return true;
}

std::size_t DecodeTag(std::string_view raw, char* to) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < raw.size(); i++) {
        char c = raw[i];
        if ((c == '\\' || c == '\'') && i + 1 < raw.size() && raw[i + 1] == '\'') {
            c = raw[++i];
        } else if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            i += i + 1 < raw.size() && raw[i + 1] == '%' ? 2 : 1;
            if (!AreHexDigits(raw, i))
                return kMalformed;
            c = static_cast<char>(HexDigit(raw[i]) * 16 + HexDigit(raw[i + 1]));
            i++;
        }
        to[length++] = c;
    }
    return length;
}

bool IsTagList(std::string_view content) {
    TagList list(content);
    Tag tag;
    while (list.Next(&tag)) {
    }
    return list.is_list();
}

}  // namespace bemi

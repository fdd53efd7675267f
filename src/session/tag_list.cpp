// sqlcommenter's tags.

#include "tag_list.hpp"

namespace bemi {

namespace {

bool IsBlank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// What percent-encoding leaves as it is, and the percent sign.
bool IsKeyByte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::string_view("%-_.~!()").find(c) != std::string_view::npos);
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

// Length of the value that ends before the closing quote; npos where it is not closed.
std::size_t ValueLength(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '\'')
            i++;
        else if (text[i] == '\'')
            return i;
    }
    return std::string_view::npos;
}

}  // namespace

void TagList::SkipBlanks() {
    while (!rest_.empty() && IsBlank(rest_[0]))
        rest_.remove_prefix(1);
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
    std::size_t length = 0;
    while (length < rest_.size() && IsKeyByte(rest_[length]))
        length++;
    if (length == 0 || rest_.size() < length + 2 || rest_[length] != '=' ||
        rest_[length + 1] != '\'')
        return Fail();
    tag->key = std::string_view(rest_.data(), length);
    rest_.remove_prefix(length + 2);
    length = ValueLength(rest_);
    if (length == std::string_view::npos)
        return Fail();
    tag->value = std::string_view(rest_.data(), length);
    rest_.remove_prefix(length + 1);
    state_ = State::kMore;
    return true;
}

std::size_t DecodeTag(std::string_view raw, char* to) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < raw.size(); i++) {
        char c = raw[i];
        if (c == '\\' && i + 1 < raw.size() && raw[i + 1] == '\'') {
            c = raw[++i];
        } else if (c == '%') {
            if (raw.size() - i < 3)
                return kMalformed;
            const int high = HexDigit(raw[i + 1]);
            const int low = HexDigit(raw[i + 2]);
            if (high < 0 || low < 0)
                return kMalformed;
            c = static_cast<char>(high * 16 + low);
            i += 2;
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

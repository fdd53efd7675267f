// Fuzzes the reader of sqlcommenter's tags: what it reads, written as encoders write it, reads the
// same; and whatever a stranger has put into one tag, those beside it are there, and no others.
//
// sources: src/session/tag_list.cpp

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tag_list.hpp"

namespace {

using Tags = std::vector<std::pair<std::string, std::string>>;

void Require(bool condition) {
    if (!condition)
        abort();
}

bool IsInside(std::string_view part, const std::string& content) {
    return part.data() >= content.data() &&
           part.data() + part.size() <= content.data() + content.size();
}

// A part of a tag; false where it can't be decoded.
bool Decode(std::string_view raw, std::string* text) {
    std::string to(raw.size(), '\0');
    const std::size_t length = bemi::DecodeTag(raw, to.data());
    Require(length == bemi::kMalformed || length <= raw.size());
    *text = to.substr(0, length == bemi::kMalformed ? 0 : length);
    return length != bemi::kMalformed;
}

// The quoted tags that can be read; false where the content is no list.
bool Read(const std::string& content, Tags* tags) {
    bemi::TagList list(content);
    bemi::Tag tag;
    bool has_whole = false;
    while (list.Next(&tag)) {
        Require(IsInside(tag.key, content) && IsInside(tag.value, content));
        Require(tag.is_quoted || (!tag.value.empty() &&
                                  tag.value.find_first_of("',= \n") == std::string_view::npos));
        std::string key;
        std::string value;
        bool decoded = Decode(tag.key, &key);
        decoded &= Decode(tag.value, &value);
        has_whole |= tag.is_quoted && tag.problem == nullptr;
        if (tag.is_quoted && tag.problem == nullptr && decoded)
            tags->emplace_back(key, value);
    }
    Require(list.is_list() == bemi::IsTagList(content));
    Require(!list.is_list() || (has_whole && content[0] != '+'));
    return list.is_list();
}

// As encoders write it that leave all of `safe` as it is.
std::string Encoded(const std::string& text, std::string_view safe, const char* percent) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string encoded;
    for (const unsigned char c : text) {
        if (c < 0x80 && (isalnum(c) || safe.find(static_cast<char>(c)) != std::string_view::npos))
            encoded += static_cast<char>(c);
        else
            encoded += std::string(percent) + kDigits[c >> 4] + kDigits[c & 15];
    }
    return encoded;
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

// Each way of writing tags reads the same.
void CheckAgain(const Tags& tags) {
    for (const char* percent : {"%", "%%"}) {
        std::string again;
        for (const auto& [key, value] : tags)
            again += (again.empty() ? "" : " , ") + Encoded(key, "-_.~", percent) + "='" +
                     Encoded(value, "-_.~", percent) + "'";
        Tags read;
        Require(tags.empty() || tags[0].first.empty() || (Read(again, &read) && read == tags));
    }
}

// A stranger's value, as different writers write it: all is encoded; all but what JavaScript leaves
// as it is; nothing but quotes is escaped, where there is no backslash.
void CheckStranger(const std::string& value) {
    const std::string front = "user='7',ua='";
    const std::string behind = "',role='clerk'";
    const std::string javascript = Encoded(value, "-_.!~*'()", "%");
    for (const std::string& written :
         {Encoded(value, "-_.~", "%"), Replaced(javascript, "'", "\\'"),
          Replaced(javascript, "'", "''"), javascript,
          Replaced(Replaced(value, "\\", "%5C"), "'", "\\'")}) {
        Tags tags;
        Require(Read(front + written + behind, &tags));
        Require(tags.size() == 2 || (tags.size() == 3 && tags[1].first == "ua"));
        Require(tags[0] == std::make_pair(std::string("user"), std::string("7")));
        Require(tags.back() == std::make_pair(std::string("role"), std::string("clerk")));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string content(reinterpret_cast<const char*>(data), size);
    Tags tags;
    if (Read(content, &tags))
        CheckAgain(tags);
    CheckStranger(content);
    return 0;
}

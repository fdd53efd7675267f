// Fuzzes the reader of sqlcommenter's tags: what it reads, written as the specification says,
// reads the same.
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

// False where the content is no list, or a tag can't be decoded.
bool Read(const std::string& content, Tags* tags) {
    bemi::TagList list(content);
    bemi::Tag tag;
    bool decoded = true;
    while (list.Next(&tag)) {
        std::string parts[2];
        int part = 0;
        for (const std::string_view raw : {tag.key, tag.value}) {
            Require(raw.data() >= content.data() &&
                    raw.data() + raw.size() <= content.data() + content.size());
            std::string to(raw.size(), '\0');
            const std::size_t length = bemi::DecodeTag(raw, to.data());
            Require(length == bemi::kMalformed || length <= raw.size());
            decoded &= length != bemi::kMalformed;
            parts[part++] = to.substr(0, length == bemi::kMalformed ? 0 : length);
        }
        tags->emplace_back(parts[0], parts[1]);
    }
    Require(list.is_list() == bemi::IsTagList(content));
    Require(!list.is_list() || !tags->empty());
    return decoded && list.is_list();
}

std::string Encoded(const std::string& text) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string encoded;
    for (const unsigned char c : text) {
        if (c < 0x80 && (isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~'))
            encoded += static_cast<char>(c);
        else
            encoded += {'%', kDigits[c >> 4], kDigits[c & 15]};
    }
    return encoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Tags tags;
    if (!Read(std::string(reinterpret_cast<const char*>(data), size), &tags))
        return 0;
    std::string again;
    for (const auto& [key, value] : tags)
        again += (again.empty() ? "" : ",") + Encoded(key) + "='" + Encoded(value) + "'";
    Tags read;
    Require(Read(again, &read) && read == tags);
    return 0;
}

// Another look at JSON that was written: rapidjson's Reader as it comes, which takes strict JSON in
// valid UTF-8 alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bemi/json.hpp"

namespace fuzz {

class LastString : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, LastString> {
 public:
    bool String(const char* text, rapidjson::SizeType length, bool) {
        value.assign(text, length);
        strings++;
        return true;
    }
    bool Default() {
        others++;
        return true;
    }
    // Numbers are not looked into: numeric's range is wider than a double's.
    bool RawNumber(const char*, rapidjson::SizeType, bool) { return Default(); }

    std::string value;
    int strings = 0;
    int others = 0;
};

// False where the text is not one JSON value.
template <typename Handler>
bool ReadJson(std::string_view json, Handler* handler) {
    std::vector<char> block(65536 + json.size() * 64);
    bemi::JsonArena arena(block.data(), block.size());
    rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, bemi::JsonArena> reader(&arena,
                                                                                           4096);
    const std::string text(json);
    rapidjson::StringStream stream(text.c_str());
    constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                                rapidjson::kParseValidateEncodingFlag |
                                rapidjson::kParseNumbersAsStringsFlag;
    return !reader.Parse<kFlags>(stream, *handler).IsError() && stream.Tell() == text.size();
}

}  // namespace fuzz

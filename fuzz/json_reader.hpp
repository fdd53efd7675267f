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

// The same JSON with numbers that a double can hold, as the Reader wants them even where it hands
// them on as text: digits beyond the seventeenth of a run go, and those of an exponent but the
// first. It is JSON where the text is, and only there.
inline std::string WithShortNumbers(std::string_view json) {
    std::string out;
    bool in_string = false, in_exponent = false;
    int digits = 0;
    for (std::size_t i = 0; i < json.size(); i++) {
        const char c = json[i];
        const bool is_digit = !in_string && c >= '0' && c <= '9';
        digits = is_digit ? digits + 1 : 0;
        if (is_digit && digits > (in_exponent ? 1 : 17))
            continue;
        out += c;
        if (in_string && c == '\\' && i + 1 < json.size())
            out += json[++i];
        else if (c == '"')
            in_string = !in_string;
        if (!is_digit)
            in_exponent = c == 'e' || c == 'E' || (in_exponent && (c == '+' || c == '-'));
    }
    return out;
}

// False where the text is not one JSON value.
template <typename Handler>
bool ReadJson(std::string_view json, Handler* handler) {
    std::vector<char> block(65536 + json.size() * 64);
    bemi::JsonArena arena(block.data(), block.size());
    rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, bemi::JsonArena> reader(&arena,
                                                                                           4096);
    const std::string text = WithShortNumbers(json);
    rapidjson::StringStream stream(text.c_str());
    constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                                rapidjson::kParseValidateEncodingFlag |
                                rapidjson::kParseNumbersAsStringsFlag;
    return !reader.Parse<kFlags>(stream, *handler).IsError() && stream.Tell() == text.size();
}

}  // namespace fuzz

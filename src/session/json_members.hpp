// The members of a canonical JSON object, whose texts stay as they are: equal keys are equal bytes,
// since our Writer escapes a string in one way only. The text must come from that Writer; nothing
// is checked.
#pragma once

#include <cstddef>
#include <string_view>

namespace bemi {

struct JsonMember {
    std::string_view key;   // with its quotes
    std::string_view text;  // key, colon and value
};

class JsonMembers {
 public:
    explicit JsonMembers(std::string_view object) : json_(object) {}

    // The next one, in order.
    bool Next(JsonMember* member) {
        if (place_ + 1 >= json_.size())
            return false;
        const std::size_t start = place_;
        const std::size_t key_end = SkipString(start);
        std::size_t depth = 0;
        for (place_ = key_end; depth > 0 || (json_[place_] != ',' && json_[place_] != '}');) {
            const char c = json_[place_];
            depth += c == '{' || c == '[' ? 1 : 0;
            depth -= c == '}' || c == ']' ? 1 : 0;
            place_ = c == '"' ? SkipString(place_) : place_ + 1;
        }
        member->key = {json_.data() + start, key_end - start};
        member->text = {json_.data() + start, place_ - start};
        place_++;
        return true;
    }

 private:
    // To behind the string that begins at `place`.
    std::size_t SkipString(std::size_t place) const {
        for (place++; json_[place] != '"'; place++) {
            if (json_[place] == '\\')
                place++;
        }
        return place + 1;
    }

    std::string_view json_;
    std::size_t place_ = 1;
};

inline bool IsJsonObject(std::string_view json) {
    return !json.empty() && json[0] == '{';
}
inline bool IsNoContext(std::string_view json) {
    return json.empty() || json == "null" || json == "{}";
}

}  // namespace bemi

// The tags of a comment in sqlcommenter's form: key='value',key='value', keys and values
// percent-encoded, a quote in a value as \'. Knows no server header, so that a fuzzer can drive it.
#pragma once

#include <cstddef>
#include <string_view>

namespace bemi {

struct Tag {
    std::string_view key;  // as they are written: DecodeTag reads them
    std::string_view value;
};

class TagList {
 public:
    // The content of a comment, without its delimiters.
    explicit TagList(std::string_view content) : rest_(content) {}

    // True with the next tag; false at the end, or where this is no list of tags (is_list says
    // which).
    bool Next(Tag* tag);
    // After Next has returned false: whether all of the content was a list of at least one tag.
    bool is_list() const { return state_ == State::kEnded; }

 private:
    enum class State { kFirst, kMore, kEnded, kNoList };

    bool Fail() {
        state_ = State::kNoList;
        return false;
    }
    void SkipBlanks();

    std::string_view rest_;
    State state_ = State::kFirst;
};

// Decodes into `to`, which has room for raw.size() bytes; returns the length, or kMalformed.
std::size_t DecodeTag(std::string_view raw, char* to);
inline constexpr std::size_t kMalformed = static_cast<std::size_t>(-1);

// Whether all of a comment's content is a list of tags.
bool IsTagList(std::string_view content);

}  // namespace bemi

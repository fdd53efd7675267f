// The tags of a comment in sqlcommenter's form, as programs really write them: key='value', with
// keys and values percent-encoded. Splits a comment into tags and decodes them; what a tag may hold
// beyond that is for others to judge. One that can't be read says why, and leaves the others as
// they are: a stranger may have chosen it. Must never take for tags what is prose, a hint or a
// statement's commented-out piece. Knows no server header, so that a fuzzer can drive it.
//
//   list    = tag *("," tag)                 blanks around each; one whole quoted tag at least
//   tag     = key "=" value
//   key     = 1*(letter / digit / any of % + - _ . ~ ! ( ))
//   value   = "'" *byte "'"                  closed by a quote with a comma or the end behind it
//           / 1*(letter / digit / any of + - _ .)      a number or a truth value, as Python has it
//
// In a value, \' and '' are a quote. A quote that does not close is one, too, and where there is
// one, the writer escapes none, so that a backslash is a backslash. Any other key without blanks,
// comma or "=", a value that is not closed, and one that looks like tags of its own (a quote behind
// "=") are tags that can't be read.
#pragma once

#include <cstddef>
#include <string_view>

namespace bemi {

struct Tag {
    std::string_view key;  // as they are written: DecodeTag reads them
    std::string_view value;
    bool is_quoted;
    const char* problem;  // why it can't be read, nullptr if it can
};

class TagList {
 public:
    // The content of a comment, without its delimiters.
    explicit TagList(std::string_view content) : rest_(content) {
        if (!content.empty() && content[0] == '+')  // a hint of pg_hint_plan
            state_ = State::kNoList;
    }

    // True with the next tag; false at the end, or where this is no list of tags (is_list says
    // which).
    bool Next(Tag* tag);
    // After Next has returned false: whether all of the content was a list.
    bool is_list() const { return state_ == State::kEnded && has_whole_; }

 private:
    enum class State { kFirst, kMore, kEnded, kNoList };

    bool Fail() {
        state_ = State::kNoList;
        return false;
    }
    void SkipBlanks();
    bool TakeKey(Tag* tag);
    bool TakeBare(Tag* tag);
    void TakeQuoted(Tag* tag);

    std::string_view rest_;
    State state_ = State::kFirst;
    bool has_whole_ = false;
};

// Decodes into `to`, which has room for raw.size() bytes; returns the length, or kMalformed. %% in
// front of two digits is %: whoever sends parameters of Python or PHP doubles it. + is a blank:
// those who write a plus write %2B.
std::size_t DecodeTag(std::string_view raw, char* to);
inline constexpr std::size_t kMalformed = static_cast<std::size_t>(-1);

// Whether all of a comment's content is a list of tags.
bool IsTagList(std::string_view content);

}  // namespace bemi

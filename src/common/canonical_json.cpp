// One pass over the text with a stack of open objects and arrays. An object whose keys are out of
// jsonb's order is put in order when it closes.
#include "canonical_json.hpp"

#include <algorithm>
#include <vector>

#include "json_number.hpp"
#include "json_text.hpp"

namespace bemi {

namespace {

struct Member {
    std::string key;
    size_t begin, end;  // of `"key": value` in what is written
};

// An array or object that is open.
struct Level {
    bool is_object;
    bool behind_value = false;
    size_t start;  // of what is written, behind its bracket
    std::vector<Member> members;
};

class Canonical {
 public:
    Canonical(std::string_view json, std::string* out) : json_(json), out_(out) {}
    void Write();

 private:
    [[noreturn]] void Fail() const { throw ValueError("not JSON"); }
    bool Closes() const { return json_[at_] == '}' || json_[at_] == ']'; }
    void SkipSpace();
    void Token();
    void Open(bool is_object);
    void Close(bool is_object);
    void Begin();
    void EndValue();
    void Key();
    std::string_view Literal();
    std::string_view Word();
    void String(std::string_view literal);
    void Order(Level* level);

    const std::string_view json_;
    std::string* const out_;
    size_t at_ = 0;
    std::vector<Level> levels_;
    bool done_ = false, key_was_read_ = false;
};

void Canonical::SkipSpace() {
    while (at_ < json_.size() &&
           (json_[at_] == ' ' || json_[at_] == '\n' || json_[at_] == '\r' || json_[at_] == '\t'))
        ++at_;
}

// The literal of a string, quotes included.
std::string_view Canonical::Literal() {
    const size_t start = at_++;
    while (at_ < json_.size() && json_[at_] != '"')
        at_ += json_[at_] == '\\' ? 2 : 1;
    if (at_ >= json_.size())
        Fail();
    return json_.substr(start, ++at_ - start);
}

std::string_view Canonical::Word() {
    const size_t start = at_;
    while (at_ < json_.size() && (json::IsNumberByte(json_[at_]) || (json_[at_] | 0x20) >= 'a') &&
           json_[at_] != '}' && json_[at_] != ']')
        ++at_;
    return json_.substr(start, at_ - start);
}

void Canonical::String(std::string_view literal) {
    if (literal.find('\\') == std::string_view::npos) {
        out_->append(literal);
        return;
    }
    std::string text;
    AppendUnescaped(literal, &text);
    AppendJsonString(text, false, out_);
}

// What stands before a value: a comma between elements; a member's key has brought it.
void Canonical::Begin() {
    if (done_ || (!levels_.empty() && levels_.back().is_object && !key_was_read_))
        Fail();
    if (!levels_.empty() && !levels_.back().is_object && levels_.back().behind_value)
        out_->append(", ");
    key_was_read_ = false;
}

void Canonical::EndValue() {
    if (levels_.empty()) {
        done_ = true;
        return;
    }
    levels_.back().behind_value = true;
    if (levels_.back().is_object)
        levels_.back().members.back().end = out_->size();
}

void Canonical::Key() {
    Level& level = levels_.back();
    const std::string_view literal = Literal();
    if (level.behind_value)
        out_->append(", ");
    level.members.push_back({{}, out_->size(), 0});
    AppendUnescaped(literal, &level.members.back().key);
    String(literal);
    out_->append(": ");
    SkipSpace();
    if (at_ == json_.size() || json_[at_] != ':')
        Fail();
    ++at_;
    key_was_read_ = true;
}

void Canonical::Open(bool is_object) {
    Begin();
    out_->push_back(json_[at_++]);
    levels_.push_back({is_object, false, out_->size(), {}});
}

void Canonical::Close(bool is_object) {
    if (levels_.empty() || levels_.back().is_object != is_object || key_was_read_)
        Fail();
    if (is_object)
        Order(&levels_.back());
    levels_.pop_back();
    out_->push_back(json_[at_++]);
    EndValue();
}

// Members in jsonb's order, where they are not yet.
void Canonical::Order(Level* level) {
    std::vector<Member>& members = level->members;
    auto before = [](const Member& a, const Member& b) { return KeyIsBefore(a.key, b.key); };
    auto wrong = [&](const Member& a, const Member& b) { return !before(a, b); };
    if (std::adjacent_find(members.begin(), members.end(), wrong) == members.end())
        return;
    std::stable_sort(members.begin(), members.end(), before);
    std::string ordered;
    for (size_t i = 0; i < members.size(); ++i) {
        if (i + 1 < members.size() && members[i].key == members[i + 1].key)
            continue;
        ordered.append(ordered.empty() ? "" : ", ");
        ordered.append(*out_, members[i].begin, members[i].end - members[i].begin);
    }
    out_->replace(level->start, std::string::npos, ordered);
}

void Canonical::Token() {
    const char c = json_[at_];
    const bool in_object = !levels_.empty() && levels_.back().is_object;
    if (c == '{' || c == '[')
        return Open(c == '{');
    if (c == '}' || c == ']')
        return Close(c == '}');
    if (c == ',') {
        if (levels_.empty() || !levels_.back().behind_value || key_was_read_)
            Fail();
        ++at_;
        return;
    }
    if (c == '"' && in_object && !key_was_read_)
        return Key();
    Begin();
    if (c == '"') {
        String(Literal());
        return EndValue();
    }
    const std::string_view word = Word();
    if (word == "null" || word == "true" || word == "false")
        out_->append(word);
    else
        AppendCanonicalNumber(word, out_);
    EndValue();
}

void Canonical::Write() {
    for (SkipSpace(); at_ < json_.size(); SkipSpace())
        Token();
    if (!done_)
        Fail();
}

}  // namespace

void AppendCanonicalJson(std::string_view json, std::string* out) {
    Canonical(json, out).Write();
}

bool KeyIsBefore(std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
}

void AppendCanonicalNumber(std::string_view number, std::string* out) {
    json::NumberParts parts;
    if (!json::SplitNumber(number, &parts) || !json::InRangeOfNumeric(parts))
        throw ValueError("not a number of JSON that numeric has");
    const bool zero = number.find_first_of("123456789") >= number.find_first_of("eE");
    if (parts.exponent == 0 && number.find_first_of("eE") == std::string_view::npos) {
        out->append(zero && parts.negative ? number.substr(1) : number);
        return;
    }
    std::string digits;
    digits.append(parts.integer).append(parts.fraction);
    // Where the point stands among the digits, and how many of them are shown behind it.
    int64_t point = static_cast<int64_t>(parts.integer.size()) + parts.exponent;
    const auto scale =
        std::max<int64_t>(static_cast<int64_t>(parts.fraction.size()) - parts.exponent, 0);
    if (zero) {
        digits.assign(static_cast<size_t>(scale) + 1, '0');
        point = 1;
    }
    if (point <= 0) {
        digits.insert(0, static_cast<size_t>(1 - point), '0');
        point = 1;
    }
    if (point > static_cast<int64_t>(digits.size()))
        digits.append(static_cast<size_t>(point) - digits.size(), '0');
    const size_t leading = std::min(digits.find_first_not_of('0'), static_cast<size_t>(point) - 1);
    if (parts.negative && !zero)
        out->push_back('-');
    out->append(digits, leading, static_cast<size_t>(point) - leading);
    if (scale > 0)
        out->append(".").append(digits, static_cast<size_t>(point), static_cast<size_t>(scale));
}

}  // namespace bemi

// One pass over JSON of the simplest kind, which most contexts are: no escapes, nothing beyond
// ASCII, no exponents. Gives up on everything else, also on what is no JSON: that is the Reader's.

#include "bemi/json_check.hpp"

namespace bemi {

namespace {

constexpr std::size_t kShort = 4096;  // bytes; no number in so few is out of numeric's range
constexpr int kLevels = 64;           // a bit for each

bool IsDigit(char c) {
    return c >= '0' && c <= '9';
}
bool IsPlain(char c) {
    return c >= ' ' && c < '\x7F' && c != '"' && c != '\\';
}

class SimpleJson {
 public:
    SimpleJson(std::string_view text, char* to, int max_depth)
        : next_(text.data()),
          end_(text.data() + text.size()),
          to_(to),
          max_depth_(max_depth < kLevels ? max_depth : kLevels) {}

    // Where the copy without white space ends; nullptr for what is not so simple.
    char* Copy() {
        while (SkipBlanks()) {
            if (!CopyToken())
                return nullptr;
        }
        return depth_ == 0 && expected_ == Expected::kEndOfValue ? to_ : nullptr;
    }

 private:
    enum class Expected { kValue, kValueOrEnd, kKey, kKeyOrEnd, kEndOfValue };

    bool SkipBlanks() {
        while (next_ < end_ &&
               (*next_ == ' ' || *next_ == '\n' || *next_ == '\r' || *next_ == '\t'))
            next_++;
        return next_ < end_;
    }

    bool CopyToken() {
        switch (*next_) {
            case '{':
            case '[':
                return Open(*next_ == '{');
            case '}':
            case ']':
                return Close(*next_ == '}');
            case ',':
                return Comma();
            case '"':
                return expected_ == Expected::kKey || expected_ == Expected::kKeyOrEnd
                           ? CopyKey()
                           : TakeValue() && CopyString();
            default:
                return TakeValue() && CopyScalar();
        }
    }

    bool InObject() const { return depth_ > 0 && (objects_ & 1) != 0; }
    void Put() { *to_++ = *next_++; }

    bool TakeValue() {
        if (expected_ != Expected::kValue && expected_ != Expected::kValueOrEnd)
            return false;
        expected_ = Expected::kEndOfValue;
        return true;
    }

    bool Open(bool is_object) {
        if (!TakeValue() || depth_ == max_depth_)
            return false;
        depth_++;
        objects_ = objects_ << 1 | (is_object ? 1 : 0);
        expected_ = is_object ? Expected::kKeyOrEnd : Expected::kValueOrEnd;
        Put();
        return true;
    }

    bool Close(bool is_object) {
        const Expected empty = is_object ? Expected::kKeyOrEnd : Expected::kValueOrEnd;
        if (depth_ == 0 || InObject() != is_object ||
            (expected_ != Expected::kEndOfValue && expected_ != empty))
            return false;
        depth_--;
        objects_ >>= 1;
        expected_ = Expected::kEndOfValue;
        Put();
        return true;
    }

    bool Comma() {
        if (depth_ == 0 || expected_ != Expected::kEndOfValue)
            return false;
        expected_ = InObject() ? Expected::kKey : Expected::kValue;
        Put();
        return true;
    }

    bool CopyKey() {
        if (!CopyString() || !SkipBlanks() || *next_ != ':')
            return false;
        expected_ = Expected::kValue;
        Put();
        return true;
    }

    bool CopyString() {
        Put();
        while (next_ < end_ && IsPlain(*next_))
            Put();
        if (next_ == end_ || *next_ != '"')
            return false;
        Put();
        return true;
    }

    bool CopyScalar() {
        switch (*next_) {
            case 't':
                return CopyWord("true");
            case 'f':
                return CopyWord("false");
            case 'n':
                return CopyWord("null");
            default:
                return CopyNumber();
        }
    }

    bool CopyWord(std::string_view word) {
        for (const char c : word) {
            if (next_ == end_ || *next_ != c)
                return false;
            Put();
        }
        return true;
    }

    // What may follow a number and doesn't (an exponent, another digit behind a leading zero) is
    // no token of its own, so that the next one ends the attempt.
    bool CopyNumber() {
        if (*next_ == '-')
            Put();
        if (next_ < end_ && *next_ == '0')
            Put();
        else if (!CopyDigits())
            return false;
        if (next_ == end_ || *next_ != '.')
            return true;
        Put();
        return CopyDigits();
    }

    bool CopyDigits() {
        const char* const start = next_;
        while (next_ < end_ && IsDigit(*next_))
            Put();
        return next_ > start;
    }

    const char* next_;
    const char* const end_;
    char* to_;
    const int max_depth_;
    int depth_ = 0;
    std::uint64_t objects_ = 0;  // per open level, whether it is an object: the innermost is bit 0
    Expected expected_ = Expected::kValue;
};

}  // namespace

bool WriteSimpleJson(JsonStream& out, std::string_view text, int max_depth) {
    if (text.size() > kShort)
        return false;
    const char* const end = SimpleJson(text, out.Reserve(text.size()), max_depth).Copy();
    if (end == nullptr)
        return false;
    out.SetEnd(end);
    return true;
}

}  // namespace bemi

// The checker of untrusted JSON is rapidjson's Reader, driving our Writer.
//
// The Reader reads numbers by way of a double even when it is asked for their text, and refuses
// those beyond a double's range, which jsonb takes. So long numbers and those with an exponent are
// checked here first, and stand as a 0 followed by blanks in the copy that the Reader sees; what is
// written is always the original's text.

#include <cstring>
#include <new>

#include "bemi/json_check.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"
#include "json_number.hpp"

namespace bemi {

namespace {

// What the Reader reports goes to the Writer, unless jsonb would not have it.
class CheckingHandler {
 public:
    CheckingHandler(JsonWriter& writer, const char* copy, std::string_view original, int max_depth)
        : writer_(writer), copy_(copy), original_(original), max_depth_(max_depth) {}

    const char* refusal() const { return refusal_; }

    bool Null() { return writer_.Null(); }
    bool Bool(bool value) { return writer_.Bool(value); }
    // Never called: numbers are asked for as text.
    bool Int(int) { return false; }
    bool Uint(unsigned) { return false; }
    bool Int64(std::int64_t) { return false; }
    bool Uint64(std::uint64_t) { return false; }
    bool Double(double) { return false; }

    bool RawNumber(const char* text, rapidjson::SizeType, bool) {
        const std::string_view rest = Behind(original_, static_cast<std::size_t>(text - copy_));
        std::size_t length = 0;
        while (length < rest.size() && json::IsNumberByte(rest[length]))
            length++;
        return writer_.RawNumber(rest.data(), static_cast<rapidjson::SizeType>(length));
    }
    bool String(const char* text, rapidjson::SizeType length, bool) {
        return IsJsonbText(text, length) && writer_.String(text, length);
    }
    bool Key(const char* text, rapidjson::SizeType length, bool) {
        return IsJsonbText(text, length) && writer_.Key(text, length);
    }
    bool StartObject() { return Descend() && writer_.StartObject(); }
    bool EndObject(rapidjson::SizeType) {
        depth_--;
        return writer_.EndObject();
    }
    bool StartArray() { return Descend() && writer_.StartArray(); }
    bool EndArray(rapidjson::SizeType) {
        depth_--;
        return writer_.EndArray();
    }

 private:
    bool Refuse(const char* reason) {
        refusal_ = reason;
        return false;
    }
    bool Descend() {
        return ++depth_ <= max_depth_ ||
               Refuse(psprintf("nested deeper than %d levels", max_depth_));
    }
    // The Reader decodes \u0000, and a lone low surrogate into the three bytes that UTF-8 forbids.
    bool IsJsonbText(const char* text, std::size_t length) {
        if (std::memchr(text, '\0', length) != nullptr)
            return Refuse("\\u0000 cannot be converted to text");
        const char* const end = text + length;
        for (const char* p = text; (p = static_cast<const char*>(
                                        std::memchr(p, 0xED, static_cast<std::size_t>(end - p))));
             p++) {
            if (p + 1 < end && static_cast<unsigned char>(p[1]) >= 0xA0)
                return Refuse("Unicode low surrogate must follow a high surrogate");
        }
        return true;
    }

    JsonWriter& writer_;
    const char* const copy_;
    const std::string_view original_;
    const int max_depth_;
    int depth_ = 0;
    const char* refusal_ = nullptr;
};

// As a phrase: rapidjson's own are sentences.
const char* ParseError(const rapidjson::ParseResult& result) {
    std::string_view reason = rapidjson::GetParseError_En(result.Code());
    if (!reason.empty() && reason.back() == '.')
        reason.remove_suffix(1);
    return psprintf("not JSON at byte %zu: %.*s", result.Offset() + 1,
                    static_cast<int>(reason.size()), reason.data());
}

}  // namespace

const char* WriteCheckedJson(JsonStream& out, std::string_view text, int max_depth) {
    using Reader = rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, JsonArena>;
    constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                                rapidjson::kParseValidateEncodingFlag |
                                rapidjson::kParseNumbersAsStringsFlag;
    if (WriteSimpleJson(out, text, max_depth))
        return nullptr;
    if (text.find('\0') != std::string_view::npos)
        return "contains a NUL byte";
    // The Reader takes the bytes that a character should have, also where the text ends before it.
    constexpr std::size_t kLongestCharacter = 4;
    char* const copy = static_cast<char*>(
        MemoryContextAllocHuge(CurrentMemoryContext, text.size() + kLongestCharacter));
    std::memcpy(copy, text.data(), text.size());
    std::memset(copy + text.size(), 0, kLongestCharacter);
    if (!json::HideLongNumbers(copy, text.size())) {
        pfree(copy);
        return "a number is out of range for type numeric";
    }

    // Levels of the Writer, and the Reader's states and counters; both grow by copying.
    const std::size_t arena_size = 4096 + 8 * JsonWriter::ArenaSize(max_depth);
    char* const block = static_cast<char*>(palloc(arena_size));
    JsonArena arena(block, arena_size);
    const std::size_t start = out.length();
    JsonWriter* writer = new (palloc(sizeof(JsonWriter))) JsonWriter(out, &arena, max_depth);
    Reader* reader = new (palloc(sizeof(Reader))) Reader(&arena, 1024);
    CheckingHandler handler(*writer, copy, text, max_depth);
    rapidjson::InsituStringStream stream(copy);
    const rapidjson::ParseResult result = reader->Parse<kFlags>(stream, handler);

    const char* error = nullptr;
    if (result.IsError() && handler.refusal() != nullptr)
        error = handler.refusal();
    else if (result.IsError())
        error = ParseError(result);
    else if (stream.Tell() != text.size())
        error = psprintf("not JSON at byte %zu", stream.Tell() + 1);
    if (error != nullptr && !out.overflowed())
        out.Rewind(start);
    pfree(copy);
    pfree(block);
    return error;
}

}  // namespace bemi

// Bytes of JSON on a StringInfo: a stream with a limit, the escaping of strings, and rapidjson's
// Writer on top of them.
//
// A stream that meets its limit drops what was written since the last mark, raises `overflowed`
// and goes on taking bytes in constant memory; whoever set the mark looks at the flag afterwards.
// A writer that cannot express a value sets `failure`. Neither is ever an ERROR.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "bemi/json.hpp"
#include "bemi/pg.hpp"

namespace bemi {

class JsonStream {
 public:
    using Ch = char;  // rapidjson's OutputStream concept

    // Allocates in `memory`, where the stream's bytes stay; `ascii_only` writes all else as \uXXXX.
    void Init(MemoryContext memory, bool ascii_only);
    // Empties the stream, and gives memory back after an unusually large use.
    void Clear();
    // Gives the bytes away and takes those of `other`, which has to go on where the stream's are.
    void Exchange(StringInfo other) {
        const StringInfoData taken = *other;
        *other = buffer_;
        buffer_ = taken;
    }

    std::size_t length() const { return static_cast<std::size_t>(buffer_.len); }
    char* data() { return buffer_.data; }
    std::string_view view() const { return {buffer_.data, length()}; }
    bool ascii_only() const { return ascii_only_; }

    // The stream may hold `limit` bytes, at most kMaxLength.
    void SetLimit(std::size_t limit) { limit_ = limit < kMaxLength ? limit : kMaxLength; }
    // What comes now can be dropped on its own. That the limit was passed is not forgotten.
    void Mark() {
        mark_ = buffer_.len;
        failure_ = nullptr;
    }
    // The same for a new attempt: what overflowed before is over.
    void Restart() {
        Mark();
        overflowed_ = false;
    }
    void Rewind(std::size_t length) { buffer_.len = static_cast<int>(length); }

    // True once the limit is passed: a loop may stop early, its value is lost anyway.
    bool overflowed() const { return overflowed_ || length() > limit_; }
    // Whether what came since the mark is whole.
    bool succeeded() const { return failure_ == nullptr && !overflowed(); }
    // Why the value could not be written, nullptr if it could; text that outlives the row.
    const char* failure() const { return failure_; }
    void Fail(const char* reason) { failure_ = reason; }

    // Room for `size` bytes to be written at the end; for sizes that are not known to be small,
    // ask Fits first.
    char* Reserve(std::size_t size) {
        if (__builtin_expect(size >= static_cast<std::size_t>(buffer_.maxlen - buffer_.len), 0))
            Grow(size);
        return buffer_.data + buffer_.len;
    }
    void SetEnd(const char* end) { buffer_.len = static_cast<int>(end - buffer_.data); }
    // False, with what came since the mark dropped, where `size` more bytes pass the limit.
    bool Fits(std::size_t size) {
        if (__builtin_expect(size <= limit_ && length() <= limit_ - size, 1))
            return true;
        Overflow();
        return false;
    }

    void Append(const char* bytes, std::size_t size) {
        if (size > kSmall && !Fits(size))
            return;
        std::memcpy(Reserve(size), bytes, size);
        buffer_.len += static_cast<int>(size);
    }
    void Append(std::string_view bytes) { Append(bytes.data(), bytes.size()); }
    // The same for a short text that PadText has made: whole blocks are copied, without a call.
    void AppendPadded(std::string_view text) {
        char* to = Reserve(text.size() + kPadding);
        for (std::size_t i = 0; i < text.size(); i += kPadding)
            std::memcpy(to + i, text.data() + i, kPadding);
        buffer_.len += static_cast<int>(text.size());
    }
    // Once more what is in the stream from `start` on.
    void Repeat(std::size_t start, std::size_t size) {
        if (size > kSmall && !Fits(size))
            return;
        char* const to = Reserve(size);
        std::memcpy(to, buffer_.data + start, size);
        buffer_.len += static_cast<int>(size);
    }
    void Put(char byte) {
        *Reserve(1) = byte;
        buffer_.len++;
    }
    void Flush() {}

    static constexpr std::size_t kPadding = 16;

    // A StringInfo ends at 1 GB: no small Reserve behind the limit may come near that.
    static constexpr std::size_t kMaxLength = 900u << 20;

 private:
    static constexpr std::size_t kSmall = 8192;

    void Overflow();
    void Grow(std::size_t size);

    StringInfoData buffer_;
    MemoryContext memory_;
    std::size_t limit_;
    int mark_;
    bool ascii_only_;
    bool overflowed_;
    const char* failure_;
};

// rapidjson's hook: reserve once for a number or a literal instead of a check per byte.
inline void PutReserve(JsonStream& stream, std::size_t count) {
    stream.Reserve(count);
}

// A copy of what was written so far in the current memory context, which can be read in whole
// blocks of kPadding bytes; the stream is freed.
std::string_view PadText(JsonStream& out);

// A quoted JSON string of text in UTF-8; invalid text sets the stream's failure.
void WriteUtf8String(JsonStream& out, const char* text, std::size_t length);
inline void WriteUtf8String(JsonStream& out, std::string_view text) {
    WriteUtf8String(out, text.data(), text.size());
}
void WriteInteger(JsonStream& out, std::int64_t number);
void WriteUnsigned(JsonStream& out, std::uint64_t number);

// rapidjson's Writer with our strings. Not trivially destructible: make it with placement new in
// memory that a context owns, and never destroy it.
class JsonWriter
    : public rapidjson::Writer<JsonStream, rapidjson::UTF8<>, rapidjson::UTF8<>, JsonArena> {
 public:
    // Memory that the levels of `depth` nested containers take in the arena.
    static constexpr std::size_t ArenaSize(int depth) {
        return (static_cast<std::size_t>(depth) + 2) * sizeof(Level) + 16;
    }

    JsonWriter(JsonStream& out, JsonArena* arena, int depth)
        : Writer(out, arena, static_cast<std::size_t>(depth) + 2) {}

    bool String(const char* text, rapidjson::SizeType length, bool copy = false) {
        (void)copy;
        Prefix(rapidjson::kStringType);
        WriteUtf8String(*os_, text, length);
        return EndValue(true);
    }
    bool String(std::string_view text) {
        return String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    }
    bool Key(const char* text, rapidjson::SizeType length, bool copy = false) {
        return String(text, length, copy);
    }
    bool Key(std::string_view text) { return String(text); }
    bool RawNumber(const char* text, rapidjson::SizeType length, bool copy = false) {
        (void)copy;
        Prefix(rapidjson::kNumberType);
        os_->Append(text, length);
        return EndValue(true);
    }
};

}  // namespace bemi

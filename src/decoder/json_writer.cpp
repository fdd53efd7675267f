// Growth and limit of the stream.

#include "digits.hpp"

#include "bemi/json_writer.hpp"

namespace bemi {

void JsonAssertionFailed() {
    elog(ERROR, "assertion of the JSON library failed");
}

void JsonStream::Init(MemoryContext memory, bool ascii_only) {
    MemoryContext previous = MemoryContextSwitchTo(memory);
    initStringInfo(&buffer_);
    MemoryContextSwitchTo(previous);
    memory_ = memory;
    ascii_only_ = ascii_only;
    SetLimit(kMaxLength);
    Restart();
}

void JsonStream::Clear() {
    constexpr int kKept = 1 << 20;
    if (buffer_.maxlen > kKept) {
        pfree(buffer_.data);
        Init(memory_, ascii_only_);
    }
    resetStringInfo(&buffer_);
    Restart();
}

void JsonStream::Overflow() {
    overflowed_ = true;
    buffer_.len = mark_;
}

void JsonStream::Grow(std::size_t size) {
    // A value that has passed the limit is lost: its bytes go around in what is there already.
    if (length() > limit_)
        Overflow();
    enlargeStringInfo(&buffer_, static_cast<int>(size));
}

std::string_view PadText(JsonStream& out) {
    constexpr std::size_t kPadding = JsonStream::kPadding;
    const std::size_t length = out.length();
    char* const text = static_cast<char*>(palloc0((length + kPadding - 1) / kPadding * kPadding));
    std::memcpy(text, out.data(), length);
    pfree(out.data());
    return {text, length};
}

void WriteInteger(JsonStream& out, std::int64_t number) {
    char* to = out.Reserve(MAXINT8LEN);
    std::uint64_t magnitude = static_cast<std::uint64_t>(number);
    if (number < 0) {
        *to++ = '-';
        magnitude = 0 - magnitude;
    }
    out.SetEnd(PutUnsigned(to, magnitude));
}

void WriteUnsigned(JsonStream& out, std::uint64_t number) {
    out.SetEnd(PutUnsigned(out.Reserve(MAXINT8LEN), number));
}

}  // namespace bemi

// Checking a context.

#include "bemi/context.hpp"
#include "bemi/json_check.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"

namespace bemi {

namespace {

constexpr std::size_t kExcerpt = 1000;  // characters

}  // namespace

const char* WriteCanonicalContext(JsonStream& out, std::string_view message,
                                  const TextEncoding& encoding, std::size_t max_size) {
    if (message.size() > max_size)
        return psprintf("longer than max_context_size: %zu bytes", message.size());
    if (message.empty())
        return "empty";
    if (message.find('\0') != std::string_view::npos)
        return "contains a NUL byte";
    const Utf8Text text = ToUtf8(encoding, message);
    if (!text.valid ||
        !pg_verify_mbstr(PG_UTF8, text.text.data(), static_cast<int>(text.text.size()), true))
        return "invalid byte sequence for the encoding";
    const std::size_t start = out.length();
    if (const char* error = WriteCheckedJson(out, text.text, wire::kMaxContextDepth))
        return error;
    const std::string_view canonical = Behind(out.view(), start);
    if (canonical.size() > wire::kSmallJson && JsonbSize(canonical) > wire::kMaxJsonbBytes)
        return "too large for type jsonb";
    return nullptr;
}

void WriteContext(JsonStream& out, std::string_view message, const TextEncoding& encoding,
                  std::size_t max_size) {
    constexpr std::string_view kNull = "null";
    const std::size_t start = out.length();
    out.Append(First(kNoContext, kNoContext.size() - 2));
    const std::size_t value = out.length();
    const char* error = WriteCanonicalContext(out, message, encoding, max_size);
    if (error == nullptr && Behind(out.view(), value) != kNull)
        return;
    out.Rewind(start);
    out.Append(kNoContext);
    if (error == nullptr)
        return;
    out.Append(",\"context_error\":");
    const std::string_view excerpt = Printable(encoding, message, kExcerpt);
    WriteUtf8String(out,
                    psprintf("%s: %.*s", error, static_cast<int>(excerpt.size()), excerpt.data()));
}

}  // namespace bemi

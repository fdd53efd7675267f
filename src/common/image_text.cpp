// Keys and texts to compare, out of values that are JSON already.
#include "image_text.hpp"

#include "bemi/wire.hpp"
#include "canonical_json.hpp"

namespace bemi {

namespace {

// The decoder writes no longer one.
constexpr size_t kMaxKey = 1 << 20;

// One JSON value that is no string, and `null` for jsonb's null.
bool AppendText(std::string_view json, std::string* key) {
    if (json == "null")
        return false;
    if (json.front() == '"')
        AppendUnescaped(json, key);
    else
        key->append(json);
    return true;
}

bool IsText(const ValueType& type) {
    return type.kind == ValueType::Kind::kString;
}

}  // namespace

void AppendCanonicalValue(const ValueType& type, std::string_view text, const JsonOptions& options,
                          std::string* out) {
    using Kind = ValueType::Kind;
    switch (type.kind) {
        case Kind::kString:
        case Kind::kBool:
        case Kind::kBigint:
        case Kind::kNumeric:
        case Kind::kTimestamp:
        case Kind::kTimestampTz:
            return AppendJson(type, text, options, out);
        case Kind::kJsonb:
            // So short a text is not nested too deeply, and is jsonb's own already.
            if (text.size() <= static_cast<size_t>(wire::kMaxJsonbDepth)) {
                out->append(text);
                return;
            }
            break;
        default:
            break;
    }
    std::string json;
    AppendJson(type, text, options, &json);
    AppendCanonicalJson(json, out);
}

bool MakeKey(const std::vector<KeyValue>& values, std::string* key) {
    key->clear();
    for (const KeyValue& value : values) {
        if (value.text.data() == nullptr)
            return false;
    }
    if (values.empty())
        return false;
    if (values.size() == 1 && IsText(*values.front().type)) {
        if (!IsUtf8(values.front().text))
            throw ValueError("invalid byte sequence for encoding \"UTF8\"");
        key->assign(values.front().text);
    } else if (values.size() == 1) {
        std::string json;
        AppendCanonicalValue(*values.front().type, values.front().text, {}, &json);
        if (!AppendText(json, key))
            return false;
    } else {
        for (const KeyValue& value : values) {
            key->append(key->empty() ? "[" : ", ");
            AppendCanonicalValue(*value.type, value.text, {}, key);
        }
        key->push_back(']');
    }
    if (key->size() <= kMaxKey)
        return true;
    key->clear();
    return false;
}

}  // namespace bemi

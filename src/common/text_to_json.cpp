// One writer for each kind of type. What the decoder writes for the same value is the oracle:
// t/130_images.pl.
#include "text_to_json.hpp"

#include "text_containers.hpp"

namespace bemi {

namespace {

void AppendQuoted(std::string_view text, std::string* out) {
    out->append("\"").append(text).append("\"");
}

// jsonb takes NaN and the infinities as strings only.
void AppendNumber(std::string_view text, bool quoted, std::string* out) {
    if (text.empty())
        throw ValueError("not the text of a number");
    if (quoted || text.back() == 'N' || text.back() == 'y')
        AppendQuoted(text, out);
    else
        out->append(text);
}

void AppendBool(std::string_view text, std::string* out) {
    if (text != "t" && text != "f")
        throw ValueError("not the text of a bool");
    out->append(text == "t" ? "true" : "false");
}

// `2026-01-02 03:04:05.6+00 BC`: a T for the blank, and the minutes of the zone, as in XML.
void AppendTimestamp(std::string_view text, bool has_zone, std::string* out) {
    const size_t blank = text.find(' ');
    if (blank == std::string_view::npos) {
        if (text != "infinity" && text != "-infinity")
            throw ValueError("not the text of a timestamp");
        return AppendQuoted(text, out);
    }
    const std::string_view time = text.substr(blank + 1);
    const size_t end = has_zone ? time.find("+00") : time.find(' ');
    if (has_zone &&
        (end == std::string_view::npos || (end + 3 < time.size() && time[end + 3] != ' ')))
        throw ValueError("not the text of a timestamp in UTC");
    out->append("\"").append(text.substr(0, blank)).append("T").append(time.substr(0, end));
    if (has_zone)
        out->append("+00:00").append(time.substr(end + 3));
    else if (end != std::string_view::npos)
        out->append(time.substr(end));
    out->append("\"");
}

}  // namespace

void AppendJson(const ValueType& type, std::string_view text, const JsonOptions& options,
                std::string* out) {
    using Kind = ValueType::Kind;
    switch (type.kind) {
        case Kind::kString:
            return AppendJsonString(text, options.ascii, out);
        case Kind::kBool:
            return AppendBool(text, out);
        case Kind::kNumber:
            return AppendNumber(text, false, out);
        case Kind::kBigint:
            return AppendNumber(text, options.quote_bigint, out);
        case Kind::kNumeric:
            return AppendNumber(text, options.quote_numeric, out);
        case Kind::kTimestamp:
        case Kind::kTimestampTz:
            return AppendTimestamp(text, type.kind == Kind::kTimestampTz, out);
        case Kind::kJson:
            return AppendJsonValue(text, options.ascii, out);
        case Kind::kJsonb:
            return AppendJsonbValue(text, options.ascii, out);
        case Kind::kArray:
        case Kind::kVector:
        case Kind::kComposite:
            return AppendContainer(type, text, options, out);
        case Kind::kTooDeep:
            break;
    }
    throw ValueError("type is nested too deeply");
}

std::string FromSqlAscii(std::string_view text) {
    std::string converted, ignored;
    while (!text.empty()) {
        const auto byte = static_cast<unsigned char>(text[0]);
        size_t length = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
        bool valid = byte < 0x80;
        if (byte >= 0xC0 && length <= text.size()) {
            valid = IsUtf8(text.substr(0, length));
        }
        if (valid) {
            converted.append(text.substr(0, length));
        } else {
            length = 1;
            converted.push_back(static_cast<char>(0xC0 | byte >> 6));
            converted.push_back(static_cast<char>(0x80 | (byte & 0x3F)));
        }
        text.remove_prefix(length);
    }
    return converted;
}

}  // namespace bemi

#include "copy_row.hpp"

#include "bemi/wire.hpp"

namespace bemi::ingest {

namespace {

constexpr int16_t kColumns = 17;
constexpr char kJsonbVersion = 1;

void AppendInt32(int32_t value, std::string* out) {
    auto bits = static_cast<uint32_t>(value);
    char bytes[4];
    for (int i = 3; i >= 0; --i, bits >>= 8)
        bytes[i] = static_cast<char>(bits);
    out->append(bytes, sizeof bytes);
}

void AppendText(std::string_view escaped, std::string* out) {
    if (escaped.data() == nullptr)
        return AppendNull(out);
    if (escaped.find('\\') == std::string_view::npos)
        return AppendBytes(escaped, out);
    std::string text;
    Unescape(escaped, &text);
    AppendBytes(text, out);
}

// A MESSAGE belongs to no table; the columns that name one are not null.
void AppendName(std::string_view escaped, std::string* out) {
    AppendText(escaped.data() == nullptr ? std::string_view("") : escaped, out);
}

// A key of the record; where no index could hold it, null, and `long_keys` gets it as JSON.
void AppendKey(std::string_view name, std::string_view escaped, std::string* long_keys,
               std::string* out) {
    if (escaped.size() <= kLongestKey)  // unescaped it is no longer
        return AppendText(escaped, out);
    std::string key;
    Unescape(escaped, &key);
    if (key.size() <= kLongestKey)
        return AppendBytes(key, out);
    AppendNull(out);
    long_keys->append(",\"").append(name).append("\":\"").append(escaped).append("\"");
}

// `long_keys`: members with a comma before each.
void AppendDetails(const Record& record, const std::string& long_keys, std::string* out) {
    if (record.detail_count == 0 && long_keys.empty())
        return AppendNull(out);
    std::string text;
    for (int i = 0; i < record.detail_count; ++i)
        text.append(",").append(record.details[i]);
    text += long_keys + "}";
    text[0] = '{';
    AppendJsonb(text, out);
}

}  // namespace

void AppendCount(int16_t columns, std::string* out) {
    out->push_back(static_cast<char>(columns >> 8));
    out->push_back(static_cast<char>(columns));
}

void AppendNull(std::string* out) {
    AppendInt32(-1, out);
}

void AppendBytes(std::string_view bytes, std::string* out) {
    AppendInt32(static_cast<int32_t>(bytes.size()), out);
    out->append(bytes);
}

void AppendJsonb(std::string_view text, std::string* out) {
    AppendInt32(static_cast<int32_t>(text.size() + 1), out);
    out->push_back(kJsonbVersion);
    out->append(text);
}

void AppendInt64(int64_t value, std::string* out) {
    AppendInt32(8, out);
    AppendInt32(static_cast<int32_t>(static_cast<uint64_t>(value) >> 32), out);
    AppendInt32(static_cast<int32_t>(value), out);
}

void AppendCopyHeader(std::string* out) {
    out->append("PGCOPY\n\377\r\n\0", 11);
    AppendInt32(0, out);  // flags
    AppendInt32(0, out);  // length of the header's extension
}

void AppendCopyRow(const Record& record, const RowFrame& frame, std::string* out) {
    AppendCount(kColumns, out);
    AppendBytes({reinterpret_cast<const char*>(frame.id.data()), frame.id.size()}, out);
    std::string long_keys;
    AppendKey(wire::kPrimaryKey, record.primary_key, &long_keys, out);
    AppendKey(wire::kPreviousKey, record.previous_key, &long_keys, out);
    AppendJsonb(record.before, out);
    AppendJsonb(record.after, out);
    AppendJsonb(record.context, out);
    AppendName(record.database, out);
    AppendName(record.schema, out);
    AppendName(record.table, out);
    AppendText(record.operation, out);
    AppendInt64(record.committed_at, out);
    AppendInt64(frame.queued_at, out);
    AppendInt64(static_cast<int64_t>(record.transaction_id), out);
    AppendInt64(static_cast<int64_t>(record.position), out);
    AppendInt64(static_cast<int64_t>(record.commit_position), out);
    AppendInt64(static_cast<int64_t>(frame.sequence), out);
    AppendDetails(record, long_keys, out);
}

void AppendCopyTrailer(std::string* out) {
    AppendCount(-1, out);
}

}  // namespace bemi::ingest

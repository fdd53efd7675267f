// Primary keys.

#include "bemi/key.hpp"

namespace bemi {

namespace {

// The image's value of a key column; false where it was not logged.
bool HasKeyValue(const Row& row, Image image, const KeyColumn& column) {
    return HasColumn(row, image, column.in_identity) && !row.nulls[image][column.attribute] &&
           !(column.value.length == -1 &&
             VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(row.values[image][column.attribute])));
}

bool HasKey(const Row& row, Image image) {
    const RelationPlan& plan = *row.plan;
    for (int i = 0; i < plan.key_count; i++) {
        if (!HasKeyValue(row, image, plan.key[i]))
            return false;
    }
    return plan.key_count > 0;
}

// A key of more bytes than this is not written: an index holds at most a third of a page, but jsonb
// may hold a short number there that is long to write.
constexpr std::size_t kMaxKey = 1u << 20;

void InitKeyStream(JsonStream& stream, bool ascii_only) {
    stream.Init(CurrentMemoryContext, ascii_only);
    stream.SetLimit(kMaxKey);
}

// What is behind a stream's failure or limit is the failure of the one that it was made for.
bool CheckKeyStream(const JsonStream& stream, JsonStream& out) {
    if (stream.failure() != nullptr || stream.overflowed())
        out.Fail(stream.failure() != nullptr ? stream.failure() : "key too long");
    return stream.failure() == nullptr && !stream.overflowed();
}

// The JSON of one key column as jsonb writes it: in UTF-8, with its own spacing and numbers.
void WriteKeyValue(JsonStream& out, Datum value, ValuePlan& plan) {
    if (plan.kind != JsonKind::kOther) {
        WriteValue(out, value, plan);
        return;
    }
    // Escapes become characters of the database again; SQL_ASCII has none beyond ASCII, but takes
    // any bytes.
    JsonStream json;
    InitKeyStream(json, plan.encoding->server != PG_SQL_ASCII);
    WriteValue(json, value, plan);
    if (!CheckKeyStream(json, out))
        return;
    json.Put('\0');
    Jsonb* jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data())));
    const char* text = JsonbToCString(nullptr, &jsonb->root, VARSIZE(jsonb));
    const Utf8Text converted = ToUtf8(*plan.encoding, text);
    if (!converted.valid)
        out.Fail("character with no equivalent in encoding \"UTF8\"");
    out.Append(converted.text);
}

void WriteKeyColumn(JsonStream& out, const Row& row, Image image, KeyColumn& column) {
    Datum value = row.values[image][column.attribute];
    const bool toasted = column.value.length == -1 && IsToasted(value);
    if (!toasted && !column.value.guarded && column.value.kind != JsonKind::kOther) {
        WriteValue(out, value, column.value);
        return;
    }
    auto write = [&] {
        if (toasted)
            value = PointerGetDatum(
                detoast_attr(reinterpret_cast<struct varlena*>(DatumGetPointer(value))));
        WriteKeyValue(out, value, column.value);
    };
    if (const char* error = RunCarefully(row, write))
        out.Fail(error);
}

// The text of a key of one column: what is a JSON string stays one, all else becomes one.
void WriteSingle(JsonStream& out, const Row& row, Image image) {
    KeyColumn& column = row.plan->key[0];
    if (column.value.kind == JsonKind::kString) {
        WriteKeyColumn(out, row, image, column);
        return;
    }
    if (column.value.kind == JsonKind::kPlain) {
        out.Put('"');
        WriteKeyColumn(out, row, image, column);
        out.Put('"');
        return;
    }
    JsonStream text;
    InitKeyStream(text, false);
    WriteKeyColumn(text, row, image, column);
    if (!CheckKeyStream(text, out))
        return;
    if (text.view() == std::string_view("null"))
        out.Fail("a null of JSON has no text");
    else if (text.length() > 0 && text.data()[0] == '"')
        out.Append(text.view());
    else
        WriteUtf8String(out, text.view());
}

void WriteComposed(JsonStream& out, const Row& row, Image image) {
    const RelationPlan& plan = *row.plan;
    JsonStream text;
    InitKeyStream(text, false);
    for (int i = 0; i < plan.key_count; i++) {
        text.Append(i == 0 ? std::string_view("[") : std::string_view(", "));
        WriteKeyColumn(text, row, image, plan.key[i]);
    }
    text.Put(']');
    if (CheckKeyStream(text, out))
        WriteUtf8String(out, text.view());
}

}  // namespace

bool WriteKey(JsonStream& out, const Row& row, Image image) {
    const std::size_t start = out.length();
    out.Mark();
    if (HasKey(row, image)) {
        if (row.plan->key_count == 1)
            WriteSingle(out, row, image);
        else
            WriteComposed(out, row, image);
        // Where the record is too small for the key it is written again, without a limit.
        if (out.failure() == nullptr || out.overflowed())
            return true;
    }
    out.Mark();
    out.Rewind(start);
    out.Append("null");
    return false;
}

bool KeyChanged(const Row& row) {
    bool changed = false;
    for (int i = 0; i < row.plan->key_count; i++) {
        const KeyColumn& column = row.plan->key[i];
        if (!HasKeyValue(row, kBefore, column) || !HasKeyValue(row, kAfter, column))
            return false;
        changed = changed || !SameValue(row, row.values[kBefore][column.attribute],
                                        row.values[kAfter][column.attribute], column.value);
    }
    return changed;
}

}  // namespace bemi

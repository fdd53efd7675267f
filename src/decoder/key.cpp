// Primary keys.

#include "bemi/guard.hpp"
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

// The JSON of one key column as jsonb writes it: in UTF-8, with its own spacing and numbers.
void WriteKeyValue(JsonStream& out, Datum value, ValuePlan& plan) {
    if (plan.kind != JsonKind::kOther) {
        WriteValue(out, value, plan);
        return;
    }
    JsonStream json;
    json.Init(CurrentMemoryContext, true);
    WriteValue(json, value, plan);
    if (json.failure() != nullptr) {
        out.Fail(json.failure());
        return;
    }
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
    auto write = [&] {
        if (toasted)
            value = PointerGetDatum(
                detoast_attr(reinterpret_cast<struct varlena*>(DatumGetPointer(value))));
        WriteKeyValue(out, value, column.value);
    };
    if (!toasted && !column.value.guarded && column.value.kind != JsonKind::kOther)
        write();
    else if (const char* error = Guarded(write))
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
    text.Init(CurrentMemoryContext, false);
    WriteKeyColumn(text, row, image, column);
    if (text.failure() != nullptr)
        out.Fail(text.failure());
    else if (text.length() > 0 && text.data()[0] == '"')
        out.Append(text.view());
    else
        WriteUtf8String(out, text.view());
}

void WriteComposed(JsonStream& out, const Row& row, Image image) {
    const RelationPlan& plan = *row.plan;
    JsonStream text;
    text.Init(CurrentMemoryContext, false);
    for (int i = 0; i < plan.key_count; i++) {
        text.Append(i == 0 ? std::string_view("[") : std::string_view(", "));
        WriteKeyColumn(text, row, image, plan.key[i]);
    }
    text.Put(']');
    if (text.failure() != nullptr)
        out.Fail(text.failure());
    else
        WriteUtf8String(out, text.view());
}

}  // namespace

void WriteKey(JsonStream& out, const Row& row, Image image) {
    const std::size_t start = out.length();
    out.Mark();
    if (HasKey(row, image)) {
        if (row.plan->key_count == 1)
            WriteSingle(out, row, image);
        else
            WriteComposed(out, row, image);
        if (out.failure() == nullptr && !out.overflowed())
            return;
    }
    out.Mark();
    out.Rewind(start);
    out.Append("null");
}

bool KeyChanged(const Row& row) {
    if (!HasKey(row, kBefore) || !HasKey(row, kAfter))
        return false;
    for (int i = 0; i < row.plan->key_count; i++) {
        const KeyColumn& column = row.plan->key[i];
        if (!SameValue(row.values[kBefore][column.attribute], row.values[kAfter][column.attribute],
                       column.value))
            return true;
    }
    return false;
}

}  // namespace bemi

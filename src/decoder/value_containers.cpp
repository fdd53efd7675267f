// Writers of json and jsonb, of arrays and of composite types.

#include "bemi/json_check.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"
#include "value_writers.hpp"

namespace bemi {

namespace {

void WriteJsonbScalar(JsonStream& out, const JsonbValue& value, ValuePlan& plan) {
    switch (value.type) {
        case jbvString:
            WriteText(out, *plan.encoding,
                      {value.val.string.val, static_cast<std::size_t>(value.val.string.len)});
            break;
        case jbvNumeric: {
            char* text = DatumGetCString(
                DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
            out.Append(text);
            pfree(text);
            break;
        }
        case jbvBool:
            out.Append(value.val.boolean ? std::string_view("true") : std::string_view("false"));
            break;
        case jbvNull:
            out.Append("null");
            break;
        default:
            out.Fail("unknown type of jsonb value");
    }
}

// False where it is nested deeper than what a reader can be expected to take.
bool WriteJsonbTree(JsonStream& out, Jsonb* jsonb, ValuePlan& plan) {
    const bool is_scalar = JB_ROOT_IS_SCALAR(jsonb);
    JsonbIterator* iterator = JsonbIteratorInit(&jsonb->root);
    JsonbValue item;
    bool first = true;
    int depth = 0;
    JsonbIteratorToken token;
    while ((token = JsonbIteratorNext(&iterator, &item, false)) != WJB_DONE && !out.overflowed()) {
        const bool opens = token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT;
        const bool closes = token == WJB_END_ARRAY || token == WJB_END_OBJECT;
        if (is_scalar && (opens || closes))
            continue;
        depth += opens ? 1 : closes ? -1 : 0;
        if (depth > wire::kMaxJsonbDepth)
            return false;
        if (closes) {
            out.Put(token == WJB_END_ARRAY ? ']' : '}');
            first = false;
            continue;
        }
        if (token != WJB_VALUE && !first)
            out.Put(',');
        if (opens)
            out.Put(token == WJB_BEGIN_ARRAY ? '[' : '{');
        else
            WriteJsonbScalar(out, item, plan);
        if (token == WJB_KEY)
            out.Put(':');
        // Nothing stands between an opening bracket or a key and what follows it.
        first = opens || token == WJB_KEY;
    }
    return true;
}

// One value inside of an array or a composite, which may be NULL. The server stores none of these
// compressed or out of line, but an extension's code may have made one so.
void WriteInner(JsonStream& out, Datum value, bool is_null, ValuePlan& plan) {
    if (is_null) {
        out.Append("null");
        return;
    }
    if (plan.length != -1 || !IsToasted(value)) {
        WriteValue(out, value, plan);
        return;
    }
    value = PointerGetDatum(PG_DETOAST_DATUM(value));
    WriteValue(out, value, plan);
    pfree(DatumGetPointer(value));
}

// Walks over an array's elements in storage order.
struct ArrayCursor {
    const char* data;
    const bits8* bitmap;
    int index;

    Datum Next(const ValuePlan& element, bool* is_null) {
        *is_null = bitmap != nullptr && (bitmap[index / 8] & (1 << (index % 8))) == 0;
        index++;
        if (*is_null)
            return 0;
        const Datum value = fetch_att(data, element.by_value, element.length);
        data = att_addlength_pointer(data, element.length, data);
        data = reinterpret_cast<const char*>(att_align_nominal(data, element.alignment));
        return value;
    }
};

// One dimension, and those inside of it; an array has at most MAXDIM.
void WriteDimension(JsonStream& out, ArrayCursor& cursor, const int* lengths, int dimensions,
                    ValuePlan& element) {
    out.Put('[');
    for (int i = 0; i < lengths[0] && !out.overflowed(); i++) {
        if (i > 0)
            out.Put(',');
        if (dimensions > 1) {
            WriteDimension(out, cursor, lengths + 1, dimensions - 1, element);
        } else {
            bool is_null;
            const Datum value = cursor.Next(element, &is_null);
            WriteInner(out, value, is_null, element);
        }
    }
    out.Put(']');
}

}  // namespace

// Where jsonb would refuse the text, or it is nested very deeply, a string of it.
void WriteJson(JsonStream& out, Datum value, ValuePlan& plan) {
    const struct varlena* text = reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
    const Utf8Text json = ToUtf8(*plan.encoding, {VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text)});
    if (!json.valid)
        out.Fail("character with no equivalent in encoding \"UTF8\"");
    else if (WriteCheckedJson(out, json.text, wire::kMaxValueDepth) != nullptr)
        WriteUtf8String(out, json.text);
}

// As json, a string of its text where it is nested too deeply to be read.
void WriteJsonb(JsonStream& out, Datum value, ValuePlan& plan) {
    Jsonb* const jsonb = DatumGetJsonbP(value);
    const std::size_t start = out.length();
    if (WriteJsonbTree(out, jsonb, plan) || out.overflowed())
        return;
    out.Rewind(start);
    char* text = JsonbToCString(nullptr, &jsonb->root, VARSIZE(jsonb));
    WriteText(out, *plan.encoding, text);
    pfree(text);
}

void WriteArray(JsonStream& out, Datum value, ValuePlan& plan) {
    ArrayType* const array = DatumGetArrayTypeP(value);
    if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) == 0) {
        out.Append("[]");
        return;
    }
    ArrayCursor cursor = {ARR_DATA_PTR(array), ARR_NULLBITMAP(array), 0};
    WriteDimension(out, cursor, ARR_DIMS(array), ARR_NDIM(array), *plan.element);
}

void WriteComposite(JsonStream& out, Datum value, ValuePlan& plan) {
    const CompositePlan& composite = *plan.composite;
    HeapTupleHeader header = DatumGetHeapTupleHeader(value);
    HeapTupleData tuple = {};
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    const std::size_t natts = static_cast<std::size_t>(composite.descriptor->natts);
    Datum* const values = static_cast<Datum*>(palloc(sizeof(Datum) * natts));
    bool* const nulls = static_cast<bool*>(palloc(sizeof(bool) * natts));
    heap_deform_tuple(&tuple, composite.descriptor, values, nulls);

    bool first = true;
    out.Put('{');
    for (std::size_t i = 0; i < natts && !out.overflowed(); i++) {
        if (composite.labels[i].empty())
            continue;
        out.Append(first ? Behind(composite.labels[i], 1) : composite.labels[i]);
        first = false;
        WriteInner(out, values[i], nulls[i], composite.fields[i]);
    }
    out.Put('}');
    pfree(values);
    pfree(nulls);
}

}  // namespace bemi

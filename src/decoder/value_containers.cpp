// Writers of json, of arrays and of composite types.

#include "bemi/json_check.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"
#include "value_writers.hpp"

namespace bemi {

namespace {

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
    const uint8* bitmap;
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

// -1 where there are more than any array has: ArrayGetNItems would raise an ERROR.
std::int64_t CountItems(const ArrayType* array) {
    std::int64_t count = ARR_NDIM(array) > 0 ? 1 : 0;
    if (ARR_NDIM(array) < 0 || ARR_NDIM(array) > MAXDIM)
        return -1;
    for (int i = 0; i < ARR_NDIM(array); i++) {
        count *= ARR_DIMS(array)[i];
        if (count < 0 || count > static_cast<std::int64_t>(MaxArraySize))
            return -1;
    }
    return count;
}

// The elements of the innermost dimension.
void WriteElements(JsonStream& out, ArrayCursor& cursor, int count, ValuePlan& element) {
    for (int i = 0; i < count && !out.overflowed(); i++) {
        bool is_null;
        const Datum value = cursor.Next(element, &is_null);
        if (i > 0)
            out.Put(',');
        WriteInner(out, value, is_null, element);
    }
}

// One dimension, and those inside of it; an array has at most MAXDIM.
void WriteDimension(JsonStream& out, ArrayCursor& cursor, const int* lengths, int dimensions,
                    ValuePlan& element) {
    out.Put('[');
    if (dimensions == 1) {
        WriteElements(out, cursor, lengths[0], element);
    } else {
        for (int i = 0; i < lengths[0] && !out.overflowed(); i++) {
            if (i > 0)
                out.Put(',');
            WriteDimension(out, cursor, lengths + 1, dimensions - 1, element);
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

void WriteArray(JsonStream& out, Datum value, ValuePlan& plan) {
    Unpacked unpacked(value);
    const ArrayType* const array = reinterpret_cast<const ArrayType*>(unpacked.get());
    const std::int64_t count = CountItems(array);
    if (count <= 0) {
        out.Append("[]");
        if (count < 0)
            out.Fail("invalid array");
        return;
    }
    ArrayCursor cursor = {ARR_DATA_PTR(array), ARR_NULLBITMAP(array), 0};
    WriteDimension(out, cursor, ARR_DIMS(array), ARR_NDIM(array), *plan.element);
}

void WriteTooDeep(JsonStream& out, Datum, ValuePlan&) {
    out.Fail("type is nested too deeply");
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

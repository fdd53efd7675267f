// Writers of scalar types: the common ones by themselves, all others by their output function.

#include "digits.hpp"
#include "value_writers.hpp"

namespace bemi {

namespace {

// Ends a number of `length` bytes that was written at the stream's end; jsonb takes NaN and the
// infinities as strings only.
void EndNumber(JsonStream& out, char* text, int length) {
    const char last = text[length - 1];
    if (__builtin_expect(last == 'N' || last == 'y', 0)) {
        std::memmove(text + 1, text, static_cast<std::size_t>(length));
        text[0] = text[length + 1] = '"';
        length += 2;
    }
    out.SetEnd(text + length);
}

}  // namespace

void WriteBool(JsonStream& out, Datum value, ValuePlan&) {
    if (DatumGetBool(value))
        out.Append("true");
    else
        out.Append("false");
}

void WriteInt2(JsonStream& out, Datum value, ValuePlan&) {
    WriteInteger(out, DatumGetInt16(value));
}

void WriteInt4(JsonStream& out, Datum value, ValuePlan&) {
    WriteInteger(out, DatumGetInt32(value));
}

void WriteInt8(JsonStream& out, Datum value, ValuePlan&) {
    WriteInteger(out, DatumGetInt64(value));
}

void WriteInt8AsString(JsonStream& out, Datum value, ValuePlan&) {
    out.Put('"');
    WriteInteger(out, DatumGetInt64(value));
    out.Put('"');
}

void WriteFloat4(JsonStream& out, Datum value, ValuePlan&) {
    char* const to = out.Reserve(FLOAT_SHORTEST_DECIMAL_LEN + 2);
    EndNumber(out, to, float_to_shortest_decimal_bufn(DatumGetFloat4(value), to));
}

void WriteFloat8(JsonStream& out, Datum value, ValuePlan&) {
    char* const to = out.Reserve(DOUBLE_SHORTEST_DECIMAL_LEN + 2);
    EndNumber(out, to, double_to_shortest_decimal_bufn(DatumGetFloat8(value), to));
}

void WriteVarlenaText(JsonStream& out, Datum value, ValuePlan& plan) {
    const struct varlena* text = reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
    WriteText(out, *plan.encoding, {VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text)});
}

void WriteName(JsonStream& out, Datum value, ValuePlan& plan) {
    WriteText(out, *plan.encoding, NameStr(*DatumGetName(value)));
}

void WriteBytea(JsonStream& out, Datum value, ValuePlan&) {
    const struct varlena* bytes = reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
    const unsigned char* from = reinterpret_cast<const unsigned char*>(VARDATA_ANY(bytes));
    const std::size_t length = VARSIZE_ANY_EXHDR(bytes);
    if (!out.Fits(2 * length + 5))
        return;
    char* to = out.Reserve(2 * length + 5);
    std::memcpy(to, "\"\\\\x", 4);
    to += 4;
    to = PutHexBytes(to, from, length);
    *to++ = '"';
    out.SetEnd(to);
}

void WriteUuid(JsonStream& out, Datum value, ValuePlan&) {
    const unsigned char* from = DatumGetUUIDP(value)->data;
    char* to = out.Reserve(40);
    *to++ = '"';
    to = PutHexBytes(to, from, 4);
    *to++ = '-';
    to = PutHexBytes(to, from + 4, 2);
    *to++ = '-';
    to = PutHexBytes(to, from + 6, 2);
    *to++ = '-';
    to = PutHexBytes(to, from + 8, 2);
    *to++ = '-';
    to = PutHexBytes(to, from + 10, 6);
    *to++ = '"';
    out.SetEnd(to);
}

// enum_out without its ERROR for a label that is not there any more.
void WriteEnum(JsonStream& out, Datum value, ValuePlan& plan) {
    HeapTuple tuple = SearchSysCache1(ENUMOID, value);
    if (!HeapTupleIsValid(tuple)) {
        out.Fail("invalid internal value for enum");
        return;
    }
    const FormData_pg_enum* label = reinterpret_cast<const FormData_pg_enum*>(GETSTRUCT(tuple));
    WriteText(out, *plan.encoding, NameStr(label->enumlabel));
    ReleaseSysCache(tuple);
}

void WriteByOutputFunction(JsonStream& out, Datum value, ValuePlan& plan) {
    OutputPlan* const output = plan.output;
    if (!OidIsValid(output->info.fn_oid))
        fmgr_info_cxt(output->function, &output->info, output->memory);
    char* text = OutputFunctionCall(&output->info, value);
    WriteText(out, *plan.encoding, text);
    pfree(text);
}

}  // namespace bemi

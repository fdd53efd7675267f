// The writers that a ValuePlan may name; see value.hpp for what they may rely on.
#pragma once

#include <cstring>
#include <string_view>

#include "bemi/value.hpp"

namespace bemi {

struct OutputPlan {
    Oid function;
    FmgrInfo info;         // the same, once it was needed: its library may be missing
    MemoryContext memory;  // where that lives
};

// Made once for all places of a relation that have the type: types may hold each other along more
// paths than there is memory.
struct CompositePlan {
    Oid type;
    CompositePlan* next;  // of those of the relation
    ValuePlan value;      // what a place gets
    TupleDesc descriptor;
    std::string_view* labels;  // `,"name":` of each attribute, empty where it has no value
    ValuePlan* fields;
};

// A value of variable length as it was before it was packed into a tuple: with a header of four
// bytes, and aligned. What is short is copied here; lives as long as this.
class Unpacked {
 public:
    explicit Unpacked(Datum value) {
        const struct varlena* const packed =
            reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
        whole_ = const_cast<struct varlena*>(packed);
        if (!VARATT_IS_SHORT(packed))
            return;
        whole_ = reinterpret_cast<struct varlena*>(room_);
        const std::size_t size = VARSIZE_SHORT(packed) - VARHDRSZ_SHORT;
        SET_VARSIZE(whole_, size + VARHDRSZ);
        std::memcpy(VARDATA(whole_), VARDATA_SHORT(packed), size);
    }
    struct varlena* get() {
        return whole_;
    }

 private:
    struct varlena* whole_;
    alignas(MAXIMUM_ALIGNOF) char room_[VARATT_SHORT_MAX + VARHDRSZ];
};

void WriteBool(JsonStream& out, Datum value, ValuePlan& plan);
void WriteInt2(JsonStream& out, Datum value, ValuePlan& plan);
void WriteInt4(JsonStream& out, Datum value, ValuePlan& plan);
void WriteInt8(JsonStream& out, Datum value, ValuePlan& plan);
void WriteInt8AsString(JsonStream& out, Datum value, ValuePlan& plan);
void WriteFloat4(JsonStream& out, Datum value, ValuePlan& plan);
void WriteFloat8(JsonStream& out, Datum value, ValuePlan& plan);
void WriteNumeric(JsonStream& out, Datum value, ValuePlan& plan);
void WriteNumericAsString(JsonStream& out, Datum value, ValuePlan& plan);
void WriteVarlenaText(JsonStream& out, Datum value, ValuePlan& plan);
void WriteName(JsonStream& out, Datum value, ValuePlan& plan);
void WriteBytea(JsonStream& out, Datum value, ValuePlan& plan);
void WriteUuid(JsonStream& out, Datum value, ValuePlan& plan);
void WriteDate(JsonStream& out, Datum value, ValuePlan& plan);
void WriteTimestamp(JsonStream& out, Datum value, ValuePlan& plan);
void WriteTimestampTz(JsonStream& out, Datum value, ValuePlan& plan);
void WriteEnum(JsonStream& out, Datum value, ValuePlan& plan);
void WriteByOutputFunction(JsonStream& out, Datum value, ValuePlan& plan);

void WriteJson(JsonStream& out, Datum value, ValuePlan& plan);
void WriteJsonb(JsonStream& out, Datum value, ValuePlan& plan);
void WriteArray(JsonStream& out, Datum value, ValuePlan& plan);
void WriteComposite(JsonStream& out, Datum value, ValuePlan& plan);
void WriteTooDeep(JsonStream& out, Datum value, ValuePlan& plan);

}  // namespace bemi

// The writers that a ValuePlan may name; see value.hpp for what they may rely on.
#pragma once

#include <cstring>
#include <string_view>

#include "bemi/value.hpp"

namespace bemi {

struct CompositePlan {
    TupleDesc descriptor;
    std::string_view* labels;  // `,"name":` of each attribute, empty where it has no value
    ValuePlan* fields;
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

}  // namespace bemi

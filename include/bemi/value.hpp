// One Datum → JSON, as to_jsonb gives it under the contract's settings. What can be known of a
// type is found out once, in a ValuePlan; writing a value then looks up nothing.
#pragma once

#include "bemi/dependency.hpp"
#include "bemi/encoding.hpp"
#include "bemi/json_writer.hpp"
#include "bemi/pg.hpp"

namespace bemi {

struct ValuePlan;
using WriteFunction = void (*)(JsonStream& out, Datum value, ValuePlan& plan);

enum class JsonKind : std::uint8_t {
    kString,   // always a JSON string
    kPlain,    // always a number or a literal, as jsonb writes it
    kNumeric,  // a number as jsonb writes it, or a string ("NaN")
    kOther,    // anything; jsonb's text may differ from what is written
};

struct CompositePlan;
struct OutputPlan;

// Small: a row goes through those of all its columns, and with many tables in turn they come from
// far away.
struct ValuePlan {
    WriteFunction write;
    const TextEncoding* encoding;
    union {
        OutputPlan* output;        // where `write` calls the type's output function
        ValuePlan* element;        // of an array
        CompositePlan* composite;  // of a composite type
    };
    Oid type;  // of a domain: its base type
    int16 length;
    bool by_value;
    char alignment;
    JsonKind kind;
    // Runs code that is not the server's own: to be called under a guard.
    bool guarded;
    // Calls an output function that looks at settings: ApplyOutputSettings first.
    bool uses_settings;
    std::uint16_t depth;  // levels of arrays and composite types, 0 for any other type
};

struct ValueOptions {
    const TextEncoding* encoding;
    MemoryContext scratch;  // for what a plan is made with, and does not keep
    bool quote_bigint;
    bool quote_numeric;
    CompositePlan** composites;  // that were planned with these options so far, for one relation
};

// Makes the plan of a type in the current memory context, which must live as long as the plan.
// Reads catalogs.
void PlanValue(ValuePlan* plan, Oid type, const ValueOptions& options,
               DependencyList& dependencies);

// Writes a value that is not NULL and, if of variable length, neither compressed nor out of line.
// May set the stream's flags; raises an ERROR only where the type's output function does.
inline void WriteValue(JsonStream& out, Datum value, ValuePlan& plan) {
    plan.write(out, value, plan);
}

// `2026-01-02T03:04:05.678901+00:00`: always six digits of microseconds, always UTC; at most
// kMaxTimestampLength bytes. A time that an origin has set may be infinite, or before our era.
constexpr int kMaxTimestampLength = 48;
char* PutCommitTime(char* to, TimestampTz time);

// `,"name":null` of a member of an image, in the current memory context, and `,"name":`, its
// beginning; both for AppendPadded.
std::string_view NullMember(const ValueOptions& options, const char* name);
inline std::string_view LabelOf(std::string_view null_member) {
    return {null_member.data(), null_member.size() - 4};
}

// Whether a value of variable length is compressed or out of line, in memory or on disk.
inline bool IsToasted(Datum value) {
    const void* pointer = DatumGetPointer(value);
    return VARATT_IS_EXTERNAL(pointer) || VARATT_IS_COMPRESSED(pointer);
}

// Bytes that the value takes, uncompressed; what decides which values are left out for their size.
std::size_t RawSize(Datum value, int16 type_length);

}  // namespace bemi

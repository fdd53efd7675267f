// The tuples of one change, and their images.
#pragma once

#include "bemi/guard.hpp"
#include "bemi/json_writer.hpp"
#include "bemi/relation.hpp"

namespace bemi {

enum Image { kBefore, kAfter, kImageCount };

// Why a value is not in the images; the strongest reason of a column is the last of these.
enum class Missing : std::uint8_t { kNone, kToast, kSize, kError, kMasked, kMaskedChanged };

// What catches an ERROR of a value's output: a guard around the value, or one around the row.
enum class RowGuard { kValue, kRow };

// Where a row is taken apart: the same place for the rows of all tables, so that it is near.
struct RowSpace {
    Datum values[kImageCount][MaxTupleAttributeNumber];
    bool nulls[kImageCount][MaxTupleAttributeNumber];
    Missing missing[MaxTupleAttributeNumber];
    std::size_t written[MaxTupleAttributeNumber + 1];
};

// One change, taken apart: valid until the next row.
struct Row {
    RelationPlan* plan;
    TupleDesc descriptor;
    TransactionId xid;
    bool present[kImageCount];
    bool before_is_key;  // PostgreSQL logged only the columns of the replica identity
    RowGuard guard;
    Datum* values[kImageCount];
    bool* nulls[kImageCount];
    Missing* missing;  // per column of the plan, where any is
    bool any_missing;
    // Per column of the plan: where it was written in the image before; and where that ends.
    std::size_t* written;
    // Values that do not fit into the record, per column of the plan; nullptr where all do.
    bool* left_out[kImageCount];
};

// One row is loaded at a time. Either tuple may be nullptr. Takes unchanged TOAST values from the
// old tuple where it holds them.
void LoadRow(Row* row, RowSpace* space, RelationPlan* plan, TransactionId xid, TupleDesc descriptor,
             HeapTuple old_tuple, HeapTuple new_tuple);

// Whether an UPDATE has changed something, and only columns that are to be ignored. Where
// PostgreSQL did not log the old row nobody can tell, and the answer is no.
bool ChangesOnlyIgnored(const Row& row);

// Whether the image holds (or would, but for a mask) a column.
inline bool HasColumn(const Row& row, Image image, bool in_identity) {
    return row.present[image] && (image == kAfter || !row.before_is_key || in_identity);
}

// Whether two values of a type are the same, byte by byte once uncompressed; false where one of
// them can't be uncompressed.
bool SameValue(const Row& row, Datum first, Datum second, const ValuePlan& plan);

// Runs what may raise an ERROR: as it is where a guard is around the row already. Returns nullptr,
// or the ERROR's message; see guard.hpp.
template <typename Body>
const char* RunCarefully(const Row& row, Body& body) {
    row.plan->guards_rows = true;
    if (row.guard == RowGuard::kValue)
        return Guarded(body);
    body();
    return nullptr;
}

// `,"before":{…},"after":{…}`. Fills in `missing`. False where the stream's limit or jsonb's own
// limits were passed: what was written is then of no use.
bool WriteImages(JsonStream& out, Row& row);

// No value that could be written is: only the frame of the record is left.
void LeaveOutAll(Row& row);

// Chooses the values to leave out so that the others take at most `room` bytes: first those that
// do not fit alone, then the largest ones before compression, of equals the first column's, before
// its `after`. A rule on the row alone: decoding it again leaves out the same. After LeaveOutAll.
void LeaveOutLargest(JsonStream& scratch, Row& row, std::size_t room);

const char* MissingName(Missing reason);

}  // namespace bemi

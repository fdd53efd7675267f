// Which values a record that would be too large goes without.

#include <cstring>

#include "bemi/json_check.hpp"
#include "bemi/tuple.hpp"
#include "bemi/wire.hpp"
#include "tuple_columns.hpp"

namespace bemi {

namespace {

struct Candidate {
    Image image;
    int column;
    std::size_t raw_size;
    std::size_t text_size;
    std::size_t jsonb_size;
};

// Writes every value of the row alone, to know what it takes.
int MeasureValues(JsonStream& scratch, Row& row, std::size_t room, Candidate* candidates) {
    int count = 0;
    const RelationPlan& plan = *row.plan;
    // What one value needs must not add up: a row may be far larger than what is left of it.
    const MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "bemi measured value", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext previous = MemoryContextSwitchTo(memory);
    for (int i = 0; i < plan.column_count; i++) {
        ColumnPlan& column = plan.columns[i];
        for (Image image : {kBefore, kAfter}) {
            MemoryContextReset(memory);
            if (!HasColumn(row, image, column.in_identity) || column.rule != ColumnRule::kEmit ||
                row.nulls[image][column.attribute] || ReasonToSkip(row, image, i) != Missing::kNone)
                continue;
            const Datum value = row.values[image][column.attribute];
            scratch.Clear();
            scratch.SetLimit(room);
            const Missing reason = WriteColumn(scratch, row, column, value);
            const bool too_large = reason == Missing::kSize;
            candidates[count++] = {image, i, RawSize(value, column.value.length),
                                   too_large ? SIZE_MAX : scratch.length(),
                                   too_large ? SIZE_MAX : JsonbSize(scratch.view())};
        }
    }
    scratch.Clear();
    MemoryContextSwitchTo(previous);
    MemoryContextDelete(memory);
    return count;
}

// The largest of those that stay, in one image or (kImageCount) in both; -1 where none does.
int FindLargest(const Candidate* candidates, int count, const Row& row, int image) {
    int largest = -1;
    for (int i = 0; i < count; i++) {
        const Candidate& candidate = candidates[i];
        if ((image != kImageCount && candidate.image != image) ||
            row.left_out[candidate.image][candidate.column])
            continue;
        if (largest < 0 || candidate.raw_size > candidates[largest].raw_size)
            largest = i;
    }
    return largest;
}

}  // namespace

void LeaveOutAll(Row& row) {
    const Size column_count = static_cast<Size>(row.plan->column_count);
    for (Image image : {kBefore, kAfter}) {
        row.left_out[image] = static_cast<bool*>(palloc(column_count + 1));
        std::memset(row.left_out[image], 1, column_count);
    }
}

void LeaveOutLargest(JsonStream& scratch, Row& row, std::size_t room) {
    const Size column_count = static_cast<Size>(row.plan->column_count);
    Candidate* candidates =
        static_cast<Candidate*>(palloc(sizeof(Candidate) * (kImageCount * column_count + 1)));
    for (Image image : {kBefore, kAfter})
        std::memset(row.left_out[image], 0, column_count);
    const int count = MeasureValues(scratch, row, room, candidates);

    std::size_t text_size = 0;
    std::size_t jsonb_size[kImageCount] = {};
    for (int i = 0; i < count; i++) {
        const Candidate& candidate = candidates[i];
        if (candidate.text_size > room || candidate.jsonb_size > wire::kMaxJsonbBytes) {
            row.left_out[candidate.image][candidate.column] = true;
            continue;
        }
        text_size += candidate.text_size;
        jsonb_size[candidate.image] += candidate.jsonb_size;
    }
    for (int image = kBefore; image <= kImageCount; image++) {
        while (image == kImageCount ? text_size > room : jsonb_size[image] > wire::kMaxJsonbBytes) {
            const int largest = FindLargest(candidates, count, row, image);
            if (largest < 0)
                break;
            const Candidate& candidate = candidates[largest];
            row.left_out[candidate.image][candidate.column] = true;
            text_size -= candidate.text_size;
            jsonb_size[candidate.image] -= candidate.jsonb_size;
        }
    }
}

}  // namespace bemi

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

// A number or container begins at a multiple of four, and the first one of a member may need so
// much more where it stands than it does alone.
constexpr std::size_t kMostPadding = 3;

std::size_t JsonbSizeOfMember(std::string_view member) {
    const std::size_t size = JsonbSize(member);
    return size > wire::kMaxJsonbBytes ? SIZE_MAX : size + kMostPadding;
}

// What the frame of a record has, where its values are left out, is their names in "missing", as
// "size". This one is named as "error".
constexpr std::size_t kErrorInFrame = sizeof("error") - sizeof("size");

// What the images of a row take, of what is not left out.
struct Sizes {
    std::size_t text;  // beside the frame
    std::size_t jsonb[kImageCount];
};

// Writes every value of the row alone, to know what it takes; `sizes` gets what else is in the
// images.
int MeasureValues(JsonStream& scratch, Row& row, std::size_t room, Candidate* candidates,
                  Sizes* sizes) {
    int count = 0;
    const RelationPlan& plan = *row.plan;
    *sizes = {0, {JsonbSize("{}"), JsonbSize("{}")}};
    // What one value needs must not add up: a row may be far larger than what is left of it.
    const MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "bemi measured value", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext previous = MemoryContextSwitchTo(memory);
    for (int i = 0; i < plan.column_count; i++) {
        ColumnPlan& column = plan.columns[i];
        for (Image image : {kBefore, kAfter}) {
            MemoryContextReset(memory);
            if (!HasColumn(row, image, column.in_identity) || column.rule != ColumnRule::kEmit ||
                ReasonToSkip(row, image, i) != Missing::kNone)
                continue;
            if (row.nulls[image][column.attribute]) {
                sizes->jsonb[image] += JsonbSize(column.null_member);
                continue;
            }
            const Datum value = row.values[image][column.attribute];
            scratch.Clear();
            scratch.SetLimit(room);
            const Missing reason = WriteColumn(scratch, row, column, value);
            if (reason == Missing::kError) {
                sizes->text += kErrorInFrame;
                continue;
            }
            const bool too_large = reason == Missing::kSize;
            candidates[count++] = {image, i, RawSize(value, column.value.length),
                                   too_large ? SIZE_MAX : scratch.length(),
                                   too_large ? SIZE_MAX : JsonbSizeOfMember(scratch.view())};
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
    Sizes sizes;
    const int count = MeasureValues(scratch, row, room, candidates, &sizes);

    for (int i = 0; i < count; i++) {
        const Candidate& candidate = candidates[i];
        if (candidate.text_size > room || candidate.jsonb_size > wire::kMaxJsonbBytes) {
            row.left_out[candidate.image][candidate.column] = true;
            continue;
        }
        sizes.text += candidate.text_size;
        sizes.jsonb[candidate.image] += candidate.jsonb_size;
    }
    for (int image = kBefore; image <= kImageCount; image++) {
        while (image == kImageCount ? sizes.text > room
                                    : sizes.jsonb[image] > wire::kMaxJsonbBytes) {
            const int largest = FindLargest(candidates, count, row, image);
            if (largest < 0)
                break;
            const Candidate& candidate = candidates[largest];
            row.left_out[candidate.image][candidate.column] = true;
            sizes.text -= candidate.text_size;
            sizes.jsonb[candidate.image] -= candidate.jsonb_size;
        }
    }
}

}  // namespace bemi

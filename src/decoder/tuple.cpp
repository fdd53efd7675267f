// Tuples → images: which values there are, which are missing and why.

#include <cstring>

#include "bemi/guard.hpp"
#include "bemi/json_check.hpp"
#include "bemi/text.hpp"
#include "bemi/tuple.hpp"
#include "bemi/wire.hpp"
#include "tuple_columns.hpp"

namespace bemi {

namespace {

// Values of this many bytes are written under a guard whatever their type: code that is used to
// small ones may ask for more memory than there can be.
constexpr std::size_t kLargeValue = 16u << 20;

// An image of fewer bytes is within jsonb's limits whatever it holds: an element has two bytes
// here, and as `1,` takes 12 there.
constexpr std::size_t kSmallImage = 32u << 20;

void Deform(Row* row, Image image, TupleDesc descriptor, HeapTuple tuple) {
    row->present[image] = tuple != nullptr;
    if (tuple == nullptr)
        return;
    row->values[image] = row->plan->values[image];
    row->nulls[image] = row->plan->nulls[image];
    heap_deform_tuple(tuple, descriptor, row->values[image], row->nulls[image]);
}

bool IsUnchangedToast(const ColumnPlan& column, Datum value) {
    return column.value.length == -1 && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(value));
}

// The new tuple points to what stays where it was; the old one holds it, if it was logged.
void FillUnchangedToast(Row* row) {
    const RelationPlan& plan = *row->plan;
    for (int i = 0; i < plan.column_count; i++) {
        const ColumnPlan& column = plan.columns[i];
        const int k = column.attribute;
        if (row->nulls[kAfter][k] || !IsUnchangedToast(column, row->values[kAfter][k]) ||
            !HasColumn(*row, kBefore, column.in_identity) || row->nulls[kBefore][k])
            continue;
        row->values[kAfter][k] = row->values[kBefore][k];
    }
}

// Whether an UPDATE changed the column, as far as both its values were logged.
bool IsChanged(const Row& row, const ColumnPlan& column) {
    const int k = column.attribute;
    if (row.nulls[kBefore][k] || row.nulls[kAfter][k])
        return row.nulls[kBefore][k] != row.nulls[kAfter][k];
    const Datum after = row.values[kAfter][k];
    return !IsUnchangedToast(column, after) &&
           !SameValue(row, row.values[kBefore][k], after, column.value);
}

Missing ReasonOfMask(const Row& row, const ColumnPlan& column) {
    const bool both =
        row.present[kBefore] && row.present[kAfter] && HasColumn(row, kBefore, column.in_identity);
    return both && IsChanged(row, column) ? Missing::kMaskedChanged : Missing::kMasked;
}

// One line for the column and transaction: a table of a million such rows must not fill the disk.
void LogFailure(const Row& row, ColumnPlan& column, const char* reason) {
    if (column.logged_in == row.xid)
        return;
    column.logged_in = row.xid;
    ereport(LOG, (errmsg("could not write value of column \"%s\" of table %s in transaction %u",
                         column.name.data(), row.plan->qualified_name.data(), row.xid),
                  errdetail("%s", reason),
                  errhint("The record names the column in \"missing\" as \"error\".")));
}

// No value is written with fewer bytes than this, so that what can't fit is not even made.
std::size_t ShortestText(const ValuePlan& plan, std::size_t raw_size) {
    const std::size_t size = raw_size > VARHDRSZ ? raw_size - VARHDRSZ : 0;
    switch (plan.type) {
        case TEXTOID:
        case VARCHAROID:
        case BPCHAROID:
            return size;
        case BYTEAOID:
            return 2 * size;
        case BITOID:
        case VARBITOID:
            return size > sizeof(int32) ? 8 * (size - sizeof(int32)) - 7 : 0;
        default:
            return 0;
    }
}

// A value that is compressed, large, or written by code that is not the server's.
const char* WriteWithCare(JsonStream& out, const Row& row, Datum value, ValuePlan& plan) {
    const std::size_t raw_size = RawSize(value, plan.length);
    const bool toasted = plan.length == -1 && IsToasted(value);
    if (plan.length == -1 && !out.Fits(ShortestText(plan, raw_size)))
        return nullptr;
    auto write = [&] {
        if (toasted)
            value = PointerGetDatum(
                detoast_attr(reinterpret_cast<struct varlena*>(DatumGetPointer(value))));
        WriteValue(out, value, plan);
    };
    return RunCarefully(row, write);
}

bool NeedsCare(const ValuePlan& plan, Datum value) {
    if (plan.guarded)
        return true;
    if (plan.length != -1)
        return false;
    return IsToasted(value) || VARSIZE_ANY(DatumGetPointer(value)) > kLargeValue;
}

}  // namespace

Missing WriteColumn(JsonStream& out, const Row& row, ColumnPlan& column, Datum value) {
    const std::size_t start = out.length();
    const char* error = nullptr;
    out.Mark();
    out.Append(column.label);
    if (__builtin_expect(NeedsCare(column.value, value), 0))
        error = WriteWithCare(out, row, value, column.value);
    else
        WriteValue(out, value, column.value);
    if (error == nullptr)
        error = out.failure();
    if (__builtin_expect(error == nullptr && !out.overflowed(), 1))
        return Missing::kNone;
    out.Mark();
    out.Rewind(start);
    if (error == nullptr)
        return Missing::kSize;
    LogFailure(row, column, error);
    return Missing::kError;
}

namespace {

void NoteMissing(Row& row, int column, Missing reason) {
    if (row.missing[column] < reason)
        row.missing[column] = reason;
    row.any_missing = true;
}

}  // namespace

Missing ReasonToSkip(const Row& row, Image image, int i) {
    const ColumnPlan& column = row.plan->columns[i];
    const Datum value = row.values[image][column.attribute];
    if (column.rule == ColumnRule::kMask)
        return ReasonOfMask(row, column);
    if (row.nulls[image][column.attribute])
        return Missing::kNone;
    if (IsUnchangedToast(column, value))
        return Missing::kToast;
    if (row.left_out[image] != nullptr && row.left_out[image][i])
        return Missing::kSize;
    return Missing::kNone;
}

namespace {

// The image's columns behind what is in the stream; false where one passes the limit.
bool WriteColumns(JsonStream& out, Row& row, Image image) {
    const RelationPlan& plan = *row.plan;
    const Datum* values = row.values[image];
    const bool* nulls = row.nulls[image];
    for (int i = 0; i < plan.column_count; i++) {
        ColumnPlan& column = plan.columns[i];
        if (column.rule == ColumnRule::kExclude || !HasColumn(row, image, column.in_identity))
            continue;
        Missing reason = ReasonToSkip(row, image, i);
        if (reason == Missing::kNone && nulls[column.attribute]) {
            out.Append(column.label);
            out.Append("null");
            if (out.overflowed())
                return false;
            continue;
        }
        if (reason == Missing::kNone) {
            reason = WriteColumn(out, row, column, values[column.attribute]);
            if (reason == Missing::kSize)
                return false;
        }
        if (reason != Missing::kNone)
            NoteMissing(row, i, reason);
    }
    return true;
}

bool WriteImage(JsonStream& out, Row& row, Image image) {
    const std::size_t start = out.length();
    if (row.present[image] && !WriteColumns(out, row, image))
        return false;
    // Every column begins with a comma: the first one's place is the opening brace's.
    if (out.length() == start)
        out.Put('{');
    else
        out.data()[start] = '{';
    out.Put('}');
    return out.length() - start <= kSmallImage ||
           JsonbSize(Behind(out.view(), start)) <= wire::kMaxJsonbBytes;
}

}  // namespace

bool SameValue(const Row& row, Datum first, Datum second, const ValuePlan& plan) {
    if (first == second)
        return true;
    bool same = false;
    auto compare = [&] { same = datum_image_eq(first, second, plan.by_value, plan.length); };
    if (plan.length == -1 && (IsToasted(first) || IsToasted(second)))
        (void)RunCarefully(row, compare);
    else
        compare();
    return same;
}

bool HasColumn(const Row& row, Image image, bool in_identity) {
    return row.present[image] && (image == kAfter || !row.before_is_key || in_identity);
}

void LoadRow(Row* row, RelationPlan* plan, TransactionId xid, TupleDesc descriptor,
             HeapTuple old_tuple, HeapTuple new_tuple) {
    *row = {};
    row->plan = plan;
    row->xid = xid;
    row->before_is_key = plan->identity != Identity::kFull;
    row->missing = reinterpret_cast<Missing*>(plan->missing);
    Deform(row, kBefore, descriptor, old_tuple);
    Deform(row, kAfter, descriptor, new_tuple);
    if (old_tuple != nullptr && new_tuple != nullptr && HeapTupleHasExternal(new_tuple))
        FillUnchangedToast(row);
}

bool ChangesOnlyIgnored(const Row& row) {
    const RelationPlan& plan = *row.plan;
    if (!plan.has_ignored_columns || !row.present[kBefore] || !row.present[kAfter] ||
        row.before_is_key)
        return false;
    bool changed = false;
    for (int i = 0; i < plan.column_count; i++) {
        if (!IsChanged(row, plan.columns[i]))
            continue;
        if (!plan.columns[i].ignored)
            return false;
        changed = true;
    }
    return changed;
}

bool WriteImages(JsonStream& out, Row& row) {
    row.any_missing = false;
    std::memset(row.missing, 0, sizeof(Missing) * static_cast<Size>(row.plan->column_count));
    out.Append(",\"before\":");
    if (!WriteImage(out, row, kBefore))
        return false;
    out.Append(",\"after\":");
    return WriteImage(out, row, kAfter);
}

const char* MissingName(Missing reason) {
    switch (reason) {
        case Missing::kToast:
            return "toast";
        case Missing::kSize:
            return "size";
        case Missing::kError:
            return "error";
        case Missing::kMasked:
            return "masked";
        case Missing::kMaskedChanged:
            return "masked, changed";
        case Missing::kNone:
            break;
    }
    return "";
}

}  // namespace bemi

// Tuples → images.

#include <cstring>

#include "bemi/guard.hpp"
#include "bemi/json_check.hpp"
#include "bemi/text.hpp"
#include "bemi/tuple.hpp"
#include "bemi/wire.hpp"
#include "tuple_columns.hpp"

namespace bemi {

namespace {

void Deform(Row* row, RowSpace* space, Image image, HeapTuple tuple) {
    row->present[image] = tuple != nullptr;
    if (tuple == nullptr)
        return;
    row->values[image] = space->values[image];
    row->nulls[image] = space->nulls[image];
    heap_deform_tuple(tuple, row->descriptor, row->values[image], row->nulls[image]);
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
    return out.length() - start <= wire::kSmallJson ||
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

bool IsChanged(const Row& row, const ColumnPlan& column) {
    const int k = column.attribute;
    if (row.nulls[kBefore][k] || row.nulls[kAfter][k])
        return row.nulls[kBefore][k] != row.nulls[kAfter][k];
    const Datum after = row.values[kAfter][k];
    return !IsUnchangedToast(column, after) &&
           !SameValue(row, row.values[kBefore][k], after, column.value);
}

void LoadRow(Row* row, RowSpace* space, RelationPlan* plan, TransactionId xid, TupleDesc descriptor,
             HeapTuple old_tuple, HeapTuple new_tuple) {
    *row = {};
    row->plan = plan;
    row->descriptor = descriptor;
    row->xid = xid;
    row->before_is_key = plan->identity != Identity::kFull;
    row->missing = space->missing;
    row->written = space->written;
    Deform(row, space, kBefore, old_tuple);
    Deform(row, space, kAfter, new_tuple);
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

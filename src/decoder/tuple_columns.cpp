// Which values an image has, which are missing and why, and what it takes to write one.

#include <cstring>

#include "bemi/guard.hpp"
#include "tuple_columns.hpp"

namespace bemi {

namespace {

// Values of this many bytes are written under a guard whatever their type: code that is used to
// small ones may ask for more memory than there can be.
constexpr std::size_t kLargeValue = 16u << 20;

Missing ReasonOfMask(const Row& row, const ColumnPlan& column) {
    const bool both =
        row.present[kBefore] && row.present[kAfter] && HasColumn(row, kBefore, column.in_identity);
    return both && IsChanged(row, column) ? Missing::kMaskedChanged : Missing::kMasked;
}

// One line for the column and transaction: a table of a million such rows must not fill the disk.
// For the log alone: a client that asks for such lines may have no counterpart of a name, or of
// what an output function has said, in its encoding, and that would be an ERROR.
void LogFailure(const Row& row, const ColumnPlan& column, const char* reason) {
    TransactionId* const logged_in = &row.plan->logged_in[&column - row.plan->columns];
    if (*logged_in == row.xid)
        return;
    *logged_in = row.xid;
    ereport(LOG_SERVER_ONLY,
            (errmsg("could not write value of column \"%s\" of table %s in transaction %u",
                    NameStr(TupleDescAttr(row.descriptor, column.attribute)->attname),
                    row.plan->qualified_name.data(), row.xid),
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
pg_noinline const char* WriteWithCare(JsonStream& out, const Row& row, Datum value,
                                      ValuePlan& plan) {
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

// Whether a value of variable length is as its writer wants it: neither compressed nor out of line,
// and not large.
bool IsReady(Datum value) {
    const void* const pointer = DatumGetPointer(value);
    if (VARATT_IS_1B(pointer))
        return !VARATT_IS_1B_E(pointer);
    return VARATT_IS_4B_U(pointer) && VARSIZE_4B(pointer) <= kLargeValue;
}

bool NeedsCare(const ValuePlan& plan, Datum value) {
    return plan.guarded || (plan.length == -1 && !IsReady(value));
}

// Takes back what a column has written, and tells why it has to be missing.
pg_noinline Missing Abandon(JsonStream& out, const Row& row, const ColumnPlan& column,
                            std::size_t start, const char* error) {
    out.Mark();
    out.Rewind(start);
    if (error == nullptr)
        return Missing::kSize;
    LogFailure(row, column, error);
    return Missing::kError;
}

// The common case of WriteColumn: the value needs no care.
inline Missing WritePlainColumn(JsonStream& out, const Row& row, ColumnPlan& column, Datum value) {
    const std::size_t start = out.length();
    out.Mark();
    out.AppendPadded(column.label());
    WriteValue(out, value, column.value);
    if (__builtin_expect(out.succeeded(), 1))
        return Missing::kNone;
    return Abandon(out, row, column, start, out.failure());
}

}  // namespace

Missing WriteColumn(JsonStream& out, const Row& row, ColumnPlan& column, Datum value) {
    if (!NeedsCare(column.value, value))
        return WritePlainColumn(out, row, column, value);
    const std::size_t start = out.length();
    out.Mark();
    out.AppendPadded(column.label());
    const char* error = WriteWithCare(out, row, value, column.value);
    if (error == nullptr && out.succeeded())
        return Missing::kNone;
    return Abandon(out, row, column, start, error != nullptr ? error : out.failure());
}

namespace {

void NoteMissing(Row& row, int column, Missing reason) {
    if (!row.any_missing)
        std::memset(row.missing, 0, sizeof(Missing) * static_cast<Size>(row.plan->column_count));
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

// Writes one column of an image, or notes why it is missing.
pg_noinline void WriteAnyColumn(JsonStream& out, Row& row, Image image, int i) {
    ColumnPlan& column = row.plan->columns[i];
    const int k = column.attribute;
    if (column.rule == ColumnRule::kExclude || !HasColumn(row, image, column.in_identity))
        return;
    Missing reason = ReasonToSkip(row, image, i);
    if (reason == Missing::kNone && row.nulls[image][k]) {
        out.AppendPadded(column.null_member);
        return;
    }
    if (reason == Missing::kNone)
        reason = WriteColumn(out, row, column, row.values[image][k]);
    if (reason != Missing::kNone)
        NoteMissing(row, i, reason);
}

// Whether two values are the same to the byte, as they are stored.
bool SameBytes(const ValuePlan& plan, Datum a, Datum b) {
    if (a == b)
        return true;
    if (plan.by_value)
        return false;
    const void* const first = DatumGetPointer(a);
    const void* const second = DatumGetPointer(b);
    if (plan.length == -1) {
        const std::size_t size = VARSIZE_ANY(first);
        return size == VARSIZE_ANY(second) && std::memcmp(first, second, size) == 0;
    }
    if (plan.length == -2)
        return std::strcmp(DatumGetCString(a), DatumGetCString(b)) == 0;
    return std::memcmp(first, second, static_cast<std::size_t>(plan.length)) == 0;
}

// Whether the image before holds the text of a column of the image after. One that is in neither is
// no hindrance.
bool IsWritten(const Row& row, int i) {
    const RelationPlan& plan = *row.plan;
    const ColumnPlan& column = plan.columns[i];
    const int k = column.attribute;
    if (column.rule != ColumnRule::kEmit)
        return column.rule == ColumnRule::kExclude;
    if (row.written[i] == row.written[i + 1] || row.nulls[kBefore][k] != row.nulls[kAfter][k])
        return false;
    return row.nulls[kAfter][k] ||
           SameBytes(column.value, row.values[kBefore][k], row.values[kAfter][k]);
}

// Most columns of most UPDATEs are as they were: they are copied, in runs. Returns the first column
// behind the run that begins with `first`.
int CopyUnchanged(JsonStream& out, const Row& row, int first) {
    const RelationPlan& plan = *row.plan;
    int end = first;
    while (end < plan.column_count && IsWritten(row, end))
        end++;
    const std::size_t length = row.written[end] - row.written[first];
    const std::size_t start = out.length();
    if (length == 0)
        return end;
    out.Repeat(row.written[first], length);
    // The first column of the image before has its opening brace here.
    if (!out.overflowed())
        out.data()[start] = ',';
    return end;
}

// A column of an image that has all of them. False where one has passed the limit.
pg_attribute_always_inline bool WriteOneColumn(JsonStream& out, Row& row, Image image, int i) {
    ColumnPlan& column = row.plan->columns[i];
    const Datum value = row.values[image][column.attribute];
    const bool is_null = row.nulls[image][column.attribute];
    if (column.plain && is_null) {
        out.AppendPadded(column.null_member);
        return true;
    }
    if (!column.plain || (column.value.length == -1 && !IsReady(value))) {
        WriteAnyColumn(out, row, image, i);
        return !out.overflowed();
    }
    const Missing reason = WritePlainColumn(out, row, column, value);
    if (__builtin_expect(reason == Missing::kNone, 1))
        return true;
    NoteMissing(row, i, reason);
    return !out.overflowed();
}

// An image that may lack some of its columns.
void WriteSomeColumns(JsonStream& out, Row& row, Image image) {
    for (int i = 0; i < row.plan->column_count && !out.overflowed(); i++) {
        row.written[i] = out.length();
        WriteAnyColumn(out, row, image, i);
        row.written[i + 1] = out.length();
    }
}

void WriteAllColumns(JsonStream& out, Row& row, Image image) {
    const int count = row.plan->column_count;
    row.written[0] = out.length();
    for (int i = 0; i < count && WriteOneColumn(out, row, image, i); i++)
        row.written[i + 1] = out.length();
}

// The columns of an image after beside the same image before.
void WriteChanged(JsonStream& out, Row& row) {
    const int count = row.plan->column_count;
    for (int i = 0; i < count && !out.overflowed();) {
        const int next = CopyUnchanged(out, row, i);
        if (next == i)
            (void)WriteOneColumn(out, row, kAfter, i++);
        else
            i = next;
    }
}

}  // namespace

bool WriteColumns(JsonStream& out, Row& row, Image image) {
    const bool is_whole = HasColumn(row, image, false) && row.left_out[image] == nullptr;
    if (!is_whole)
        WriteSomeColumns(out, row, image);
    else if (image == kAfter && HasColumn(row, kBefore, false))
        WriteChanged(out, row);
    else
        WriteAllColumns(out, row, image);
    return !out.overflowed();
}

}  // namespace bemi

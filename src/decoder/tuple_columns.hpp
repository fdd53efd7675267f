// The columns of images: what their writing shares with tuples and with the choice of oversize
// values.
#pragma once

#include "bemi/tuple.hpp"

namespace bemi {

// What stays where it was: nobody may look at it.
inline bool IsUnchangedToast(const ColumnPlan& column, Datum value) {
    return column.value.length == -1 && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(value));
}

// Whether an UPDATE changed the column, as far as both its values were logged.
bool IsChanged(const Row& row, const ColumnPlan& column);

// Why a column of the image is not even tried, kNone where its value is to be written.
Missing ReasonToSkip(const Row& row, Image image, int column);

// `,"name":value` of a value that is not NULL; or nothing, and the reason why. Logs errors.
Missing WriteColumn(JsonStream& out, const Row& row, ColumnPlan& column, Datum value);

// All columns of an image, a comma before each; false where one passes the limit.
bool WriteColumns(JsonStream& out, Row& row, Image image);

}  // namespace bemi

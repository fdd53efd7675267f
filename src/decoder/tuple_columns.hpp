// What the writing of images and the choice of oversize values share.
#pragma once

#include "bemi/tuple.hpp"

namespace bemi {

// Why a column of the image is not even tried, kNone where its value is to be written.
Missing ReasonToSkip(const Row& row, Image image, int column);

// `,"name":value` of a value that is not NULL; or nothing, and the reason why. Logs errors.
Missing WriteColumn(JsonStream& out, const Row& row, ColumnPlan& column, Datum value);

}  // namespace bemi

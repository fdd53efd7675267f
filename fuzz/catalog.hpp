// Tuples as fuzz/catalog.cpp has them: a HeapTuple's t_tableOid says which of two arrays it is.
#pragma once

#include "bemi/pg.hpp"

namespace fuzz {

struct TupleArrays {
    int count;
    const Datum* values;
    const bool* nulls;
};
extern const TupleArrays* tuple_arrays[2];

}  // namespace fuzz

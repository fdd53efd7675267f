// What a consumer asks for when it starts to read a slot.
#pragma once

#include <cstddef>
#include <string_view>

#include "bemi/pattern.hpp"
#include "bemi/pg.hpp"

namespace bemi {

enum Operation { kCreate, kUpdate, kDelete, kTruncate, kOperationCount };

// Which indexes may be a table's key: its primary key alone, or also another unique one.
enum class KeyChoice { kUnique, kPrimary };

struct Options {
    PatternList tables;  // empty: all
    PatternList exclude_tables;
    PatternList exclude_columns;
    PatternList mask_columns;
    PatternList ignore_columns;
    PatternList messages;
    unsigned operations;  // a bit per Operation
    bool local_origin_only;
    KeyChoice keys;
    bool quote_bigint;
    bool quote_numeric;
    std::string_view context_prefix;
    bool preceding_context_only;
    std::size_t context_hold;      // bytes
    std::size_t max_context_size;  // bytes
    std::size_t max_record_size;   // bytes, without the context
    std::size_t batch_size;        // bytes, 0: one record a message
};

// Parses the options of START_REPLICATION or of the SQL functions (a list of DefElem) into the
// current memory context. Raises an ERROR that names option, value and what was expected.
Options ParseOptions(List* given);

}  // namespace bemi

// Which tables and columns are emitted: decided once per relation, by the consumer's options and
// the server's settings together.
#pragma once

#include <cstdint>
#include <string_view>

#include "bemi/options.hpp"
#include "bemi/settings.hpp"

namespace bemi {

struct Filter {
    const Options* options;
    PatternList server_exclude_tables;
    PatternList server_exclude_columns;
    PatternList server_mask_columns;
};

// Patterns live in the current memory context, `options` longer than the filter.
Filter MakeFilter(const Options& options, const ServerSettings& settings);

// A table by its own name and, where it is a partition, its topmost table's (else the same again).
struct TableNames {
    std::string_view schema;
    std::string_view table;
    std::string_view top_schema;
    std::string_view top_table;
};

enum class ColumnRule : std::uint8_t { kEmit, kMask, kExclude };

bool EmitsTable(const Filter& filter, const TableNames& names);
ColumnRule RuleOfColumn(const Filter& filter, const TableNames& names, std::string_view column);
bool IgnoresColumn(const Filter& filter, const TableNames& names, std::string_view column);
bool EmitsMessage(const Options& options, std::string_view prefix);

}  // namespace bemi

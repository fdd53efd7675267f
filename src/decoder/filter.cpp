// Options and settings applied to names.

#include "bemi/filter.hpp"

namespace bemi {

namespace {

bool MatchesTable(const PatternList& list, const TableNames& names) {
    const std::string_view own[] = {names.table, names.schema};
    const std::string_view top[] = {names.top_table, names.top_schema};
    return MatchesAny(list, own, 2) || MatchesAny(list, top, 2);
}

bool MatchesColumn(const PatternList& list, const TableNames& names, std::string_view column) {
    const std::string_view own[] = {column, names.table, names.schema};
    const std::string_view top[] = {column, names.top_table, names.top_schema};
    return MatchesAny(list, own, 3) || MatchesAny(list, top, 3);
}

bool IsSchemaOfOurs(std::string_view schema) {
    return schema == "bemi" || schema == "pg_catalog" || schema == "information_schema";
}

}  // namespace

Filter MakeFilter(const Options& options, const ServerSettings& settings) {
    return {&options, ParseServerSetting(settings.exclude_tables, 2),
            ParseServerSetting(settings.exclude_columns, 3),
            ParseServerSetting(settings.mask_columns, 3)};
}

bool EmitsTable(const Filter& filter, const TableNames& names) {
    if (IsSchemaOfOurs(names.schema) || IsSchemaOfOurs(names.top_schema))
        return false;
    const Options& options = *filter.options;
    return (options.tables.empty() || MatchesTable(options.tables, names)) &&
           !MatchesTable(options.exclude_tables, names) &&
           !MatchesTable(filter.server_exclude_tables, names);
}

ColumnRule RuleOfColumn(const Filter& filter, const TableNames& names, std::string_view column) {
    if (MatchesColumn(filter.options->exclude_columns, names, column) ||
        MatchesColumn(filter.server_exclude_columns, names, column))
        return ColumnRule::kExclude;
    if (MatchesColumn(filter.options->mask_columns, names, column) ||
        MatchesColumn(filter.server_mask_columns, names, column))
        return ColumnRule::kMask;
    return ColumnRule::kEmit;
}

bool IgnoresColumn(const Filter& filter, const TableNames& names, std::string_view column) {
    return MatchesColumn(filter.options->ignore_columns, names, column);
}

bool EmitsMessage(const Options& options, std::string_view prefix) {
    return MatchesAny(options.messages, &prefix, 1);
}

}  // namespace bemi

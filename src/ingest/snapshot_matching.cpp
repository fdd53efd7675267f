// The decoder's table and column options, asked of the catalog.
#include "snapshot_matching.hpp"

#include <vector>

#include "pattern.hpp"
#include "text_to_json.hpp"

namespace bemi::ingest {

namespace {

std::string Matches(Connection& source, const std::string& list,
                    const std::vector<std::string>& expressions) {
    return MatchesAnySql(ParsePatterns(list), expressions,
                         [&](const std::string& text) { return source.Literal(text); });
}

}  // namespace

const char* const kFromTables =
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_class root ON root.oid = CASE WHEN c.relispartition THEN"
    " pg_partition_root(c.oid)::oid ELSE c.oid END"
    " JOIN pg_namespace rootn ON rootn.oid = root.relnamespace";

std::string ServerSetting(Connection& source, const char* name) {
    return source.Value(std::string("SELECT current_setting('") + name + "', true)");
}

std::string TableMatches(Connection& source, const std::string& list) {
    return "(" + Matches(source, list, {"c.relname::text", "n.nspname::text"}) + " OR " +
           Matches(source, list, {"root.relname::text", "rootn.nspname::text"}) + ")";
}

std::string ColumnMatches(Connection& source, const std::string& list) {
    return "(" + Matches(source, list, {"a.attname::text", "c.relname::text", "n.nspname::text"}) +
           " OR " +
           Matches(source, list, {"a.attname::text", "root.relname::text", "rootn.nspname::text"}) +
           ")";
}

std::string Utf8Name(const Connection& source, const std::string& name) {
    return source.ServerEncoding() == "SQL_ASCII" ? FromSqlAscii(name) : name;
}

}  // namespace bemi::ingest

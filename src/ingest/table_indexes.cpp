// The indexes of the table `changes`: they decide what a stored change costs.
#include "table.hpp"

namespace bemi::ingest {

namespace {

struct Index {
    const char* name;
    const char* set;  // the smallest set that has it
    const char* definition;
};

const Index kIndexes[] = {
    {"changes_row", "minimal", "(\"table\", primary_key, schema, commit_position)"},
    {"changes_previous", "minimal",
     "(\"table\", previous_key, schema, commit_position) WHERE previous_key IS NOT NULL"},
    {"changes_time", "minimal", "USING brin (committed_at, transaction_id)"},
    {"changes_context", "default", "USING gin (context jsonb_path_ops)"},
    {"changes_before", "full", "USING gin (before jsonb_path_ops)"},
    {"changes_after", "full", "USING gin (after jsonb_path_ops)"},
};

bool Wanted(const std::string& set, const std::string& index_set) {
    return index_set == "minimal" || set == "full" || set == index_set;
}

}  // namespace

void MakeIndexes(Connection& c, const Settings& settings, std::vector<std::string>* notes) {
    std::string table = c.Identifier(settings.schema) + ".changes";
    for (const Index& index : kIndexes) {
        if (Wanted(settings.indexes, index.set))
            c.Query(std::string("CREATE INDEX IF NOT EXISTS ") + index.name + " ON " + table + " " +
                    index.definition);
    }
    Result others = c.Query(
        "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid"
        " WHERE indrelid = " +
        c.Literal(table) +
        "::regclass AND NOT indisprimary AND NOT c.relname = ANY ('{changes_row,"
        "changes_previous,changes_time,changes_context,changes_before,changes_after}') ORDER BY 1");
    std::string drop;
    for (int i = 0; i < others.rows(); ++i)
        drop += (i == 0 ? "DROP INDEX " : ", ") + others.Get(i, 0);
    if (!drop.empty())
        notes->push_back(
            "further indexes slow every change down; where nobody needs them: " + drop + ";");
}

}  // namespace bemi::ingest

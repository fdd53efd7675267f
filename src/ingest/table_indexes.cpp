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
    // What time travel must look for beside a row's own records; most tables have none.
    {"changes_identity", "minimal",
     "(\"table\", schema, commit_position)"
     " WHERE ((details ->> 'identity'::text) = ANY (ARRAY['index'::text, 'nothing'::text]))"},
    // A range of blocks that is not summarized is read for every time that is asked for; vacuum
    // alone comes only when a fifth of the table is new.
    {"changes_time", "minimal",
     "USING brin (committed_at, transaction_id) WITH (autosummarize='on')"},
    {"changes_context", "default", "USING gin (context jsonb_path_ops)"},
    {"changes_trace", "default",
     "USING gin (bemi.trace_words(context))"
     " WHERE jsonb_path_exists(context, '$.**.\"traceparent\"'::jsonpath)"},
    {"changes_before", "full", "USING gin (before jsonb_path_ops)"},
    {"changes_after", "full", "USING gin (after jsonb_path_ops)"},
};

bool Wanted(const std::string& set, const std::string& index_set) {
    return index_set == "minimal" || set == "full" || set == index_set;
}

}  // namespace

void MakeIndexes(Connection& c, const Settings& settings, std::vector<std::string>* notes) {
    std::string table = c.Identifier(settings.schema) + ".changes";
    std::string of_table =
        " FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = " +
        c.Literal(table) + "::regclass";
    for (const Index& index : kIndexes) {
        std::string definition = c.Literal(std::string("% ") + index.definition);
        bool there = c.Value("SELECT true" + of_table + " AND (relname = '" + index.name +
                             "' OR pg_get_indexdef(indexrelid) LIKE " + definition + ")") == "t";
        if (Wanted(settings.indexes, index.set) && !there)
            c.Query(std::string("CREATE INDEX ") + index.name + " ON " + table + " " +
                    index.definition);
    }
    std::string ours;
    for (const Index& index : kIndexes)
        ours += std::string(" AND relname <> '") + index.name +
                "' AND pg_get_indexdef(indexrelid) NOT LIKE " +
                c.Literal(std::string("% ") + index.definition);
    std::string drop = c.Value(
        "SELECT string_agg(i.oid::regclass::text, ', '"
        " ORDER BY relname)" +
        of_table + " AND NOT indisprimary" + ours);
    if (!drop.empty())
        notes->push_back(
            "further indexes slow every change down; where nobody needs them: "
            "DROP INDEX " +
            drop + ";");
}

}  // namespace bemi::ingest

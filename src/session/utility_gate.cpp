// What commands write.

#include "utility_gate.hpp"

namespace bemi {

namespace {

// What the catalog says of a relation, in one look: no lock keeps it from being dropped, and the
// server's functions for its properties raise an error, or give none, for what is gone.
struct Kind {
    bool is_decoded;
    bool has_children;  // or had some
};

Kind KindOf(Oid relation) {
    const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple))
        return {false, false};
    const FormData_pg_class* const row =
        static_cast<const FormData_pg_class*>(static_cast<const void*>(GETSTRUCT(tuple)));
    const bool is_table =
        row->relkind == RELKIND_RELATION || row->relkind == RELKIND_PARTITIONED_TABLE;
    const Kind kind = {is_table && row->relpersistence == RELPERSISTENCE_PERMANENT &&
                           !IsCatalogNamespace(row->relnamespace),
                       row->relhassubclass};
    ReleaseSysCache(tuple);
    return kind;
}

// InvalidOid for what is not there; raises what the command itself would raise of the name.
Kind KindOf(const RangeVar* name) {
    return KindOf(RangeVarGetRelid(name, NoLock, true));
}

bool CopiesIntoDecodedTable(const CopyStmt* copy) {
    return copy->is_from && copy->relation != nullptr && KindOf(copy->relation).is_decoded;
}

// A table that is not decoded may have children that are.
bool TruncatesDecodedTable(const TruncateStmt* truncate) {
    ListCell* cell;
    foreach (cell, truncate->relations) {
        const Kind kind = KindOf(lfirst_node(RangeVar, cell));
        if (kind.is_decoded || kind.has_children)
            return true;
    }
    return false;
}

// EXPLAIN, CREATE TABLE AS and DECLARE hold a query, which may be a command in turn.
Node* CommandIn(Node* query) {
    return IsA(query, Query) ? castNode(Query, query)->utilityStmt : nullptr;
}

}  // namespace

bool WritesByItself(Node* command) {
    if (IsA(command, CopyStmt))
        return CopiesIntoDecodedTable(castNode(CopyStmt, command));
    if (IsA(command, TruncateStmt))
        return TruncatesDecodedTable(castNode(TruncateStmt, command));
    return false;
}

const IntoClause* DecodedInto(Node* command) {
    if (IsA(command, ExplainStmt))
        command = CommandIn(castNode(ExplainStmt, command)->query);
    if (command == nullptr || !IsA(command, CreateTableAsStmt))
        return nullptr;
    const CreateTableAsStmt* create = castNode(CreateTableAsStmt, command);
    const bool is_decoded = create->objtype == OBJECT_TABLE &&
                            create->into->rel->relpersistence == RELPERSISTENCE_PERMANENT;
    return is_decoded ? create->into : nullptr;
}

bool BuildsIndexes(Node* command) {
    return IsA(command, IndexStmt) || IsA(command, ReindexStmt) || IsA(command, AlterTableStmt) ||
           IsA(command, RefreshMatViewStmt) || IsRewriteCommand(command);
}

const char* PreparedName(Node* command) {
    if (IsA(command, ExplainStmt))
        command = CommandIn(castNode(ExplainStmt, command)->query);
    if (command != nullptr && IsA(command, CreateTableAsStmt))
        command = CommandIn(castNode(CreateTableAsStmt, command)->query);
    return command != nullptr && IsA(command, ExecuteStmt) ? castNode(ExecuteStmt, command)->name
                                                           : nullptr;
}

}  // namespace bemi

// What commands write.

#include "utility_gate.hpp"

namespace bemi {

namespace {

bool IsDecodedTable(Oid relation) {
    const char kind = get_rel_relkind(relation);
    return (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE) &&
           get_rel_persistence(relation) == RELPERSISTENCE_PERMANENT &&
           !IsCatalogNamespace(get_rel_namespace(relation));
}

bool CopiesIntoDecodedTable(const CopyStmt* copy) {
    if (!copy->is_from || copy->relation == nullptr)
        return false;
    return IsDecodedTable(RangeVarGetRelid(copy->relation, NoLock, true));
}

// A table that is not decoded may have children that are.
bool TruncatesDecodedTable(const TruncateStmt* truncate) {
    ListCell* cell;
    foreach (cell, truncate->relations) {
        const Oid relation = RangeVarGetRelid(lfirst_node(RangeVar, cell), NoLock, true);
        if (IsDecodedTable(relation) || (OidIsValid(relation) && has_subclass(relation)))
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

const char* PreparedName(Node* command) {
    if (IsA(command, ExplainStmt))
        command = CommandIn(castNode(ExplainStmt, command)->query);
    if (command != nullptr && IsA(command, CreateTableAsStmt))
        command = CommandIn(castNode(CreateTableAsStmt, command)->query);
    return command != nullptr && IsA(command, ExecuteStmt) ? castNode(ExecuteStmt, command)->name
                                                           : nullptr;
}

}  // namespace bemi

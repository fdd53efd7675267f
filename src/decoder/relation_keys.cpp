// Choosing the key among a relation's indexes.

#include <cstring>

#include "relation_keys.hpp"

namespace bemi {

namespace {

IndexKey KeyOfIndex(const FormData_pg_index* index) {
    IndexKey key = {};
    for (int i = 0; i < index->indnkeyatts; i++)
        key.attributes[key.count++] = index->indkey.values[i];
    return key;
}

// A unique index that may serve as the key.
struct Candidate {
    IndexKey key;
    NameData name;  // the index's own, or that of the topmost table's index
};

struct Search {
    Relation relation;
    DependencyList* dependencies;
    Candidate best;  // no columns: none so far
};

// Calls `visit` with the rows of pg_index of those indexes that are alive. Not by the relation
// cache: it would have to look there as well, keeps no columns, and leaves a deferrable primary key
// out on some versions. Also where relhasindex is false: VACUUM writes that over the old row of
// pg_class once the last index is gone, under a slot that lags.
template <typename Visit>
void VisitIndexes(Relation relation, Visit visit) {
    ScanKeyData wanted;
    ScanKeyInit(&wanted, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(RelationGetRelid(relation)));
    const Relation catalog = table_open(IndexRelationId, AccessShareLock);
    const SysScanDesc scan =
        systable_beginscan(catalog, IndexIndrelidIndexId, true, nullptr, 1, &wanted);
    while (HeapTuple tuple = systable_getnext(scan)) {
        const FormData_pg_index* index =
            reinterpret_cast<const FormData_pg_index*>(GETSTRUCT(tuple));
        if (index->indislive)
            visit(tuple, index);
    }
    systable_endscan(scan);
    table_close(catalog, AccessShareLock);
}

bool IsWhole(HeapTuple tuple) {
    return heap_attisnull(tuple, Anum_pg_index_indpred, nullptr) &&
           heap_attisnull(tuple, Anum_pg_index_indexprs, nullptr);
}

bool HasNoNullIn(Relation relation, const IndexKey& key) {
    for (int i = 0; i < key.count; i++) {
        const int attribute = key.attributes[i];
        if (attribute <= 0 || !HasNoNulls(RelationGetDescr(relation), attribute - 1))
            return false;
    }
    return true;
}

// The index whose name decides; InvalidOid for a partition's index that belongs to none of the
// topmost table.
Oid DecidingIndex(const Search& search, Oid index) {
    if (!search.relation->rd_rel->relispartition)
        return index;
    const Oid topmost = TopmostOf(index);
    if (topmost == index)
        return InvalidOid;
    search.dependencies->AddRelation(topmost);
    const Oid table = IndexGetRelation(topmost, true);
    return table == TopmostOf(RelationGetRelid(search.relation)) ? topmost : InvalidOid;
}

bool IsBetter(const Candidate& candidate, const Candidate& best) {
    if (best.key.count == 0 || candidate.key.count != best.key.count)
        return best.key.count == 0 || candidate.key.count < best.key.count;
    return std::strcmp(NameStr(candidate.name), NameStr(best.name)) < 0;
}

void Consider(Search* search, HeapTuple tuple, const FormData_pg_index* index) {
    if (!index->indisunique)
        return;
    // What an index is called, whether it is valid, and what it belongs to, is told under its name.
    search->dependencies->AddRelation(index->indexrelid);
    Candidate candidate = {};
    candidate.key = KeyOfIndex(index);
    if (!index->indisvalid || !index->indimmediate || !IsWhole(tuple) ||
        !HasNoNullIn(search->relation, candidate.key))
        return;
    const Oid deciding = DecidingIndex(*search, index->indexrelid);
    const char* const name = OidIsValid(deciding) ? get_rel_name(deciding) : nullptr;
    if (name == nullptr)
        return;
    namestrcpy(&candidate.name, name);
    if (IsBetter(candidate, search->best))
        search->best = candidate;
}

IndexKey ChooseUniqueIndex(Relation relation, DependencyList& dependencies) {
    Search search = {relation, &dependencies, {}};
    VisitIndexes(relation, [&](HeapTuple tuple, const FormData_pg_index* index) {
        Consider(&search, tuple, index);
    });
    return search.best.key;
}

// By the rules by which the relation cache finds the replica identity.
bool IsIdentity(HeapTuple tuple, const FormData_pg_index* index, char identity) {
    const bool is_chosen = (identity == REPLICA_IDENTITY_DEFAULT && index->indisprimary) ||
                           (identity == REPLICA_IDENTITY_INDEX && index->indisreplident);
    return is_chosen && index->indisunique && index->indimmediate &&
           heap_attisnull(tuple, Anum_pg_index_indpred, nullptr);
}

}  // namespace

Oid TopmostOf(Oid relation) {
    const List* const ancestors = get_partition_ancestors(relation);
    return ancestors == NIL ? relation : llast_oid(ancestors);
}

RelationKeys ReadKeys(Relation relation, KeyChoice choice, DependencyList& dependencies) {
    const char identity = relation->rd_rel->relreplident;
    RelationKeys keys = {};
    VisitIndexes(relation, [&](HeapTuple tuple, const FormData_pg_index* index) {
        if (!index->indisvalid)
            return;
        if (index->indisprimary)
            keys.key = KeyOfIndex(index);
        if (IsIdentity(tuple, index, identity))
            keys.identity = KeyOfIndex(index);
    });
    if (keys.key.count > 0 || choice == KeyChoice::kPrimary)
        return keys;
    if (identity == REPLICA_IDENTITY_INDEX && keys.identity.count > 0 &&
        HasNoNullIn(relation, keys.identity))
        keys.key = keys.identity;
    else
        keys.key = ChooseUniqueIndex(relation, dependencies);
    return keys;
}

Identity IdentityOf(Relation relation, const RelationKeys& keys) {
    const char identity = relation->rd_rel->relreplident;
    if (identity == REPLICA_IDENTITY_FULL)
        return Identity::kFull;
    if (keys.identity.count == 0)
        return Identity::kNothing;
    return identity == REPLICA_IDENTITY_DEFAULT ? Identity::kDefault : Identity::kIndex;
}

}  // namespace bemi

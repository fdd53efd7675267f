// Making the plan of a relation: names, columns, primary key and replica identity.

#include <cstring>

#include "bemi/relation.hpp"
#include "bemi/wire.hpp"

namespace bemi {

namespace {

constexpr const char* kOperationNames[kOperationCount] = {"CREATE", "UPDATE", "DELETE", "TRUNCATE"};

const char* SchemaName(Oid schema) {
    const char* name = get_namespace_name(schema);
    if (name == nullptr)
        elog(ERROR, "cache lookup failed for schema %u", schema);
    return name;
}

const char* RelationName(Oid relation) {
    const char* name = get_rel_name(relation);
    if (name == nullptr)
        elog(ERROR, "cache lookup failed for relation %u", relation);
    return name;
}

// The relation's own names and its topmost table's, in the current memory context.
TableNames LookUpNames(Relation relation, DependencyList& dependencies) {
    Oid top = RelationGetRelid(relation);
    dependencies.AddRelation(top);
    if (relation->rd_rel->relispartition) {
        ListCell* cell;
        foreach (cell, get_partition_ancestors(top)) {
            top = lfirst_oid(cell);
            dependencies.AddRelation(top);
        }
    }
    TableNames names;
    names.schema = SchemaName(RelationGetNamespace(relation));
    names.table = pstrdup(RelationGetRelationName(relation));
    dependencies.AddSchema(RelationGetNamespace(relation));
    if (top == RelationGetRelid(relation)) {
        names.top_schema = names.schema;
        names.top_table = names.table;
    } else {
        const Oid top_schema = get_rel_namespace(top);
        names.top_schema = SchemaName(top_schema);
        names.top_table = RelationName(top);
        dependencies.AddSchema(top_schema);
    }
    return names;
}

// `schema.name` quoted as SQL needs, whatever quote_all_identifiers says.
std::string_view QuotedName(const TableNames& names) {
    const bool quote_all = quote_all_identifiers;
    quote_all_identifiers = false;
    const char* quoted = quote_qualified_identifier(names.schema.data(), names.table.data());
    quote_all_identifiers = quote_all;
    return quoted;
}

std::string_view Opening(const TableNames& names, const TextEncoding& encoding,
                         std::string_view database, int operation) {
    JsonStream out;
    out.Init(CurrentMemoryContext, !encoding.is_utf8());
    auto member = [&](const char* key, std::string_view text) {
        out.Append(std::string_view(out.length() == 0 ? "{\"" : ",\""));
        out.Append(std::string_view(key));
        out.Append("\":");
        WriteIdentifier(out, encoding, text);
    };
    member(wire::kOperation, kOperationNames[operation]);
    member(wire::kDatabase, database);
    member(wire::kSchema, names.top_schema);
    member(wire::kTable, names.top_table);
    if (names.top_table.data() != names.table.data())
        member(wire::kPartition, QuotedName(names));
    out.Append(",\"");
    out.Append(std::string_view(wire::kPrimaryKey));
    out.Append("\":");
    return out.view();
}

// The columns of an index that make its key, as attribute numbers; empty where it has none.
struct IndexKey {
    AttrNumber attributes[INDEX_MAX_KEYS];
    int count;

    bool Contains(AttrNumber attribute) const {
        for (int i = 0; i < count; i++) {
            if (attributes[i] == attribute)
                return true;
        }
        return false;
    }
};

IndexKey KeyOfIndex(const FormData_pg_index* index) {
    IndexKey key = {};
    for (int i = 0; i < index->indnkeyatts; i++)
        key.attributes[key.count++] = index->indkey.values[i];
    return key;
}

// Key of the index that `wanted` accepts. Asks pg_index: the relation cache leaves a deferrable
// primary key out on some versions.
template <typename Wanted>
IndexKey FindIndexKey(Relation relation, Wanted wanted) {
    IndexKey key = {};
    ListCell* cell;
    foreach (cell, RelationGetIndexList(relation)) {
        HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
        if (!HeapTupleIsValid(tuple))
            continue;
        const FormData_pg_index* index =
            reinterpret_cast<const FormData_pg_index*>(GETSTRUCT(tuple));
        if (key.count == 0 && wanted(index))
            key = KeyOfIndex(index);
        ReleaseSysCache(tuple);
    }
    return key;
}

IndexKey PlanIdentity(RelationPlan* plan, Relation relation) {
    const char identity = relation->rd_rel->relreplident;
    const Oid index_id = RelationGetReplicaIndex(relation);
    plan->identity = Identity::kNothing;
    if (identity == REPLICA_IDENTITY_FULL)
        plan->identity = Identity::kFull;
    else if (OidIsValid(index_id) && identity == REPLICA_IDENTITY_DEFAULT)
        plan->identity = Identity::kDefault;
    else if (OidIsValid(index_id) && identity == REPLICA_IDENTITY_INDEX)
        plan->identity = Identity::kIndex;
    if (plan->identity != Identity::kDefault && plan->identity != Identity::kIndex)
        return {};
    return FindIndexKey(relation, [index_id](const FormData_pg_index* index) {
        return index->indexrelid == index_id;
    });
}

struct Planning {
    Relation relation;
    const Filter& filter;
    const TableNames& names;
    ValueOptions values;
    IndexKey identity;
};

void PlanColumns(RelationPlan* plan, const Planning& planning) {
    const TupleDesc descriptor = RelationGetDescr(planning.relation);
    plan->attribute_count = descriptor->natts;
    const std::size_t room = static_cast<std::size_t>(descriptor->natts) + 1;
    plan->columns = static_cast<ColumnPlan*>(palloc0(sizeof(ColumnPlan) * room));
    plan->missing = static_cast<std::uint8_t*>(palloc0(room));
    for (int image = 0; image < 2; image++) {
        plan->values[image] = static_cast<Datum*>(palloc(sizeof(Datum) * room));
        plan->nulls[image] = static_cast<bool*>(palloc(sizeof(bool) * room));
    }
    for (int i = 0; i < descriptor->natts; i++) {
        const FormData_pg_attribute* attribute = TupleDescAttr(descriptor, i);
        if (!IsStoredAttribute(attribute))
            continue;
        const char* name = pstrdup(NameStr(attribute->attname));
        ColumnPlan* column = &plan->columns[plan->column_count++];
        column->attribute = i;
        column->name = name;
        column->label = MemberLabel(*planning.values.encoding, name);
        column->rule = RuleOfColumn(planning.filter, planning.names, name);
        column->ignored = IgnoresColumn(planning.filter, planning.names, name);
        column->in_identity = planning.identity.Contains(attribute->attnum);
        PlanValue(&column->value, attribute->atttypid, planning.values, plan->dependencies);
        plan->has_ignored_columns |= column->ignored;
        plan->uses_settings |= column->value.uses_settings;
    }
}

// Keys with a column that must not be seen are not shown at all.
void PlanKey(RelationPlan* plan, const Planning& planning) {
    const IndexKey primary = FindIndexKey(planning.relation, [](const FormData_pg_index* index) {
        return index->indisprimary && index->indisvalid;
    });
    ValueOptions unquoted = planning.values;
    unquoted.quote_bigint = unquoted.quote_numeric = false;
    plan->key = static_cast<KeyColumn*>(
        palloc0(sizeof(KeyColumn) * static_cast<std::size_t>(Max(primary.count, 1))));
    for (int i = 0; i < primary.count; i++) {
        const FormData_pg_attribute* attribute =
            TupleDescAttr(RelationGetDescr(planning.relation), primary.attributes[i] - 1);
        if (RuleOfColumn(planning.filter, planning.names, NameStr(attribute->attname)) !=
            ColumnRule::kEmit) {
            plan->key_count = 0;
            return;
        }
        KeyColumn* column = &plan->key[plan->key_count++];
        column->attribute = primary.attributes[i] - 1;
        column->in_identity = planning.identity.Contains(primary.attributes[i]);
        PlanValue(&column->value, attribute->atttypid, unquoted, plan->dependencies);
        plan->uses_settings |= column->value.uses_settings;
    }
}

}  // namespace

void PlanRelation(RelationPlan* plan, Relation relation, const Filter& filter,
                  const TextEncoding& encoding, std::string_view database, MemoryContext memory) {
    const Oid relation_id = plan->relation;
    if (plan->memory != nullptr)
        MemoryContextDelete(plan->memory);
    *plan = {};
    plan->relation = relation_id;
    plan->memory = AllocSetContextCreate(memory, "bemi relation plan", ALLOCSET_SMALL_SIZES);
    const MemoryContext previous = MemoryContextSwitchTo(plan->memory);

    const TableNames names = LookUpNames(relation, plan->dependencies);
    plan->emitted = relation->rd_rel->relkind == RELKIND_RELATION && EmitsTable(filter, names);
    if (plan->emitted) {
        plan->qualified_name = QuotedName(names);
        for (int operation = 0; operation < kOperationCount; operation++)
            plan->openings[operation] = Opening(names, encoding, database, operation);
        const IndexKey identity = PlanIdentity(plan, relation);
        const Planning planning = {
            relation,
            filter,
            names,
            {&encoding, filter.options->quote_bigint, filter.options->quote_numeric},
            identity};
        PlanColumns(plan, planning);
        PlanKey(plan, planning);
    }
    MemoryContextSwitchTo(previous);
    plan->valid = true;
}

}  // namespace bemi

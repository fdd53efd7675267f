// Making the plan of a relation: names, columns, primary key and replica identity.

#include <cstring>

#include "bemi/relation.hpp"
#include "bemi/wire.hpp"
#include "relation_keys.hpp"

namespace bemi {

namespace {

// The plan of a table of a dozen columns takes one block of memory.
constexpr Size kPlanBlock = 2048;

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

std::string_view Opening(const TableNames& names, const ValueOptions& values,
                         std::string_view database) {
    const TextEncoding& encoding = *values.encoding;
    JsonStream out;
    out.Init(values.scratch, !encoding.is_utf8());
    auto member = [&](const char* key, std::string_view text) {
        out.Append(",\"");
        out.Append(std::string_view(key));
        out.Append("\":");
        WriteIdentifier(out, encoding, text);
    };
    member(wire::kDatabase, database);
    member(wire::kSchema, names.top_schema);
    member(wire::kTable, names.top_table);
    if (names.top_table.data() != names.table.data())
        member(wire::kPartition, QuotedName(names));
    out.Append(",\"");
    out.Append(std::string_view(wire::kPrimaryKey));
    out.Append("\":");
    return PadText(out);
}

struct Planning {
    Relation relation;
    const Filter& filter;
    const TableNames& names;
    ValueOptions values;
    RelationKeys keys;
};

void PlanColumn(RelationPlan* plan, const Planning& planning, int i) {
    const FormData_pg_attribute* attribute = TupleDescAttr(RelationGetDescr(planning.relation), i);
    const char* name = NameStr(attribute->attname);
    ColumnPlan* column = &plan->columns[plan->column_count++];
    column->attribute = static_cast<std::int16_t>(i);
    column->null_member = NullMember(planning.values, name);
    column->rule = RuleOfColumn(planning.filter, planning.names, name);
    column->ignored = IgnoresColumn(planning.filter, planning.names, name);
    column->in_identity = planning.keys.identity.Contains(attribute->attnum);
    PlanValue(&column->value, attribute->atttypid, planning.values, plan->dependencies);
    column->plain = column->rule == ColumnRule::kEmit && !column->value.guarded;
    plan->has_ignored_columns |= column->ignored;
    plan->uses_settings |= column->value.uses_settings;
}

void PlanColumns(RelationPlan* plan, const Planning& planning) {
    const TupleDesc descriptor = RelationGetDescr(planning.relation);
    const std::size_t count = static_cast<std::size_t>(descriptor->natts);
    plan->columns = static_cast<ColumnPlan*>(palloc0(sizeof(ColumnPlan) * count));
    for (int i = 0; i < descriptor->natts; i++) {
        if (IsStoredAttribute(TupleDescAttr(descriptor, i)))
            PlanColumn(plan, planning, i);
    }
    plan->logged_in = static_cast<TransactionId*>(palloc0(sizeof(TransactionId) * count));
}

// Keys with a column that must not be seen are not shown at all.
void PlanKey(RelationPlan* plan, const Planning& planning) {
    const IndexKey& key = planning.keys.key;
    ValueOptions unquoted = planning.values;
    unquoted.quote_bigint = unquoted.quote_numeric = false;
    CompositePlan* composites = nullptr;
    unquoted.composites = &composites;
    plan->key =
        static_cast<KeyColumn*>(palloc0(sizeof(KeyColumn) * static_cast<std::size_t>(key.count)));
    for (int i = 0; i < key.count; i++) {
        const FormData_pg_attribute* attribute =
            TupleDescAttr(RelationGetDescr(planning.relation), key.attributes[i] - 1);
        if (RuleOfColumn(planning.filter, planning.names, NameStr(attribute->attname)) !=
            ColumnRule::kEmit) {
            plan->key_count = 0;
            return;
        }
        KeyColumn* column = &plan->key[plan->key_count++];
        column->attribute = static_cast<std::int16_t>(key.attributes[i] - 1);
        column->in_identity = planning.keys.identity.Contains(key.attributes[i]);
        PlanValue(&column->value, attribute->atttypid, unquoted, plan->dependencies);
        plan->uses_settings |= column->value.uses_settings;
    }
}

}  // namespace

void PlanRelation(RelationPlan* plan, Relation relation, const Filter& filter,
                  const TextEncoding& encoding, std::string_view database, MemoryContext memory) {
    plan->memory = AllocSetContextCreate(memory, "bemi relation plan", 0, kPlanBlock,
                                         ALLOCSET_DEFAULT_MAXSIZE);
    const MemoryContext previous = MemoryContextSwitchTo(plan->memory);

    const TableNames names = LookUpNames(relation, plan->dependencies);
    plan->emitted = relation->rd_rel->relkind == RELKIND_RELATION && EmitsTable(filter, names);
    if (plan->emitted) {
        CompositePlan* composites = nullptr;
        const ValueOptions values = {&encoding, previous, filter.options->quote_bigint,
                                     filter.options->quote_numeric, &composites};
        plan->qualified_name = QuotedName(names);
        plan->opening = Opening(names, values, database);
        const RelationKeys keys = ReadKeys(relation, filter.options->keys, plan->dependencies);
        plan->identity = IdentityOf(relation, keys);
        const Planning planning = {relation, filter, names, values, keys};
        PlanColumns(plan, planning);
        PlanKey(plan, planning);
    }
    MemoryContextSwitchTo(previous);
    plan->valid = true;
}

}  // namespace bemi

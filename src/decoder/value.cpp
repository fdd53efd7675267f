// Which writer a type gets: the decisions of to_jsonb (jsonb.c, jsonb_categorize_type), made once.

#include "bemi/wire.hpp"
#include "value_writers.hpp"

namespace bemi {

namespace {

struct BuiltIn {
    Oid type;
    WriteFunction write;
    JsonKind kind;
};

const BuiltIn kBuiltIns[] = {
    {BOOLOID, WriteBool, JsonKind::kPlain},
    {INT2OID, WriteInt2, JsonKind::kPlain},
    {INT4OID, WriteInt4, JsonKind::kPlain},
    {INT8OID, WriteInt8, JsonKind::kPlain},
    {FLOAT4OID, WriteFloat4, JsonKind::kOther},
    {FLOAT8OID, WriteFloat8, JsonKind::kOther},
    {NUMERICOID, WriteNumeric, JsonKind::kNumeric},
    {TEXTOID, WriteVarlenaText, JsonKind::kString},
    {VARCHAROID, WriteVarlenaText, JsonKind::kString},
    {BPCHAROID, WriteVarlenaText, JsonKind::kString},
    {NAMEOID, WriteName, JsonKind::kString},
    {BYTEAOID, WriteBytea, JsonKind::kString},
    {UUIDOID, WriteUuid, JsonKind::kString},
    {DATEOID, WriteDate, JsonKind::kString},
    {TIMESTAMPOID, WriteTimestamp, JsonKind::kString},
    {TIMESTAMPTZOID, WriteTimestampTz, JsonKind::kString},
    {JSONOID, WriteJson, JsonKind::kOther},
    {JSONBOID, WriteJsonb, JsonKind::kOther},
};

// Levels of a type that is not written: more than a json value may have, for all of them together.
constexpr std::uint16_t kTooDeep = wire::kMaxValueDepth + 1;

const BuiltIn* FindBuiltIn(Oid type) {
    for (const BuiltIn& built_in : kBuiltIns) {
        if (built_in.type == type)
            return &built_in;
    }
    return nullptr;
}

// Types whose output functions look at no setting. Those of all others may, also those of a range
// of such.
bool LooksAtNoSetting(Oid type) {
    switch (type) {
        case CHAROID:
        case OIDOID:
        case TIMEOID:
        case TIMETZOID:
        case INETOID:
        case CIDROID:
        case MACADDROID:
        case MACADDR8OID:
        case BITOID:
        case VARBITOID:
        case XID8OID:
        case PG_LSNOID:
        case TSVECTOROID:
            return true;
        default:
            return false;
    }
}

// And which raise no ERROR whatever somebody has stored. All others are guarded: the code of
// somebody's own type may do anything, and that of tsvector minds text that ends within a character
// (which a foreign table may bring).
bool RaisesNothing(Oid type) {
    return LooksAtNoSetting(type) && type != TSVECTOROID;
}

void PlanOutputFunction(ValuePlan* plan, DependencyList& dependencies) {
    bool is_varlena;
    plan->output = static_cast<OutputPlan*>(palloc0(sizeof(OutputPlan)));
    getTypeOutputInfo(plan->type, &plan->output->function, &is_varlena);
    plan->output->memory = CurrentMemoryContext;
    plan->write = WriteByOutputFunction;
    plan->kind = JsonKind::kString;
    plan->uses_settings = !LooksAtNoSetting(plan->type);
    plan->guarded = !RaisesNothing(plan->type);
    if (plan->output->function >= FirstNormalObjectId)
        dependencies.AddFunction(plan->output->function);
}

// For what is nested too deeply to be read, or to be written without running out of stack.
void PlanTooDeep(ValuePlan* plan) {
    plan->write = WriteTooDeep;
    plan->kind = JsonKind::kOther;
    plan->depth = kTooDeep;
}

void PlanNested(ValuePlan* plan, Oid type, const ValueOptions& options,
                DependencyList& dependencies, int level);

void PlanArray(ValuePlan* plan, Oid element_type, const ValueOptions& options,
               DependencyList& dependencies, int level) {
    plan->element = static_cast<ValuePlan*>(palloc0(sizeof(ValuePlan)));
    PlanNested(plan->element, element_type, options, dependencies, level);
    plan->write = WriteArray;
    plan->kind = JsonKind::kOther;
    plan->guarded = plan->element->guarded;
    plan->uses_settings = plan->element->uses_settings;
    plan->depth = static_cast<std::uint16_t>(plan->element->depth + MAXDIM);
}

void PlanField(CompositePlan* composite, int i, const ValueOptions& options,
               DependencyList& dependencies, int level) {
    const FormData_pg_attribute* attribute = TupleDescAttr(composite->descriptor, i);
    if (!IsStoredAttribute(attribute))
        return;
    ValuePlan* const field = &composite->fields[i];
    composite->labels[i] = LabelOf(NullMember(options, NameStr(attribute->attname)));
    PlanNested(field, attribute->atttypid, options, dependencies, level);
    ValuePlan* const whole = &composite->value;
    whole->guarded |= field->guarded;
    whole->uses_settings |= field->uses_settings;
    whole->depth = Max(whole->depth, static_cast<std::uint16_t>(field->depth + 1));
}

// In the current memory context. As the server gets at the tables that it decodes: by the relation
// cache alone. The type cache would lock the type's relation, and wait for whoever is altering it;
// for ever, if that is a transaction that has committed and waits for a synchronous standby: us.
TupleDesc CopyDescriptor(Oid relation_id) {
    const Relation relation = RelationIdGetRelation(relation_id);
    if (!RelationIsValid(relation))
        elog(ERROR, "could not open relation with OID %u", relation_id);
    const TupleDesc descriptor = CreateTupleDescCopyConstr(RelationGetDescr(relation));
    RelationClose(relation);
    return descriptor;
}

CompositePlan* MakeComposite(const ValuePlan& plan, const ValueOptions& options,
                             DependencyList& dependencies, int level) {
    CompositePlan* composite = static_cast<CompositePlan*>(palloc0(sizeof(CompositePlan)));
    const Oid relation = get_typ_typrelid(plan.type);
    composite->descriptor = CopyDescriptor(relation);
    const std::size_t natts = static_cast<std::size_t>(composite->descriptor->natts);
    composite->labels = static_cast<std::string_view*>(palloc0(sizeof(std::string_view) * natts));
    composite->fields = static_cast<ValuePlan*>(palloc0(sizeof(ValuePlan) * natts));
    composite->type = plan.type;
    composite->value = plan;
    composite->value.write = WriteComposite;
    composite->value.kind = JsonKind::kOther;
    composite->value.composite = composite;
    composite->value.depth = 1;
    // Newer minor releases compare the descriptor with that which the value was made by, and raise
    // an ERROR where they differ.
    composite->value.guarded = true;
    dependencies.AddRelation(relation);
    for (std::size_t i = 0; i < natts; i++)
        PlanField(composite, static_cast<int>(i), options, dependencies, level);
    composite->next = *options.composites;
    *options.composites = composite;
    return composite;
}

void PlanComposite(ValuePlan* plan, const ValueOptions& options, DependencyList& dependencies,
                   int level) {
    CompositePlan* composite = *options.composites;
    while (composite != nullptr && composite->type != plan->type)
        composite = composite->next;
    if (composite == nullptr)
        composite = MakeComposite(*plan, options, dependencies, level);
    *plan = composite->value;
}

void QuoteNumbers(ValuePlan* plan, const ValueOptions& options) {
    if (plan->type == INT8OID && options.quote_bigint)
        plan->write = WriteInt8AsString;
    if (plan->type == NUMERICOID && options.quote_numeric)
        plan->write = WriteNumericAsString;
}

void PlanNested(ValuePlan* plan, Oid type, const ValueOptions& options,
                DependencyList& dependencies, int level) {
    *plan = {};
    if (type >= FirstNormalObjectId)
        dependencies.AddType(type);
    plan->type = getBaseType(type);
    if (plan->type != type && plan->type >= FirstNormalObjectId)
        dependencies.AddType(plan->type);
    plan->encoding = options.encoding;
    get_typlenbyvalalign(plan->type, &plan->length, &plan->by_value, &plan->alignment);

    if (const BuiltIn* built_in = FindBuiltIn(plan->type)) {
        plan->write = built_in->write;
        plan->kind = built_in->kind;
        QuoteNumbers(plan, options);
        return;
    }
    const Oid element_type = get_element_type(plan->type);
    if (level > kTooDeep) {
        PlanTooDeep(plan);
    } else if (OidIsValid(element_type)) {
        PlanArray(plan, element_type, options, dependencies, level + 1);
    } else if (get_typtype(plan->type) == TYPTYPE_COMPOSITE) {
        PlanComposite(plan, options, dependencies, level + 1);
    } else if (get_typtype(plan->type) == TYPTYPE_ENUM) {
        plan->write = WriteEnum;
        plan->kind = JsonKind::kString;
    } else {
        PlanOutputFunction(plan, dependencies);
    }
    if (plan->depth >= kTooDeep)
        PlanTooDeep(plan);
}

}  // namespace

void PlanValue(ValuePlan* plan, Oid type, const ValueOptions& options,
               DependencyList& dependencies) {
    PlanNested(plan, type, options, dependencies, 0);
}

std::string_view NullMember(const ValueOptions& options, const char* name) {
    JsonStream member;
    member.Init(options.scratch, !options.encoding->is_utf8());
    member.Put(',');
    WriteIdentifier(member, *options.encoding, name);
    member.Append(":null");
    return PadText(member);
}

std::size_t RawSize(Datum value, int16 type_length) {
    if (type_length == -1)
        return toast_raw_datum_size(value);
    if (type_length == -2)
        return std::strlen(DatumGetCString(value)) + 1;
    return static_cast<std::size_t>(type_length);
}

}  // namespace bemi

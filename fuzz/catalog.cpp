// Stands in for what of the server the writers of rows call: a few types whose output functions
// raise an ERROR when they like, tuples that are arrays, and the guard, as a try block.

#include <string>

#include "bemi/guard.hpp"
#include "bemi/pg.hpp"
#include "catalog.hpp"
#include "server.hpp"

namespace bemi {

const char* RunGuarded(void (*body)(void*), void* argument) {
    try {
        body(argument);
    } catch (const fuzz::ServerError& error) {
        return pstrdup(error.message.c_str());
    }
    return nullptr;
}

}  // namespace bemi

namespace fuzz {

const TupleArrays* tuple_arrays[2];

}  // namespace fuzz

extern "C" {

Oid getBaseType(Oid type) {
    return type;
}
Oid get_element_type(Oid) {
    return InvalidOid;
}
char get_typtype(Oid) {
    return TYPTYPE_BASE;
}
Oid get_typ_typrelid(Oid) {
    return InvalidOid;
}
void get_typlenbyvalalign(Oid type, int16* length, bool* by_value, char* alignment) {
    *by_value = type == INT4OID;
    *length = *by_value ? 4 : -1;
    *alignment = TYPALIGN_INT;
}
void getTypeOutputInfo(Oid, Oid* function, bool* is_varlena) {
    *function = 1;
    *is_varlena = true;
}
uint32 GetSysCacheHashValue(int, Datum, Datum, Datum, Datum) {
    return 1;
}
Relation RelationIdGetRelation(Oid) {
    return nullptr;
}
void RelationClose(Relation) {}
TupleDesc CreateTupleDescCopyConstr(TupleDesc) {
    fuzz::Raise("cache lookup failed");
}
HeapTuple SearchSysCache1(int, Datum) {
    return nullptr;
}
void ReleaseSysCache(HeapTuple) {}
void fmgr_info_cxt(Oid function, FmgrInfo* info, MemoryContext) {
    info->fn_oid = function;
}
// The text itself; none where it begins with an E.
char* OutputFunctionCall(FmgrInfo*, Datum value) {
    const struct varlena* const text =
        reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
    if (VARSIZE_ANY_EXHDR(text) > 0 && *VARDATA_ANY(text) == 'E')
        fuzz::Raise("the output function has failed");
    return pnstrdup(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
}

void heap_deform_tuple(HeapTuple tuple, TupleDesc, Datum* values, bool* nulls) {
    const fuzz::TupleArrays& arrays = *fuzz::tuple_arrays[tuple->t_tableOid];
    if (arrays.count == 0)
        return;
    memcpy(values, arrays.values, sizeof(Datum) * static_cast<Size>(arrays.count));
    memcpy(nulls, arrays.nulls, sizeof(bool) * static_cast<Size>(arrays.count));
}
Size toast_raw_datum_size(Datum value) {
    return VARSIZE_ANY_EXHDR(DatumGetPointer(value)) + VARHDRSZ;
}
struct varlena* detoast_attr(struct varlena*) {
    fuzz::Raise("there is nothing out of line");
}
struct varlena* pg_detoast_datum(struct varlena* value) {
    return value;
}
bool datum_image_eq(Datum a, Datum b, bool by_value, int) {
    if (by_value)
        return a == b;
    const void *const first = DatumGetPointer(a), *const second = DatumGetPointer(b);
    return VARSIZE_ANY(first) == VARSIZE_ANY(second) &&
           memcmp(first, second, VARSIZE_ANY(first)) == 0;
}

MemoryContext AllocSetContextCreateInternal(MemoryContext, const char*, Size, Size, Size) {
    return nullptr;
}
void MemoryContextReset(MemoryContext) {}
void MemoryContextDelete(MemoryContext) {}

// Not reached by the types that there are.
uint32 getJsonbOffset(const JsonbContainer*, int) {
    abort();
}
char* JsonbToCString(StringInfo, JsonbContainer*, int) {
    abort();
}
Datum jsonb_in(FunctionCallInfo) {
    abort();
}
Datum DirectFunctionCall1Coll(PGFunction, Oid, Datum) {
    fuzz::Raise("jsonb does not take it");
}
char* pg_ultostr_zeropad(char*, uint32, int32) {
    abort();
}

}  // extern "C"

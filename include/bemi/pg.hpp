// The only gate to the server's headers, and the only place that knows its versions.
//
// port.h makes macros of printf and its kin, which must not reach into other headers: all that the
// rooms use of the C++ standard and of rapidjson comes before it, here.
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <string_view>

#include "bemi/json.hpp"

extern "C" {
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "common/base64.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "replication/logical.h"
#include "replication/origin.h"
#include "replication/output_plugin.h"
#include "replication/reorderbuffer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"
#include "utils/varlena.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
}

#if PG_VERSION_NUM < 140000
#error "bemi_decoder needs PostgreSQL 14 or later"
#endif

// The server's own macro is empty before 16, and this library hides what it does not export.
#define BEMI_EXPORT __attribute__((visibility("default")))

namespace bemi {

// 16 and later tell the consumer by themselves that a long transaction is still being decoded.
#if PG_VERSION_NUM >= 160000
constexpr bool kServerReportsProgress = true;
#else
constexpr bool kServerReportsProgress = false;
#endif

// The tuple of a change, nullptr where the change has none.
#if PG_VERSION_NUM >= 170000
inline HeapTuple ChangeTuple(HeapTuple tuple) {
    return tuple;
}
#else
inline HeapTuple ChangeTuple(ReorderBufferTupleBuf* buffer) {
    return buffer != nullptr ? &buffer->tuple : nullptr;
}
#endif

inline TimestampTz CommitTime(const ReorderBufferTXN* txn) {
#if PG_VERSION_NUM >= 150000
    return txn->xact_time.commit_time;
#else
    return txn->commit_time;
#endif
}

inline void UpdateProgress(LogicalDecodingContext* ctx, bool skipped_transaction) {
#if PG_VERSION_NUM >= 150000
    OutputPluginUpdateProgress(ctx, skipped_transaction);
#else
    (void)skipped_transaction;
    OutputPluginUpdateProgress(ctx);
#endif
}

// Calls `visit` with every setting that the server knows now.
template <typename Visit>
inline void ForEachSetting(Visit visit) {
#if PG_VERSION_NUM >= 160000
    int count;
    config_generic** settings = get_guc_variables(&count);
#else
    config_generic** settings = get_guc_variables();
    int count = GetNumConfigOptions();
#endif
    for (int i = 0; i < count; i++)
        visit(settings[i]);
}

// Writes base64 to `to`, which has room for Base64Length(length); returns its end.
inline std::size_t Base64Length(std::size_t length) {
    return (length + 2) / 3 * 4;
}
inline char* PutBase64(char* to, const char* bytes, std::size_t length) {
#if PG_VERSION_NUM >= 180000
    const uint8* source = reinterpret_cast<const uint8*>(bytes);
#else
    const char* source = bytes;
#endif
    return to + pg_b64_encode(source, static_cast<int>(length), to,
                              static_cast<int>(Base64Length(length)));
}

// Dropped columns have no value, and virtual generated ones (18 and later) are not stored.
inline bool IsStoredAttribute(const FormData_pg_attribute* attribute) {
#if PG_VERSION_NUM >= 180000
    if (attribute->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
        return false;
#endif
    return !attribute->attisdropped;
}

}  // namespace bemi

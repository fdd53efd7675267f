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
#include "access/parallel.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/catalog.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/prepare.h"
#include "common/base64.h"
#include "common/hashfn.h"
#include "common/shortest_dec.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "port/pg_bitutils.h"
#include "replication/logical.h"
#include "replication/message.h"
#include "replication/origin.h"
#include "replication/output_plugin.h"
#include "replication/reorderbuffer.h"
#include "replication/walsender.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
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

// Calls `visit` with the changes of a transaction that are in memory, or with its subtransactions,
// until it returns true; tells whether it did.
template <typename Visit>
inline bool VisitList(const dlist_head& list, Visit visit) {
    for (const dlist_node* node = list.head.next; node != nullptr && node != &list.head;
         node = node->next) {
        if (visit(reinterpret_cast<const char*>(node)))
            return true;
    }
    return false;
}
template <typename Visit>
inline bool VisitChanges(const ReorderBufferTXN* txn, Visit visit) {
    return VisitList(txn->changes, [&](const char* node) {
        return visit(reinterpret_cast<const ReorderBufferChange*>(
            node - offsetof(ReorderBufferChange, node)));
    });
}
template <typename Visit>
inline bool VisitSubtransactions(const ReorderBufferTXN* txn, Visit visit) {
    return VisitList(txn->subtxns, [&](const char* node) {
        return visit(
            reinterpret_cast<const ReorderBufferTXN*>(node - offsetof(ReorderBufferTXN, node)));
    });
}

// What 19 has other names for.
#if PG_VERSION_NUM >= 190000
using OriginId = ReplOriginId;
constexpr OriginId kNoOrigin = InvalidReplOriginId;
using CacheId = SysCacheIdentifier;
using Jumble = const JumbleState;
#else
using OriginId = RepOriginId;
constexpr OriginId kNoOrigin = InvalidRepOriginId;
using CacheId = int;
using Jumble = JumbleState;
#endif

inline TimestampTz CommitTime(const ReorderBufferTXN* txn) {
#if PG_VERSION_NUM >= 150000 && PG_VERSION_NUM < 190000
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

// Whether what a statement writes may be decoded. From 19 on, decoding can begin while it runs,
// with the first slot, for transactions that have no id yet.
inline bool MayBeDecoded() {
#if PG_VERSION_NUM >= 190000
    return XLogStandbyInfoActive();
#else
    return XLogLogicalInfoActive();
#endif
}
// Whether what this transaction writes is decoded, which stays so from now on.
inline bool TransactionIsDecoded() {
#if PG_VERSION_NUM >= 190000
    if (!XLogLogicalInfoActive())
        (void)GetCurrentTransactionId();
#endif
    return XLogLogicalInfoActive();
}

// Writes a logical message that becomes visible with the transaction.
inline void LogTransactionalMessage(const char* prefix, const char* message, std::size_t size) {
#if PG_VERSION_NUM >= 170000
    LogLogicalMessage(prefix, message, size, true, false);
#else
    LogLogicalMessage(prefix, message, size, true);
#endif
}

// What ExecutorRun is called with.
struct RunArguments {
    QueryDesc* query;
    ScanDirection direction;
    uint64 count;
    bool once;
};

inline void CallExecutorRun(ExecutorRun_hook_type previous, const RunArguments& run) {
    const ExecutorRun_hook_type call = previous != nullptr ? previous : standard_ExecutorRun;
#if PG_VERSION_NUM >= 180000
    call(run.query, run.direction, run.count);
#else
    call(run.query, run.direction, run.count, run.once);
#endif
}

// A hook for ExecutorRun that calls `Run`.
#if PG_VERSION_NUM >= 180000
template <void (*Run)(const RunArguments&)>
void ExecutorRunHook(QueryDesc* query, ScanDirection direction, uint64 count) {
    Run({query, direction, count, false});
}
#else
template <void (*Run)(const RunArguments&)>
void ExecutorRunHook(QueryDesc* query, ScanDirection direction, uint64 count, bool once) {
    Run({query, direction, count, once});
}
#endif

// Calls `visit(child, context)` for the nodes below `node`, until it returns true.
inline bool VisitPlanChildren(PlanState* node, bool (*visit)(PlanState*, void*), void* context) {
#if PG_VERSION_NUM >= 160000
    return planstate_tree_walker(node, visit, context);
#else
    return planstate_tree_walker(
        node, reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(visit)), context);
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

#if PG_VERSION_NUM < 160000
// The order of names in the server's array of settings: as its guc_name_compare, of chars that may
// be signed.
inline int CompareSettingNames(const char* a, const char* b) {
    auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    };
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    if (*a == '\0' || *b == '\0')
        return (*a != '\0' ? 1 : 0) - (*b != '\0' ? 1 : 0);
    return lower(*a) - lower(*b);
}
#endif

// The setting of that name, nullptr where there is none. The server keeps them in a hash, or,
// before 16, in an array in the order of their names.
inline config_generic* FindSetting(const char* name) {
#if PG_VERSION_NUM >= 160000
    return find_option(name, false, true, DEBUG5);
#else
    config_generic** const settings = get_guc_variables();
    int from = 0;
    int to = GetNumConfigOptions();
    while (from < to) {
        const int middle = from + (to - from) / 2;
        const int order = CompareSettingNames(settings[middle]->name, name);
        if (order == 0)
            return settings[middle];
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return nullptr;
#endif
}

// What RESET would give a setting that is a string; may be null.
inline const char* ResetValue(const config_generic* setting) {
#if PG_VERSION_NUM >= 190000
    return setting->_string.reset_val;
#else
    return reinterpret_cast<const config_string*>(setting)->reset_val;
#endif
}

// Whether a plain '…' takes backslashes as E'…' does, which it never does from 19 on.
inline bool BackslashesEscape() {
#if PG_VERSION_NUM >= 190000
    return false;
#else
    return !standard_conforming_strings;
#endif
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

// CLUSTER; from 19 on it is another name of REPACK.
inline bool IsRewriteCommand(Node* command) {
#if PG_VERSION_NUM >= 190000
    return IsA(command, RepackStmt);
#else
    return IsA(command, ClusterStmt);
#endif
}

// Whether the server vouches for it that no row has a null there. A constraint that is NOT VALID
// (18 and later) says nothing of the rows that were there before.
inline bool HasNoNulls(TupleDesc descriptor, int index) {
    if (!TupleDescAttr(descriptor, index)->attnotnull)
        return false;
#if PG_VERSION_NUM >= 180000
    return TupleDescCompactAttr(descriptor, index)->attnullability == ATTNULLABLE_VALID;
#else
    return true;
#endif
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

// Reading the reorder buffer's transaction.

#include "bemi/transaction_facts.hpp"

namespace bemi {

namespace {

// Whether there is a context among the changes of a transaction (without its subtransactions), or
// may be one among those that were spilled to disk.
bool MayHoldContext(const ReorderBufferTXN* txn, std::string_view prefix) {
    return txn->nentries != txn->nentries_mem ||
           VisitChanges(txn, [&](const ReorderBufferChange* change) {
               return change->action == REORDER_BUFFER_CHANGE_MESSAGE &&
                      prefix == change->data.msg.prefix;
           });
}

uint64 FullTransactionIdOf(TransactionId xid) {
    const FullTransactionId next = ReadNextFullTransactionId();
    uint32 epoch = EpochFromFullTransactionId(next);
    if (xid > XidFromFullTransactionId(next))
        epoch--;
    return U64FromFullTransactionId(FullTransactionIdFromEpochAndXid(epoch, xid));
}

// The origin's name; its number where it was dropped since.
const char* OriginName(OriginId origin) {
    char* name;
    if (origin == kNoOrigin)
        return nullptr;
    if (origin != DoNotReplicateId && replorigin_by_oid(origin, true, &name))
        return name;
    return psprintf("%u", static_cast<unsigned>(origin));
}

}  // namespace

bool MayHaveContext(const ReorderBufferTXN* txn, std::string_view prefix) {
    return MayHoldContext(txn, prefix) ||
           VisitSubtransactions(txn, [&](const ReorderBufferTXN* subtransaction) {
               return MayHoldContext(subtransaction, prefix);
           });
}

TransactionFacts FactsOf(const ReorderBufferTXN* txn, const TextEncoding& encoding) {
    return {&encoding, OriginName(txn->origin_id), CommitTime(txn), FullTransactionIdOf(txn->xid),
            txn->final_lsn};
}

}  // namespace bemi

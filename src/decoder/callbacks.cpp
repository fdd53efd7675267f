// What PostgreSQL calls for every transaction and change: switch to our memory, ask the rooms below
// what is to be written, hand it to the server.

#include <cstring>

#include "bemi/callbacks.hpp"
#include "bemi/session.hpp"
#include "bemi/transaction_facts.hpp"

namespace bemi {

namespace {

// Changes after which the server is asked to tell the consumer that we are still at work.
constexpr int kQuietChanges = 100;

Session* SessionOf(LogicalDecodingContext* ctx) {
    return static_cast<Session*>(ctx->output_plugin_private);
}

// Our memory is current for as long as a callback runs, and what a row needed goes with it. An
// ERROR leaves no such object behind that would have to be destroyed: the whole decoding ends.
struct RowScope {
    MemoryContext previous;
    MemoryContext row;
};
RowScope EnterRow(Session* session) {
    return {MemoryContextSwitchTo(session->row_memory), session->row_memory};
}
void LeaveRow(const RowScope& scope) {
    MemoryContextSwitchTo(scope.previous);
    MemoryContextReset(scope.row);
}

// What the server begins a message with, where it is a message of the replication protocol.
std::size_t MessageHeaderSize(LogicalDecodingContext* ctx) {
    OutputPluginPrepareWrite(ctx, true);
    return static_cast<std::size_t>(ctx->out->len);
}

// A consumer that confirms the transaction's end never sees the transaction again: only the message
// with its last record may carry that LSN. All others carry their own position, also when they are
// written from the commit callback, where the server has the end at hand.
//
// The message is lent to the server in the place of its buffer instead of being copied there: so
// that buffer stays small, whatever a record takes.
void SendMessage(void* argument, JsonStream& message, XLogRecPtr position, bool last) {
    LogicalDecodingContext* const ctx = static_cast<LogicalDecodingContext*>(argument);
    Session* const session = SessionOf(ctx);
    const XLogRecPtr location = ctx->write_location;
    if (!last)
        ctx->write_location = position;
    OutputPluginPrepareWrite(ctx, true);
    const std::size_t header_size = static_cast<std::size_t>(ctx->out->len);
    if (header_size != session->header_size)
        elog(ERROR, "unexpected header of a message: %zu bytes", header_size);
    std::memcpy(message.data(), ctx->out->data, header_size);
    message.Exchange(ctx->out);
    OutputPluginWrite(ctx, true);
    message.Exchange(ctx->out);
    ctx->write_location = location;
    session->quiet_changes = 0;
}

// A consumer hears nothing while changes are filtered out or held back; 16 and later tell it.
void StayAlive(LogicalDecodingContext* ctx, Session* session) {
    if (kServerReportsProgress || ++session->quiet_changes < kQuietChanges)
        return;
    UpdateProgress(ctx, false);
    session->quiet_changes = 0;
}

void Startup(LogicalDecodingContext* ctx, OutputPluginOptions* options, bool is_init) {
    options->output_type = OUTPUT_PLUGIN_TEXTUAL_OUTPUT;
    options->receive_rewrites = false;
    // The server concludes from StreamAbort that transactions in progress are wanted.
    ctx->streaming = false;
    ctx->twophase = false;
    // A slot that is just being made has no options.
    ctx->output_plugin_private =
        StartSession(ctx->context, is_init ? NIL : ctx->output_plugin_options);
}

void Shutdown(LogicalDecodingContext* ctx) {
    if (RelationPlans::Current() == &SessionOf(ctx)->plans)
        RelationPlans::SetCurrent(nullptr);
}

void Begin(LogicalDecodingContext* ctx, ReorderBufferTXN* txn) {
    Session* const session = SessionOf(ctx);
    const bool first = !session->prepared;
    RefreshSession(session);
    if (first) {
        session->header_size = MessageHeaderSize(ctx);
        session->queue.Init(session->options, session->encoding, session->memory,
                            session->header_size, SendMessage, ctx);
    }
    session->skipped = session->options.local_origin_only && txn->origin_id != kNoOrigin;
    const bool has_subtransactions = txn->nsubtxns > 0;
    session->queue.Begin(has_subtransactions,
                         !session->skipped && session->queue.WouldHold(has_subtransactions) &&
                             MayHaveContext(txn, session->options.context_prefix));
    session->sequence = 0;
    session->settings_applied = false;
    session->fragments_made = false;
}

const TransactionFragments* FragmentsOf(Session* session, const ReorderBufferTXN* txn) {
    if (!session->fragments_made) {
        const MemoryContext previous = MemoryContextSwitchTo(session->transaction_memory);
        session->fragments = MakeFragments(session->fragment_text, FactsOf(txn, session->encoding));
        session->fragments_made = true;
        MemoryContextSwitchTo(previous);
    }
    return &session->fragments;
}

RelationPlan* PlanOf(Session* session, Relation relation) {
    RelationPlan* plan = session->plans.Find(RelationGetRelid(relation));
    if (!plan->valid) {
        session->plans.Forget(plan);
        PlanRelation(plan, relation, session->filter, session->encoding, session->database,
                     session->plans.memory());
        session->plans.Watch(plan);
    }
    return plan;
}

bool Wants(const Session* session, Operation operation) {
    return !session->skipped && (session->options.operations & (1u << operation)) != 0;
}

Operation OperationOf(const ReorderBufferChange* change) {
    switch (change->action) {
        case REORDER_BUFFER_CHANGE_INSERT:
            return kCreate;
        case REORDER_BUFFER_CHANGE_UPDATE:
            return kUpdate;
        case REORDER_BUFFER_CHANGE_DELETE:
            return kDelete;
        default:
            elog(ERROR, "unexpected action %d of a change", static_cast<int>(change->action));
            pg_unreachable();
    }
}

void WriteChange(Session* session, const ReorderBufferTXN* txn, Relation relation,
                 const ReorderBufferChange* change, Operation operation) {
    RelationPlan* plan = PlanOf(session, relation);
    if (!plan->emitted)
        return;
    if (plan->uses_settings && !session->settings_applied) {
        ApplyOutputSettings();
        session->settings_applied = true;
    }
    Row row;
    LoadRow(&row, session->row_space, plan, txn->xid, RelationGetDescr(relation),
            operation == kCreate ? nullptr : ChangeTuple(change->data.tp.oldtuple),
            operation == kDelete ? nullptr : ChangeTuple(change->data.tp.newtuple));
    if (operation == kUpdate && ChangesOnlyIgnored(row))
        return;
    const RecordPlace place = {FragmentsOf(session, txn), change->lsn, session->sequence};
    WriteRowRecord(session->queue.BeginRecord(change->lsn), session->scratch, row, operation, place,
                   session->options.max_record_size);
    session->queue.EndRecord(change->lsn, true);
}

void Change(LogicalDecodingContext* ctx, ReorderBufferTXN* txn, Relation relation,
            ReorderBufferChange* change) {
    Session* const session = SessionOf(ctx);
    const Operation operation = OperationOf(change);
    session->sequence++;
    if (Wants(session, operation)) {
        const RowScope scope = EnterRow(session);
        WriteChange(session, txn, relation, change, operation);
        LeaveRow(scope);
    }
    StayAlive(ctx, session);
}

void Truncate(LogicalDecodingContext* ctx, ReorderBufferTXN* txn, int relation_count,
              Relation relations[], ReorderBufferChange* change) {
    Session* const session = SessionOf(ctx);
    const RowScope scope = EnterRow(session);
    for (int i = 0; i < relation_count; i++) {
        session->sequence++;
        const RelationPlan* plan =
            Wants(session, kTruncate) ? PlanOf(session, relations[i]) : nullptr;
        if (plan == nullptr || !plan->emitted)
            continue;
        const RecordPlace place = {FragmentsOf(session, txn), change->lsn, session->sequence};
        WriteTruncateRecord(session->queue.BeginRecord(change->lsn), *plan, place);
        session->queue.EndRecord(change->lsn, true);
    }
    LeaveRow(scope);
    StayAlive(ctx, session);
}

void TakeContext(Session* session, const ReorderBufferTXN* txn, std::string_view content,
                 XLogRecPtr position) {
    session->queue.SetContext(content, position);
    if (session->queue.context_came_late())
        ereport(LOG,
                (errmsg("application context of transaction %u came too late for its first changes",
                        txn->xid),
                 errdetail("More than context_hold bytes of records had gone out without one."),
                 errhint("Write the context before the first change, or raise context_hold.")));
}

void EmitMessage(Session* session, const ReorderBufferTXN* txn, const Message& message,
                 XLogRecPtr position) {
    const RecordPlace place = {FragmentsOf(session, txn), position, 0};
    WriteMessageRecord(session->queue.BeginRecord(position), message, session->encoding,
                       session->database, place, session->options.max_record_size);
    session->queue.EndRecord(position, false);
}

// A message that is not transactional belongs to no change and has no place among the records.
void LogicalMessage(LogicalDecodingContext* ctx, ReorderBufferTXN* txn, XLogRecPtr position,
                    bool transactional, const char* prefix, Size size, const char* content) {
    Session* const session = SessionOf(ctx);
    if (!transactional)
        return;
    if (!session->skipped) {
        const RowScope scope = EnterRow(session);
        const Message message = {prefix, {content, size}};
        if (message.prefix == session->options.context_prefix)
            TakeContext(session, txn, message.content, position);
        if (EmitsMessage(session->options, message.prefix))
            EmitMessage(session, txn, message, position);
        LeaveRow(scope);
    }
    StayAlive(ctx, session);
}

// Nothing is streamed, so there is nothing to abort. 18 (18.6 at least) calls this all the same,
// for subtransactions of large transactions that were rolled back before they were decoded, and
// stops the slot with an error where a plugin has no such callback.
void StreamAbort(LogicalDecodingContext*, ReorderBufferTXN*, XLogRecPtr) {}

void Commit(LogicalDecodingContext* ctx, ReorderBufferTXN*, XLogRecPtr) {
    Session* const session = SessionOf(ctx);
    const bool sent = session->queue.Commit();
    if (!sent)
        UpdateProgress(ctx, true);
    MemoryContextReset(session->transaction_memory);
}

}  // namespace

void SetCallbacks(OutputPluginCallbacks* callbacks) {
    callbacks->startup_cb = Startup;
    callbacks->begin_cb = Begin;
    callbacks->change_cb = Change;
    callbacks->truncate_cb = Truncate;
    callbacks->message_cb = LogicalMessage;
    callbacks->commit_cb = Commit;
    callbacks->stream_abort_cb = StreamAbort;
    callbacks->shutdown_cb = Shutdown;
}

}  // namespace bemi

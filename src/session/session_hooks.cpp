// Where the server's way of running a statement is followed: which one the client sent, how deep in
// it we are, and when it is about to write.
//
//   ExecutorStart     puts gates into plans that change tables
//   ExecutorRun       a statement of the client begins; a table is made from a query's rows
//   ExecutorFinish    the same statement's triggers and cascades
//   ProcessUtility    a command of the client begins, or writes by itself
//   object access     a function that may write a context of its own is called
//   parse analysis    where a statement stands in its text, which queries that rules add don't know

#include "context_gate.hpp"
#include "emit_calls.hpp"
#include "in_force.hpp"
#include "plan_gate.hpp"
#include "session_hooks.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"
#include "statement.hpp"
#include "utility_gate.hpp"

namespace bemi {

namespace {

// pg_logical_emit_message of text and of bytea.
constexpr Oid kEmitText = 3577;
constexpr Oid kEmitBytes = 3578;

ExecutorStart_hook_type previous_start = nullptr;
ExecutorRun_hook_type previous_run = nullptr;
ExecutorFinish_hook_type previous_finish = nullptr;
ProcessUtility_hook_type previous_utility = nullptr;
object_access_hook_type previous_object_access = nullptr;
post_parse_analyze_hook_type previous_analyze = nullptr;

StatementText analyzed = {nullptr, 0, 0};  // the client's last; compared, never read from here
int depth = 0;                             // of statements that run inside of each other
const IntoClause* into_command =
    nullptr;  // of the command that runs, where it makes a decoded table

void ComeUp(const IntoClause* outer_into) {
    into_command = outer_into;
    // At the end of the outermost statement its text goes.
    if (--depth == 0)
        EndStatement();
}

// Runs `body` one level deeper.
template <typename Body>
void OneDeeper(Body body) {
    const IntoClause* const outer_into = into_command;
    depth++;
    PG_TRY();
    { body(); }
    PG_CATCH();
    {
        ComeUp(outer_into);
        PG_RE_THROW();
    }
    PG_END_TRY();
    ComeUp(outer_into);
    if (depth == 0 && IsGateActive())
        EnsureLateContext();
}

// Deferred triggers run after the last statement has ended, and belong to it.
bool IsInDeferredTrigger() {
    LOCAL_FCINFO(call, 0);
    InitFunctionCallInfoData(*call, nullptr, 0, InvalidOid, nullptr, nullptr);
    return DatumGetInt32(pg_trigger_depth(call)) > 0;
}

// Whether what begins is what the client sent.
bool IsOutermost() {
    if (depth > 0 || !IsGateActive())
        return false;
    if (!IsInDeferredTrigger())
        return true;
    const ContextInForce now = CurrentContextInForce();
    if (now.state != ContextInForce::State::kUnknown)
        BeginDeferred(now);
    return false;
}

// What the client did not send (the fast path to functions, an event trigger at login) has no text
// of its own.
StatementText ClientText(const char* text, const PlannedStmt* statement) {
    if (debug_query_string == nullptr)
        return {nullptr, 0, 0};
    if (statement->stmt_location < 0 && analyzed.text == text)
        return analyzed;
    return {text, statement->stmt_location, statement->stmt_len};
}

void BeginQuery(QueryDesc* query) {
    if (IsOutermost())
        BeginStatement(ClientText(query->sourceText, query->plannedstmt), query);
}

void BeginControl(Node* command, const StatementText& own) {
    const bool is_transaction = IsA(command, TransactionStmt);
    const TransactionStmtKind kind =
        is_transaction ? castNode(TransactionStmt, command)->kind : TRANS_STMT_SAVEPOINT;
    if (kind == TRANS_STMT_BEGIN || kind == TRANS_STMT_START)
        BeginTransaction(own);
    else
        BeginEpilogue(own, kind == TRANS_STMT_COMMIT || kind == TRANS_STMT_PREPARE);
}

void BeginCommand(const PlannedStmt* statement, const char* text) {
    Node* const command = statement->utilityStmt;
    const StatementText own = ClientText(text, statement);
    const char* const prepared = PreparedName(command);
    if (IsA(command, TransactionStmt) || IsA(command, ConstraintsSetStmt)) {
        if (own.text != nullptr && IsTransactionState())
            BeginControl(command, own);
    } else if (prepared != nullptr && own.text != nullptr && IsTransactionState()) {
        const PreparedStatement* entry = FetchPreparedStatement(prepared, true);
        const CachedPlanSource* source = entry != nullptr ? entry->plansource : nullptr;
        const RawStmt* raw = source != nullptr ? source->raw_parse_tree : nullptr;
        if (raw != nullptr)
            BeginExecute({source->query_string, raw->stmt_location, raw->stmt_len}, own);
        else
            BeginStatement(own, nullptr);
    } else {
        BeginStatement(own, nullptr);
    }
}

void OnExecutorStart(QueryDesc* query, int flags) {
    const PlanStart start = BeginPlanStart();
    if (previous_start != nullptr)
        previous_start(query, flags);
    else
        standard_ExecutorStart(query, flags);
    EndPlanStart(start, query);
    if ((flags & EXEC_FLAG_EXPLAIN_ONLY) != 0 || !IsGateActive())
        return;
    if (query->operation == CMD_SELECT && query->estate->es_auxmodifytables == NIL)
        return;
    GuardPlan(query);
    // The application's name may have changed without our knowing.
    if (IncludesSession())
        ContextMayDiffer();
}

void OnExecutorRun(const RunArguments& run) {
    BeginQuery(run.query);
    // Where the query was prepared, this was not known at its start.
    if (run.query->dest->mydest == DestIntoRel && into_command != nullptr && IsGateActive())
        GuardRows(run.query);
    OneDeeper([&] {
        CallExecutorRun(previous_run, run);
        if (run.query->plannedstmt->parallelModeNeeded)
            NoteParallelEnd();
    });
}

void OnExecutorFinish(QueryDesc* query) {
    if (!IsCurrentOwner(query))
        BeginQuery(query);
    OneDeeper([&] {
        if (previous_finish != nullptr)
            previous_finish(query);
        else
            standard_ExecutorFinish(query);
    });
}

void OnProcessUtility(PlannedStmt* statement, const char* text, bool read_only_tree,
                      ProcessUtilityContext context, ParamListInfo parameters,
                      QueryEnvironment* environment, DestReceiver* receiver,
                      QueryCompletion* completion) {
    if (IsOutermost())
        BeginCommand(statement, text);
    OneDeeper([&] {
        Node* const command = statement->utilityStmt;
        into_command = DecodedInto(command);
        const bool builds_indexes = BuildsIndexes(command);  // the command may be gone then
        if (IsGateActive() && !XactReadOnly && WritesByItself(command))
            EnsureContext();
        if (previous_utility != nullptr)
            previous_utility(statement, text, read_only_tree, context, parameters, environment,
                             receiver, completion);
        else
            standard_ProcessUtility(statement, text, read_only_tree, context, parameters,
                                    environment, receiver, completion);
        if (builds_indexes)
            NoteParallelEnd();
    });
}

void OnObjectAccess(ObjectAccessType access, Oid class_id, Oid object, int sub_id, void* argument) {
    if (previous_object_access != nullptr)
        previous_object_access(access, class_id, object, sub_id, argument);
    if (access == OAT_FUNCTION_EXECUTE && (object == kEmitText || object == kEmitBytes) &&
        IsGateActive() && IsTransactionState()) {
        NoteEmitCall();
        NoteForeignContext();
    }
}

void OnAnalyze(ParseState* state, Query* query, Jumble* jumble) {
    if (previous_analyze != nullptr)
        previous_analyze(state, query, jumble);
    if (depth == 0)
        analyzed = {state->p_sourcetext, query->stmt_location, query->stmt_len};
}

void OnTransaction(XactEvent event, void*) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) {
        NoteTransactionEnd();
        ForgetTransaction();
        if (depth == 0)
            ForgetEmitCalls();
    }
}

template <typename Hook>
void Install(Hook* server, Hook* previous, Hook ours) {
    *previous = *server;
    *server = ours;
}

}  // namespace

void InstallSessionHooks() {
    Install(&ExecutorStart_hook, &previous_start, OnExecutorStart);
    Install<ExecutorRun_hook_type>(&ExecutorRun_hook, &previous_run,
                                   ExecutorRunHook<OnExecutorRun>);
    Install(&ExecutorFinish_hook, &previous_finish, OnExecutorFinish);
    Install(&ProcessUtility_hook, &previous_utility, OnProcessUtility);
    Install(&object_access_hook, &previous_object_access, OnObjectAccess);
    Install(&post_parse_analyze_hook, &previous_analyze, OnAnalyze);
    RegisterInForceCallbacks();
    RegisterXactCallback(OnTransaction, nullptr);
}

}  // namespace bemi

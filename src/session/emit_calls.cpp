// Expressions that call pg_logical_emit_message, counted.

#include "emit_calls.hpp"
#include "session_state.hpp"

namespace bemi {

namespace {

// Lives in the query's memory.
struct Calls {
    unsigned count;
    MemoryContextCallback callback;
};

unsigned in_plans = 0;   // expressions of plans that are there
unsigned elsewhere = 0;  // those whose end is not known
bool has_ended = false;  // one has gone since the last look

// Of the innermost ExecutorStart: error_context_stack, and how many expressions it has made ready.
const char kNoStart = 0;
const void* start_stack = &kNoStart;
unsigned seen_by_start = 0;

void OnQueryEnd(void* argument) {
    in_plans -= static_cast<Calls*>(argument)->count;
    has_ended = true;
    ContextMayDiffer();
}

}  // namespace

PlanStart BeginPlanStart() {
    const PlanStart start = {start_stack, seen_by_start};
    start_stack = error_context_stack;
    return start;
}

void EndPlanStart(const PlanStart& start, QueryDesc* query) {
    start_stack = start.outer_stack;
    const unsigned count = seen_by_start - start.calls;
    seen_by_start = start.calls;
    if (count == 0)
        return;
    Calls* const calls =
        static_cast<Calls*>(MemoryContextAllocZero(query->estate->es_query_cxt, sizeof(Calls)));
    calls->count = count;
    calls->callback.func = OnQueryEnd;
    calls->callback.arg = calls;
    MemoryContextRegisterResetCallback(query->estate->es_query_cxt, &calls->callback);
    in_plans += count;
    elsewhere -= count;
}

// Whatever runs in between, a function of a procedural language above all, has put something on the
// stack of error contexts: its expressions don't go with the plan. Where a start has failed, they
// stay among those whose end is not known.
void NoteEmitCall() {
    elsewhere++;
    if (error_context_stack == start_stack)
        seen_by_start++;
}

void NoteParallelEnd() {
    has_ended = true;
    ContextMayDiffer();
}

void ForgetEmitCalls() {
    elsewhere = 0;
    has_ended = false;
    start_stack = &kNoStart;
}

bool MayEmit() {
    return in_plans > 0 || elsewhere > 0;
}

bool MayHaveEmitted(XLogRecPtr end) {
    if (!MayEmit() && !has_ended)
        return false;
    has_ended = false;
    return XactLastRecEnd != end;
}

}  // namespace bemi

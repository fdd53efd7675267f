// Whether somebody else may have written a context: pg_logical_emit_message, called by a statement
// or a function. The server shows an extension that an expression which calls it is made ready, and
// none of the calls; an expression in a plan lasts as long as the plan, one that a procedural
// language has made ready as long as the transaction, or the statement of the client where that
// commits in between. As long as there is such an expression, and for one more look, anything that
// this session has put into the write-ahead log since our own last message may be another's
// message. A function that says of itself that it is parallel safe may call it in a worker, where a
// transaction that has an id writes messages as well. Must never take another's for none.
#pragma once

#include "bemi/pg.hpp"

namespace bemi {

// Around ExecutorStart, which makes ready what is in a plan.
struct PlanStart {
    const void* outer_stack;
    unsigned calls;
};
PlanStart BeginPlanStart();
// It has not failed.
void EndPlanStart(const PlanStart& start, QueryDesc* query);

// An expression that calls pg_logical_emit_message is made ready, or the function is called as
// such.
void NoteEmitCall();
// What may have run in parallel workers has ended: which functions they called, nothing shows here.
void NoteParallelEnd();
// The transaction has ended, and so has the client's statement.
void ForgetEmitCalls();

// True where a message of somebody else may have been written since the log ended at `end`.
bool MayHaveEmitted(XLogRecPtr end);
// Whether an expression is there that may do so any time.
bool MayEmit();

}  // namespace bemi

// The gate.

#include "bemi/wire.hpp"
#include "context_gate.hpp"
#include "current_context.hpp"
#include "emit_calls.hpp"
#include "in_force.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"
#include "statement.hpp"

namespace bemi {

namespace {

constexpr std::string_view kNone = "{}";

std::uint64_t settled_version = 0;           // of context_version, when EnsureContext was done last
bool wrote_without_context = false;          // rows, since the transaction began
XLogRecPtr message_end = InvalidXLogRecPtr;  // of our last one, in the write-ahead log

void Log(const CurrentContext& context) {
    LogTransactionalMessage(wire::kContextPrefix, context.text.data(), context.text.size());
    message_end = XactLastRecEnd;
    SetContextInForce(context.text, context.version, StatementComments(),
                      StatementCommentsChanges());
}

// A statement without a context takes back another's, and only that.
void LogIfDifferent(CurrentContext context) {
    const ContextInForce now = CurrentContextInForce();
    const bool is_known = now.state == ContextInForce::State::kKnown;
    if (context.text.empty()) {
        if (!is_known)
            return;
        context.text = kNone;
    }
    if (!is_known || (now.version != context.version && now.text != context.text))
        Log(context);
}

// Runs with scratch memory.
template <typename Body>
void WithScratch(Body body) {
    static MemoryContext scratch = nullptr;
    if (scratch == nullptr)
        scratch =
            AllocSetContextCreateInternal(SessionMemory(), "bemi context", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext previous = MemoryContextSwitchTo(scratch);
    body();
    MemoryContextSwitchTo(previous);
    MemoryContextReset(scratch);
}

// A parallel operation can take no transaction id. Not XactReadOnly: the server has looked at that
// when the statement began, and the statement itself may have set it since.
bool CanWrite() {
    return IsGateActive() && !RecoveryInProgress() &&
           !(IsInParallelMode() && !TransactionIdIsValid(GetCurrentTransactionIdIfAny())) &&
           TransactionIsDecoded();
}

}  // namespace

bool IsGateActive() {
    return MayBeDecoded() && !am_walsender && MyBackendType == B_BACKEND;
}

void EnsureContext() {
    if ((settled_version == context_version && !MayEmit()) || !CanWrite())
        return;
    if (MayHaveEmitted(message_end))
        ForgetAllContexts();
    WithScratch([] { LogIfDifferent(GetCurrentContext()); });
    wrote_without_context |= CurrentContextInForce().state == ContextInForce::State::kNone;
    settled_version = context_version;
}

void EnsureLateContext() {
    if (!wrote_without_context)
        return;
    const char* context = CurrentSessionSettings().context;
    const bool has_setting = context != nullptr && *context != '\0';
    if (!(has_setting || HasCommitComments()) || !IsTransactionState() ||
        IsAbortedTransactionBlockState() ||
        CurrentContextInForce().state != ContextInForce::State::kNone)
        return;
    EnsureContext();
    wrote_without_context = false;
}

void NoteForeignContext() {
    ForgetContextInForce();
}

void NoteTransactionEnd() {
    wrote_without_context = false;
}

}  // namespace bemi

// The gate.

#include <cstring>

#include "bemi/context.hpp"
#include "bemi/json_check.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"
#include "context_gate.hpp"
#include "context_merge.hpp"
#include "in_force.hpp"
#include "session_facts.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"
#include "statement.hpp"

namespace bemi {

namespace {

constexpr std::string_view kNone = "{}";

// Where the key "session" must come through, the rest may not be so large or deep that a decoder
// would refuse the whole: the default of its max_context_size.
constexpr std::size_t kMaxWithSession = 1u << 20;

std::uint64_t settled_version = 0;   // of context_version, when EnsureContext was done last
bool wrote_without_context = false;  // rows, since the transaction began

JsonStream MakeStream() {
    JsonStream stream;
    stream.Init(CurrentMemoryContext, !SessionEncoding().is_utf8());
    stream.SetLimit(JsonStream::kMaxLength);
    return stream;
}

// bemi.context as canonical JSON, read anew when it has changed; empty for none.
std::string_view SettingContext(const SessionSettings& settings) {
    static JsonStream canonical;
    static std::uint64_t changes = 0;
    if (changes == settings.context_changes)
        return canonical.view();
    if (changes == 0) {
        canonical.Init(SessionMemory(), !SessionEncoding().is_utf8());
        canonical.SetLimit(JsonStream::kMaxLength);
    }
    canonical.Clear();
    const std::string_view text = settings.context != nullptr ? settings.context : "";
    const char* error = text.empty() ? nullptr
                                     : WriteCanonicalContext(canonical, text, SessionEncoding(),
                                                             JsonStream::kMaxLength);
    if (error != nullptr)
        ereport(DEBUG1, (errmsg("bemi_session: ignored bemi.context: %s", error)));
    changes = settings.context_changes;
    return canonical.view();
}

// Whether the decoder's limits leave room for the key "session" beside it.
bool FitsWithSession(std::string_view context) {
    if (context.size() > kMaxWithSession - 4 * kMaxQueryText - 16384)
        return false;
    if (context.empty() || context[0] != '[')
        return true;
    JsonStream scratch = MakeStream();
    return WriteCheckedJson(scratch, context, wire::kMaxContextDepth - 1) == nullptr;
}

// The context of what is written now, allocated in the current memory context; empty for none.
std::string_view BuildContext() {
    const SessionSettings settings = CurrentSessionSettings();
    JsonStream context = MakeStream();
    WriteMerged(context, SettingContext(settings), StatementComments());
    if (settings.include == 0)
        return context.view();
    std::string_view application = context.view();
    if (!FitsWithSession(application)) {
        ereport(DEBUG1, (errmsg("bemi_session: ignored a context that is too large")));
        application = {};
    }
    JsonStream facts = MakeStream();
    WriteSessionFacts(facts, settings.include, StatementQuery());
    JsonStream whole = MakeStream();
    WriteWithMember(whole, application, wire::kSession, facts.view());
    return whole.view();
}

void Log(std::string_view context) {
    LogTransactionalMessage(wire::kContextPrefix, context.data(), context.size());
    SetContextInForce(context, StatementComments());
}

// A statement without a context takes back another's, and only that.
void LogIfDifferent(std::string_view context) {
    const ContextInForce now = CurrentContextInForce();
    if (context.empty() && now.state != ContextInForce::State::kKnown)
        return;
    if (context.empty())
        context = kNone;
    if (now.state != ContextInForce::State::kKnown || now.text != context)
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

// The context of what is written now, built anew only where something that it is made of has
// changed; good until the next call.
std::string_view CurrentContext() {
    static JsonStream built;
    static std::uint64_t comments_changes = 0;
    static std::uint64_t setting_changes = 0;
    static bool is_good = false;
    const std::uint64_t setting_now = CurrentSessionSettings().context_changes;
    if (is_good && !IncludesSession() && comments_changes == StatementCommentsChanges() &&
        setting_changes == setting_now)
        return built.view();
    if (setting_changes == 0) {
        built.Init(SessionMemory(), false);
        built.SetLimit(JsonStream::kMaxLength);
        setting_changes = setting_now;
    }
    is_good = false;
    built.Clear();
    built.Append(BuildContext());
    comments_changes = StatementCommentsChanges();
    setting_changes = setting_now;
    is_good = !IncludesSession();
    return built.view();
}

// A parallel operation can take no transaction id.
bool CanWrite() {
    return IsGateActive() && !XactReadOnly && !RecoveryInProgress() &&
           !(IsInParallelMode() && !TransactionIdIsValid(GetCurrentTransactionIdIfAny()));
}

}  // namespace

bool IsGateActive() {
    return XLogLogicalInfoActive() && !am_walsender && MyBackendType == B_BACKEND;
}

void EnsureContext() {
    if (settled_version == context_version || !CanWrite())
        return;
    WithScratch([] { LogIfDifferent(CurrentContext()); });
    wrote_without_context |= CurrentContextInForce().state == ContextInForce::State::kNone;
    settled_version = context_version;
}

void EnsureLateContext() {
    if (!wrote_without_context)
        return;
    const char* context = CurrentSessionSettings().context;
    if (context == nullptr || *context == '\0' || !IsTransactionState() ||
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

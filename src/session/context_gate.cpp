// The gate.

#include <cstring>

#include "bemi/context.hpp"
#include "bemi/json_check.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"
#include "context_gate.hpp"
#include "context_pieces.hpp"
#include "emit_calls.hpp"
#include "in_force.hpp"
#include "json_members.hpp"
#include "session_facts.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"
#include "statement.hpp"

namespace bemi {

namespace {

constexpr std::string_view kNone = "{}";

std::uint64_t settled_version = 0;           // of context_version, when EnsureContext was done last
bool wrote_without_context = false;          // rows, since the transaction began
XLogRecPtr message_end = InvalidXLogRecPtr;  // of our last one, in the write-ahead log

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
    if (!text.empty()) {
        ContextPieces pieces(canonical.ascii_only());
        pieces.Begin();
        const char* error =
            WriteCanonicalContext(pieces.text(), text, SessionEncoding(), kMaxPieces);
        if (error == nullptr && !pieces.EndContext(0, false))
            error = "it is too large";
        if (error != nullptr)
            pieces.Drop("bemi.context", error);
        pieces.Write(canonical);
    }
    changes = settings.context_changes;
    return canonical.view();
}

// Why there may be no such value beside the key "session"; nullptr if there may.
const char* ProblemWithSession(std::string_view context) {
    if (context.empty() || IsJsonObject(context))
        return nullptr;
    if (context.size() > kMaxWithSession)
        return "there is no room for it";
    JsonStream scratch = MakeStream();
    return WriteCheckedJson(scratch, context, wire::kMaxContextDepth - 1);
}

// What the application says, in all ways; the strongest last.
void WriteApplicationContext(JsonStream& out, bool with_session) {
    const std::string_view setting = SettingContext(CurrentSessionSettings());
    const std::string_view comments = StatementComments();
    const std::string_view begin = comments.empty() ? TransactionComments() : std::string_view();
    if (!with_session && (setting.empty() || (comments.empty() && begin.empty()))) {
        for (const std::string_view only : {begin, setting, comments})
            out.Append(only);
        return;
    }
    ContextPieces pieces(out.ascii_only());
    bool all_fit = true;
    for (const std::string_view context : {begin, setting, comments}) {
        all_fit &= context.size() <= kMaxWithSession;
        if (!pieces.Add(context, true))
            pieces.Drop("context", "there is no room for it");
    }
    // One that is larger by itself is meant to be: then the decoder's max_context_size is, too.
    if (with_session || all_fit)
        pieces.Limit(0, kMaxWithSession);
    pieces.Write(out);
    const char* problem = with_session ? ProblemWithSession(out.view()) : nullptr;
    if (problem == nullptr)
        return;
    out.Clear();
    ContextPieces rest(out.ascii_only());
    rest.Drop("context", problem);
    rest.Write(out);
}

// The context of what is written now, allocated in the current memory context; empty for none.
std::string_view BuildContext() {
    const SessionSettings settings = CurrentSessionSettings();
    JsonStream application = MakeStream();
    WriteApplicationContext(application, settings.include != 0);
    if (settings.include == 0)
        return application.view();
    JsonStream facts = MakeStream();
    WriteSessionFacts(facts, settings.include, StatementQuery());
    JsonStream whole = MakeStream();
    WriteWithMember(whole, application.view(), wire::kSession, facts.view());
    return whole.view();
}

void Log(std::string_view context) {
    LogTransactionalMessage(wire::kContextPrefix, context.data(), context.size());
    message_end = XactLastRecEnd;
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
    WithScratch([] { LogIfDifferent(CurrentContext()); });
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

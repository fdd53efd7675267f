// Putting together what is written now.

#include "bemi/context.hpp"
#include "bemi/json_check.hpp"
#include "bemi/wire.hpp"
#include "context_pieces.hpp"
#include "current_context.hpp"
#include "json_members.hpp"
#include "session_facts.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"
#include "statement.hpp"

namespace bemi {

namespace {

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

// What the application says, as it was put together last.
struct Application {
    JsonStream text;
    std::uint64_t comments_changes;
    std::uint64_t setting_changes;
    bool with_session;
    bool is_good;
};

// Brings it up to date; whether it has changed.
bool Refresh(Application* last, const SessionSettings& settings) {
    const bool with_session = settings.include != 0;
    const std::uint64_t comments_changes = StatementCommentsChanges();
    if (last->is_good && last->with_session == with_session &&
        last->comments_changes == comments_changes &&
        last->setting_changes == settings.context_changes)
        return false;
    last->is_good = false;
    last->text.Clear();
    WriteApplicationContext(last->text, with_session);
    last->comments_changes = comments_changes;
    last->setting_changes = settings.context_changes;
    last->with_session = with_session;
    last->is_good = true;
    return true;
}

void InitKept(JsonStream* stream) {
    stream->Init(SessionMemory(), !SessionEncoding().is_utf8());
    stream->SetLimit(JsonStream::kMaxLength);
}

}  // namespace

CurrentContext GetCurrentContext() {
    static Application application;
    static JsonStream facts;  // as they are in `whole`
    static JsonStream whole;
    static std::uint64_t version = 0;
    if (version == 0) {
        for (JsonStream* stream : {&application.text, &facts, &whole})
            InitKept(stream);
        version = 1;
    }
    const SessionSettings settings = CurrentSessionSettings();
    const bool has_changed = Refresh(&application, settings);
    version += has_changed ? 1 : 0;
    if (settings.include == 0)
        return {application.text.view(), version};
    JsonStream now = MakeStream();
    WriteSessionFacts(now, settings.include, StatementQuery());
    if (!has_changed && facts.view() == now.view())
        return {whole.view(), version};
    version++;
    facts.Clear();  // should memory run out
    whole.Clear();
    WriteWithMember(whole, application.text.view(), wire::kSession, now.view());
    facts.Append(now.view());
    return {whole.view(), version};
}

}  // namespace bemi

// Keeping a statement's text and what is read from it.

#include <cstring>

#include "bemi/text.hpp"
#include "known_comments.hpp"
#include "session_facts.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"
#include "statement.hpp"
#include "statement_comments.hpp"

namespace bemi {

namespace {

StatementText pending = {nullptr, 0, 0};  // begun, and not read yet
const void* current_owner = nullptr;
bool has_epilogue = false;  // the comments are those of the end of a transaction
JsonStream comments;        // the context in them
std::uint64_t comments_changes = 1;
JsonStream gathered;                // the comments themselves, as they are in `comments`
constexpr unsigned kNothing = ~0u;  // no set of sources
unsigned gathered_sources = kNothing;
JsonStream query;

void Init(JsonStream* stream, bool ascii_only) {
    stream->Init(SessionMemory(), ascii_only);
    stream->SetLimit(JsonStream::kMaxLength);
}

void Prepare() {
    static bool is_prepared = false;
    if (is_prepared)
        return;
    Init(&comments, !SessionEncoding().is_utf8());
    Init(&gathered, false);
    Init(&query, false);
    is_prepared = true;
}

// The next comments are read whatever they are.
void ForgetComments() {
    comments.Clear();
    gathered.Clear();
    gathered_sources = kNothing;
    comments_changes++;
}

// Reads the comments of a statement, unless they are those that were read last: an application
// says the same for many statements.
void TakeComments(const StatementText& statement, unsigned sources) {
    const std::string_view now = sources != 0 ? CommentsOf(statement) : std::string_view();
    if (sources == gathered_sources && now == gathered.view())
        return;
    ForgetComments();
    ReadComments(comments, now, sources);
    gathered.Append(now);
    gathered_sources = sources;
}

std::string_view Trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\n\v\f\r";
    const std::size_t start = text.find_first_not_of(kBlanks);
    if (start == std::string_view::npos)
        return {};
    return {text.data() + start, text.find_last_not_of(kBlanks) + 1 - start};
}

void KeepQuery(const StatementText& statement) {
    query.Clear();
    if (!IncludesSession())
        return;
    const std::string_view text = Trimmed(TextOf(statement));
    const int whole =
        pg_mbcliplen(text.data(), static_cast<int>(text.size()), static_cast<int>(kMaxQueryText));
    query.Append(text.data(), static_cast<std::size_t>(whole));
}

// Reads what is pending, once.
void Read() {
    Prepare();
    if (pending.text == nullptr)
        return;
    TakeComments(pending, CurrentSessionSettings().comments);
    KeepQuery(pending);
    pending.text = nullptr;
}

}  // namespace

void BeginStatement(const StatementText& statement, const void* owner) {
    pending = statement;
    current_owner = owner;
    has_epilogue = false;
    if (statement.text == nullptr) {
        Prepare();
        ForgetComments();
        query.Clear();
    }
    ContextMayDiffer();
}

void BeginExecute(const StatementText& prepared, const StatementText& statement) {
    BeginStatement({nullptr, 0, 0}, nullptr);
    const unsigned sources = CurrentSessionSettings().comments;
    for (const StatementText& text : {prepared, statement})
        ReadComments(comments, CommentsOf(text), sources);
    KeepQuery(statement);
}

void BeginEpilogue(const StatementText& statement) {
    const std::string_view now = CommentsOf(statement);
    if (now.empty())
        return;
    Prepare();
    JsonStream own;
    own.Init(CurrentMemoryContext, comments.ascii_only());
    own.SetLimit(JsonStream::kMaxLength);
    ReadComments(own, now, CurrentSessionSettings().comments);
    if (own.length() == 0)
        return;
    ForgetComments();
    comments.Append(own.view());
    KeepQuery(statement);
    has_epilogue = true;
    ContextMayDiffer();
}

void BeginDeferred(std::string_view comments_in_force) {
    if (has_epilogue)
        return;
    Prepare();
    if (comments.view() == comments_in_force)
        return;
    ForgetComments();
    comments.Append(comments_in_force);
    ContextMayDiffer();
}

void EndStatement() {
    if (pending.text != nullptr)
        current_owner = nullptr;
    pending.text = nullptr;
}

bool IsCurrentOwner(const void* owner) {
    return current_owner == owner;
}

std::string_view StatementComments() {
    Read();
    return comments.view();
}

std::uint64_t StatementCommentsChanges() {
    Read();
    return comments_changes;
}

std::string_view StatementQuery() {
    Read();
    return query.view();
}

}  // namespace bemi

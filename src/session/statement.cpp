// Keeping a statement's text and what is read from it.

#include <cstring>

#include "bemi/text.hpp"
#include "known_comments.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"
#include "statement.hpp"
#include "statement_comments.hpp"

namespace bemi {

namespace {

StatementText pending = {nullptr, 0, 0};  // begun, and not read yet
const void* current_owner = nullptr;
bool has_epilogue = false;  // the comments are those of the end of a transaction
bool has_commit = false;    // of one that is about to be committed
JsonStream comments;        // the context in them
JsonStream of_begin;        // the context in those of the BEGIN of this transaction
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
    Init(&of_begin, comments.ascii_only());
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

// The context in gathered comments replaces the one that is kept.
void Replace(std::string_view now, unsigned sources) {
    ForgetComments();
    ContextPieces pieces(comments.ascii_only());
    ReadComments(pieces, now, sources);
    pieces.Write(comments);
    gathered.Append(now);
    gathered_sources = sources;
}

// Reads the comments of a statement, or, where there is no context in them, those that all of its
// message share; unless they are those that were read last: an application says the same for many
// statements.
void TakeComments(const StatementText& statement, unsigned sources) {
    const std::string_view own = sources != 0 ? CommentsOf(statement) : std::string_view();
    if (!own.empty()) {
        if (sources != gathered_sources || own != gathered.view())
            Replace(own, sources);
        if (comments.length() > 0)
            return;
    }
    const std::string_view shared = sources != 0 ? SharedComments(statement) : std::string_view();
    if (sources != gathered_sources || shared != gathered.view())
        Replace(shared, sources);
}

// Writes the context in a statement's own comments at the end of `out`.
void ReadOwn(JsonStream& out, const StatementText& statement) {
    const std::string_view now = CommentsOf(statement);
    if (now.empty())
        return;
    ContextPieces pieces(out.ascii_only());
    ReadComments(pieces, now, CurrentSessionSettings().comments);
    pieces.Write(out);
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
    query.Append(CutText(text, kMaxQueryText));
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
    has_commit = false;
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
    ContextPieces pieces(comments.ascii_only());
    for (const StatementText& text : {prepared, statement})
        ReadComments(pieces, CommentsOf(text), sources);
    pieces.Write(comments);
    if (comments.length() == 0)
        Replace(SharedComments(statement), sources);
    KeepQuery(statement);
}

void BeginTransaction(const StatementText& statement) {
    Prepare();
    ForgetTransaction();
    ReadOwn(of_begin, statement);
    if (of_begin.length() == 0)
        return;
    comments_changes++;
    ContextMayDiffer();
}

void ForgetTransaction() {
    has_commit = false;
    if (of_begin.length() == 0)
        return;
    of_begin.Clear();
    comments_changes++;
}

void BeginEpilogue(const StatementText& statement, bool commits) {
    Prepare();
    JsonStream own;
    own.Init(CurrentMemoryContext, comments.ascii_only());
    own.SetLimit(JsonStream::kMaxLength);
    ReadOwn(own, statement);
    if (own.length() == 0)
        return;
    ForgetComments();
    comments.Append(own.view());
    KeepQuery(statement);
    has_epilogue = true;
    has_commit = commits;
    ContextMayDiffer();
}

bool HasCommitComments() {
    return has_commit;
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

std::string_view TransactionComments() {
    return of_begin.view();
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

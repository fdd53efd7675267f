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
std::uint64_t gathered_version = 0;  // of the comments of a message
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
    gathered_version = 0;
    comments_changes++;
}

// The context in gathered comments replaces the one that is kept, unless there is none: then false.
// Those that all of a message share are known by their version, others by their bytes.
bool Replace(std::string_view now, std::uint64_t version, unsigned sources) {
    ContextPieces pieces(comments.ascii_only());
    ReadComments(pieces, now, sources);
    if (pieces.IsEmpty())
        return false;
    ForgetComments();
    pieces.Write(comments);
    if (version == 0)
        gathered.Append(now);
    gathered_version = version;
    gathered_sources = sources;
    return true;
}

// Reads the comments of a statement, or, where there is no context in them, those that all of its
// message share; unless they are those that were read last: an application says the same for many
// statements.
void TakeComments(const StatementText& statement, unsigned sources) {
    const bool is_same = gathered_sources == sources;
    const std::string_view own = sources != 0 ? CommentsOf(statement) : std::string_view();
    if (!own.empty()) {
        if (is_same && gathered_version == 0 && own == gathered.view())
            return;
        if (Replace(own, 0, sources))
            return;
    }
    const SharedComments shared =
        sources != 0 ? SharedCommentsOf(statement) : SharedComments{{}, 0};
    if (shared.version != 0) {
        if (is_same && gathered_version == shared.version)
            return;
        if (Replace(shared.gathered, shared.version, sources))
            return;
    }
    if (comments.length() > 0)
        ForgetComments();
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
    const SharedComments shared = SharedCommentsOf(statement);
    if (comments.length() == 0 && shared.version != 0)
        Replace(shared.gathered, shared.version, sources);
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

void BeginDeferred(const ContextInForce& now) {
    static std::uint64_t adopted = 0;          // of now.comments_version
    static std::uint64_t adopted_changes = 0;  // of comments_changes, then
    if (has_epilogue || now.comments_version == comments_changes ||
        (now.comments_version == adopted && comments_changes == adopted_changes))
        return;
    Prepare();
    if (comments.view() != now.comments) {
        ForgetComments();
        comments.Append(now.comments);
        ContextMayDiffer();
    }
    adopted = now.comments_version;
    adopted_changes = comments_changes;
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

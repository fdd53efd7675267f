// Comments of both kinds.

#include <cstring>

#include "bemi/context.hpp"
#include "bemi/json_check.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"
#include "comment_lexer.hpp"
#include "context_pieces.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"
#include "statement_comments.hpp"
#include "tag_list.hpp"

namespace bemi {

namespace {

constexpr std::string_view kMark = "Bemi";
constexpr std::string_view kBemiComment = "Bemi comment";  // the name of one that is dropped
constexpr const char* kNoRoom = "there is no room for it";

struct Bounds {
    std::size_t start;
    std::size_t end;
};

bool IsBlank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// How far the text of the client's message was read. It may hold very many statements, none of
// which may cost as much as all of them. The text goes with the memory of the message.
struct Progress {
    const char* text;  // NULL for none
    std::size_t size;
    std::size_t location;  // of the statement that was read last
    std::size_t start;     // of the same, with what is in front of it
    bool has_shared;       // the comments of all its statements were gathered
};
Progress progress = {};

void ForgetProgress(void*) {
    progress = {};
}

std::string_view WholeText(const StatementText& statement) {
    if (statement.text == progress.text)
        return {progress.text, progress.size};
    const std::string_view text = statement.text;
    if (statement.text == debug_query_string && statement.location >= 0) {
        static MemoryContextCallback callback;
        if (progress.text == nullptr) {
            callback.func = ForgetProgress;
            MemoryContextRegisterResetCallback(MessageContext, &callback);
        }
        progress = {statement.text, text.size(), 0, 0, false};
    }
    return text;
}

std::size_t StartOf(const StatementText& statement, std::string_view text, std::size_t location) {
    const bool is_client = statement.text == progress.text;
    const std::size_t from = is_client && progress.location <= location ? progress.start : 0;
    const std::size_t start = StatementStart(text, from, location, BackslashesEscape());
    if (is_client) {
        progress.location = location;
        progress.start = start;
    }
    return start;
}

Bounds BoundsOf(const StatementText& statement, std::string_view text) {
    if (statement.location < 0 || static_cast<std::size_t>(statement.location) > text.size())
        return {0, text.size()};
    const std::size_t location = static_cast<std::size_t>(statement.location);
    const std::size_t end =
        statement.length > 0 ? location + static_cast<std::size_t>(statement.length) : text.size();
    return {StartOf(statement, text, location), end < text.size() ? end : text.size()};
}

// Between "Bemi " and " Bemi", whatever white space is around; false where the comment is none of
// these.
bool BemiContent(std::string_view comment, std::string_view* json) {
    while (!comment.empty() && IsBlank(comment.front()))
        comment.remove_prefix(1);
    while (!comment.empty() && IsBlank(comment.back()))
        comment.remove_suffix(1);
    const std::size_t mark = kMark.size();
    if (comment.size() < mark * 2 + 2 || First(comment, mark) != kMark || !IsBlank(comment[mark]) ||
        Behind(comment, comment.size() - mark) != kMark ||
        !IsBlank(comment[comment.size() - mark - 1]))
        return false;
    *json = {comment.data() + mark + 1, comment.size() - 2 * mark - 2};
    return true;
}

// Writes a key or value as a JSON string; why it can't be one, or nullptr. What stands there as it
// is, is in the database's encoding; what is percent-encoded is UTF-8.
const char* WriteTagText(JsonStream& out, std::string_view raw) {
    const Utf8Text text = ToUtf8(SessionEncoding(), raw);
    if (!text.valid)
        return "it has a character with no equivalent in UTF-8";
    char* const buffer =
        static_cast<char*>(MemoryContextAllocHuge(CurrentMemoryContext, text.text.size() + 1));
    const std::size_t length = DecodeTag(text.text, buffer);
    const char* problem = nullptr;
    if (length == kMalformed)
        problem = "it is not percent-encoded";
    else if (std::memchr(buffer, '\0', length) != nullptr)
        problem = "it contains a NUL byte";
    else if (!pg_verify_mbstr(PG_UTF8, buffer, static_cast<int>(length), true))
        problem = "it is not UTF-8";
    else
        WriteUtf8String(out, buffer, length);
    pfree(buffer);
    return problem;
}

// The same of a value without quotes: True and False are Python's.
const char* WriteBareValue(JsonStream& out, std::string_view raw) {
    if (raw == "True" || raw == "true")
        out.Append("true");
    else if (raw == "False" || raw == "false")
        out.Append("false");
    else if (raw == "null" || WriteCheckedJson(out, raw, 1) != nullptr)
        return "its value is neither quoted nor a number";
    return nullptr;
}

void AddTag(ContextPieces& pieces, const Tag& tag) {
    pieces.Begin();
    JsonStream& out = pieces.text();
    const std::size_t start = out.length();
    const char* problem = tag.problem;
    if (problem == nullptr)
        problem = WriteTagText(out, tag.key);
    const std::size_t key_size = out.length() - start;
    out.Put(':');
    if (problem == nullptr)
        problem = tag.is_quoted ? WriteTagText(out, tag.value) : WriteBareValue(out, tag.value);
    if (problem != nullptr)
        out.Rewind(start);
    else if (!pieces.EndMember(start, key_size))
        problem = kNoRoom;
    if (problem != nullptr)
        pieces.Drop(tag.key, problem);
}

void AddTags(ContextPieces& pieces, std::string_view comment) {
    if (comment.find("='") == std::string_view::npos)
        return;
    const ContextPieces::Mark mark = pieces.mark();
    TagList list(comment);
    Tag tag;
    while (list.Next(&tag)) {
        CHECK_FOR_INTERRUPTS();
        AddTag(pieces, tag);
    }
    if (!list.is_list())
        pieces.ForgetSince(mark);
}

void AddBemi(ContextPieces& pieces, std::string_view comment) {
    std::string_view json;
    if (!BemiContent(comment, &json))
        return;
    pieces.Begin();
    const std::size_t start = pieces.text().length();
    const char* problem = WriteCanonicalContext(pieces.text(), json, SessionEncoding(), kMaxPieces);
    if (problem == nullptr && !pieces.EndContext(start, false))
        problem = kNoRoom;
    if (problem != nullptr)
        pieces.Drop(kBemiComment, problem);
}

}  // namespace

std::string_view TextOf(const StatementText& statement) {
    const std::string_view text = WholeText(statement);
    const Bounds bounds = BoundsOf(statement, text);
    return {text.data() + bounds.start, bounds.end - bounds.start};
}

void GatherComments(JsonStream& out, const StatementText& statement) {
    const std::string_view text = WholeText(statement);
    const Bounds bounds = BoundsOf(statement, text);
    // Most have none, and only what is behind them can be one of theirs.
    const std::string_view own = First(text, bounds.end);
    const bool has_none = own.find("/*", bounds.start) == std::string_view::npos;
    ForEachComment(text, has_none ? bounds.end : bounds.start, bounds.end, BackslashesEscape(),
                   [&out](std::string_view comment) {
                       CHECK_FOR_INTERRUPTS();
                       out.Append(comment);
                       out.Put('\0');
                   });
}

// What stands in front of the first statement or behind the last one.
static void GatherShared(JsonStream& out, std::string_view text) {
    auto put = [&out, text](const Lexed& comment) {
        out.Append(text.data() + comment.start + 2, comment.end - comment.start - 4);
        out.Put('\0');
    };
    std::size_t last = 0;  // behind the last of what is neither comment nor semicolon
    bool is_front = true;
    CommentLexer lexer(text, 0, BackslashesEscape());
    for (Lexed piece = lexer.Next(); piece.kind != LexedKind::kEnd; piece = lexer.Next()) {
        CHECK_FOR_INTERRUPTS();
        if (piece.kind == LexedKind::kOther) {
            last = piece.end;
            is_front = false;
        } else if (is_front && piece.kind == LexedKind::kBlockComment) {
            put(piece);
        }
    }
    if (is_front)
        return;
    CommentLexer behind(text, last, BackslashesEscape());
    for (Lexed piece = behind.Next(); piece.kind != LexedKind::kEnd; piece = behind.Next()) {
        if (piece.kind == LexedKind::kBlockComment)
            put(piece);
    }
}

SharedComments SharedCommentsOf(const StatementText& statement) {
    static JsonStream shared;
    static std::uint64_t version = 0;
    const bool is_whole = statement.location == 0 && statement.length == 0;
    if (is_whole || statement.location < 0 || statement.text != debug_query_string)
        return {{}, 0};
    const std::string_view text = WholeText(statement);
    if (!progress.has_shared) {
        if (version++ == 0)
            shared.Init(SessionMemory(), false);
        shared.Clear();
        if (text.find("/*") != std::string_view::npos)
            GatherShared(shared, text);
        progress.has_shared = true;
    }
    return {shared.view(), shared.length() > 0 ? version : 0};
}

void ReadComments(ContextPieces& pieces, std::string_view gathered, unsigned sources) {
    auto read = [&](void (*read_one)(ContextPieces&, std::string_view)) {
        for (std::string_view rest = gathered; !rest.empty();) {
            CHECK_FOR_INTERRUPTS();
            const std::string_view comment = First(rest, rest.find('\0'));
            read_one(pieces, comment);
            rest = Behind(rest, comment.size() + 1);
        }
    };
    const std::size_t first = pieces.mark().members;
    if ((sources & kSqlCommenter) != 0) {
        read(AddTags);
        pieces.Limit(first, kMaxTags);
    }
    if ((sources & kBemiComments) != 0)
        read(AddBemi);
}

}  // namespace bemi

// Comments of both kinds.

#include <cstring>

#include "bemi/context.hpp"
#include "bemi/text.hpp"
#include "bemi/wire.hpp"
#include "comment_lexer.hpp"
#include "context_merge.hpp"
#include "session_settings.hpp"
#include "session_state.hpp"
#include "statement_comments.hpp"
#include "tag_list.hpp"

namespace bemi {

namespace {

constexpr std::size_t kMaxComment = 64u << 20;  // what max_context_size can be at most
constexpr std::string_view kMark = "Bemi";

struct Bounds {
    std::size_t start;
    std::size_t end;
};

bool IsBlank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void Ignore(const char* reason) {
    ereport(DEBUG1, (errmsg("bemi_session: ignored a comment: %s", reason)));
}

// How far the text of the client's message was read. It may hold very many statements, none of
// which may cost as much as all of them. The text goes with the memory of the message.
struct Progress {
    const char* text;  // NULL for none
    std::size_t size;
    std::size_t location;  // of the statement that was read last
    std::size_t start;     // of the same, with what is in front of it
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
        progress = {statement.text, text.size(), 0, 0};
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

// Writes the tags as an object; false where one of them can't be one.
bool WriteTags(JsonStream& out, std::string_view comment) {
    char* const buffer = static_cast<char*>(palloc(comment.size() + 1));
    TagList list(comment);
    Tag tag;
    while (list.Next(&tag)) {
        for (const std::string_view raw : {tag.key, tag.value}) {
            const std::size_t length = DecodeTag(raw, buffer);
            if (length == kMalformed || std::memchr(buffer, '\0', length) != nullptr)
                return false;
            const bool is_key = raw.data() == tag.key.data();
            out.Put(!is_key ? ':' : out.length() == 0 ? '{' : ',');
            // Percent-encoding is of UTF-8, whatever the database's encoding is.
            if (!pg_verify_mbstr(PG_UTF8, buffer, static_cast<int>(length), true))
                return false;
            WriteUtf8String(out, buffer, length);
        }
    }
    out.Put('}');
    return list.is_list();
}

// A stream of the same kind for a piece that is not known to be good.
void InitPiece(JsonStream* piece, const JsonStream& out) {
    piece->Init(CurrentMemoryContext, out.ascii_only());
    piece->SetLimit(kMaxComment);
}

void Merge(JsonStream& out, const JsonStream& piece) {
    if (out.length() == 0) {
        WriteMerged(out, {}, piece.view());
        return;
    }
    JsonStream merged;
    InitPiece(&merged, out);
    merged.SetLimit(JsonStream::kMaxLength);
    WriteMerged(merged, out.view(), piece.view());
    out.Clear();
    out.Append(merged.view());
}

void ReadTags(JsonStream& out, std::string_view comment) {
    if (!IsTagList(comment))
        return;
    JsonStream piece;
    InitPiece(&piece, out);
    if (comment.size() > kMaxComment || !WriteTags(piece, comment) || piece.failure() != nullptr ||
        piece.overflowed())
        Ignore("a tag is not percent-encoded text");
    else
        Merge(out, piece);
}

void ReadBemi(JsonStream& out, std::string_view comment) {
    std::string_view json;
    if (!BemiContent(comment, &json))
        return;
    JsonStream piece;
    InitPiece(&piece, out);
    if (const char* reason = WriteCanonicalContext(piece, json, SessionEncoding(), kMaxComment))
        Ignore(reason);
    else
        Merge(out, piece);
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
                       out.Append(comment);
                       out.Put('\0');
                   });
}

void ReadComments(JsonStream& out, std::string_view gathered, unsigned sources) {
    auto read = [&](void (*read_one)(JsonStream&, std::string_view)) {
        for (std::string_view rest = gathered; !rest.empty();) {
            const std::string_view comment = First(rest, rest.find('\0'));
            read_one(out, comment);
            rest = Behind(rest, comment.size() + 1);
        }
    };
    if ((sources & kSqlCommenter) != 0)
        read(ReadTags);
    if ((sources & kBemiComments) != 0)
        read(ReadBemi);
}

}  // namespace bemi

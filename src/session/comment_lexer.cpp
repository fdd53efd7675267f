// The lexer of comments.

#include "comment_lexer.hpp"

namespace bemi {

namespace {

// What a byte can be, in one look.
enum Kind : unsigned char {
    kSpace = 1,
    kLineEnd = 2,
    kWordStart = 4,
    kTag = 8,
    kWord = 16,
    kPlain = 32,  // begins nothing of more than one token
};

struct Kinds {
    unsigned char of[256] = {};

    constexpr Kinds() {
        for (int c = 0; c < 256; c++) {
            const bool is_letter =
                (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
            const bool is_digit = c >= '0' && c <= '9';
            unsigned kinds = c == ' ' || (c >= '\t' && c <= '\r') ? kSpace : 0;
            kinds |= c == '\n' || c == '\r' ? kLineEnd : 0;
            kinds |= is_letter ? kWordStart : 0;
            kinds |= is_letter || is_digit ? kTag : 0;
            kinds |= is_letter || is_digit || c == '$' ? kWord : 0;
            kinds |=
                std::string_view("'\"$/-;").find(static_cast<char>(c)) == std::string_view::npos
                    ? kPlain
                    : 0;
            of[c] = static_cast<unsigned char>(kinds);
        }
    }
};
constexpr Kinds kKinds;

bool Is(Kind kind, char c) {
    return (kKinds.of[static_cast<unsigned char>(c)] & kind) != 0;
}
char Lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

Lexed CommentLexer::Next() {
    if (!SkipSpace())
        return {LexedKind::kEnd, text_.size(), text_.size()};
    const std::size_t start = next_;
    if (At(start) == '/' && At(start + 1) == '*') {
        if (!SkipBlockComment())
            return {LexedKind::kEnd, text_.size(), text_.size()};
        return {LexedKind::kBlockComment, start, next_};
    }
    if (At(start) == ';') {
        next_++;
        return {LexedKind::kSemicolon, start, next_};
    }
    SkipToken();
    return {LexedKind::kOther, start, next_};
}

// Passes over white space and -- comments; false at the end of the text.
bool CommentLexer::SkipSpace() {
    for (;;) {
        std::size_t end = next_;
        while (end < text_.size() && Is(kSpace, text_[end]))
            end++;
        next_ = end;
        if (At(end) != '-' || At(end + 1) != '-')
            return end < text_.size();
        SkipLine();
    }
}

void CommentLexer::SkipLine() {
    while (next_ < text_.size() && !Is(kLineEnd, text_[next_]))
        next_++;
}

// An operator may be cut at any byte: the server ends it, too, where a comment begins.
void CommentLexer::SkipToken() {
    const char c = text_[next_];
    if (Is(kWordStart, c)) {
        SkipWord();
    } else if (c == '\'') {
        next_++;
        if (backslash_escapes_)
            SkipEscapeString();
        else
            SkipQuoted('\'');
    } else if (c == '"') {
        next_++;
        SkipQuoted('"');
    } else if (c == '$') {
        SkipDollarQuoted();
    } else {
        next_++;
        SkipPlain();
    }
}

// Passes over the tokens behind one that is complete in one go. A quote or dollar may belong to
// what stands before it, so the word there, or `u&`, is left to be looked at by itself.
void CommentLexer::SkipPlain() {
    std::size_t end = next_;
    while (end < text_.size() && Is(kPlain, text_[end]))
        end++;
    const char c = At(end);
    if (c == '\'' || c == '"' || c == '$') {
        while (end > next_ && (Is(kWord, text_[end - 1]) || text_[end - 1] == '&'))
            end--;
    }
    next_ = end;
}

// A word, or a string with a prefix: E'…', U&'…', U&"…", B'…', X'…'. (N'…' is a word before a plain
// string.)
void CommentLexer::SkipWord() {
    const char prefix = Lower(text_[next_]);
    const char second = At(next_ + 1);
    if (prefix == 'e' && second == '\'') {
        next_ += 2;
        SkipEscapeString();
    } else if ((prefix == 'b' || prefix == 'x') && second == '\'') {
        next_ += 2;
        SkipQuoted('\'');
    } else if (prefix == 'n' && second == '\'') {
        next_++;
    } else if (prefix == 'u' && second == '&' && (At(next_ + 2) == '\'' || At(next_ + 2) == '"')) {
        const char quote = text_[next_ + 2];
        next_ += 3;
        SkipQuoted(quote);
    } else {
        std::size_t end = next_ + 1;
        while (end < text_.size() && Is(kWord, text_[end]))
            end++;
        next_ = end;
        SkipPlain();
    }
}

// From behind the opening quote to behind the closing one.
void CommentLexer::SkipQuoted(char quote) {
    for (;;) {
        const std::size_t close = text_.find(quote, next_);
        next_ = close == std::string_view::npos ? text_.size() : close + 1;
        if (At(next_) != quote)
            return;
        next_++;  // a quote that is meant
    }
}

// The same of a string in which a backslash takes the byte behind it.
void CommentLexer::SkipEscaped() {
    while (next_ < text_.size()) {
        const char c = text_[next_++];
        if (c == '\\')
            next_ += next_ < text_.size() ? 1 : 0;
        else if (c == '\'' && At(next_) != '\'')
            return;
        else if (c == '\'')
            next_++;
    }
}

// A string goes on in the next quotes where a line end stands in between, and keeps its escapes.
void CommentLexer::SkipEscapeString() {
    do
        SkipEscaped();
    while (SkipToContinuation());
}

// To behind the quote that continues a string; where there is none, stays and returns false.
bool CommentLexer::SkipToContinuation() {
    const std::size_t start = next_;
    bool line_end = false;
    while (next_ < text_.size()) {
        const char c = text_[next_];
        if (Is(kSpace, c)) {
            line_end |= Is(kLineEnd, c);
            next_++;
        } else if (c == '-' && At(next_ + 1) == '-') {
            SkipLine();
        } else {
            if (c != '\'' || !line_end)
                break;
            next_++;
            return true;
        }
    }
    next_ = start;
    return false;
}

// A dollar-quoted string, or the dollar alone where none begins.
void CommentLexer::SkipDollarQuoted() {
    std::size_t end = next_ + 1;
    if (Is(kWordStart, At(end))) {
        while (end < text_.size() && Is(kTag, text_[end]))
            end++;
    }
    if (At(end) != '$') {
        next_++;
        return;
    }
    const std::string_view delimiter(text_.data() + next_, end + 1 - next_);
    const std::size_t close = text_.find(delimiter, end + 1);
    next_ = close == std::string_view::npos ? text_.size() : close + delimiter.size();
}

// Comments nest. False where it is not closed. Both delimiters have a star in them.
bool CommentLexer::SkipBlockComment() {
    std::size_t depth = 0;
    for (;;) {
        const std::size_t star = text_.find('*', next_);
        if (star == std::string_view::npos)
            break;
        if (star > next_ && text_[star - 1] == '/') {
            depth++;
            next_ = star + 1;
        } else if (At(star + 1) == '/') {
            next_ = star + 2;
            if (--depth == 0)
                return true;
        } else {
            next_ = star + 1;
        }
    }
    next_ = text_.size();
    return false;
}

std::size_t StatementStart(std::string_view text, std::size_t from, std::size_t location,
                           bool backslash_escapes) {
    // A semicolon with nothing but white space behind it is one, unless it ends a -- comment.
    std::size_t before = location;
    while (before > from && Is(kSpace, text[before - 1]))
        before--;
    if (before <= from)
        return from;
    std::size_t line = before - 1;
    while (line > from && !Is(kLineEnd, text[line - 1]))
        line--;
    const std::string_view line_text(text.data() + line, before - line);
    if (text[before - 1] == ';' && line_text.find("--") == std::string_view::npos)
        return before;
    std::size_t start = from;
    CommentLexer lexer(text, from, backslash_escapes);
    for (Lexed piece = lexer.Next(); piece.kind != LexedKind::kEnd && piece.start < location;
         piece = lexer.Next()) {
        if (piece.kind == LexedKind::kSemicolon)
            start = piece.end;
    }
    return start;
}

}  // namespace bemi

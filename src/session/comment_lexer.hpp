// Where the comments of an SQL text are, by the lexical rules of the server (its scan.l): the same
// characters in a string, a dollar-quoted string or a quoted name are data. Knows no server header,
// so that a fuzzer can drive it.
#pragma once

#include <cstddef>
#include <string_view>

namespace bemi {

enum class LexedKind { kEnd, kBlockComment, kSemicolon, kOther };

struct Lexed {
    LexedKind kind;
    std::size_t start;  // of a comment, with its delimiters
    std::size_t end;
};

class CommentLexer {
 public:
    // Reads `text` from `start`, where a token or white space begins. `backslash_escapes`: a plain
    // '…' takes backslashes as E'…' does (standard_conforming_strings is off).
    CommentLexer(std::string_view text, std::size_t start, bool backslash_escapes)
        : text_(text), next_(start), backslash_escapes_(backslash_escapes) {}

    // The next comment, semicolon, or a piece of anything else, of one token or several; white
    // space and -- comments are passed over. What is left open at the end of the text, which the
    // server would refuse, is the end.
    Lexed Next();

 private:
    char At(std::size_t place) const { return place < text_.size() ? text_[place] : '\0'; }
    bool SkipSpace();
    void SkipLine();
    void SkipToken();
    void SkipPlain();
    void SkipWord();
    void SkipQuoted(char quote);
    void SkipEscaped();
    void SkipEscapeString();
    bool SkipToContinuation();
    void SkipDollarQuoted();
    bool SkipBlockComment();

    std::string_view text_;
    std::size_t next_;
    bool backslash_escapes_;
};

inline std::string_view CommentContent(std::string_view text, const Lexed& comment) {
    return {text.data() + comment.start + 2, comment.end - comment.start - 4};
}

// Calls `visit` with the content of each block comment that belongs to the statement in the bytes
// [start, end) of `text`, in order: those inside, which begin behind the semicolon before it, and
// those behind its own semicolon where nothing but comments follows.
template <typename Visit>
void ForEachComment(std::string_view text, std::size_t start, std::size_t end,
                    bool backslash_escapes, Visit visit) {
    CommentLexer lexer(text, start, backslash_escapes);
    std::size_t own_end = start;
    Lexed piece = lexer.Next();
    while (piece.kind != LexedKind::kEnd && piece.start < end) {
        if (piece.kind == LexedKind::kBlockComment)
            visit(CommentContent(text, piece));
        own_end = piece.end;
        piece = lexer.Next();
    }
    while (piece.kind == LexedKind::kBlockComment || piece.kind == LexedKind::kSemicolon)
        piece = lexer.Next();
    if (piece.kind != LexedKind::kEnd)
        return;
    CommentLexer behind(text, own_end, backslash_escapes);
    while ((piece = behind.Next()).kind != LexedKind::kEnd) {
        if (piece.kind == LexedKind::kBlockComment)
            visit(CommentContent(text, piece));
    }
}

// The same for the comments of a message of several statements that stand in front of the first, or
// behind the last one, with or without a semicolon between them.
template <typename Visit>
void ForEachSharedComment(std::string_view text, bool backslash_escapes, Visit visit) {
    CommentLexer lexer(text, 0, backslash_escapes);
    Lexed piece = lexer.Next();
    for (; piece.kind == LexedKind::kBlockComment || piece.kind == LexedKind::kSemicolon;
         piece = lexer.Next()) {
        if (piece.kind == LexedKind::kBlockComment)
            visit(CommentContent(text, piece));
    }
    std::size_t last = text.size();
    for (; piece.kind != LexedKind::kEnd; piece = lexer.Next()) {
        if (piece.kind == LexedKind::kOther)
            last = piece.end;
    }
    CommentLexer behind(text, last, backslash_escapes);
    while ((piece = behind.Next()).kind != LexedKind::kEnd) {
        if (piece.kind == LexedKind::kBlockComment)
            visit(CommentContent(text, piece));
    }
}

// Where the statement begins that the server says is at `location`: behind the semicolon before
// it. Some servers count the comments in front of a statement as its own, others don't. `from` is
// where a statement before it begins, or it itself, or 0.
std::size_t StatementStart(std::string_view text, std::size_t from, std::size_t location,
                           bool backslash_escapes);

}  // namespace bemi

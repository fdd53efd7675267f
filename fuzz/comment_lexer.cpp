// Fuzzes the lexer of comments. The first byte says whether backslashes escape, and where a
// statement is.
//
// sources: src/session/comment_lexer.cpp

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "comment_lexer.hpp"

using bemi::CommentLexer;
using bemi::Lexed;
using bemi::LexedKind;

namespace {

void Require(bool condition) {
    if (!condition)
        abort();
}

std::vector<Lexed> Pieces(std::string_view text, bool backslashes) {
    std::vector<Lexed> pieces;
    CommentLexer lexer(text, 0, backslashes);
    for (Lexed piece = lexer.Next(); piece.kind != LexedKind::kEnd; piece = lexer.Next())
        pieces.push_back(piece);
    return pieces;
}

// In order, inside of the text, and what they say they are.
void CheckPieces(std::string_view text, const std::vector<Lexed>& pieces) {
    std::size_t end = 0;
    for (const Lexed& piece : pieces) {
        Require(piece.start >= end && piece.end > piece.start && piece.end <= text.size());
        const std::string_view bytes = text.substr(piece.start, piece.end - piece.start);
        if (piece.kind == LexedKind::kBlockComment)
            Require(bytes.size() >= 4 && bytes.substr(0, 2) == "/*" &&
                    bytes.substr(bytes.size() - 2) == "*/");
        if (piece.kind == LexedKind::kSemicolon)
            Require(bytes == ";");
        end = piece.end;
    }
}

std::size_t Count(const std::vector<Lexed>& pieces, LexedKind kind) {
    std::size_t count = 0;
    for (const Lexed& piece : pieces)
        count += piece.kind == kind ? 1 : 0;
    return count;
}

// With a plus for each comment, the text has the same semicolons, and no comment.
void CheckWithoutComments(std::string_view text, const std::vector<Lexed>& pieces,
                          bool backslashes) {
    std::string plain;
    std::size_t end = 0;
    for (const Lexed& piece : pieces) {
        if (piece.kind != LexedKind::kBlockComment)
            continue;
        plain += text.substr(end, piece.start - end);
        plain += " + ";
        end = piece.end;
    }
    plain += text.substr(end);
    const std::vector<Lexed> again = Pieces(plain, backslashes);
    Require(Count(again, LexedKind::kBlockComment) == 0);
    Require(Count(again, LexedKind::kSemicolon) == Count(pieces, LexedKind::kSemicolon));
}

// Read from the start of any piece on, the text has the pieces that are behind it.
void CheckFromPieces(std::string_view text, const std::vector<Lexed>& pieces, bool backslashes) {
    for (std::size_t i = 0; i < pieces.size(); i += 1 + pieces.size() / 8) {
        CommentLexer lexer(text, pieces[i].start, backslashes);
        for (std::size_t j = i; j < pieces.size(); j++) {
            const Lexed piece = lexer.Next();
            Require(piece.kind == pieces[j].kind && piece.start == pieces[j].start &&
                    piece.end == pieces[j].end);
        }
    }
}

// As data, the text has no comment.
void CheckAsData(std::string_view text) {
    if (text.find("$zq$") != std::string_view::npos)
        return;
    std::string quoted = "SELECT $zq$" + std::string(text);
    // What ends like the delimiter's beginning would lengthen it.
    quoted += " $zq$ /*a*/";
    std::size_t comments = 0;
    bemi::ForEachComment(quoted, 0, quoted.size(), false, [&](std::string_view comment) {
        Require(comment == "a");
        comments++;
    });
    Require(comments == 1);
}

std::string CommentsFrom(std::string_view text, std::size_t start, bool backslashes) {
    std::string all;
    bemi::ForEachComment(text, start, text.size(), backslashes,
                         [&](std::string_view comment) { all += std::string(comment) + "*/"; });
    return all;
}

void CheckStatement(std::string_view text, std::size_t location, bool backslashes) {
    const std::size_t start = bemi::StatementStart(text, 0, location, backslashes);
    Require(start <= location);
    // At the start of a piece, it is behind the last semicolon before.
    std::size_t expected = 0;
    bool at_piece = false;
    for (const Lexed& piece : Pieces(text, backslashes)) {
        at_piece |= piece.start == location;
        if (piece.start < location && piece.kind == LexedKind::kSemicolon)
            expected = piece.end;
    }
    const std::string_view between =
        text.substr(expected < start ? expected : start,
                    expected < start ? start - expected : expected - start);
    Require(!at_piece || between.find_first_not_of(" \t\n\v\f\r") == std::string_view::npos);
    // Read on from any statement before it.
    for (const Lexed& piece : Pieces(text, backslashes)) {
        if (at_piece && piece.kind == LexedKind::kSemicolon && piece.end <= location)
            Require(CommentsFrom(text, bemi::StatementStart(text, piece.end, location, backslashes),
                                 backslashes) == CommentsFrom(text, start, backslashes));
    }
    bemi::ForEachComment(text, start, text.size(), backslashes, [&](std::string_view comment) {
        Require(comment.data() >= text.data() + 2 &&
                comment.data() + comment.size() + 2 <= text.data() + text.size());
    });
}

// What all statements share: comments with nothing but comments and semicolons before them, or
// behind them, each once.
void CheckShared(std::string_view text, const std::vector<Lexed>& pieces, bool backslashes) {
    std::string expected;
    for (std::size_t i = 0; i < pieces.size(); i++) {
        if (pieces[i].kind != LexedKind::kBlockComment)
            continue;
        const std::vector<Lexed> before(pieces.begin(), pieces.begin() + static_cast<long>(i));
        const std::vector<Lexed> after(pieces.begin() + static_cast<long>(i), pieces.end());
        if (Count(before, LexedKind::kOther) == 0 || Count(after, LexedKind::kOther) == 0)
            expected += std::string(bemi::CommentContent(text, pieces[i])) + "*/";
    }
    std::string shared;
    bemi::ForEachSharedComment(text, backslashes, [&](std::string_view comment) {
        shared += std::string(comment) + "*/";
    });
    Require(shared == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const bool backslashes = (data[0] & 1) != 0;
    const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
    const std::vector<Lexed> pieces = Pieces(text, backslashes);
    CheckPieces(text, pieces);
    CheckWithoutComments(text, pieces, backslashes);
    CheckFromPieces(text, pieces, backslashes);
    CheckAsData(text);
    CheckShared(text, pieces, backslashes);
    CheckStatement(text, (data[0] >> 1) % (text.size() + 1), backslashes);
    return 0;
}

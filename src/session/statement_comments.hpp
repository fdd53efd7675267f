// From the text of a statement to the context in its comments.
#pragma once

#include <cstdint>
#include <string_view>

#include "bemi/json_writer.hpp"
#include "context_pieces.hpp"
#include "statement_text.hpp"

namespace bemi {

// Writes the contents of the statement's comments at the end of `out`, each with a NUL behind it.
void GatherComments(JsonStream& out, const StatementText& statement);

// The comments at the very front and at the very end of the client's message, in the same form,
// which are for all of its statements. Good until the message goes.
struct SharedComments {
    std::string_view gathered;
    std::uint64_t version;  // another one for each message; 0 for none
};
SharedComments SharedCommentsOf(const StatementText& statement);

// Tags of one statement may take so many bytes; what is beyond that is left out. With the key
// "session" beside them they fit into the default of the decoder's max_context_size.
inline constexpr std::size_t kMaxTags = kMaxWithSession;

// Adds the contexts in gathered comments of the kinds asked for (CommentSource): Bemi's comments
// are stronger than tags, and a later comment than an earlier one. What can't be read is named in
// `pieces`. Scratch memory is taken from the current memory context.
void ReadComments(ContextPieces& pieces, std::string_view gathered, unsigned sources);

}  // namespace bemi

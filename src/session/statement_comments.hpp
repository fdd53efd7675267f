// From the text of a statement to the context in its comments.
#pragma once

#include <string_view>

#include "bemi/json_writer.hpp"
#include "statement_text.hpp"

namespace bemi {

// Writes the contents of the statement's comments at the end of `out`, each with a NUL behind it.
void GatherComments(JsonStream& out, const StatementText& statement);

// The context in gathered comments, of the kinds asked for (CommentSource), is merged into what
// `out` holds, a canonical context or nothing, and is the stronger one; among them Bemi's comments
// are stronger than tags, and a later comment than an earlier one. A comment that can't be read is
// passed over, with a DEBUG1 line. Scratch memory is taken from the current memory context.
void ReadComments(JsonStream& out, std::string_view gathered, unsigned sources);

}  // namespace bemi

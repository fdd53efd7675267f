// The comments of the statements that were run last, so that what is sent again and again (a
// prepared statement, above all) is not read again.
#pragma once

#include <string_view>

#include "statement_text.hpp"

namespace bemi {

// The contents of the statement's comments, as GatherComments writes them; good until the next
// call.
std::string_view CommentsOf(const StatementText& statement);

}  // namespace bemi

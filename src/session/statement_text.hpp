// A statement in the text of a query, which may hold others.
#pragma once

#include <string_view>

namespace bemi {

// `location` is where the statement or its first token begins, negative where that is not known;
// `length` is 0 where it goes on to the end.
struct StatementText {
    const char* text;  // NULL for none
    int location;
    int length;
};

// The statement's own part of the text.
std::string_view TextOf(const StatementText& statement);

}  // namespace bemi

// The settings bemi.context, bemi.comments and bemi.include.
#pragma once

#include <cstdint>

#include "bemi/pg.hpp"

namespace bemi {

// bemi.comments: which comments are read.
enum CommentSource : unsigned { kBemiComments = 1, kSqlCommenter = 2 };

// bemi.include: what the key "session" tells.
enum IncludedFact : unsigned {
    kIncludeUser = 1,
    kIncludeApplicationName = 2,
    kIncludeClient = 4,
    kIncludeQuery = 8
};

struct SessionSettings {
    char* context;                  // JSON that jsonb takes, or empty; in the database's encoding
    std::uint64_t context_changes;  // grows with each change of it
    unsigned comments;              // of CommentSource
    unsigned include;  // of IncludedFact; without the query while a mask is set in the server
};

// Registers the settings, once, when the library is loaded. Raises an ERROR where this connection
// has tried to set bemi.include without the right to.
void DefineSessionSettings();

SessionSettings CurrentSessionSettings();

// Whether bemi.include asks for anything.
bool IncludesSession();

}  // namespace bemi

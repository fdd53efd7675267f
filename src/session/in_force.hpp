// The context in force in this transaction: the last one that went into the write-ahead log and was
// not rolled back.
#pragma once

#include <cstdint>
#include <string_view>

#include "bemi/pg.hpp"

namespace bemi {

struct ContextInForce {
    enum class State {
        kNone,     // none was written in this transaction
        kUnknown,  // somebody else may have written one
        kKnown
    };
    State state;
    // Of a known one; these stay as they are until the next one is set or goes.
    std::string_view text;
    std::uint64_t version;      // of CurrentContext
    std::string_view comments;  // what the statement that wrote it had in its comments
    std::uint64_t comments_version;
};

ContextInForce CurrentContextInForce();

// In the current subtransaction, from here on.
void SetContextInForce(std::string_view text, std::uint64_t version, std::string_view comments,
                       std::uint64_t comments_version);
void ForgetContextInForce();
// The same of all that were written before, in whatever subtransaction: they don't come back when
// this one is rolled back.
void ForgetAllContexts();

// Follows the ends of transactions and subtransactions; registered when the library is loaded.
void RegisterInForceCallbacks();

}  // namespace bemi

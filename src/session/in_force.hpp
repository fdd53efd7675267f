// The context in force in this transaction: the last one that went into the write-ahead log and was
// not rolled back.
#pragma once

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
    std::string_view text;      // of a known one; stays as it is until the next one is set or goes
    std::string_view comments;  // what the statement that wrote it had in its comments
};

ContextInForce CurrentContextInForce();

// In the current subtransaction, from here on.
void SetContextInForce(std::string_view text, std::string_view comments);
void ForgetContextInForce();
// The same of all that were written before, in whatever subtransaction: they don't come back when
// this one is rolled back.
void ForgetAllContexts();

// Follows the ends of transactions and subtransactions; registered when the library is loaded.
void RegisterInForceCallbacks();

}  // namespace bemi

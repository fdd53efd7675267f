// The statement that the client sent and that runs now, or ran last: its comments are the context
// of all that is written on its behalf, in functions, cascades and triggers too.
#pragma once

#include <cstdint>
#include <string_view>

#include "in_force.hpp"
#include "statement_text.hpp"

namespace bemi {

// A statement begins; its comments are read when something is written first. `owner` is what runs
// it.
void BeginStatement(const StatementText& statement, const void* owner);
// EXECUTE: the prepared statement's own text counts too, and less than that of EXECUTE. Reads both
// at once.
void BeginExecute(const StatementText& prepared, const StatementText& statement);
// BEGIN: what it says is for those statements of the transaction that say nothing themselves.
void BeginTransaction(const StatementText& statement);
// The transaction has ended.
void ForgetTransaction();
// One that only ends a transaction or makes deferred triggers fire: what these do belongs to the
// statement before, unless this one has a context of its own.
void BeginEpilogue(const StatementText& statement, bool commits);
// Whether the one that is to end the transaction, and not to roll it back, has a context.
bool HasCommitComments();
// Deferred triggers run, behind the last statement: they belong to the one whose context is in
// force, since others may have been rolled back, unless BeginEpilogue has found a context.
void BeginDeferred(const ContextInForce& now);
// The text goes.
void EndStatement();
// Whether `owner` ran the last statement, and its comments were read.
bool IsCurrentOwner(const void* owner);

// The context in the comments as canonical JSON, empty for none, and that of BEGIN. Good until the
// next statement begins. `StatementCommentsChanges` grows whenever one has become another one.
std::string_view StatementComments();
std::string_view TransactionComments();
std::uint64_t StatementCommentsChanges();
// The first kMaxQueryText bytes of the statement's text, cut between characters.
std::string_view StatementQuery();

}  // namespace bemi

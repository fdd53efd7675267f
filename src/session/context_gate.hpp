// Before the first row that a statement writes, its context goes into the write-ahead log, where it
// is not the one in force already.
#pragma once

namespace bemi {

// Whether this is a session whose changes are decoded, or may be before its statement has ended: a
// client's, in a server with wal_level logical, or from 19 on replica.
bool IsGateActive();

// Sees to it that the context of what is written next is in force. To be called before each row;
// costs next to nothing where nothing has changed. Raises only what the server itself does (out of
// memory, disk full).
void EnsureContext();

// Between statements: where bemi.context was set, or a COMMIT has a context, after rows were
// written without any, writes it at once, so that it becomes theirs, as bemi.set_context promises,
// though nothing may be written any more.
void EnsureLateContext();

// Somebody else may be writing a context just now (pg_logical_emit_message): what is in force is
// not known any more.
void NoteForeignContext();

// A transaction has ended.
void NoteTransactionEnd();

}  // namespace bemi

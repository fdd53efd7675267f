// What lives from the start of a decoding to its end: options, filter, plans, buffers.
#pragma once

#include "bemi/filter.hpp"
#include "bemi/options.hpp"
#include "bemi/record.hpp"
#include "bemi/relation.hpp"
#include "bemi/transaction.hpp"

namespace bemi {

struct Session {
    MemoryContext memory;              // all below
    MemoryContext transaction_memory;  // reset at the end of a transaction
    MemoryContext row_memory;          // reset after a change
    MemoryContext filter_memory;       // reset when the server's settings change
    Options options;
    ServerSettings settings;  // those that the filter was made from, copied
    Filter filter;
    bool prepared;  // what needs a transaction to be looked up is there
    TextEncoding encoding;
    std::string_view database;
    RelationPlans plans;
    std::size_t header_size;  // of a message
    RecordQueue queue;
    JsonStream scratch;
    RowSpace* row_space;

    // The transaction at hand.
    bool skipped;           // the consumer does not want its origin
    uint64 sequence;        // of the last change
    bool settings_applied;  // ApplyOutputSettings was called
    bool fragments_made;
    JsonStream fragment_text;
    TransactionFragments fragments;
    int quiet_changes;  // since something was last sent, or the server told that we are alive
};

// Makes the session of a decoding in `parent`, and forgets it when that memory goes.
Session* StartSession(MemoryContext parent, List* options);

// Before the first change of a transaction: looks up what a session has to know, once, and follows
// the server's settings. Needs a transaction.
void RefreshSession(Session* session);

}  // namespace bemi

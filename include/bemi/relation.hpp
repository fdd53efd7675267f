// What is known of a relation before its rows are looked at. A plan is made once and used for
// every row until the server tells that something it was made from has changed.
#pragma once

#include <string_view>

#include "bemi/filter.hpp"
#include "bemi/options.hpp"
#include "bemi/value.hpp"

namespace bemi {

struct ColumnPlan {
    int attribute;           // index into the tuple's arrays
    std::string_view label;  // `,"name":`
    std::string_view name;   // as stored, for the log
    ValuePlan value;
    ColumnRule rule;
    bool ignored;             // an UPDATE of nothing else is not emitted
    bool in_identity;         // logged of the old row where the replica identity is not full
    TransactionId logged_in;  // the transaction in which a failure was last logged
};

// A column of the primary key; its value is written as jsonb would, whatever the options.
struct KeyColumn {
    int attribute;
    bool in_identity;
    ValuePlan value;
};

enum class Identity { kFull, kDefault, kIndex, kNothing };

struct RelationPlan {
    Oid relation;          // key of the hash table: must be first
    bool valid;            // cleared by invalidations
    bool emitted;          // where false, nothing below is set
    MemoryContext memory;  // owns all below
    DependencyList dependencies;
    // `{"operation":"CREATE",…,"table":"todo","primary_key":` per operation
    std::string_view openings[kOperationCount];
    std::string_view qualified_name;  // for the log
    Identity identity;
    int attribute_count;
    ColumnPlan* columns;  // all that are stored, in the order of the table
    int column_count;
    Datum* values[2];  // of a row's images, attribute_count each
    bool* nulls[2];
    std::uint8_t* missing;  // of a row, per column
    bool has_ignored_columns;
    // A row has needed a guard: the next ones get theirs at once. Set by whoever writes rows.
    bool guards_rows;
    bool uses_settings;
    KeyColumn* key;  // in the order of the index; none where there is no key or it may not be shown
    int key_count;
};

// Makes the plan, or finds that the relation is not emitted. Reads catalogs. `memory` is where the
// plan's own context is made; `database` is the opening's first name.
void PlanRelation(RelationPlan* plan, Relation relation, const Filter& filter,
                  const TextEncoding& encoding, std::string_view database, MemoryContext memory);

// Plans by relation, forgotten when what they were made from changes. One of a process is live.
class RelationPlans {
 public:
    void Init(MemoryContext memory);
    // Where the plans hear of invalidations; registered with the server once per process.
    static void RegisterCallbacks();
    static void SetCurrent(RelationPlans* plans);
    static RelationPlans* Current();

    // The plan of a relation, possibly stale or new; `valid` tells whether it can be used.
    RelationPlan* Find(Oid relation);
    // All plans are stale: the filter has changed.
    void InvalidateAll();
    // Gives back what stale plans hold. Only between transactions: a plan may be in use.
    void DropStale();

    void Invalidate(int cache, uint32 key);
    MemoryContext memory() const { return memory_; }

 private:
    MemoryContext memory_;
    HTAB* table_;
    RelationPlan* last_;
    int stale_count_;
};

}  // namespace bemi

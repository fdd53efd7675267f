// What is known of a relation before its rows are looked at. A plan is made once and used for
// every row until the server tells that something it was made from has changed.
#pragma once

#include <string_view>

#include "bemi/filter.hpp"
#include "bemi/options.hpp"
#include "bemi/value.hpp"

namespace bemi {

struct ColumnPlan {
    std::string_view null_member;  // `,"name":null`, for AppendPadded
    ValuePlan value;
    std::int16_t attribute;  // index into the tuple's arrays
    ColumnRule rule;
    bool plain;        // emitted, by code that needs no guard
    bool ignored;      // an UPDATE of nothing else is not emitted
    bool in_identity;  // logged of the old row where the replica identity is not full

    std::string_view label() const { return LabelOf(null_member); }
};
static_assert(sizeof(ColumnPlan) <= 64, "a column is to fit into a line of the processor's cache");

// A column of the key; its value is written as jsonb would, whatever the options.
struct KeyColumn {
    ValuePlan value;
    std::int16_t attribute;
    bool in_identity;
};

enum class Identity : std::uint8_t { kFull, kDefault, kIndex, kNothing };

// What every row needs comes first; what belongs to a row at hand is not here.
struct RelationPlan {
    Oid relation;  // key of the hash table: must be first
    bool valid;    // cleared by invalidations
    bool emitted;  // where false, nothing below but `memory` and `dependencies` is set
    Identity identity;
    bool uses_settings;
    bool has_ignored_columns;
    // A row has needed a guard: the next ones get theirs at once. Set by whoever writes rows.
    bool guards_rows;
    int column_count;
    int key_count;
    ColumnPlan* columns;  // all that are stored, in the order of the table
    KeyColumn* key;  // in the order of the index; none where there is no key or it may not be shown
    std::string_view opening;  // `,"database":…,"table":"todo","primary_key":`, for AppendPadded

    TransactionId* logged_in;  // per column: the transaction in which a failure was last logged
    std::string_view qualified_name;  // for the log
    DependencyList dependencies;
    MemoryContext memory;  // owns all of the above
};

// Makes an empty plan into one of the relation, or finds that the relation is not emitted. Reads
// catalogs. `memory` is where the plan's own context is made; `database` is the opening's first
// name.
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
    // Gives back what a stale plan holds, so that it can be made again, and then watched.
    void Forget(RelationPlan* plan);
    // From here on the plan is told when something that it depends on changes.
    void Watch(RelationPlan* plan);
    // All plans are stale: the filter has changed.
    void InvalidateAll();
    // Gives back what stale plans hold. Only between transactions: a plan may be in use.
    void DropStale();

    void Invalidate(int cache, uint32 key);
    MemoryContext memory() const { return memory_; }

 private:
    void MarkStale(RelationPlan* plan);

    MemoryContext memory_;
    HTAB* table_;
    HTAB* dependents_;  // a dependency → the plans that have it
    RelationPlan* last_;
    int stale_count_;
};

}  // namespace bemi

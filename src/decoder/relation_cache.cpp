// Plans by relation, and how they hear that the catalogs have changed.

#include "bemi/relation.hpp"

namespace bemi {

namespace {

// The server calls back for the rest of the process's life, with and without a decoding at work.
RelationPlans* current_plans = nullptr;
bool callbacks_registered = false;

void RelationChanged(Datum, Oid relation) {
    if (current_plans != nullptr)
        current_plans->Invalidate(kRelationDependency, relation);
}

void CatalogChanged(Datum, CacheId cache, uint32 hash) {
    if (current_plans != nullptr)
        current_plans->Invalidate(cache, hash);
}

struct DependencyKey {
    int cache;
    uint32 key;
};

// The plans that depend on one thing. An invalidation costs what it concerns: of 10,000 partitions,
// a message about another table finds nothing, and one about a partition finds that one.
struct Dependents {
    DependencyKey key;  // must be first
    Dependency* first;
};

HTAB* MakeTable(const char* name, Size key_size, Size entry_size, MemoryContext memory) {
    HASHCTL control = {};
    control.keysize = key_size;
    control.entrysize = entry_size;
    control.hcxt = memory;
    return hash_create(name, 128, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

Dependents* FindDependents(HTAB* table, int cache, uint32 key, HASHACTION action, bool* found) {
    const DependencyKey wanted = {cache, key};
    return static_cast<Dependents*>(hash_search(table, &wanted, action, found));
}

}  // namespace

void RelationPlans::RegisterCallbacks() {
    if (callbacks_registered)
        return;
    CacheRegisterRelcacheCallback(RelationChanged, 0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, CatalogChanged, 0);
    CacheRegisterSyscacheCallback(TYPEOID, CatalogChanged, 0);
    CacheRegisterSyscacheCallback(PROCOID, CatalogChanged, 0);
    callbacks_registered = true;
}

void RelationPlans::SetCurrent(RelationPlans* plans) {
    current_plans = plans;
}
RelationPlans* RelationPlans::Current() {
    return current_plans;
}

void RelationPlans::Init(MemoryContext memory) {
    memory_ = memory;
    table_ = MakeTable("bemi relation plans", sizeof(Oid), sizeof(RelationPlan), memory);
    dependents_ = MakeTable("bemi dependencies", sizeof(DependencyKey), sizeof(Dependents), memory);
    last_ = nullptr;
    stale_count_ = 0;
}

RelationPlan* RelationPlans::Find(Oid relation) {
    if (last_ != nullptr && last_->relation == relation)
        return last_;
    bool found;
    RelationPlan* plan =
        static_cast<RelationPlan*>(hash_search(table_, &relation, HASH_ENTER, &found));
    if (!found) {
        *plan = {};
        plan->relation = relation;
    }
    last_ = plan;
    return plan;
}

void RelationPlans::Watch(RelationPlan* plan) {
    for (int i = 0; i < plan->dependencies.count; i++) {
        Dependency* const item = &plan->dependencies.items[i];
        bool found;
        Dependents* const dependents =
            FindDependents(dependents_, item->cache, item->key, HASH_ENTER, &found);
        item->plan = plan;
        item->next = found ? dependents->first : nullptr;
        item->link = &dependents->first;
        if (item->next != nullptr)
            item->next->link = &item->next;
        dependents->first = item;
    }
}

void RelationPlans::Forget(RelationPlan* plan) {
    for (int i = 0; i < plan->dependencies.count; i++) {
        Dependency* const item = &plan->dependencies.items[i];
        // An ERROR may have come up before the plan was watched.
        if (item->plan == nullptr)
            continue;
        *item->link = item->next;
        if (item->next != nullptr)
            item->next->link = item->link;
        const Dependents* const dependents =
            FindDependents(dependents_, item->cache, item->key, HASH_FIND, nullptr);
        if (dependents->first == nullptr)
            FindDependents(dependents_, item->cache, item->key, HASH_REMOVE, nullptr);
    }
    if (plan->memory != nullptr)
        MemoryContextDelete(plan->memory);
    const Oid relation = plan->relation;
    *plan = {};
    plan->relation = relation;
}

void RelationPlans::MarkStale(RelationPlan* plan) {
    if (plan->valid)
        stale_count_++;
    plan->valid = false;
}

// A `key` of 0 means that everything in `cache` may have changed.
void RelationPlans::Invalidate(int cache, uint32 key) {
    if (key == 0) {
        InvalidateAll();
        return;
    }
    const Dependents* const dependents =
        FindDependents(dependents_, cache, key, HASH_FIND, nullptr);
    if (dependents == nullptr)
        return;
    for (const Dependency* item = dependents->first; item != nullptr; item = item->next)
        MarkStale(item->plan);
}

void RelationPlans::InvalidateAll() {
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, table_);
    while (RelationPlan* plan = static_cast<RelationPlan*>(hash_seq_search(&scan)))
        MarkStale(plan);
}

void RelationPlans::DropStale() {
    constexpr int kWorthwhile = 64;
    if (stale_count_ < kWorthwhile)
        return;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, table_);
    while (RelationPlan* plan = static_cast<RelationPlan*>(hash_seq_search(&scan))) {
        if (plan->valid)
            continue;
        Forget(plan);
        const Oid relation = plan->relation;
        hash_search(table_, &relation, HASH_REMOVE, nullptr);
    }
    last_ = nullptr;
    stale_count_ = 0;
}

}  // namespace bemi

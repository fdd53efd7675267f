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

void CatalogChanged(Datum, int cache, uint32 hash) {
    if (current_plans != nullptr)
        current_plans->Invalidate(cache, hash);
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
    HASHCTL control = {};
    control.keysize = sizeof(Oid);
    control.entrysize = sizeof(RelationPlan);
    control.hcxt = memory;
    memory_ = memory;
    table_ =
        hash_create("bemi relation plans", 128, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
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

void RelationPlans::Invalidate(int cache, uint32 key) {
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, table_);
    while (RelationPlan* plan = static_cast<RelationPlan*>(hash_seq_search(&scan))) {
        if (plan->valid && plan->dependencies.Contains(cache, key)) {
            plan->valid = false;
            stale_count_++;
        }
    }
}

void RelationPlans::InvalidateAll() {
    Invalidate(kRelationDependency, InvalidOid);
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
        if (plan->memory != nullptr)
            MemoryContextDelete(plan->memory);
        const Oid relation = plan->relation;
        hash_search(table_, &relation, HASH_REMOVE, nullptr);
    }
    last_ = nullptr;
    stale_count_ = 0;
}

}  // namespace bemi

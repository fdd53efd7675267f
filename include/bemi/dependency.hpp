// What a plan was made from: the server tells when one of these changes, and the plan is stale.
#pragma once

#include "bemi/pg.hpp"

namespace bemi {

struct RelationPlan;

struct Dependency {
    int cache;   // identifier of a system cache, or kRelationDependency
    uint32 key;  // hash value in that cache, or the relation's OID
    // In the list of the plans that depend on the same, once the plan is watched.
    RelationPlan* plan;
    Dependency* next;
    Dependency** link;  // what points to this one
};
constexpr int kRelationDependency = -1;

// Lives in the memory context that was current when the first dependency was added.
struct DependencyList {
    Dependency* items;
    int count;
    int capacity;

    void AddRelation(Oid relation) { Add(kRelationDependency, relation); }
    void AddType(Oid type) { Add(TYPEOID, Hash(TYPEOID, type)); }
    void AddFunction(Oid function) { Add(PROCOID, Hash(PROCOID, function)); }
    void AddSchema(Oid schema) { Add(NAMESPACEOID, Hash(NAMESPACEOID, schema)); }

 private:
    static uint32 Hash(CacheId cache, Oid key) {
        return GetSysCacheHashValue(cache, ObjectIdGetDatum(key), 0, 0, 0);
    }

    void Add(int cache, uint32 key) {
        for (int i = 0; i < count; i++) {
            if (items[i].cache == cache && items[i].key == key)
                return;
        }
        if (count == capacity) {
            const int wanted = capacity == 0 ? 4 : capacity * 2;
            const Size size = sizeof(Dependency) * static_cast<Size>(wanted);
            items = static_cast<Dependency*>(capacity == 0 ? palloc(size) : repalloc(items, size));
            capacity = wanted;
        }
        items[count++] = {cache, key, nullptr, nullptr, nullptr};
    }
};

}  // namespace bemi

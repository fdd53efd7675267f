// Which columns identify a row of a relation: those of its key, which records name it by, and those
// that PostgreSQL logs of the row before. The rule looks at the catalogs alone, as they were when
// the change was made, never at options that hide columns: whoever reads the table itself (a
// snapshot) finds the same key.
#pragma once

#include "bemi/dependency.hpp"
#include "bemi/options.hpp"
#include "bemi/pg.hpp"
#include "bemi/relation.hpp"

namespace bemi {

// The columns of an index that make its key, as attribute numbers, in the index's order; none where
// there is no such index. INCLUDE columns are no part of it.
struct IndexKey {
    AttrNumber attributes[INDEX_MAX_KEYS];
    int count;

    bool Contains(AttrNumber attribute) const {
        for (int i = 0; i < count; i++) {
            if (attributes[i] == attribute)
                return true;
        }
        return false;
    }
};

struct RelationKeys {
    // The primary key, also a deferrable one; else, unless only those are wanted, the index that is
    // the replica identity; else the unique index that ReadKeys chooses.
    IndexKey key;
    IndexKey identity;  // where an index is the replica identity
};

// Chooses among unique indexes that are valid, immediate, neither partial nor of expressions, and
// of NOT NULL columns alone: the fewest columns, then the first name in byte order. Of a partition
// only those count that belong to an index of the topmost table, by that one's name. Reads
// catalogs; adds all that the choice depends on.
RelationKeys ReadKeys(Relation relation, KeyChoice choice, DependencyList& dependencies);

// Of a relation with these keys.
Identity IdentityOf(Relation relation, const RelationKeys& keys);

// The topmost table of a partition, any other relation itself.
Oid TopmostOf(Oid relation);

}  // namespace bemi

// What a type of the catalog is to JSON: enough to read the text of its values, and nothing of the
// server's. Described by rows of the catalog, which somebody else has read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace bemi {

using TypeId = uint32_t;  // an OID of pg_type

// A row of pg_type, as far as it is needed.
struct CatalogType {
    enum class Kind : char {
        kScalar = 'b',  // anything that is none of the others: its text is what its values are
        kDomain = 'd',
        kArray = 'a',      // that array_out writes
        kVector = 'v',     // int2vector and oidvector: arrays whose text is a list with blanks
        kComposite = 'c',  // of a table's row too
    };
    struct Attribute {
        std::string name;
        TypeId type;
        bool is_stored;  // false: a virtual generated column, which the text has as a null
    };
    Kind kind = Kind::kScalar;
    TypeId of = 0;                      // a domain's base type, an array's or vector's element type
    char delimiter = ',';               // between the elements of an array: its element type's
    std::vector<Attribute> attributes;  // of a composite, without dropped ones, in order
};

// How its values are written. Made once for a type.
struct ValueType {
    enum class Kind : uint8_t {
        kString,
        kBool,
        kNumber,  // of which NaN and the infinities are strings
        kBigint,
        kNumeric,
        kTimestamp,
        kTimestampTz,
        kJson,
        kJsonb,
        kArray,
        kVector,
        kComposite,
        kTooDeep,  // nested beyond what a reader takes: no value of it is written
    };
    struct Field {
        std::string name;
        const ValueType* type;
        bool is_stored;
    };
    Kind kind = Kind::kString;
    char delimiter = ',';
    const ValueType* element = nullptr;
    std::vector<Field> fields;
    int depth = 0;  // levels of arrays and composite types
};

// The types that were described. Pointers that Find gives live as long as this.
class ValueTypes {
 public:
    bool Has(TypeId id) const { return catalog_.count(id) != 0; }
    void Describe(TypeId id, CatalogType type) { catalog_[id] = std::move(type); }
    // Throws std::out_of_range where it, or one that it is made of, was not described.
    const ValueType* Find(TypeId id) { return Resolve(id, 0); }

 private:
    const ValueType* Resolve(TypeId id, int level);
    void ResolveFields(const CatalogType& type, int level, ValueType* value);

    std::unordered_map<TypeId, CatalogType> catalog_;
    std::unordered_map<TypeId, std::unique_ptr<ValueType>> types_;
};

}  // namespace bemi

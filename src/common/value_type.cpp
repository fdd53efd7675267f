// Types out of rows of the catalog. A type may refer to others that come later, so they are joined
// by oid.
#include "value_type.hpp"

#include <algorithm>

#include "bemi/wire.hpp"

namespace bemi {

namespace {

// The dimensions that an array may have (MAXDIM), all of which are levels of JSON.
constexpr int kDimensions = 6;
constexpr int kTooDeep = wire::kMaxValueDepth + 1;

// OIDs of pg_type.dat, which never change.
ValueType::Kind KindOfScalar(TypeId id) {
    using Kind = ValueType::Kind;
    switch (id) {
        case 16:
            return Kind::kBool;
        case 20:
            return Kind::kBigint;
        case 21:   // int2
        case 23:   // int4
        case 700:  // float4
        case 701:  // float8
            return Kind::kNumber;
        case 1700:
            return Kind::kNumeric;
        case 114:
            return Kind::kJson;
        case 3802:
            return Kind::kJsonb;
        case 1114:
            return Kind::kTimestamp;
        case 1184:
            return Kind::kTimestampTz;
        default:
            return Kind::kString;
    }
}

}  // namespace

void ValueTypes::ResolveFields(const CatalogType& type, int level, ValueType* value) {
    value->depth = 1;
    for (const CatalogType::Attribute& attribute : type.attributes) {
        const ValueType* field = Resolve(attribute.type, level + 1);
        value->fields.push_back({attribute.name, field, attribute.is_stored});
        if (attribute.is_stored)
            value->depth = std::max(value->depth, field->depth + 1);
    }
}

const ValueType* ValueTypes::Resolve(TypeId id, int level) {
    const CatalogType* type = &catalog_.at(id);
    while (type->kind == CatalogType::Kind::kDomain) {
        id = type->of;
        type = &catalog_.at(id);
    }
    auto known = types_.find(id);
    if (known != types_.end())
        return known->second.get();
    auto value = std::make_unique<ValueType>();
    const bool is_array =
        type->kind == CatalogType::Kind::kArray || type->kind == CatalogType::Kind::kVector;
    value->delimiter = type->delimiter;
    if (type->kind == CatalogType::Kind::kScalar) {
        value->kind = KindOfScalar(id);
    } else if (level > kTooDeep) {
        value->depth = kTooDeep;
    } else if (is_array) {
        value->kind = type->kind == CatalogType::Kind::kArray ? ValueType::Kind::kArray
                                                              : ValueType::Kind::kVector;
        value->element = Resolve(type->of, level + 1);
        value->depth = value->element->depth + kDimensions;
    } else {
        value->kind = ValueType::Kind::kComposite;
        ResolveFields(*type, level, value.get());
    }
    if (value->depth >= kTooDeep)
        value->kind = ValueType::Kind::kTooDeep;
    return (types_[id] = std::move(value)).get();
}

}  // namespace bemi

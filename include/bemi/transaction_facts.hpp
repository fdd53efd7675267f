// What a transaction of the reorder buffer tells of itself before its changes are looked at.
#pragma once

#include <string_view>

#include "bemi/record.hpp"

namespace bemi {

// Most transactions without a context are known to be so before their first change: they need not
// wait for one. The answer makes no difference to what is sent, only to how it gets there.
bool MayHaveContext(const ReorderBufferTXN* txn, std::string_view prefix);

// Allocates in the current memory context; `encoding` has to live as long as what is returned.
TransactionFacts FactsOf(const ReorderBufferTXN* txn, const TextEncoding& encoding);

}  // namespace bemi

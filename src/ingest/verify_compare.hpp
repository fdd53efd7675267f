// A table of the source against its records: by key, or as a heap of rows where it has none.
#pragma once

#include "verify_records.hpp"
#include "verify_report.hpp"
#include "verify_source.hpp"

namespace bemi::ingest {

struct Comparison {
    VerifySource& source;
    VerifyRecords& records;
    const Settings& settings;
    VerifyTable* table;
    const Baseline& baseline;
    VerifyReport& report;
};

// Tells of records without a key that are not in their place.
void CompareIds(const Comparison& comparison);
void CompareByKey(const Comparison& comparison);
void CompareKeyless(const Comparison& comparison);

}  // namespace bemi::ingest

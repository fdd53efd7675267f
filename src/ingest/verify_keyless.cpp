// A table without a key: of each image, as many rows as came and have not gone.
#include <algorithm>
#include <cstdlib>

#include "verify_compare.hpp"

namespace bemi::ingest {

namespace {

using Names = std::vector<std::string>;

bool Lacks(const Names& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) == names.end();
}

// How many rows have an image by the records, in the order of the images' hashes.
struct RecordedCounts {
    RecordedCounts(Connection& connection, const std::string& query) : reader(connection, query) {
        Next();
    }

    void Next() {
        there = reader.Next(&fields);
        if (!there)
            return;
        std::string_view bytes = fields.Field();
        std::copy(bytes.begin(), bytes.end(), hash.begin());
        count = fields.Int64();
        std::string_view id = fields.Field();
        std::copy(id.begin(), id.end(), last.begin());
    }

    CopyReader reader;
    CopyFields fields{{}};
    Hash hash{};
    Uuid last{};
    int64_t count = 0;
    bool there = false;
};

struct PresentCounts {
    explicit PresentCounts(std::unique_ptr<SourceCounts> all) : counts(std::move(all)) { Next(); }

    void Next() { there = counts->Next(&hash, &count); }

    std::unique_ptr<SourceCounts> counts;
    Hash hash{};
    uint64_t count = 0;
    bool there = false;
};

// Gives how many rows differ.
uint64_t Count(const Comparison& c, const Names& without, bool report, bool* any_rows) {
    PresentCounts rows(c.source.Counts(*c.table, without));
    *any_rows = rows.counts->any();
    RecordedCounts records(c.records.rows(), c.records.CountsQuery(*c.table, c.baseline, without));
    uint64_t differences = 0;
    while (rows.there || records.there) {
        const bool of_rows = rows.there && (!records.there || rows.hash <= records.hash);
        const bool of_records = records.there && (!rows.there || records.hash <= rows.hash);
        const int64_t there = of_rows ? static_cast<int64_t>(rows.count) : 0;
        const int64_t recorded = of_records ? records.count : 0;
        Difference difference{there > recorded ? Difference::Kind::kLost : Difference::Kind::kExtra,
                              ""};
        difference.keyless = true;
        difference.rows = static_cast<uint64_t>(std::abs(there - recorded));
        if (of_records)
            difference.record = records.last;
        differences += difference.rows;
        if (report)
            c.report.Compared(static_cast<uint64_t>(std::max({there, recorded, int64_t{0}})));
        if (report && difference.rows > 0)
            c.report.Add(difference);
        if (of_rows)
            rows.Next();
        if (of_records)
            records.Next();
    }
    return differences;
}

// Columns that came or went since some of the records were made: they cannot be compared.
Names PassingColumns(const Comparison& c, bool any_rows) {
    Names recorded = c.records.AllColumns(*c.table, c.baseline);
    Names present = VerifySource::Columns(*c.table);
    Names passing = c.records.AddedColumns(*c.table, c.baseline);
    if (recorded.empty() || !any_rows)
        return passing;
    for (const std::string& name : recorded) {
        if (Lacks(present, name))
            passing.push_back(name);
    }
    for (const std::string& name : present) {
        if (Lacks(recorded, name))
            passing.push_back(name);
    }
    return passing;
}

}  // namespace

void CompareIds(const Comparison& c) {
    c.records.WrongIds(*c.table, c.baseline, [&](const Doubt& doubt) {
        Difference difference{Difference::Kind::kBroken, ""};
        difference.keyless = true;
        difference.why = kWrongId;
        difference.record = doubt.id;
        difference.commit = doubt.commit;
        c.report.Add(difference);
    });
}

void CompareKeyless(const Comparison& c) {
    std::string why;
    if (c.baseline.known_from >= c.records.position())
        why = "had rows before the slot (bemi_ingest snapshot records them)";
    else if (!c.records.ShowsWholeRows(*c.table, c.baseline))
        why = "its records do not show whole rows (replica identity full does)";
    if (!why.empty())
        return c.report.NotCompared(c.table->Name(), "it has no key, and " + why);
    Names without = c.table->ignored;
    bool any_rows = false;
    if (Count(c, without, false, &any_rows) > 0) {
        Names passing = PassingColumns(c, any_rows);
        without.insert(without.end(), passing.begin(), passing.end());
    }
    c.report.Begin(c.table->Name());
    CompareIds(c);
    Count(c, without, true, &any_rows);
    c.report.End();
}

}  // namespace bemi::ingest

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

// How many rows have an image, in the order of the images' hashes.
struct Counts {
    Counts(Connection& connection, const std::string& query) : reader(connection, query) { Next(); }

    void Next() {
        there = reader.Next(&fields);
        if (!there)
            return;
        hash = fields.Field();
        count = fields.Int64();
    }

    CopyReader reader;
    CopyFields fields{{}};
    std::string hash;
    int64_t count = 0;
    bool there = false;
};

// Gives how many rows differ.
uint64_t Count(const Comparison& c, const Names& without, bool report) {
    Counts rows(c.source.rows(), c.source.CountsQuery(c.table, without));
    Counts records(c.records.rows(), c.records.CountsQuery(*c.table, c.baseline, without));
    uint64_t differences = 0;
    while (rows.there || records.there) {
        int order = !rows.there ? 1 : !records.there ? -1 : rows.hash.compare(records.hash);
        int64_t there = order <= 0 ? rows.count : 0, recorded = order >= 0 ? records.count : 0;
        Difference difference{there > recorded ? Difference::Kind::kLost : Difference::Kind::kExtra,
                              ""};
        difference.keyless = true;
        difference.rows = static_cast<uint64_t>(std::abs(there - recorded));
        if (order >= 0) {
            std::string_view id = records.fields.Field();
            std::copy(id.begin(), id.end(), difference.record.begin());
        }
        differences += difference.rows;
        if (report)
            c.report.Compared(static_cast<uint64_t>(std::max({there, recorded, int64_t{0}})));
        if (report && difference.rows > 0)
            c.report.Add(difference);
        if (order <= 0)
            rows.Next();
        if (order >= 0)
            records.Next();
    }
    return differences;
}

// Columns that came or went since some of the records were made: they cannot be compared.
Names PassingColumns(const Comparison& c) {
    Names recorded = c.records.AllColumns(*c.table, c.baseline);
    Names present = c.source.Columns(c.table);
    Names passing = c.records.AddedColumns(*c.table, c.baseline);
    if (recorded.empty() || present.empty())
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

void CompareKeyless(const Comparison& c) {
    std::string why;
    if (c.baseline.known_from >= c.records.position())
        why = "had rows before the slot (bemi_ingest snapshot records them)";
    else if (!c.records.ShowsWholeRows(*c.table, c.baseline))
        why = "its records do not show whole rows (replica identity full does)";
    if (!why.empty())
        return c.report.Note(c.table->Name(), "not compared: it has no key, and " + why);
    Names without = c.table->ignored;
    if (Count(c, without, false) > 0) {
        Names passing = PassingColumns(c);
        without.insert(without.end(), passing.begin(), passing.end());
    }
    c.report.Begin(c.table->Name());
    Count(c, without, true);
    c.report.End();
}

}  // namespace bemi::ingest

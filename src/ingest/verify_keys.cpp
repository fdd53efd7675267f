// Rows and records of a table with a key, side by side in the order of keys.
#include "units.hpp"
#include "verify_compare.hpp"
#include "verify_details.hpp"

namespace bemi::ingest {

namespace {

class KeyComparison {
 public:
    explicit KeyComparison(const Comparison& c)
        : c_(c),
          details_(c.source, c.records, c.settings, c.table, &c.report),
          rows_(c.source.Rows(*c.table)),
          events_(c.records, c.records.EventsQuery(*c.table, c.baseline)),
          history_(c.baseline) {}

    void Run();

 private:
    void NextRow();
    void NextKey() { in_records_ = events_.Next(&key_, &history_, &ahead_); }
    void Both();
    void Lost(const std::string& key, const KeyEvent* last);
    void Extra(const KeyEvent& record, const char* why);
    void Nothing();

    const Comparison& c_;
    VerifyDetails details_;
    std::unique_ptr<SourceRows> rows_;
    EventReader events_;
    KeyHistory history_;
    std::optional<KeyEvent> ahead_;
    SourceRow row_{};
    std::string row_key_, key_;
    bool in_source_ = false, in_records_ = false;
};

void KeyComparison::NextRow() {
    in_source_ = rows_->Next(&row_);
    if (in_source_)
        row_key_ = row_.key;
}

// A row of the source that no record holds.
void KeyComparison::Lost(const std::string& key, const KeyEvent* last) {
    if (last == nullptr && c_.baseline.known_from >= c_.records.position())
        return c_.report.Unknown(1);
    Difference difference{Difference::Kind::kLost, key};
    if (last != nullptr) {
        difference.record = last->id;
        difference.commit = last->commit;
    }
    c_.report.Compared(1);
    c_.report.Add(difference);
}

void KeyComparison::Extra(const KeyEvent& record, const char* why) {
    Difference difference{Difference::Kind::kExtra, key_};
    difference.why = why;
    difference.record = record.id;
    difference.commit = record.commit;
    c_.report.Add(difference);
}

// The source has this key, and so have the records.
void KeyComparison::Both() {
    const KeyEvent* holds = history_.End();
    if (holds == nullptr)
        return Lost(key_, history_.last());
    c_.report.Compared(1);
    if (row_.hash != holds->after)
        details_.Row(key_, *holds, row_.number);
}

// A table without any record: a line for all of its rows.
void KeyComparison::Nothing() {
    Difference difference{Difference::Kind::kLost, ""};
    difference.why =
        "nothing of this table is recorded; does run have an option that leaves it out?";
    difference.keyless = true;
    difference.rows = 0;
    for (; in_source_; NextRow())
        ++difference.rows;
    if (c_.baseline.known_from >= c_.records.position())
        return c_.report.Unknown(difference.rows);
    c_.report.Compared(difference.rows);
    if (difference.rows > 0)
        c_.report.Add(difference);
}

void KeyComparison::Run() {
    NextRow();
    NextKey();
    if (!in_records_)
        Nothing();
    while (in_source_ || in_records_) {
        int order = !in_source_ ? 1 : !in_records_ ? -1 : row_key_.compare(key_);
        if (order < 0) {
            Lost(row_key_, nullptr);
            NextRow();
            continue;
        }
        if (order == 0) {
            Both();
            NextRow();
        } else if (const KeyEvent* holds = history_.End()) {
            c_.report.Compared(1);
            Extra(*holds, "");
        }
        if (ahead_)
            Extra(*ahead_, "a record beyond all that is stored");
        for (const Doubt& doubt : history_.doubts())
            details_.Doubted(key_, doubt);
        NextKey();
    }
    details_.Finish();
    if (rows_->unkeyed > 0)
        c_.report.Note(c_.table->Name(),
                       FormatCount(rows_->unkeyed) +
                           " rows left out: their key is a JSON null, or too long, and records do "
                           "not have it");
}

}  // namespace

void CompareByKey(const Comparison& comparison) {
    comparison.report.Begin(comparison.table->Name());
    CompareIds(comparison);
    KeyComparison(comparison).Run();
    comparison.report.End();
}

}  // namespace bemi::ingest

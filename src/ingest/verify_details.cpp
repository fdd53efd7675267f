#include "verify_details.hpp"

#include <cstring>

namespace bemi::ingest {

namespace {

constexpr size_t kQuestions = 500;
constexpr size_t kBytes = 4 << 20;
// Reading the records once for each of so many columns is cheaper than taking all their names
// apart.
constexpr size_t kFewColumns = 4;

const char* WhyBroken(Doubt::Kind kind) {
    switch (kind) {
        case Doubt::Kind::kNoRow:
            return "a record changed a row that none had made";
        case Doubt::Kind::kTwoRows:
            return "a record made the row, which was there";
        default:
            return kWrongId;
    }
}

}  // namespace

VerifyDetails::VerifyDetails(VerifySource& source, VerifyRecords& records, const Settings& settings,
                             VerifyTable* table, VerifyReport* report)
    : source_(source), records_(records), settings_(settings), table_(table), report_(report) {}

void VerifyDetails::Row(const std::string& key, const KeyEvent& record, uint64_t number) {
    std::string place, value(reinterpret_cast<const char*>(record.id.data()), record.id.size());
    AppendBigEndian(number, &place);
    AppendBigEndian(record.commit, &value);
    asked_.Add(place, value + key);
}

void VerifyDetails::Doubted(const std::string& key, const Doubt& doubt) {
    if (doubt.kind != Doubt::Kind::kFound) {
        Difference difference{Difference::Kind::kBroken, key};
        difference.why = WhyBroken(doubt.kind);
        difference.record = doubt.id;
        difference.commit = doubt.commit;
        return report_->Add(difference);
    }
    doubts_.push_back({key, {}, doubt.left, doubt.id, doubt.commit, {}});
    if (doubts_.size() >= kQuestions)
        FlushDoubts();
}

// The rows that were asked about, in the order in which the source's table is read.
void VerifyDetails::AskRows() {
    asked_.Sort();
    SortItem item;
    bool there = asked_.Next(&item);
    if (!there)
        return;
    auto next = [&]() -> std::optional<uint64_t> {
        if (!there)
            return std::nullopt;
        return BigEndian(item.key);
    };
    source_.Images(*table_, next, [&](const std::string& image) {
        Question question;
        question.image = image;
        std::memcpy(question.left.data(), item.value.data(), question.left.size());
        question.commit = BigEndian(item.value.substr(question.left.size(), 8));
        question.key = item.value.substr(question.left.size() + 8);
        bytes_ += question.key.size() + image.size();
        rows_.push_back(std::move(question));
        if (rows_.size() >= kQuestions || bytes_ >= kBytes)
            FlushRows();
        there = asked_.Next(&item);
    });
}

// The columns in which two images differ: of the row and of the record that holds it, or what one
// record found and the one before it had left. Columns that the record does not have are not
// promised by it, if it says so (missing); `absent` tells where it doesn't. A record has the same
// columns before and after: one that is only after has been taken out of what it found.
std::string VerifyDetails::QuestionsSql(bool doubts) const {
    Connection& d = records_.lookups();
    std::string lefts, others, ignored;
    for (const Question& question : doubts ? doubts_ : rows_) {
        lefts += (lefts.empty() ? "" : ",") + FormatUuid(question.left);
        others += (others.empty() ? "" : ", ") +
                  (doubts ? "'" + FormatUuid(question.id) + "'"
                          : d.Literal(question.image.empty() ? "{}" : question.image));
    }
    for (const std::string& column : table_->ignored)
        ignored += (ignored.empty() ? "" : ", ") + d.Literal(column);
    std::string changes = d.Identifier(settings_.schema) + ".changes";
    std::string from = "unnest('{" + lefts + "}'::uuid[], ARRAY[" + others +
                       "]::" + (doubts ? "uuid" : "jsonb") +
                       "[]) WITH ORDINALITY u (id, other, n) JOIN " + changes + " c USING (id)" +
                       (doubts ? " JOIN " + changes + " found ON found.id = u.other" : "");
    std::string other = doubts ? "found.before" : "u.other";
    return "SELECT DISTINCT u.n, k, NOT w.image ? k, c.id FROM " + from +
           ", LATERAL bemi.whole_image(ROW(NULL, c.database, c.schema, c.\"table\","
           " c.commit_position, 0, c.commit_position, 0, NULL)::bemi.moment, c, true) w, LATERAL "
           "jsonb_object_keys(" +
           other +
           (doubts ? " || CASE found.before WHEN '{}' THEN w.image ELSE found.after END" : "") +
           ") k WHERE CASE WHEN w.image ? k THEN (w.image->k)::text IS DISTINCT FROM (" + other +
           "->k)::text" + (doubts ? " AND NOT coalesce(found.details->'missing' ? k, false)" : "") +
           " ELSE " + other + " ? k AND NOT w.missing ? k END AND k <> ALL (ARRAY[" + ignored +
           "]::text[]) ORDER BY 1, 2";
}

// The first record of each of these columns, empty where none has it. Where they are many, as after
// much DDL, all columns of the table are looked for, so that its records are read once.
void VerifyDetails::FindBirths(const std::set<std::string>& columns) {
    Connection& d = records_.lookups();
    const std::string condition = records_.From() + "WHERE " + records_.IsOf(*table_);
    if (columns.size() > kFewColumns && !births_are_all_) {
        Result rows = d.Query(
            "SELECT k.name, min(k.id::text COLLATE \"C\") FROM"
            " (SELECT c.id, jsonb_object_keys(c.after) AS name" +
            condition + ") k GROUP BY 1");
        for (int i = 0; i < rows.rows(); ++i)
            births_[rows.Get(i, 0)] = rows.Get(i, 1);
        births_are_all_ = true;
    }
    for (const std::string& column : columns) {
        if (births_.count(column) == 0)
            births_[column] = births_are_all_
                                  ? ""
                                  : d.Value("SELECT min(c.id::text COLLATE \"C\")" + condition +
                                            " AND c.after ? " + d.Literal(column));
    }
}

// True where a record without the column is whole: it was added later, perhaps by the same
// transaction, or is never recorded. Ids sort as the records of a source do.
bool VerifyDetails::Unrecorded(const std::string& column, const std::string& record) const {
    const std::string& birth = births_.at(column);
    return birth.empty() || record < birth;
}

void VerifyDetails::Answer(std::vector<Question>* questions, bool doubts) {
    if (questions->empty())
        return;
    Result rows = records_.lookups().Query(QuestionsSql(doubts));
    std::set<std::string> lacking;
    for (int i = 0; i < rows.rows(); ++i) {
        if (rows.Get(i, 2) == "t" && births_.count(rows.Get(i, 1)) == 0)
            lacking.insert(rows.Get(i, 1));
    }
    FindBirths(lacking);
    for (int i = 0; i < rows.rows(); ++i) {
        Question& question = (*questions)[std::stoul(rows.Get(i, 0)) - 1];
        if (rows.Get(i, 2) != "t" || !Unrecorded(rows.Get(i, 1), rows.Get(i, 3)))
            question.columns.push_back(rows.Get(i, 1));
    }
    for (const Question& question : *questions) {
        if (question.columns.empty())
            continue;
        Difference difference{doubts ? Difference::Kind::kBroken : Difference::Kind::kAltered,
                              question.key};
        difference.columns = question.columns;
        difference.record = doubts ? question.id : question.left;
        difference.commit = question.commit;
        if (doubts)
            difference.why = "a record found what the one before it, " + FormatUuid(question.left) +
                             ", had not left";
        report_->Add(difference);
    }
    questions->clear();
}

void VerifyDetails::FlushDoubts() {
    Answer(&doubts_, true);
}

void VerifyDetails::FlushRows() {
    Answer(&rows_, false);
    bytes_ = 0;
}

void VerifyDetails::Finish() {
    FlushDoubts();
    AskRows();
    FlushRows();
}

}  // namespace bemi::ingest

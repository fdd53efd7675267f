// A second look at what the hashes of two images say is different: column by column, by what the
// records promise. Bounded: what is asked about is answered a batch at a time.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "verify_records.hpp"
#include "verify_report.hpp"
#include "verify_source.hpp"

namespace bemi::ingest {

class VerifyDetails {
 public:
    VerifyDetails(VerifySource& source, VerifyRecords& records, const Settings& settings,
                  VerifyTable* table, VerifyReport* report);

    // The row of the source, by its number, against the record that holds it. Answered at the end:
    // the source's table is read once more for the images of all of them.
    void Row(const std::string& key, const KeyEvent& record, uint64_t number);
    void Doubted(const std::string& key, const Doubt& doubt);
    // Answers what is left. The source's connection is free.
    void Finish();

 private:
    struct Question {
        std::string key, image;  // image: empty for a doubt
        Uuid left, id;  // the record that holds an image, and (of a doubt) that which found it
        Lsn commit;
        std::vector<std::string> columns;
    };

    void AskRows();
    void FlushDoubts();
    void FlushRows();
    std::string QuestionsSql(bool doubts) const;
    void Answer(std::vector<Question>* questions, bool doubts);
    void FindBirths(const std::set<std::string>& columns);
    bool Unrecorded(const std::string& column, const std::string& record) const;

    VerifySource& source_;
    VerifyRecords& records_;
    const Settings& settings_;
    VerifyTable* table_;
    VerifyReport* report_;
    ExternalSort asked_;  // of rows: number → record, commit position, key
    std::vector<Question> rows_, doubts_;
    size_t bytes_ = 0;
    // of a column: the id of the first record that has it, empty where none does
    std::map<std::string, std::string> births_;
    bool births_are_all_ = false;  // a column that is not among them is in no record
};

}  // namespace bemi::ingest

// The history of one row's key, record by record: what it leaves, and what cannot be true of it.
// Pure: knows no server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "change_id.hpp"
#include "lsn.hpp"

namespace bemi::ingest {

using Hash = Uuid;  // 16 bytes

// A record, as one key sees it.
struct KeyEvent {
    enum class Kind : char {
        kCreate = 'C',
        kUpdate = 'U',
        kDelete = 'D',
        kSnapshot = 'S',
        kArrive = 'A',  // an UPDATE that gave the row this key
        kLeave = 'L',   // one that took it
    };
    Kind kind = Kind::kCreate;
    Lsn commit = 0;
    uint64_t sequence = 0;
    Uuid id{};
    std::optional<Hash> before;  // of a whole image
    std::optional<Hash> after;
    std::string partition;  // empty: none
};

struct Truncation {
    Lsn commit = 0;
    uint64_t sequence = 0;
    std::string partition;  // empty: the table has none, or had none then
};

// What is known of a table's history as a whole.
struct Baseline {
    Lsn from = 0;        // records before this commit_position are of no use
    Lsn known_from = 0;  // from here on all rows of the table are known; UINT64_MAX: never
    // Rows can be told apart by their keys: the table has one, and its records have it.
    bool by_key = true;
    // But some of these do not say by their key which row they were of.
    bool hides_keys = false;
    std::vector<std::pair<Lsn, Lsn>> gaps;
    std::vector<Truncation> truncations;  // in order

    bool InGap(Lsn earlier, Lsn later) const;
};

// Something that the records of a key, taken together, say and that cannot be.
struct Doubt {
    enum class Kind {
        kFound,  // a record found other values than the one before it had left, as their hashes say
        kNoRow,  // one changed or removed a row that no record had made
        kTwoRows,  // one made a row that was there
        kWrongId,  // the id of one is not that of its place among the records
    };
    Kind kind;
    Uuid left, id;  // of the record before, and of the record
    Lsn commit;     // of the record
};

class KeyHistory {
 public:
    explicit KeyHistory(const Baseline& baseline) : baseline_(baseline) {}

    void Clear();
    void Add(const KeyEvent& event);
    // After the last: the record that holds the row, null where there is none.
    const KeyEvent* End();
    // The last record of all, whatever it did; null where there is none.
    const KeyEvent* last() const { return last_ ? &*last_ : nullptr; }
    // One that is not about rows.
    void Add(const Doubt& doubt) { doubts_.push_back(doubt); }
    const std::vector<Doubt>& doubts() const { return doubts_; }

 private:
    void Truncate(Lsn commit, uint64_t sequence);
    void Settle(Lsn commit);
    void Remove(const KeyEvent& event);
    bool Doubtful(const KeyEvent& event) const;

    const Baseline& baseline_;
    // Rows with this key: within a transaction there may be several, where its constraint is
    // deferred.
    std::vector<KeyEvent> rows_;
    std::optional<KeyEvent> last_;
    std::vector<Doubt> doubts_;
};

}  // namespace bemi::ingest

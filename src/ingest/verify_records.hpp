// What the destination has: the records of a table, key by key.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "copy_reader.hpp"
#include "progress.hpp"
#include "settings.hpp"
#include "verify_history.hpp"
#include "verify_source.hpp"

namespace bemi::ingest {

class VerifyRecords {
 public:
    // Sees what is stored now, in a transaction of its own; `progress` is that of the slot, which
    // has reached `position`. Retention gives way while it lives.
    VerifyRecords(const Settings& settings, const Progress& progress, Lsn position);

    Baseline ReadBaseline(const VerifyTable& table);
    // Columns: those of KeyEvent behind the key, in the order of keys and records.
    std::string EventsQuery(const VerifyTable& table, const Baseline& baseline);
    // The records whose id is not that of their place, of all that EventReader does not go through:
    // those without a key, TRUNCATEs, and what a snapshot has made needless.
    void WrongIds(const VerifyTable& table, const Baseline& baseline,
                  const std::function<void(const Doubt&)>& with);
    // Without a key: hash, count, last record, in the order of hashes. Counts below zero are of
    // rows that went and never came.
    std::string CountsQuery(const VerifyTable& table, const Baseline& baseline,
                            const std::vector<std::string>& without);
    // Whether records without a key show all that they changed.
    bool ShowsWholeRows(const VerifyTable& table, const Baseline& baseline);
    // Columns that not all records of the table have, because they were added after some of them;
    // and all columns that any has.
    std::vector<std::string> AddedColumns(const VerifyTable& table, const Baseline& baseline);
    std::vector<std::string> AllColumns(const VerifyTable& table, const Baseline& baseline);
    // Tables with records, of the same source, that are not among these.
    std::vector<std::string> OtherTables(const std::vector<VerifyTable>& tables);

    // A place to come back to after an error of a query.
    void Save();
    void Restore();

    // SQL: the table `changes` as c, and that it is this table of this source.
    std::string From() const;
    std::string IsOf(const VerifyTable& table) const;

    // Records up to here, exclusively, are compared; from `stored` on there can be none.
    Lsn position() const { return position_; }
    Lsn stored() const { return stored_; }
    Connection& rows() { return *rows_; }
    Connection& lookups() { return *lookups_; }

 private:
    Lsn SnapshotOf(const VerifyTable& table, const char* which, Lsn from);
    bool HasKeylessRecords(const VerifyTable& table, Lsn from);
    bool HidesKeys(const VerifyTable& table, Lsn from);
    std::string Place(Lsn from) const;

    const Settings& settings_;
    Progress progress_;
    Lsn position_, stored_ = 0;
    bool several_sources_ = false;
    std::unique_ptr<Connection> rows_, lookups_;
};

// The events of one key after the other.
class EventReader {
 public:
    EventReader(VerifyRecords& records, const std::string& query);

    // False at the end. Sets key and history; `ahead` gets a record that cannot be, for it is
    // beyond what is stored.
    bool Next(std::string* key, KeyHistory* history, std::optional<KeyEvent>* ahead);

 private:
    void Advance();

    VerifyRecords& records_;
    CopyReader reader_;
    bool more_ = true;
    std::string key_;
    KeyEvent event_;
};

}  // namespace bemi::ingest

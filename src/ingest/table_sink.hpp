// The table `changes` as a sink: rows by COPY, progress in the same transaction.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "connection.hpp"
#include "copy_row.hpp"
#include "known_tables.hpp"
#include "pipe.hpp"
#include "progress.hpp"
#include "sequences.hpp"

namespace bemi::ingest {

class TableSink : public Sink {
 public:
    // `same_cluster`: the source's WAL holds what this sink writes.
    TableSink(Connection& connection, Progress progress, const std::string& schema,
              bool same_cluster);

    Lsn Stored() const override { return progress_.position; }
    bool Append(std::string_view record) override;
    void Commit(Lsn position) override;
    void Move(Lsn position) override;
    uint64_t PendingBytes() const override { return pending_bytes_; }
    uint64_t PendingRows() const override { return pending_rows_; }
    int64_t LastCommitTime() const override { return advance_.committed_at; }
    bool IsOwnEcho(Lsn position) const override;
    void Rest() override;

 private:
    void StartCopy(const char* before);
    void FinishCopy();
    void Send();
    void EnsurePartition(int64_t committed_at);
    void LoadPartitions();
    void Store(Lsn position);

    Connection& connection_;
    Progress progress_;
    std::string schema_;
    uint32_t system_hash_;
    bool same_cluster_;
    bool partitioned_ = false;
    std::vector<std::pair<int64_t, int64_t>> partitions_;  // [since, till), by time
    Lsn own_end_ = 0;                                      // of the WAL behind our last Move
    std::string buffer_;
    bool copying_ = false;
    uint64_t pending_bytes_ = 0, pending_rows_ = 0;
    Sequences sequences_;
    int64_t received_at_ = 0;
    Advance advance_;
    KnownTables tables_;
    Clock::time_point rested_;
};

}  // namespace bemi::ingest

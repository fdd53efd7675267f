#include "table_sink.hpp"

#include <algorithm>
#include <cstdlib>

#include "errors.hpp"
#include "timestamp.hpp"

namespace bemi::ingest {

namespace {

using namespace std::chrono_literals;

constexpr size_t kSendSize = 64 << 10;
constexpr auto kRestInterval = std::chrono::minutes(10);
// What a server adds to the WAL of our own small transaction without anybody writing anything:
// a checkpoint, the list of running transactions, a page's header.
constexpr Lsn kEcho = 16 << 10;
constexpr char kDivisionByZero[] = "22012";

}  // namespace

TableSink::TableSink(Connection& connection, Progress progress, const std::string& schema,
                     bool same_cluster)
    : connection_(connection),
      progress_(std::move(progress)),
      schema_(schema),
      system_hash_(SystemHash(progress_.system, progress_.fork)),
      same_cluster_(same_cluster),
      rested_(Clock::now() - kRestInterval) {
    partitioned_ = connection_.Value("SELECT partition_by FROM bemi.target WHERE schema = " +
                                     connection_.Literal(schema_)) != "";
    LoadPartitions();
}

void TableSink::LoadPartitions() {
    partitions_.clear();
    if (!partitioned_)
        return;
    // Null: an open bound.
    Result rows = connection_.Query(
        "SELECT CASE WHEN isfinite(since)"
        " THEN ((extract(epoch FROM since) - 946684800) * 1000000)::int8 END,"
        " CASE WHEN isfinite(till)"
        " THEN ((extract(epoch FROM till) - 946684800) * 1000000)::int8 END"
        " FROM bemi.partitions(" +
        connection_.Literal(schema_) + ")");
    for (int i = 0; i < rows.rows(); ++i) {
        auto bound = [&](int column, int64_t open) -> int64_t {
            return rows.IsNull(i, column) ? open
                                          : std::strtoll(rows.Get(i, column).c_str(), nullptr, 10);
        };
        partitions_.push_back({bound(0, kMinusInfinity), bound(1, kInfinity)});
    }
}

// `before` is a statement to send along: a round trip less.
void TableSink::StartCopy(const char* before) {
    connection_.Query(before + ("COPY " + connection_.Identifier(schema_) + ".changes (" +
                                kCopyColumns + ") FROM STDIN (FORMAT binary)"));
    copying_ = true;
    AppendCopyHeader(&buffer_);
}

void TableSink::FinishCopy() {
    AppendCopyTrailer(&buffer_);
    Send();
    copying_ = false;
    connection_.EndCopy();
}

void TableSink::Send() {
    connection_.PutCopy(buffer_);
    buffer_.clear();
    if (buffer_.capacity() > 4 * kSendSize)
        buffer_.shrink_to_fit();
}

bool TableSink::Append(std::string_view text) {
    Record record = ScanRecord(text);
    if (!copying_) {
        received_at_ = NowMicros();
        StartCopy("BEGIN; ");
    }
    if (partitioned_)
        EnsurePartition(record.committed_at);
    RowFrame frame;
    const uint32_t sequence = sequences_.Of(record);
    frame.sequence = sequence;
    frame.id = ChangeId(record.commit_position, sequence, system_hash_);
    frame.queued_at = received_at_;
    AppendCopyRow(record, frame, &buffer_);
    if (!record.IsMessage())
        tables_.See(record.schema, record.table);
    pending_bytes_ += text.size();
    ++pending_rows_;
    if (buffer_.size() >= kSendSize)
        Send();
    if (record.last) {
        advance_.committed_at = record.committed_at;
        advance_.transaction_id = record.transaction_id;
    }
    return record.last;
}

// A time that no partition holds (of a change that was replayed from elsewhere, or of a clock that
// is far off) gets one, in the middle of the transaction.
void TableSink::EnsurePartition(int64_t committed_at) {
    for (auto range = partitions_.rbegin(); range != partitions_.rend(); ++range) {
        if (committed_at >= range->first &&
            (committed_at < range->second || range->second == kInfinity))
            return;
    }
    FinishCopy();
    connection_.Query("SELECT bemi.ensure_partition(" + connection_.Literal(schema_) + ", " +
                      TimestampSql(committed_at) + ")");
    LoadPartitions();
    StartCopy("");
}

void TableSink::Commit(Lsn position) {
    FinishCopy();
    tables_.Store(connection_, progress_);
    advance_.rows = pending_rows_;
    Store(position);
    pending_bytes_ = pending_rows_ = 0;
    own_end_ = 0;
}

void TableSink::Move(Lsn position) {
    connection_.Query("BEGIN");
    Advance kept = advance_;
    advance_ = {};
    Store(position);
    advance_ = kept;
    if (same_cluster_)
        own_end_ = ParseLsn(connection_.Value("SELECT pg_catalog.pg_current_wal_insert_lsn()"));
}

// Progress and COMMIT in one round trip: where progress is not where we left it, the division
// fails, and the rest of the text, the COMMIT, is not run.
void TableSink::Store(Lsn position) {
    advance_.to = std::max(position, progress_.position);
    try {
        connection_.Query("WITH moved AS (" + AdvanceSql(connection_, progress_, advance_) +
                          " RETURNING 1) SELECT 1 / count(*) FROM moved; COMMIT");
    } catch (const DatabaseError& error) {
        if (error.sqlstate != kDivisionByZero)
            throw;
        throw DatabaseError("destination", "40001",
                            "somebody else has moved bemi.progress of slot " + progress_.slot);
    }
    progress_.position = advance_.to;
}

bool TableSink::IsOwnEcho(Lsn position) const {
    return own_end_ != 0 && position <= own_end_ + kEcho;
}

void TableSink::Rest() {
    if (!partitioned_ || Clock::now() - rested_ < kRestInterval)
        return;
    rested_ = Clock::now();
    std::string schema = connection_.Literal(schema_);
    connection_.Query("SELECT bemi.make_partitions(" + schema + ")");
    try {
        connection_.Query("SELECT bemi.retain(" + schema + ")");
    } catch (const DatabaseError& error) {
        // Somebody reads what is to be dropped: the next time will do.
        if (error.sqlstate != "55P03")
            throw;
    }
    LoadPartitions();
}

}  // namespace bemi::ingest

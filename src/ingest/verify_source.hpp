// What the source has, at the moment of an exported snapshot: the tables, and their rows by key and
// hash. The hash is md5 of the row's JSON as the decoder writes it, without columns whose changes
// alone are no record.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connection.hpp"
#include "copy_reader.hpp"
#include "settings.hpp"
#include "snapshot_tables.hpp"

namespace bemi::ingest {

// A table as records name it, with all its partitions.
struct VerifyTable {
    std::string schema, table;
    std::vector<SnapshotTable> parts;
    bool unlogged = false;
    TableKey key;
    std::vector<std::string> ignored;

    std::string Name() const { return schema + "." + table; }
};

// SQL for the md5 of a text, as 16 bytes, and for the order of a text, the same in all servers: by
// the bytes of its UTF-8.
std::string HashSql(Connection& connection, const std::string& text);
std::string OrderSql(Connection& connection, const std::string& text);
// `image` (SQL for jsonb) without the columns.
std::string WithoutColumns(Connection& connection, const std::string& image,
                           const std::vector<std::string>& columns);

class VerifySource {
 public:
    VerifySource(const Settings& settings, const std::string& snapshot);

    // Locks the tables against changes of their shape. Empty where one of them was rewritten or
    // truncated after the snapshot, which no longer shows its rows then: take another one.
    std::optional<std::vector<VerifyTable>> Tables(bool same_database);

    // Columns: key, hash, and the image as text where the key can't be looked up; in the order of
    // keys. Without a key: hash and count, in the order of hashes.
    std::string RowsQuery(VerifyTable* table);
    std::string CountsQuery(VerifyTable* table, const std::vector<std::string>& without);

    std::vector<std::string> Columns(VerifyTable* table);

    // The images of rows, by key; for tables with a plain key.
    std::map<std::string, std::string> Lookup(VerifyTable* table,
                                              const std::vector<std::string>& keys);

    // A place to come back to after an error of a query.
    void Save();
    void Restore();

    // For the rows; lookups have a connection of their own.
    Connection& rows() { return *rows_; }

 private:
    // Asks the connection for the columns: not one that is in the middle of a COPY.
    std::string AllRows(Connection& connection, VerifyTable* table, const std::string& condition);

    const Settings& settings_;
    std::unique_ptr<Connection> rows_, lookups_;
};

}  // namespace bemi::ingest

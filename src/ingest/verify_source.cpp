#include "verify_source.hpp"

#include "errors.hpp"
#include "session.hpp"

namespace bemi::ingest {

namespace {

bool IsUtf8(Connection& connection) {
    return connection.ServerEncoding() == "UTF8";
}

std::unique_ptr<Connection> Connect(const Settings& settings, const std::string& snapshot) {
    auto connection = ConnectSource(settings, Connection::Kind::kSql);
    connection->Query(
        std::string(kOutputSettings) +
        "; SET jit = off; SET work_mem = '64MB';"
        " BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT " +
        connection->Literal(snapshot));
    return connection;
}

// True where the files of a table are not those that the snapshot's moment had.
bool WasRewritten(Connection& source, const std::vector<VerifyTable>& tables) {
    std::string oids;
    for (const VerifyTable& table : tables) {
        for (const SnapshotTable& part : table.parts)
            oids += (oids.empty() ? "" : ", ") + part.oid;
    }
    return source.Value(
               "SELECT bool_or(relfilenode IS DISTINCT FROM pg_relation_filenode(oid))"
               " FROM pg_class WHERE oid IN (" +
               oids + ")") == "t";
}

void Lock(Connection& source, const std::vector<VerifyTable>& tables) {
    std::string names;
    for (const VerifyTable& table : tables) {
        for (const SnapshotTable& part : table.parts)
            names += (names.empty() ? "ONLY " : ", ONLY ") + part.name;
    }
    source.Query("LOCK TABLE " + names + " IN ACCESS SHARE MODE");
}

}  // namespace

std::string HashSql(Connection& connection, const std::string& text) {
    return IsUtf8(connection)
               ? "pg_catalog.md5(" + text + ")::pg_catalog.uuid"
               : "pg_catalog.md5(pg_catalog.convert_to(" + text + ", 'UTF8'))::pg_catalog.uuid";
}

std::string OrderSql(Connection& connection, const std::string& text) {
    return IsUtf8(connection) ? text + " COLLATE pg_catalog.\"C\""
                              : "pg_catalog.convert_to(" + text + ", 'UTF8')";
}

std::string WithoutColumns(Connection& connection, const std::string& image,
                           const std::vector<std::string>& columns) {
    std::string list;
    for (const std::string& column : columns)
        list += (list.empty() ? "" : ", ") + connection.Literal(column);
    return list.empty()
               ? image
               : "(" + image + " OPERATOR(pg_catalog.-) ARRAY[" + list + "]::pg_catalog.text[])";
}

VerifySource::VerifySource(const Settings& settings, const std::string& snapshot)
    : settings_(settings),
      rows_(Connect(settings, snapshot)),
      lookups_(Connect(settings, snapshot)) {
    if (rows_->ServerEncoding() == "SQL_ASCII")
        throw Failure(Exit::kRefused,
                      "the source's database has no encoding (SQL_ASCII): its rows cannot be "
                      "compared with records, which are UTF-8");
}

std::optional<std::vector<VerifyTable>> VerifySource::Tables(bool same_database) {
    std::vector<VerifyTable> tables;
    for (SnapshotTable& part : ListTables(*rows_, settings_, same_database)) {
        if (tables.empty() || tables.back().schema != part.schema ||
            tables.back().table != part.table) {
            tables.emplace_back();
            tables.back().schema = part.schema;
            tables.back().table = part.table;
        }
        tables.back().unlogged |= part.unlogged;
        tables.back().parts.push_back(std::move(part));
    }
    if (tables.empty())
        return tables;
    for (const VerifyTable& table : tables)
        DemandRights(*rows_, table.parts);
    Lock(*rows_, tables);
    if (WasRewritten(*rows_, tables))
        return std::nullopt;
    for (VerifyTable& table : tables) {
        table.key = KeyOf(*rows_, settings_, table.parts.front());
        table.ignored = IgnoredColumns(*rows_, settings_, table.parts.front());
    }
    return tables;
}

std::string VerifySource::AllRows(Connection& connection, VerifyTable* table,
                                  const std::string& condition) {
    std::string all;
    for (SnapshotTable& part : table->parts)
        all += (all.empty() ? "" : " UNION ALL ") +
               bemi::ingest::RowsQuery(connection, settings_, &part, condition);
    return "(" + all + ") q (k, j)";
}

std::string VerifySource::RowsQuery(VerifyTable* table) {
    std::string all = AllRows(*rows_, table, "");
    std::string image = WithoutColumns(*rows_, "q.j", table->ignored);
    return "SELECT q.k, " + HashSql(*rows_, image + "::text") +
           (table->key.plain.empty() ? ", q.j::text" : ", NULL::text") + " FROM " + all +
           " ORDER BY " + OrderSql(*rows_, "q.k");
}

std::string VerifySource::CountsQuery(VerifyTable* table, const std::vector<std::string>& without) {
    std::string all = AllRows(*rows_, table, "");
    std::string image = WithoutColumns(*rows_, "q.j", without);
    return "SELECT " + HashSql(*rows_, image + "::text") + ", count(*) FROM " + all +
           " GROUP BY 1 ORDER BY 1";
}

// As the records would have them; none where the table is empty.
std::vector<std::string> VerifySource::Columns(VerifyTable* table) {
    Result rows = lookups_->Query("SELECT jsonb_object_keys(q.j) FROM (SELECT * FROM " +
                                  AllRows(*lookups_, table, "") + " LIMIT 1) q");
    std::vector<std::string> names;
    for (int i = 0; i < rows.rows(); ++i)
        names.push_back(rows.Get(i, 0));
    return names;
}

std::map<std::string, std::string> VerifySource::Lookup(VerifyTable* table,
                                                        const std::vector<std::string>& keys) {
    std::string list, names, values;
    for (const std::string& key : keys)
        list += (list.empty() ? "" : ", ") + lookups_->Literal(key);
    list = "unnest(ARRAY[" + list + "]::text[]) k";
    const auto& columns = table->key.plain;
    for (size_t i = 0; i < columns.size(); ++i) {
        names += (i == 0 ? "t." : ", t.") + columns[i].first;
        values += i == 0 ? "" : ", ";
        values += columns.size() == 1 ? "k" : "(k::jsonb->>" + std::to_string(i) + ")";
        values += "::" + columns[i].second;
    }
    std::string condition = "(" + names + ") IN (SELECT " + values + " FROM " + list + ")";
    Result rows = lookups_->Query("SELECT q.k, q.j FROM " + AllRows(*lookups_, table, condition));
    std::map<std::string, std::string> images;
    for (int i = 0; i < rows.rows(); ++i)
        images[rows.Get(i, 0)] = rows.Get(i, 1);
    return images;
}

void VerifySource::Save() {
    rows_->Query("SAVEPOINT here");
    lookups_->Query("SAVEPOINT here");
}

void VerifySource::Restore() {
    Drain(*rows_);
    rows_->Query("ROLLBACK TO here");
    lookups_->Query("ROLLBACK TO here");
}

}  // namespace bemi::ingest

#include "verify_source.hpp"

#include <algorithm>
#include <cstring>

#include "errors.hpp"
#include "verify_hash.hpp"

namespace bemi::ingest {

namespace {

bool IsUtf8Database(Connection& connection) {
    return connection.ServerEncoding() == "UTF8";
}

std::string_view Bytes(const Hash& hash) {
    return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// Which of a plan's columns these names are.
std::vector<bool> Places(const RowPlan& plan, const std::vector<std::string>& names) {
    std::vector<bool> places;
    for (const PlannedColumn& column : plan.columns)
        places.push_back(std::find(names.begin(), names.end(), column.name) != names.end());
    return places;
}

}  // namespace

std::string OrderSql(Connection& connection, const std::string& text) {
    return IsUtf8Database(connection) ? text + " COLLATE pg_catalog.\"C\""
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

bool SourceRows::Next(SourceRow* row) {
    SortItem item;
    if (!sort_.Next(&item))
        return false;
    row->key = item.key;
    std::memcpy(row->hash.data(), item.value.data(), row->hash.size());
    row->number = BigEndian(item.value.substr(row->hash.size()));
    return true;
}

bool SourceCounts::Next(Hash* hash, uint64_t* rows) {
    if (!started_)
        there_ = sort_.Next(&item_);
    started_ = true;
    if (!there_)
        return false;
    std::memcpy(hash->data(), item_.key.data(), hash->size());
    for (*rows = 0; there_ && item_.key == Bytes(*hash); there_ = sort_.Next(&item_))
        ++*rows;
    return true;
}

VerifySource::VerifySource(const Settings& settings, const std::string& snapshot)
    : settings_(settings), rows_(ConnectForRows(settings, snapshot)) {
    if (rows_->ServerEncoding() == "SQL_ASCII")
        throw Failure(Exit::kRefused,
                      "the source's database has no encoding (SQL_ASCII): its rows cannot be "
                      "compared with records, which are UTF-8");
    planner_ = std::make_unique<RowPlanner>(*rows_, settings_);
}

std::optional<std::vector<VerifyTable>> VerifySource::Tables(bool same_database) {
    std::vector<SnapshotTable> parts = ListTables(*rows_, settings_, same_database);
    DemandRights(*rows_, parts);
    if (!LockTables(*rows_, parts))
        return std::nullopt;
    std::vector<VerifyTable> tables;
    for (SnapshotTable& part : parts) {
        if (tables.empty() || tables.back().schema != part.schema ||
            tables.back().table != part.table) {
            tables.emplace_back();
            tables.back().schema = part.schema;
            tables.back().table = part.table;
        }
        VerifyTable& table = tables.back();
        table.unlogged |= part.unlogged;
        table.plans.push_back(planner_->Plan(part));
        table.parts.push_back(std::move(part));
    }
    for (VerifyTable& table : tables) {
        table.has_key = !table.plans.front().key.empty();
        table.identity_has_key = IdentityHasKey(table);
        for (const PlannedColumn& column : table.plans.front().columns) {
            if (column.ignored)
                table.ignored.push_back(column.name);
        }
    }
    return tables;
}

bool VerifySource::IdentityHasKey(const VerifyTable& table) {
    std::string key, tables;
    for (size_t place : table.plans.front().key)
        key += (key.empty() ? "" : ", ") + rows_->Literal(table.plans.front().columns[place].name);
    for (const SnapshotTable& part : table.parts)
        tables += (tables.empty() ? "" : ", ") + part.oid;
    return key.empty() ||
           rows_->Value(
               "SELECT NOT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
               " WHERE c.oid IN (" +
               tables + ") AND c.relreplident = 'i' AND i.indisreplident AND NOT ARRAY[" + key +
               "]::text[] <@ ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid ="
               " c.oid AND a.attnum = ANY ((i.indkey::int2[])[:i.indnkeyatts - 1])))") == "t";
}

void VerifySource::Read(const VerifyTable& table, const EachRow& with) {
    constexpr uint64_t kRows = 1024;
    uint64_t number = 0;
    for (const RowPlan& plan : table.plans) {
        for (RowReader row(*rows_, plan); row.Next(); ++number) {
            with(row, plan, number);
            if (number % kRows == 0)
                while_reading_();
        }
    }
}

std::unique_ptr<SourceRows> VerifySource::Rows(const VerifyTable& table) {
    auto rows = std::make_unique<SourceRows>();
    std::string key, image, value;
    const RowPlan* last = nullptr;
    std::vector<bool> without;
    Read(table, [&](const RowReader& row, const RowPlan& plan, uint64_t number) {
        if (last != &plan)
            without = Places(plan, table.ignored);
        last = &plan;
        if (!row.MakeKey(&key)) {
            ++rows->unkeyed;
            return;
        }
        image.clear();
        row.AppendComparable(without, &image);
        value = Bytes(HashOf(image));
        AppendBigEndian(number, &value);
        rows->sort_.Add(key, value);
    });
    rows->sort_.Sort();
    return rows;
}

std::unique_ptr<SourceCounts> VerifySource::Counts(const VerifyTable& table,
                                                   const std::vector<std::string>& names) {
    auto counts = std::make_unique<SourceCounts>();
    std::string image;
    const RowPlan* last = nullptr;
    std::vector<bool> without;
    Read(table, [&](const RowReader& row, const RowPlan& plan, uint64_t) {
        if (last != &plan)
            without = Places(plan, names);
        last = &plan;
        image.clear();
        row.AppendComparable(without, &image);
        counts->sort_.Add(Bytes(HashOf(image)), {});
        counts->any_ = true;
    });
    counts->sort_.Sort();
    return counts;
}

void VerifySource::Images(const VerifyTable& table,
                          const std::function<std::optional<uint64_t>()>& next,
                          const std::function<void(const std::string& image)>& with) {
    std::optional<uint64_t> wanted = next();
    std::string image, failed;
    Read(table, [&](const RowReader& row, const RowPlan&, uint64_t number) {
        if (wanted != number)
            return;
        image.clear();
        row.AppendImage(&image, &failed);
        with(image);
        wanted = next();
    });
}

std::vector<std::string> VerifySource::Columns(const VerifyTable& table) {
    std::vector<std::string> names;
    for (const RowPlan& plan : table.plans) {
        for (const PlannedColumn& column : plan.columns) {
            if (column.shown && std::find(names.begin(), names.end(), column.name) == names.end())
                names.push_back(column.name);
        }
    }
    return names;
}

void VerifySource::Save() {
    rows_->Query("SAVEPOINT here");
}

void VerifySource::Restore() {
    Drain(*rows_);
    rows_->Query("ROLLBACK TO here");
}

}  // namespace bemi::ingest

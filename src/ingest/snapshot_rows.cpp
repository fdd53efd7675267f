// Rows as they come from COPY, made into images and keys.
#include "snapshot_rows.hpp"

#include "errors.hpp"

namespace bemi::ingest {

namespace {

std::unique_ptr<CopyTextReader> Start(Connection& source, const RowPlan& plan) {
    if (plan.guard == nullptr)
        return std::make_unique<CopyTextReader>(source, plan.statement);
    plan.guard->Enter(plan.oid, plan.table);
    try {
        auto reader = std::make_unique<CopyTextReader>(source, plan.statement);
        plan.guard->Leave();
        return reader;
    } catch (const DatabaseError&) {
        plan.guard->Leave();
        throw;
    }
}

}  // namespace

RowReader::RowReader(Connection& source, const RowPlan& plan)
    : plan_(plan),
      reader_(Start(source, plan)),
      sql_ascii_(source.ServerEncoding() == "SQL_ASCII") {}

bool RowReader::Next() {
    if (!reader_->Next(&fields_))
        return false;
    // A row without columns is an empty line.
    if (plan_.columns.empty())
        fields_.clear();
    if (fields_.size() != plan_.columns.size())
        throw DatabaseError("source", "08P01", "a row of COPY cannot be understood");
    if (!sql_ascii_)
        return true;
    converted_.resize(fields_.size());
    for (size_t i = 0; i < fields_.size(); ++i) {
        if (fields_[i].data() != nullptr)
            fields_[i] = converted_[i] = FromSqlAscii(fields_[i]);
    }
    return true;
}

bool RowReader::MakeKey(std::string* key) const {
    std::vector<KeyValue> values;
    values.reserve(plan_.key.size());
    for (size_t i : plan_.key)
        values.push_back({plan_.columns[i].type, fields_[i]});
    try {
        return bemi::MakeKey(values, key);
    } catch (const ValueError&) {
        key->clear();
        return false;
    }
}

void RowReader::AppendImage(std::string* out, std::string* failed) const {
    const size_t start = out->size();
    for (size_t i = 0; i < fields_.size(); ++i) {
        const PlannedColumn& column = plan_.columns[i];
        if (!column.shown)
            continue;
        const size_t before = out->size();
        out->append(before == start ? "{" : ",").append(column.label).append(":");
        try {
            if (fields_[i].data() == nullptr)
                out->append("null");
            else
                AppendJson(*column.type, fields_[i], plan_.options, out);
        } catch (const ValueError&) {
            out->resize(before);
            failed->append(failed->empty() ? "" : ",").append(column.label).append(":\"error\"");
        }
    }
    out->append(out->size() == start ? "{}" : "}");
}

void RowReader::AppendComparable(const std::vector<bool>& without, std::string* out) const {
    const size_t start = out->size();
    for (size_t i : plan_.canonical) {
        const PlannedColumn& column = plan_.columns[i];
        if (without[i])
            continue;
        const size_t before = out->size();
        out->append(before == start ? "{" : ", ").append(column.label).append(": ");
        try {
            if (fields_[i].data() == nullptr)
                out->append("null");
            else
                AppendCanonicalValue(*column.type, fields_[i], plan_.options, out);
        } catch (const ValueError&) {
            out->resize(before);
        }
    }
    out->append(out->size() == start ? "{}" : "}");
}

}  // namespace bemi::ingest

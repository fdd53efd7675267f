#include "verify_report.hpp"

#include "print.hpp"
#include "timestamp.hpp"
#include "units.hpp"

namespace bemi::ingest {

namespace {

const char* const kNames[] = {"lost", "altered", "extra", "broken"};

std::string Joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names)
        text += (text.empty() ? "" : ", ") + name;
    return text;
}

std::string AsText(const Difference& d) {
    std::string text = std::string("  ") + kNames[static_cast<int>(d.kind)] + " ";
    if (d.keyless)
        text += FormatCount(d.rows) + (d.rows == 1 ? " row" : " rows") + " without a key";
    else
        text += d.key;
    if (!d.columns.empty())
        text += " (" + Joined(d.columns) + ")";
    if (!d.why.empty())
        text += ": " + d.why;
    text += d.kind == Difference::Kind::kBroken ? "; record " : "; last record ";
    if (d.record == Uuid{})
        return text + "none";
    text += FormatUuid(d.record);
    return d.commit == 0 ? text : text + " at " + FormatLsn(d.commit);
}

std::string AsJson(const std::string& table, const Difference& d) {
    std::string columns;
    for (const std::string& name : d.columns)
        columns += (columns.empty() ? "" : ",") + JsonString(name);
    std::string json = "{\"table\":" + JsonString(table) + ",\"difference\":\"" +
                       kNames[static_cast<int>(d.kind)] +
                       "\",\"key\":" + (d.keyless ? "null" : JsonString(d.key)) +
                       ",\"rows\":" + std::to_string(d.rows) + ",\"columns\":[" + columns + "]";
    if (!d.why.empty())
        json += ",\"why\":" + JsonString(d.why);
    json += ",\"record\":" + (d.record == Uuid{} ? "null" : JsonString(FormatUuid(d.record))) +
            ",\"commit_position\":" + (d.commit == 0 ? "null" : std::to_string(d.commit));
    return json + "}";
}

}  // namespace

std::string FormatUuid(const Uuid& id) {
    static const char kDigits[] = "0123456789abcdef";
    std::string text;
    for (size_t i = 0; i < id.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text += '-';
        text += kDigits[id[i] >> 4];
        text += kDigits[id[i] & 15];
    }
    return text;
}

void VerifyReport::Line(const std::string& line) {
    reporter_.ClearLiveLine();
    PrintLine(stdout, line);
}

void VerifyReport::Begin(const std::string& table) {
    table_ = table;
    rows_ = unknown_ = 0;
    for (uint64_t& count : counts_)
        count = 0;
}

void VerifyReport::Compared(uint64_t rows) {
    rows_ += rows;
    reporter_.Done(rows);
    if (rows_ % 256 == 0 || rows > 1)
        reporter_.Tick(kNoTime);
}

void VerifyReport::Add(const Difference& difference) {
    counts_[static_cast<int>(difference.kind)] += difference.rows;
    all_differences_ += difference.rows;
    Line(json_ ? AsJson(table_, difference) : table_ + AsText(difference));
}

void VerifyReport::Note(const std::string& table, const std::string& note) {
    Line(json_ ? "{\"table\":" + JsonString(table) + ",\"note\":" + JsonString(note) + "}"
               : table + ": " + note);
}

void VerifyReport::NotCompared(const std::string& table, const std::string& why) {
    ++not_compared_;
    Note(table, "not compared: " + why);
}

void VerifyReport::Fail(const std::string& table, const std::string& why) {
    ++failures_;
    NotCompared(table, why);
}

void VerifyReport::End() {
    std::string text = table_ + ": " + FormatCount(rows_) + " rows compared";
    std::string json = "{\"table\":" + JsonString(table_) + ",\"rows\":" + std::to_string(rows_);
    bool equal = true;
    for (int kind = 0; kind < 4; ++kind) {
        json += std::string(",\"") + kNames[kind] + "\":" + std::to_string(counts_[kind]);
        if (counts_[kind] == 0)
            continue;
        equal = false;
        text += ", " + FormatCount(counts_[kind]) + " " + kNames[kind];
    }
    if (equal)
        text += ", all as recorded";
    if (unknown_ > 0)
        text += "; " + FormatCount(unknown_) +
                " more were there before the slot, and were not touched since (bemi_ingest snapshot"
                " records them)";
    Line(json_ ? json + ",\"unknown\":" + std::to_string(unknown_) + "}" : text);
    all_rows_ += rows_;
    ++tables_;
}

void VerifyReport::Finish(Lsn position) {
    if (json_)
        return Line("{\"position\":" + JsonString(FormatLsn(position)) + ",\"tables\":" +
                    std::to_string(tables_) + ",\"rows\":" + std::to_string(all_rows_) +
                    ",\"differences\":" + std::to_string(all_differences_) +
                    ",\"not_compared\":" + std::to_string(not_compared_) +
                    ",\"failures\":" + std::to_string(failures_) + "}");
    Line(
        "as of " + FormatLsn(position) + ": " + FormatCount(tables_) + " tables, " +
        FormatCount(all_rows_) + " rows compared, " +
        (all_differences_ == 0 ? "no difference" : FormatCount(all_differences_) + " differences") +
        (not_compared_ == 0 ? "" : "; not compared: " + FormatCount(not_compared_) + " tables"));
}

}  // namespace bemi::ingest

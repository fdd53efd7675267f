// Status for people, for programs, for Prometheus.
#include "print.hpp"
#include "status.hpp"
#include "units.hpp"

namespace bemi::ingest {

namespace {

std::string OrNull(const std::optional<double>& value) {
    return value ? FormatNumber(*value) : "null";
}

std::string StringOrNull(const std::string& text) {
    return text.empty() ? "null" : JsonString(text);
}

std::string Lag(const Status& s) {
    std::string text = FormatSize(static_cast<double>(s.lag_bytes)) + " of WAL";
    if (!s.age)
        return text + "; age unknown: " + s.age_unknown;
    if (*s.age == 0)
        return text + ", no change among it";
    return text + ", the oldest change " + FormatSeconds(*s.age) + " old";
}

std::string GapJson(const GapRow& gap) {
    return "{\"reason\":" + JsonString(gap.reason) + ",\"from_position\":" + JsonString(gap.from) +
           ",\"to_position\":" + JsonString(gap.to) +
           ",\"from_time\":" + StringOrNull(gap.from_time) +
           ",\"to_time\":" + StringOrNull(gap.to_time) +
           ",\"accepted_at\":" + JsonString(gap.accepted_at) + "}";
}

// A label's value has three escapes, and raw bytes otherwise: of these, a line break is its own.
std::string Label(const std::string& text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c == '\n' ? "\\n" : std::string(1, c);
    }
    return out + "\"";
}

// A metric with its two lines of explanation.
std::string Metric(const Status& s, const char* name, const char* type, const char* help,
                   const std::string& value) {
    std::string full = std::string("bemi_ingest_") + name;
    return "# HELP " + full + " " + help + "\n# TYPE " + full + " " + type + "\n" + full +
           "{slot=\"" + s.slot + "\",database=" + Label(s.database) + "} " + value + "\n";
}

}  // namespace

std::string AsText(const Status& s) {
    std::vector<std::string> lines;
    lines.push_back("slot         " + s.slot + " of database " + s.database + ": " +
                    (s.wal_status.empty()
                         ? "does not exist"
                         : std::string(s.active ? "active" : "not active") + ", wal_status " +
                               s.wal_status + ", confirmed " + FormatLsn(s.confirmed)));
    if (s.safe_size)
        lines.push_back("             lost after another " +
                        FormatSize(static_cast<double>(*s.safe_size)) + " of WAL");
    lines.push_back("stored up to " + FormatLsn(s.stored) + " of " + FormatLsn(s.source_end));
    lines.push_back("lag          " + Lag(s));
    lines.push_back("rows         " + FormatCount(s.rows) + ", " + FormatNumber(s.rate) +
                    " a second");
    lines.push_back("last commit  " + (s.last_commit.empty() ? "none yet" : s.last_commit));
    lines.push_back("gaps         " + std::to_string(s.gaps.size()));
    for (const GapRow& gap : s.gaps)
        lines.push_back("  " + gap.reason + ": " + gap.from + " to " + gap.to + ", " +
                        (gap.from_time.empty() ? "?" : gap.from_time) + " to " +
                        (gap.to_time.empty() ? "?" : gap.to_time));
    if (!s.pending_gap.empty())
        lines.push_back("GAP          run will stop: " + s.pending_gap);
    std::string text;
    for (const std::string& line : lines)
        text += Printable(line) + "\n";
    return text;
}

std::string AsJson(const Status& s) {
    std::string text =
        "{\"slot\":" + JsonString(s.slot) + ",\"database\":" + JsonString(s.database) +
        ",\"active\":" + (s.active ? "true" : "false") +
        ",\"wal_status\":" + StringOrNull(s.wal_status) +
        ",\"confirmed_position\":" + JsonString(FormatLsn(s.confirmed)) +
        ",\"restart_position\":" + JsonString(FormatLsn(s.retained_from)) +
        ",\"stored_position\":" + JsonString(FormatLsn(s.stored)) +
        ",\"source_position\":" + JsonString(FormatLsn(s.source_end)) +
        ",\"safe_wal_bytes\":" + (s.safe_size ? std::to_string(*s.safe_size) : "null") +
        ",\"lag_bytes\":" + std::to_string(s.lag_bytes) + ",\"lag_seconds\":" + OrNull(s.age) +
        ",\"lag_unknown\":" + StringOrNull(s.age_unknown) + ",\"rows\":" + std::to_string(s.rows) +
        ",\"rows_per_second\":" + FormatNumber(s.rate) +
        ",\"last_commit\":" + StringOrNull(s.last_commit) +
        ",\"updated_at\":" + StringOrNull(s.updated) +
        ",\"pending_gap\":" + StringOrNull(s.pending_gap) + ",\"gaps\":[";
    for (size_t i = 0; i < s.gaps.size(); ++i)
        text += (i > 0 ? "," : "") + GapJson(s.gaps[i]);
    return text + "]}\n";
}

std::string AsPrometheus(const Status& s) {
    std::string text;
    text += Metric(s, "slot_up", "gauge", "1 where the slot exists and is not lost.",
                   s.wal_status.empty() || s.wal_status == "lost" ? "0" : "1");
    text +=
        Metric(s, "slot_active", "gauge", "1 while somebody reads the slot.", s.active ? "1" : "0");
    text += Metric(s, "lag_bytes", "gauge", "WAL of the source that is not stored.",
                   std::to_string(s.lag_bytes));
    if (s.age)
        text += Metric(s, "lag_seconds", "gauge", "Age of the oldest change that is not stored.",
                       FormatNumber(*s.age));
    if (s.safe_size)
        text += Metric(s, "safe_wal_bytes", "gauge", "WAL until the slot is lost.",
                       std::to_string(*s.safe_size));
    text += Metric(s, "rows_total", "counter", "Rows stored.", std::to_string(s.rows));
    text += Metric(s, "rows_per_second", "gauge", "Rows stored, about the last minute.",
                   FormatNumber(s.rate));
    text += Metric(s, "last_commit_timestamp_seconds", "gauge",
                   "Commit time of the last transaction stored.",
                   std::to_string(static_cast<long long>(s.last_commit_epoch)));
    text += Metric(s, "gaps_total", "counter", "Gaps that were accepted.",
                   std::to_string(s.gaps.size()));
    text += Metric(s, "gap_pending", "gauge", "1 where run would stop at a gap.",
                   s.pending_gap.empty() ? "0" : "1");
    return text;
}

}  // namespace bemi::ingest

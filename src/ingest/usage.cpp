#include "usage.hpp"

#include <algorithm>

namespace bemi::ingest {

namespace {

size_t Distance(const std::string& a, const std::string& b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0]++;
        for (size_t j = 1; j <= b.size(); ++j) {
            size_t cost = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, cost});
        }
    }
    return row[b.size()];
}

}  // namespace

const char* const kVersion = "bemi_ingest 1.0\n";

const char* const kUsage =
    R"(bemi_ingest stores every change of a PostgreSQL database in a table "changes", exactly once.

usage: bemi_ingest COMMAND --source CONN --destination CONN [FLAGS]

commands
  check      print what both sides need, with the statements that mend what is missing
  init       make (or take over) the table, and make the slot
  run        take records off the slot and store them, until stopped
  snapshot   store the present rows of the tables as SNAPSHOT
  verify     rebuild the tables from "changes" and compare them with the source's
  status     slot, lag, rate, gaps
  drop       remove the slot and its progress; the table stays

flags of all commands
  --source CONN        connection string, URI or service; or BEMI_SOURCE
  --destination CONN   the same; or BEMI_DESTINATION
  --slot NAME          bemi
  --schema NAME        schema of the table "changes": public
  --config FILE        key = value, the flags without --; option.NAME = value
  --option NAME=VALUE  an option of the decoder; may be repeated

init
  --indexes SET        default, full (GIN on before and after) or minimal (no GIN)
  --partition-by UNIT  day or month, of committed_at
  --retain TIME        drop partitions older than this, e.g. 90d
  --failover           standbys follow the slot (source of PostgreSQL 17 or later)
run
  --until-current      stop when caught up with the source's present end
  --accept-gap         record the gap that stops us, and go on
  --retain TIME        change what init was told
  --transaction-size SIZE, --transaction-time TIME
                       when a destination transaction takes no further source transaction:
                       16MB, 1s
snapshot, verify
  --table PATTERNS     these tables only, patterns as in the option tables; may be repeated
verify
  --json               a JSON object a line
status
  --json, --prometheus
  --fail-lag SIZE, --fail-age TIME
                       exit 1 past these
drop
  --yes                don't ask

exit codes
  0 done   1 failed, or status past a limit   2 bad usage   3 refused: a requirement is not met
  4 gap: changes are missing or foreign       5 interrupted by SIGTERM or SIGINT
  6 verify: source and changes differ
)";

const std::vector<std::string>& Commands() {
    static const std::vector<std::string> kCommands = {"check",  "init",   "run", "snapshot",
                                                       "verify", "status", "drop"};
    return kCommands;
}

bool IsCommand(const std::string& word) {
    return std::find(Commands().begin(), Commands().end(), word) != Commands().end();
}

std::string Nearest(const std::string& word, const std::vector<std::string>& names) {
    std::string best;
    size_t least = 3;
    for (const std::string& name : names) {
        size_t distance = Distance(word, name);
        if (distance < least) {
            least = distance;
            best = name;
        }
    }
    return best.empty() ? best : "did you mean " + best + "?";
}

}  // namespace bemi::ingest

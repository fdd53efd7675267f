// Puts the SQL files into the destination, over whatever version is there: what cannot be replaced
// is dropped and made again, with the rights that were granted on it. All of it in the caller's
// transaction.
#include "sql_install.hpp"

#include <cstdlib>
#include <optional>
#include <regex>
#include <set>
#include <vector>

#include "errors.hpp"
#include "sql_files.hpp"

namespace bemi::ingest {

namespace {

using Texts = std::vector<std::string>;

// What version 1 had installed, which kept no list of it.
constexpr char kNamesOf1[] =
    "_attempt _attempt_singly _behind_sql _block _blocked _came_again _catalog_key "
    "_changed_later _changed_later_sql _delete _delete_all _differing _do _excepted "
    "_finding _follow_snapshots _has_json_array _has_json_cast _insert _is_fatal _is_here "
    "_item _keyless_rows _later_conflicts _left_at _may_join _merged _message_sql _misfit "
    "_only _only_json _part_sql _partial _parts _plain _raise _reads_as _recorded_key "
    "_restore _revert _revert_all _revert_each _revert_selected _reverting _rows_written "
    "_rows_written_sql _run _running_sql _said _same_key _say _say_step _script_head "
    "_selected_by _selected_sql _selection _set_constraints _shape _singly _split "
    "_stays_apart _step_sql _step_statements _steps _truncated _type_parts "
    "_unique_columns _unreadable _update _work _written_besides activity_by as_of "
    "asked_text base_of change_at change_id change_source columns_of committed_by "
    "context_keys_with coverage diff doubtful_links ensure_partition find_image "
    "find_stretch find_table first first_of forget forget_context has_ended history "
    "is_of_database is_of_source key_changes keyed_rows keyless_changes keyless_rows "
    "last_change_of_key last_commit last_commit_of_changes last_snapshots lineage "
    "lineage_after lineage_before make_partitions missing_after_forget moment_at "
    "moment_text nearest_change only_columns pair_images partition_name partitions "
    "position_at position_of record_at record_of records_of_keys refuse_gap "
    "refuse_missing refuse_moment refuse_unpaired related_keys replay_sql retain revert "
    "revert_sql row_after row_before_records rows_after rows_at_horizon rows_of search "
    "search_name search_tables source_before source_of sources_beside sources_of_slot "
    "stretches table_at table_of table_of_type tables_named time_of time_text trace "
    "trace_words truncates typed_rows versions_of warn_of_contexts who whole_image "
    "with_identity withheld without_path";

// SQL: routines of schema bemi that are named so, but those of the extension.
constexpr char kRoutines[] =
    " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'bemi'"
    " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass"
    " AND d.objid = p.oid AND d.deptype = 'e') AND p.proname = ANY (";

std::string WithSchema(std::string text, const std::string& schema) {
    static const std::string kPlace = "@schema@";
    for (size_t at = 0; (at = text.find(kPlace, at)) != std::string::npos; at += schema.size())
        text.replace(at, kPlace.size(), schema);
    return text;
}

class Installer {
 public:
    Installer(Connection& destination, const Settings& settings)
        : destination_(destination), schema_(destination.Identifier(settings.schema)) {}

    void RunFiles(size_t from, size_t till);
    void Install();

 private:
    struct Grant {
        char kind;  // r: routine, v: view
        std::string name, grantee, privilege;
        bool grantable;
    };
    struct Type {
        std::string name, definition;
    };

    Texts Found(const char* pattern) const;
    std::vector<Type> Types() const;
    std::string Array(const Texts& texts) const;
    std::string Names() const;
    void KeepGrants(const std::string& names);
    void RestoreGrants();
    void RestoreGrantsOf(const std::string& name, const std::string& object);
    void SetAsideTypes();
    bool HasChanged(const Type& type);
    void RunUntilItFits();
    void Give(const DatabaseError& error);
    void DropStale(const std::string& names);
    void Drop(const std::string& what);
    void Stamp();

    Connection& destination_;
    std::string schema_;
    std::vector<Grant> grants_;
    std::set<std::string> dropped_;  // names of what was dropped, to be made again
    Texts old_types_;
    bool views_dropped_ = false;
};

void Installer::RunFiles(size_t from, size_t till) {
    for (size_t i = from; i < till; ++i)
        destination_.Query(WithSchema(kSqlFiles[i].text, schema_));
}

// What the files have at the group of a pattern, in their order.
Texts Installer::Found(const char* pattern) const {
    const std::regex expression(pattern);
    Texts found;
    for (size_t i = 1; i < kSqlFileCount; ++i) {
        const std::string text = kSqlFiles[i].text;
        for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at)
            found.push_back((*at)[1]);
    }
    return found;
}

// The types that the files make. A definition ends with the first parenthesis before a semicolon:
// comments in it may have others.
std::vector<Installer::Type> Installer::Types() const {
    static const std::regex kType("CREATE TYPE bemi\\.(\\w+) AS (\\([\\s\\S]*?\\));");
    std::vector<Type> types;
    for (size_t i = 1; i < kSqlFileCount; ++i) {
        const std::string text = kSqlFiles[i].text;
        for (std::sregex_iterator at(text.begin(), text.end(), kType), end; at != end; ++at)
            types.push_back({(*at)[1], (*at)[2]});
    }
    return types;
}

std::string Installer::Array(const Texts& texts) const {
    std::string list;
    for (const std::string& text : texts)
        list += (list.empty() ? "" : ", ") + destination_.Literal(WithSchema(text, schema_));
    return "ARRAY[" + list + "]::text[]";
}

// SQL: the names of what is there of whatever version, and of what is to be.
std::string Installer::Names() const {
    const bool stamped = !destination_.Value("SELECT to_regprocedure('bemi._installed()')").empty();
    return Array(Found("CREATE OR REPLACE (?:FUNCTION|PROCEDURE|AGGREGATE) bemi\\.(\\w+)")) +
           " || " +
           (stamped ? "(SELECT names FROM bemi._installed())"
                    : "string_to_array('" + std::string(kNamesOf1) + "', ' ')");
}

void Installer::KeepGrants(const std::string& names) {
    const std::string columns =
        ", CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,"
        " a.privilege_type, a.is_grantable";
    const Result rows = destination_.Query(
        "SELECT 'r', p.proname" + columns +
        " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " LEFT JOIN aclexplode(p.proacl) a ON a.grantee <> p.proowner"
        " WHERE n.nspname = 'bemi' AND p.proacl IS NOT NULL AND p.proname = ANY (" +
        names + ") UNION ALL SELECT 'v', c.relname" + columns +
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,"
        " aclexplode(c.relacl) a WHERE n.nspname = 'bemi' AND c.relkind = 'v'"
        " AND a.grantee <> c.relowner");
    for (int i = 0; i < rows.rows(); ++i)
        grants_.push_back({rows.Get(i, 0)[0], rows.Get(i, 1), rows.Get(i, 2), rows.Get(i, 3),
                           rows.Get(i, 4) == "t"});
}

void Installer::RestoreGrantsOf(const std::string& name, const std::string& object) {
    bool kept = false;
    for (const Grant& grant : grants_) {
        if (grant.name != name)
            continue;
        if (!kept)
            destination_.Query("REVOKE ALL ON " + object + " FROM PUBLIC");
        kept = true;
        if (!grant.privilege.empty())
            destination_.Query("GRANT " + grant.privilege + " ON " + object + " TO " +
                               grant.grantee + (grant.grantable ? " WITH GRANT OPTION" : ""));
    }
}

void Installer::RestoreGrants() {
    const Texts dropped(dropped_.begin(), dropped_.end());
    const Result routines = destination_.Query(
        std::string("SELECT p.proname, p.oid::regprocedure") + kRoutines + Array(dropped) + ")");
    for (int i = 0; i < routines.rows(); ++i)
        RestoreGrantsOf(routines.Get(i, 0), "ROUTINE " + routines.Get(i, 1));
    for (const std::string& view : Found("CREATE OR REPLACE VIEW bemi\\.(\\w+)")) {
        if (dropped_.count(view) > 0)
            RestoreGrantsOf(view, "bemi." + view);
    }
}

// True where the type is there with other attributes. It is made under another name for that, and
// taken back.
bool Installer::HasChanged(const Type& type) {
    destination_.Query("SAVEPOINT bemi_type; CREATE TYPE bemi._compared AS " + type.definition);
    const std::string attributes =
        "(SELECT array_agg((attname, atttypid, atttypmod)::text ORDER BY attnum) FROM pg_attribute"
        " WHERE NOT attisdropped AND attrelid = (SELECT typrelid FROM pg_type WHERE oid =";
    const std::string changed = destination_.Value("SELECT " + attributes + " to_regtype('bemi." +
                                                   type.name + "'))) IS DISTINCT FROM " +
                                                   attributes + " to_regtype('bemi._compared')))");
    destination_.Query("ROLLBACK TO bemi_type; RELEASE bemi_type");
    return changed == "t";
}

// A type that has changed gets another name, and the functions that have it with it, until both are
// made anew; then it goes with them.
void Installer::SetAsideTypes() {
    for (const Type& type : Types()) {
        if (destination_.Value("SELECT to_regtype('bemi." + type.name + "')").empty() ||
            !HasChanged(type))
            continue;
        old_types_.push_back("_former_" + type.name);
        destination_.Query("ALTER TYPE bemi." + type.name + " RENAME TO " + old_types_.back());
    }
}

void Installer::Drop(const std::string& what) {
    try {
        destination_.Query("DROP " + what);
    } catch (const DatabaseError& error) {
        if (error.sqlstate != "2BP01")
            throw;
        throw Failure(Exit::kRefused,
                      "the functions of schema bemi in the destination are of another version, and "
                      "somebody's own depends on one that has changed: " +
                          error.detail,
                      "drop what depends on it, then bemi_ingest init, then make it again");
    }
}

// What CREATE OR REPLACE refuses to replace is dropped. The server names it in its hint, whatever
// language that is in; of a view it doesn't.
void Installer::Give(const DatabaseError& error) {
    static const std::regex kHint("DROP [A-Z]+ (bemi\\.(\\w+)\\(.*\\))");
    std::smatch match;
    const bool routine = error.sqlstate == "42P13" && std::regex_search(error.hint, match, kHint);
    if (!routine && (error.sqlstate != "42P16" || views_dropped_))
        throw error;
    // A view of ours may have what is to go in its query.
    if (!views_dropped_) {
        for (const std::string& view : Found("CREATE OR REPLACE VIEW bemi\\.(\\w+)")) {
            Drop("VIEW IF EXISTS bemi." + view);
            dropped_.insert(view);
        }
        views_dropped_ = true;
    }
    if (!routine)
        return;
    Drop("ROUTINE " + match[1].str());
    dropped_.insert(match[2]);
}

void Installer::RunUntilItFits() {
    for (;;) {
        destination_.Query("SAVEPOINT bemi_install");
        std::optional<DatabaseError> error;
        try {
            RunFiles(1, kSqlFileCount);
        } catch (const DatabaseError& refused) {
            if (refused.NoConnection())
                throw;
            error = refused;
        }
        destination_.Query(error ? "ROLLBACK TO bemi_install" : "RELEASE bemi_install");
        if (!error)
            return;
        Give(*error);
    }
}

// Those with arguments that this version has not, and those that it has no more.
void Installer::DropStale(const std::string& names) {
    const Texts signatures =
        Found("COMMENT ON (?:FUNCTION|PROCEDURE|AGGREGATE)\\s+(bemi\\.\\w+\\([^)]*\\))\\s+IS");
    const Result stale = destination_.Query(
        std::string("SELECT p.oid::regprocedure, p.proname") + kRoutines + names +
        ") AND p.oid <> ALL (ARRAY(SELECT to_regprocedure(s)::oid FROM unnest(" +
        Array(signatures) +
        ") s WHERE to_regprocedure(s) IS NOT NULL))"
        " ORDER BY p.prokind = 'f'");
    for (int i = 0; i < stale.rows(); ++i) {
        Drop("ROUTINE " + stale.Get(i, 0));
        dropped_.insert(stale.Get(i, 1));
    }
    for (const std::string& type : old_types_)
        Drop("TYPE bemi." + type);
}

void Installer::Stamp() {
    destination_.Query(
        "DROP FUNCTION IF EXISTS bemi._installed();"
        "CREATE FUNCTION bemi._installed(OUT version integer, OUT fingerprint text,"
        " OUT names text[]) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS " +
        destination_.Literal(
            "SELECT " + std::to_string(kSqlVersion) + ", '" + kSqlFingerprint + "', " +
            Array(Found("CREATE OR REPLACE (?:FUNCTION|PROCEDURE|AGGREGATE) bemi\\.(\\w+)"))) +
        "; COMMENT ON FUNCTION bemi._installed() IS"
        " 'internal: the version of what bemi_ingest init has made in this schema'");
}

void Installer::Install() {
    const std::string names = Names();
    const bool fresh =
        destination_.Value("SELECT count(*)" + std::string(kRoutines) + names + ")") == "0";
    if (fresh) {
        RunFiles(1, kSqlFileCount);
        return Stamp();
    }
    // Until the last of them is made, and the former ones are gone, bodies cannot be looked at.
    destination_.Query("SET LOCAL check_function_bodies = off");
    const std::string list = destination_.Value("SELECT (" + names + ")::text");
    const std::string known = destination_.Literal(list) + "::text[]";
    KeepGrants(known);
    SetAsideTypes();
    RunUntilItFits();
    DropStale(known);
    RestoreGrants();
    Stamp();
}

}  // namespace

SqlMismatch CompareSql(Connection& destination) {
    int version = 1;
    std::string fingerprint;
    if (!destination.Value("SELECT to_regprocedure('bemi._installed()')").empty()) {
        const Result row = destination.Query("SELECT version, fingerprint FROM bemi._installed()");
        version = std::atoi(row.Get(0, 0).c_str());
        fingerprint = row.Get(0, 1);
    }
    const std::string ours = "this bemi_ingest has version " + std::to_string(kSqlVersion);
    if (version > kSqlVersion)
        return {"they are of version " + std::to_string(version) + ", and " + ours,
                "install the bemi_ingest that has made them"};
    if (version < kSqlVersion)
        return {"they are of version " + std::to_string(version) + ", and " + ours,
                "bemi_ingest init"};
    if (fingerprint != kSqlFingerprint)
        return {"they are of another build of version " + std::to_string(version),
                "bemi_ingest init"};
    return {};
}

void DemandSql(Connection& destination) {
    const SqlMismatch mismatch = CompareSql(destination);
    if (!mismatch.found.empty())
        throw Failure(Exit::kRefused,
                      "the functions of schema bemi in the destination are not those of this "
                      "bemi_ingest: " +
                          mismatch.found,
                      mismatch.fix);
}

void InstallTables(Connection& destination, const Settings& settings) {
    Installer(destination, settings).RunFiles(0, 1);
}

void InstallFunctions(Connection& destination, const Settings& settings) {
    Installer(destination, settings).Install();
}

}  // namespace bemi::ingest

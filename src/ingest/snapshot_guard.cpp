// Which tables must not be read by a planned query, since the planner would run functions of their
// owners.
#include "snapshot_guard.hpp"

#include "errors.hpp"
#include "session.hpp"

namespace bemi::ingest {

namespace {

// A function that an index or a statistics object of the table has in an expression, and that
// belongs to a role whose code we are not to run; with that object.
std::string ForeignCode(const std::string& oid) {
    return "WITH used (class, object) AS ("
           "SELECT 'pg_class'::regclass, indexrelid FROM pg_index WHERE indrelid = " +
           oid +
           " AND (indexprs IS NOT NULL OR indpred IS NOT NULL) UNION ALL"
           " SELECT 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext WHERE stxrelid = " +
           oid +
           "), functions (class, object, id) AS (SELECT u.class, u.object, coalesce(o.oprcode::oid,"
           " d.refobjid) FROM used u JOIN pg_depend d ON d.classid = u.class AND d.objid = u.object"
           " AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass) LEFT JOIN"
           " pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid)"
           " SELECT format('%s uses function %s of role %s',"
           " pg_describe_object(f.class, f.object, 0), p.oid::regprocedure, r.rolname)"
           " FROM functions f JOIN pg_proc p ON p.oid = f.id JOIN pg_roles r ON r.oid = p.proowner"
           " WHERE NOT r.rolsuper AND r.rolname <> session_user LIMIT 1";
}

}  // namespace

// Against a new index or statistics object, where the table's owner is somebody else.
void PlanGuard::Lock(const std::string& oid, const std::string& name) {
    if (source_->Value("SELECT NOT (r.rolsuper OR r.rolname = session_user OR pg_is_in_recovery())"
                       " AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid,"
                       " 'DELETE') FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner"
                       " WHERE c.oid = " +
                       oid) == "t")
        source_->Query("LOCK TABLE ONLY " + name + " IN SHARE UPDATE EXCLUSIVE MODE");
}

void PlanGuard::Enter(const std::string& oid, const std::string& name) {
    if (!source_) {
        source_ = ConnectSource(settings_, Connection::Kind::kSql);
        source_->Query("SET search_path = ''");
    }
    source_->Query("BEGIN; SET LOCAL lock_timeout = '10s'");
    std::string foreign;
    try {
        Lock(oid, name);
        foreign = source_->Value(ForeignCode(oid));
    } catch (const DatabaseError& error) {
        Leave();
        throw Unreadable(std::string("source: ") + error.what());
    }
    if (foreign.empty())
        return;
    Leave();
    throw Unreadable("it has stored generated columns, and " + foreign +
                     ", which reading them would run; leave these columns out"
                     " (--option exclude_columns=…)");
}

void PlanGuard::Leave() {
    source_->Query("ROLLBACK");
}

}  // namespace bemi::ingest

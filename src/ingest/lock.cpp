// Advisory locks of the destination. Any role may hold one, so a holder is looked at before it is
// waited for.
#include "lock.hpp"

namespace bemi::ingest {

namespace {

std::string KeyOf(Connection& destination, const std::string& name) {
    return "pg_catalog.hashtextextended(" + destination.Literal(name) + ", 0)";
}

std::string SlotLockName(const std::string& slot) {
    return "bemi_ingest " + slot;
}

// Who has the lock: whether one of its holders may do what it guards, and words for that one. A
// transaction that is prepared holds locks without a session; it is known by its own transaction
// id. Times and addresses of others are shown to those only who may see them.
std::string HoldersSql(const std::string& key, const std::string& right) {
    return "SELECT bool_or(h.may) OVER (), h.words FROM ("
           "SELECT coalesce(x.role, a.usesysid) IS NULL OR EXISTS (SELECT FROM pg_roles r"
           " WHERE pg_has_role(coalesce(x.role, a.usesysid), r.oid, 'MEMBER') AND " +
           right +
           ") AS may, coalesce('prepared transaction ' || quote_literal(x.gid) || ' of role '"
           " || x.owner || ', since ' || date_trunc('second', x.prepared),"
           " 'pid ' || l.pid || concat(', role ' || a.usename,"
           " ', application_name ' || nullif(a.application_name, ''),"
           " ', from ' || host(a.client_addr),"
           " ', connected since ' || date_trunc('second', a.backend_start))) AS words"
           " FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
           " LEFT JOIN pg_locks t ON l.pid IS NULL AND t.pid IS NULL"
           " AND t.locktype = 'transactionid' AND t.virtualtransaction = l.virtualtransaction"
           " LEFT JOIN (SELECT p.*, r.oid AS role FROM pg_prepared_xacts p"
           " LEFT JOIN pg_roles r ON r.rolname = p.owner) x ON x.transaction = t.transactionid"
           " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database ="
           " (SELECT oid FROM pg_database WHERE datname = current_database())"
           " AND (l.classid::int8 << 32 | l.objid::int8) = " +
           key + ") h WHERE h.words IS NOT NULL ORDER BY h.may DESC LIMIT 1";
}

}  // namespace

LockAttempt TryLock(Connection& destination, const std::string& name, LockScope scope,
                    const std::string& right) {
    const std::string key = KeyOf(destination, name);
    const char* function =
        scope == LockScope::kSession ? "pg_try_advisory_lock" : "pg_try_advisory_xact_lock";
    if (destination.Value(std::string("SELECT pg_catalog.") + function + "(" + key + ")") == "t")
        return {LockAttempt::Result::kTaken, ""};
    const Result holder = destination.Query(HoldersSql(key, right));
    if (holder.rows() == 0)
        return {LockAttempt::Result::kHeld, "a connection that has just ended"};
    return {holder.Get(0, 0) == "t" ? LockAttempt::Result::kHeld : LockAttempt::Result::kPassedOver,
            holder.Get(0, 1)};
}

LockAttempt LockSlot(Connection& destination, const std::string& slot) {
    return TryLock(destination, SlotLockName(slot), LockScope::kSession,
                   "has_schema_privilege(r.oid, (SELECT oid FROM pg_namespace WHERE nspname ="
                   " 'bemi'), 'USAGE') AND has_table_privilege(r.oid, (SELECT c.oid FROM pg_class c"
                   " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'bemi'"
                   " AND c.relname = 'progress'), 'UPDATE')");
}

void UnlockSlot(Connection& destination, const std::string& slot) {
    destination.Query("SELECT pg_catalog.pg_advisory_unlock(" +
                      KeyOf(destination, SlotLockName(slot)) + ")");
}

}  // namespace bemi::ingest

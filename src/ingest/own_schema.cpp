// What own_schema.hpp says, asked of the catalogs in one statement: nothing of the schema is
// touched.
#include "own_schema.hpp"

#include "errors.hpp"

namespace bemi::ingest {

namespace {

// A row for each fault, the worst first: what, and what mends it.
constexpr char kFaults[] = R"(
SELECT f.message, f.fix FROM (
    WITH me AS (
        SELECT r.oid, r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
    ), own AS (
        SELECT n.oid, n.nspowner, n.nspacl FROM pg_catalog.pg_namespace n WHERE n.nspname = 'bemi'
    ), stranger AS (
        SELECT r.oid, pg_catalog.quote_ident(r.rolname) AS name
        FROM pg_catalog.pg_roles r, me
        WHERE NOT r.rolsuper AND r.oid <> me.oid
          AND (me.rolsuper OR NOT pg_catalog.pg_has_role(me.oid, r.oid, 'USAGE'))
    ), object AS (
        SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass AS catalog, p.oid, p.proowner AS owner
        FROM pg_catalog.pg_proc p, own WHERE p.pronamespace = own.oid
        UNION ALL
        SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, o.oprowner
        FROM pg_catalog.pg_operator o, own WHERE o.oprnamespace = own.oid
        UNION ALL
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relowner
        FROM pg_catalog.pg_class c, own
        WHERE c.relnamespace = own.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        UNION ALL
        SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typowner
        FROM pg_catalog.pg_type t, own
        WHERE t.typnamespace = own.oid AND t.typrelid = 0 AND t.typelem = 0
    )
    SELECT 1, pg_catalog.format('schema bemi belongs to role %s', s.name),
        pg_catalog.format('init as that role; or as a superuser: ALTER SCHEMA bemi OWNER TO %I;',
            current_user)
    FROM own JOIN stranger s ON s.oid = own.nspowner
    UNION ALL
    SELECT 2, pg_catalog.format('%s may create in schema bemi',
            coalesce('role ' || s.name, 'everybody')),
        pg_catalog.format('REVOKE CREATE ON SCHEMA bemi FROM %s;', coalesce(s.name, 'PUBLIC'))
    FROM own CROSS JOIN pg_catalog.aclexplode(own.nspacl) a LEFT JOIN stranger s ON s.oid = a.grantee
    WHERE a.privilege_type = 'CREATE' AND (s.oid IS NOT NULL OR a.grantee = 0)
    UNION ALL
    SELECT 3, pg_catalog.format('schema bemi has an object of role %s: %s', s.name,
            (pg_catalog.pg_identify_object(o.catalog, o.oid, 0)).identity),
        'drop it, or give it to the role that runs init: ALTER ... OWNER TO'
    FROM object o JOIN stranger s ON s.oid = o.owner
    UNION ALL
    SELECT 4, pg_catalog.format('role %I may not create in schema bemi', current_user),
        pg_catalog.format('as a superuser: GRANT CREATE ON SCHEMA bemi TO %1$I;'
            ' and after init: REVOKE CREATE ON SCHEMA bemi FROM %1$I;', current_user)
    FROM own WHERE NOT pg_catalog.has_schema_privilege(own.oid, 'CREATE')
) AS f (rank, message, fix)
ORDER BY f.rank, f.message LIMIT 1)";

}  // namespace

void RequireOwnSchema(Connection& destination) {
    Result faults = destination.Query(kFaults);
    if (faults.rows() != 0)
        throw Failure(Exit::kRefused, "destination: " + std::string(faults.Get(0, 0)),
                      faults.Get(0, 1));
}

}  // namespace bemi::ingest

-- The row of bemi.check about the schema bemi, which superusers call functions of: who else can put
-- something there, and what somebody else has put there.

-- What is in the schema and neither the extension's nor a superuser's. A routine with the name of one
-- of the extension's is a look-alike: a call that leaves the types of its arguments open may reach it.
CREATE FUNCTION bemi._foreign_objects()
RETURNS TABLE (identity text, owner name, is_look_alike boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH object (classid, objid, owner, name) AS (
        SELECT 'pg_proc'::regclass, oid, proowner, proname FROM pg_proc WHERE pronamespace = 'bemi'::regnamespace
        UNION ALL
        SELECT 'pg_operator'::regclass, oid, oprowner, NULL FROM pg_operator WHERE oprnamespace = 'bemi'::regnamespace
        UNION ALL
        SELECT 'pg_class'::regclass, oid, relowner, NULL FROM pg_class
        WHERE relnamespace = 'bemi'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
        UNION ALL
        SELECT 'pg_type'::regclass, oid, typowner, NULL FROM pg_type
        WHERE typnamespace = 'bemi'::regnamespace AND typrelid = 0 AND typelem = 0
    ), own AS (
        SELECT p.oid, p.proname FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
        WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
          AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'bemi_decoder')
    )
    SELECT (pg_identify_object(o.classid, o.objid, 0)).identity, r.rolname,
        coalesce(o.name IN (SELECT proname FROM own), false)
    FROM object o JOIN pg_roles r ON r.oid = o.owner
    WHERE NOT EXISTS (SELECT FROM own WHERE own.oid = o.objid AND o.classid = 'pg_proc'::regclass)
      AND (NOT r.rolsuper OR o.name IN (SELECT proname FROM own))
$$;
COMMENT ON FUNCTION bemi._foreign_objects() IS
'internal: what others than superusers have in the schema bemi';

CREATE FUNCTION bemi._check_schema()
RETURNS TABLE (name text, ok boolean, found text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH creator (who, fix) AS (
        SELECT format('role "%s" may create in it', r.rolname),
            CASE WHEN r.oid = n.nspowner THEN format('ALTER SCHEMA bemi OWNER TO %I;', (SELECT rolname FROM pg_roles WHERE oid = 10))
                ELSE format('REVOKE CREATE ON SCHEMA bemi FROM %I CASCADE;', r.rolname) END
        FROM pg_namespace n
        CROSS JOIN LATERAL (
            SELECT n.nspowner UNION SELECT a.grantee FROM aclexplode(n.nspacl) a WHERE a.privilege_type = 'CREATE'
        ) AS g (role)
        JOIN pg_roles r ON r.oid = g.role
        WHERE n.nspname = 'bemi' AND NOT r.rolsuper
        UNION ALL
        SELECT 'everybody may create in it', 'REVOKE CREATE ON SCHEMA bemi FROM PUBLIC;'
        FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) a
        WHERE n.nspname = 'bemi' AND a.grantee = 0 AND a.privilege_type = 'CREATE'
    ), look_alike (who, fix) AS (
        SELECT format('%s looks like a routine of the extension', identity), format('DROP ROUTINE %s;', identity)
        FROM bemi._foreign_objects() WHERE is_look_alike
    ), other (who, fix) AS (
        SELECT format('objects of role "%s": %s', owner, count(*)),
            format('-- whoever calls functions of role "%s" runs its code with his own rights: not as a superuser, then', owner)
        FROM bemi._foreign_objects() WHERE NOT is_look_alike GROUP BY owner
    ), everything (ok, who, fix) AS (
        SELECT false, * FROM creator UNION ALL SELECT false, * FROM look_alike UNION ALL SELECT NULL, * FROM other
    )
    SELECT 'schema_bemi',
        CASE WHEN count(*) = 0 THEN true WHEN bool_or(e.ok IS NOT NULL) THEN false END,
        CASE WHEN count(*) = 0 THEN 'superusers alone own it and create in it'
            ELSE array_to_string((array_agg(e.who ORDER BY e.ok IS NULL, e.who COLLATE "C"))[1:10], ', ') END,
        bemi._on_primary(array_to_string((array_agg(e.fix ORDER BY e.ok IS NULL, e.who COLLATE "C"))[1:10], E'\n'))
    FROM everything e
$$;
COMMENT ON FUNCTION bemi._check_schema() IS
'internal: the row of bemi.check about who else can create in the schema bemi, or has';

-- What bemi_ingest knows about a destination, beside the changes themselves. @schema@ is the schema
-- of the table `changes`, quoted. All of it may run again and again.

-- Functions and triggers run with the rights of whoever calls or writes, so this schema must have none of
-- somebody else's: neither its owner, nor who may create in it, nor what is in it. Superusers are
-- trusted, the role that is here is, and roles whose rights it has. (A superuser has those of all,
-- which says nothing of them.)
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        WITH schema AS (
            SELECT n.oid, n.nspowner, n.nspacl FROM pg_catalog.pg_namespace n WHERE n.nspname = 'bemi'
        ), stranger AS (
            SELECT r.oid, pg_catalog.quote_ident(r.rolname) AS name FROM pg_catalog.pg_roles r
            WHERE NOT r.rolsuper AND r.rolname <> current_user
              AND ((SELECT s.rolsuper FROM pg_catalog.pg_roles s WHERE s.rolname = current_user)
                   OR NOT pg_catalog.pg_has_role(current_user, r.oid, 'USAGE'))
        ), object AS (
            SELECT p.proowner AS owner, p.oid::pg_catalog.regprocedure::text AS name FROM pg_catalog.pg_proc p, schema
            WHERE p.pronamespace = schema.oid
            UNION ALL
            SELECT o.oprowner, o.oid::pg_catalog.regoperator::text FROM pg_catalog.pg_operator o, schema
            WHERE o.oprnamespace = schema.oid
            UNION ALL
            SELECT c.relowner, c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c, schema
            WHERE c.relnamespace = schema.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            UNION ALL
            SELECT t.typowner, t.oid::pg_catalog.regtype::text FROM pg_catalog.pg_type t, schema
            WHERE t.typnamespace = schema.oid AND t.typrelid = 0 AND t.typelem = 0
        )
        SELECT 1 AS rank, pg_catalog.format('schema "bemi" belongs to role %s', s.name) AS message,
            pg_catalog.format('Run init as that role; or as a superuser: ALTER SCHEMA bemi OWNER TO %I;', current_user) AS hint
        FROM schema JOIN stranger s ON s.oid = schema.nspowner
        UNION ALL
        SELECT 2, pg_catalog.format('%s may create in schema "bemi"', coalesce('role ' || s.name, 'everybody')),
            pg_catalog.format('REVOKE CREATE ON SCHEMA bemi FROM %s;', coalesce(s.name, 'PUBLIC'))
        FROM schema CROSS JOIN pg_catalog.aclexplode(schema.nspacl) a LEFT JOIN stranger s ON s.oid = a.grantee
        WHERE a.privilege_type = 'CREATE' AND (s.oid IS NOT NULL OR a.grantee = 0)
        UNION ALL
        SELECT 3, pg_catalog.format('schema "bemi" has an object of role %s: %s', s.name, o.name),
            'Drop it, or give it to the role that runs init (ALTER ... OWNER TO).'
        FROM object o JOIN stranger s ON s.oid = o.owner
        UNION ALL
        SELECT 4, pg_catalog.format('role "%s" may not create in schema "bemi"', current_user),
            pg_catalog.format('As a superuser: GRANT CREATE ON SCHEMA bemi TO %1$I; and after init: '
                'REVOKE CREATE ON SCHEMA bemi FROM %1$I;', current_user)
        FROM schema WHERE NOT pg_catalog.has_schema_privilege(schema.oid, 'CREATE')
        ORDER BY rank, message LIMIT 1
    LOOP
        RAISE insufficient_privilege USING
            MESSAGE = found.message,
            DETAIL = CASE WHEN found.rank < 4 THEN 'Its functions and triggers would run with the rights of whoever calls bemi''s functions or stores changes.' END,
            HINT = found.hint;
    END LOOP;
END $$;

CREATE SCHEMA IF NOT EXISTS bemi;

-- One row per slot: how far its records are stored. It moves in the transaction that stores them,
-- and only from the position that the writer believes it to be at.
CREATE TABLE IF NOT EXISTS bemi.progress (
    slot              text PRIMARY KEY,
    system_identifier numeric(20) NOT NULL,
    timeline          bigint NOT NULL,
    -- how often a timeline was left whose changes had been stored already; part of change_id()
    fork              integer NOT NULL DEFAULT 0,
    database          text NOT NULL,
    changes           text NOT NULL,
    start_position    pg_lsn NOT NULL,
    started_at        timestamptz NOT NULL DEFAULT now(),
    position          pg_lsn NOT NULL,
    -- the end of the last transaction that had rows; what follows it up to position had none
    stored_position   pg_lsn NOT NULL,
    committed_at      timestamptz,
    transaction_id    bigint,
    rows              bigint NOT NULL DEFAULT 0,
    -- rows a second, averaged over about a minute up to updated_at
    rate              double precision NOT NULL DEFAULT 0,
    updated_at        timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 20);

-- The progress of slots that `drop` has removed: where one is made again, what it missed is a gap.
CREATE TABLE IF NOT EXISTS bemi.dropped (LIKE bemi.progress INCLUDING DEFAULTS, PRIMARY KEY (slot));

-- Stretches of the source's history that `changes` does not have, or that it has and the source
-- has not, accepted by somebody.
CREATE TABLE IF NOT EXISTS bemi.gaps (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slot              text NOT NULL,
    system_identifier numeric(20) NOT NULL,
    database          text NOT NULL,
    reason            text NOT NULL CHECK (reason IN ('ahead', 'lost', 'timeline', 'behind', 'system')),
    from_position     pg_lsn NOT NULL,
    to_position       pg_lsn NOT NULL,
    from_time         timestamptz,
    to_time           timestamptz,
    explanation       text NOT NULL,
    accepted_at       timestamptz NOT NULL DEFAULT now()
);

-- Tables whose present rows were stored, and as of which position.
CREATE TABLE IF NOT EXISTS bemi.snapshots (
    system_identifier numeric(20) NOT NULL,
    database          text NOT NULL,
    schema            text NOT NULL,
    "table"           text NOT NULL,
    partition         text NOT NULL DEFAULT '',
    position          pg_lsn NOT NULL,
    taken_at          timestamptz NOT NULL,
    rows              bigint NOT NULL,
    PRIMARY KEY (system_identifier, database, schema, "table", partition, position)
);

-- How the table `changes` of a schema is kept.
CREATE TABLE IF NOT EXISTS bemi.target (
    schema       text PRIMARY KEY,
    partition_by text CHECK (partition_by IN ('day', 'month')),
    retain       interval,
    -- before this moment only SNAPSHOT rows tell of the past
    horizon      timestamptz
);

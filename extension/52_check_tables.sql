-- The rows of bemi.check about this database's tables and about the schema bemi.

-- A fix that a standby cannot do itself.
CREATE FUNCTION bemi._on_primary(fix text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN pg_is_in_recovery() THEN E'-- on the primary:\n' || fix ELSE fix END
$$;
COMMENT ON FUNCTION bemi._on_primary(text) IS
'internal: says of a fix that it is for the primary, where this is a standby';

CREATE FUNCTION bemi._check_tables()
RETURNS TABLE (name text, ok boolean, found text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH untracked AS MATERIALIZED (
        SELECT u.*, format('%I.%I', u.schema, u."table") AS relation,
            reason LIKE 'with it, %' AS left_alone
        FROM bemi.untracked u
    ), to_track AS (
        SELECT array_agg(DISTINCT format('CALL bemi.track_all(%L::name);', schema) COLLATE "C") AS calls
        FROM untracked WHERE lacks = 'replica identity full' AND NOT left_alone
    )
    SELECT 'tables_identity', count(*) = 0,
        bemi._listed(array_agg(relation ORDER BY relation COLLATE "C")),
        bemi._on_primary(concat_ws(E'\n',
            (SELECT CASE WHEN cardinality(calls) > 5 THEN 'CALL bemi.track_all();' ELSE array_to_string(calls, E'\n') END FROM to_track),
            array_to_string((array_agg(u.fix ORDER BY relation COLLATE "C") FILTER (WHERE left_alone))[1:5], E'\n')))
    FROM untracked u WHERE lacks = 'replica identity full'
UNION ALL
    SELECT 'tables_key', count(*) = 0,
        bemi._listed(array_agg(relation ORDER BY relation COLLATE "C")),
        bemi._on_primary(array_to_string((array_agg(DISTINCT u.fix COLLATE "C"))[1:5], E'\n'))
    FROM untracked u WHERE lacks = 'key'
UNION ALL
    SELECT 'unlogged_tables', count(*) = 0,
        bemi._listed(array_agg(t.name ORDER BY t.name)),
        bemi._on_primary(array_to_string((array_agg(
            format('ALTER TABLE %1$s SET LOGGED; SELECT bemi.track(%1$L::regclass);', t.name) ORDER BY t.name))[1:5], E'\n'))
    FROM (
        SELECT format('%I.%I', n.nspname, c.relname) COLLATE "C"
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND n.nspname <> 'bemi'
    ) AS t (name)
$$;
COMMENT ON FUNCTION bemi._check_tables() IS
'internal: the rows of bemi.check about this database''s tables';

-- Tables with replica identity full whose UPDATE and DELETE the server refuses, now or, before 18, once
-- it is upgraded. The first fix is the quick one: the application works again, and "before" is poorer.
CREATE FUNCTION bemi._check_publications()
RETURNS TABLE (name text, ok boolean, found text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH tracked AS MATERIALIZED (
        SELECT array(SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relreplident = 'f') AS tables
    )
    SELECT 'publications', count(*) = 0,
        bemi._listed(array_agg(format('%s (%s)', f.relation, f.reason) ORDER BY f.relation::text COLLATE "C", f.reason)),
        bemi._on_primary(array_to_string((array_agg(
            format(E'SELECT bemi.untrack(%L::regclass); -- its UPDATE and DELETE fail; or:\n%s', f.relation, f.fix)
            ORDER BY f.relation::text COLLATE "C", f.reason))[1:5], E'\n'))
    FROM tracked t CROSS JOIN LATERAL bemi._full_faults(t.tables, false) f
UNION ALL
    SELECT 'publications_from_18', CASE WHEN count(*) = 0 THEN true END,
        CASE WHEN current_setting('server_version_num')::int >= 180000 THEN 'this server is one' ELSE
        bemi._listed(array_agg(DISTINCT f.relation::text COLLATE "C")) END,
        bemi._on_primary(E'-- with PostgreSQL 18 and later, UPDATE and DELETE of these fail: just before an upgrade\n'
            || array_to_string((array_agg(DISTINCT format('SELECT bemi.untrack(%L::regclass);', f.relation) COLLATE "C"))[1:5], E'\n')
            || E'\n-- and after it\n' || array_to_string((array_agg(DISTINCT f.fix COLLATE "C"))[1:5], E'\n'))
    FROM tracked t CROSS JOIN LATERAL bemi._full_faults(t.tables, true) f
    WHERE f.reason NOT IN (SELECT n.reason FROM bemi._full_faults(ARRAY[f.relation], false) n)
UNION ALL
    SELECT 'repack_concurrently',
        CASE WHEN cardinality(tables) = 0 OR current_setting('server_version_num')::int < 190000 THEN true END,
        CASE WHEN current_setting('server_version_num')::int < 190000 THEN 'this server has no such command'
            ELSE format('refuses %s tables with replica identity full', cardinality(tables)) END,
        'REPACK without CONCURRENTLY takes them, and locks them; or between bemi.untrack and bemi.track, with a poorer "before" meanwhile'
    FROM tracked
$$;
COMMENT ON FUNCTION bemi._check_publications() IS
'internal: the rows of bemi.check about tables whose UPDATE and DELETE fail under replica identity full';

-- bemi_ingest snapshot and verify lock all tables at once.
CREATE FUNCTION bemi._check_locks()
RETURNS TABLE (name text, ok boolean, found text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'lock_table', count(*) < room,
        format('%s tables, room for %s locks', count(*), room),
        format('ALTER SYSTEM SET max_locks_per_transaction = %s; -- then restart the server (standbys first): bemi_ingest '
               'snapshot and verify lock all tables at once', ceil(2.0 * count(*) / slots))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
        SELECT current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int
    ) AS s (slots)
    CROSS JOIN LATERAL (SELECT slots * current_setting('max_locks_per_transaction')::int) AS r (room)
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'bemi')
    GROUP BY slots, room
UNION ALL
    SELECT 'lock_table', true, 'no tables', NULL
    WHERE NOT EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
          AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'bemi'))
$$;
COMMENT ON FUNCTION bemi._check_locks() IS
'internal: the row of bemi.check about the room for locks';

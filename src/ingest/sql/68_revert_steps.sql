-- revert: the work done in the database itself.

-- The columns in which a row is not as it should be, for a message; null where there are none.
CREATE OR REPLACE FUNCTION bemi._differing(actual jsonb, expected jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT string_agg(quote_ident(key), ', ' ORDER BY key) FROM jsonb_each(actual)
    WHERE value::text IS DISTINCT FROM (expected->key)::text);
END $$;
COMMENT ON FUNCTION bemi._differing(jsonb, jsonb) IS
    'columns in which a row differs from what it should be';

-- A step as one statement that gives [[number of the part, rows, columns in which a row differs from
-- what it should have become], …].
CREATE OR REPLACE FUNCTION bemi._running_sql(parts jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT format(E'WITH %s SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array('
        'r.part, r.rows, r.differing)), ''[]'') FROM (SELECT c.part, pg_catalog.count(*) AS rows, '
        'pg_catalog.min(c.differing) AS differing FROM (%s) AS c GROUP BY c.part) AS r',
        string_agg(format('c%s AS (%s RETURNING %s AS part, %s AS differing)', n,
            bemi._part_sql(p), n, CASE WHEN p->'becomes' = 'null' THEN 'NULL::pg_catalog.text' ELSE format(
                'bemi._differing(pg_catalog.to_jsonb(t.*), pg_catalog.to_jsonb('
                'pg_catalog.jsonb_populate_record(t.*, %L)))', p->'becomes') END), ', ' ORDER BY n),
        string_agg(format('SELECT c%1$s.part, c%1$s.differing FROM c%1$s', n),
            ' UNION ALL ' ORDER BY n))
    FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n));
END $$;
COMMENT ON FUNCTION bemi._running_sql(jsonb) IS
    'a step as one statement that tells what it wrote';

-- Runs a step: number of the part → why it is not done. Triggers run under the caller's search_path.
CREATE OR REPLACE FUNCTION bemi._run(parts jsonb, caller_path text)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sql text := bemi._running_sql(parts);
    results jsonb;
BEGIN
    PERFORM set_config('search_path', caller_path, true);
    EXECUTE sql INTO results;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    RETURN (SELECT coalesce(jsonb_object_agg(n, CASE
            WHEN r->>2 IS NOT NULL THEN format('a trigger has changed the row: %s', r->>2)
            WHEN p->>'kind' = 'insert' THEN 'a trigger or a policy has kept the row out'
            ELSE 'the row is not as the change left it' END), '{}')
        FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n)
        LEFT JOIN jsonb_array_elements(results) r ON (r->>0)::integer = n
        WHERE r->>2 IS NOT NULL OR coalesce((r->>1)::bigint, 0) <> (p->>'rows')::bigint);
END $$;
COMMENT ON FUNCTION bemi._run(jsonb, text) IS
    'does the parts of a step in one statement; gives what did not fit';

-- Rows that this transaction has written, by table. What was rolled back is counted too.
CREATE OR REPLACE FUNCTION bemi._rows_written()
RETURNS jsonb LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(format('%I.%I', schemaname, relname),
        n_tup_ins + n_tup_upd + n_tup_del), '{}')
    FROM pg_stat_xact_user_tables WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
$$;
COMMENT ON FUNCTION bemi._rows_written() IS
    'rows that this transaction has written, by table';

-- What was written since, beyond so many rows; null where that is nothing.
CREATE OR REPLACE FUNCTION bemi._written_besides(before jsonb, rows bigint)
RETURNS text LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT format('triggers or foreign keys write %s other rows (written were %s)',
        sum(n) - rows, string_agg(format('%s of %s', n, name), ', ' ORDER BY name))
    FROM (SELECT key, value::bigint - coalesce((before->>key)::bigint, 0)
        FROM jsonb_each_text(bemi._rows_written())) w (name, n)
    WHERE n > 0 HAVING sum(n) <> rows);
END $$;
COMMENT ON FUNCTION bemi._written_besides(jsonb, bigint) IS
    'what was written beyond so many rows, for a message';

-- Deferrable constraints of all tables. Their triggers run under the caller's search_path.
CREATE OR REPLACE FUNCTION bemi._set_constraints(mode text, caller_path text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', caller_path, true);
    EXECUTE 'SET CONSTRAINTS ALL ' || mode;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
END $$;
COMMENT ON FUNCTION bemi._set_constraints(text, text) IS
    'SET CONSTRAINTS ALL, under the search_path of the caller';

-- Errors that say nothing of a row: they end everything.
CREATE OR REPLACE FUNCTION bemi._is_fatal(state text)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT "left"(state, 2) IN ('40', '53', '57', '58', 'XX') OR state = '55P03');
END $$;
COMMENT ON FUNCTION bemi._is_fatal(text) IS
    'whether an error says nothing of a row, and ends everything';

-- Parts that write one row each, where a part is of several changes.
CREATE OR REPLACE FUNCTION bemi._singly(parts jsonb)
RETURNS SETOF jsonb LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN jsonb_array_length(p->'ids') = 1 THEN p
        ELSE p || jsonb_build_object('ids', jsonb_build_array(id), 'rows', 1, 'images',
            jsonb_build_array(p->'images'->(i::integer - 1)), 'becomes',
            CASE WHEN p->>'kind' <> 'delete' THEN p->'images'->(i::integer - 1) END) END
    FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n),
        jsonb_array_elements(p->'ids') WITH ORDINALITY y (id, i)
    ORDER BY n, i
$$;
COMMENT ON FUNCTION bemi._singly(jsonb) IS
    'parts that write one row each';

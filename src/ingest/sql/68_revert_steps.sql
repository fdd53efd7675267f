-- revert: the work done in the database itself.

DROP FUNCTION IF EXISTS bemi._differing(jsonb, jsonb), bemi._run(jsonb, text);

-- Parts that are one statement, as one that gives [[number of the part, rows, columns in which a row differs from
-- what it should have become], …].
CREATE OR REPLACE FUNCTION bemi._running_sql(parts jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT format(E'WITH %s SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array('
        'r.part, r.rows, r.differing)), ''[]'') FROM (SELECT a.part, pg_catalog.count(*) AS rows, '
        'pg_catalog.max(a.differing) AS differing FROM (%s) AS a GROUP BY a.part) AS r',
        string_agg(bemi._with_sql(p, n), E',\n' ORDER BY n),
        string_agg(format('SELECT r.part, r.differing FROM r%s AS r', n), ' UNION ALL ' ORDER BY n))
    FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n));
END $$;
COMMENT ON FUNCTION bemi._running_sql(jsonb) IS
    'parts that are one statement, as one that tells what it wrote';

-- Rows of a part one after the other. It fails at the first that does not fit (BM001), or, where `each`, takes that one back,
-- goes on, and leaves in the setting bemi_revert.unfit why those were that did not: number of the row → reason.
CREATE OR REPLACE FUNCTION bemi._running_apart_sql(part jsonb, each boolean, side_effects boolean)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    write text := bemi._write_sql(part, 'i.image OPERATOR(pg_catalog.->) ''was''', 'i.image OPERATOR(pg_catalog.->) ''becomes''');
    rows text := format('FOR i IN SELECT j.image, j.number FROM pg_catalog.jsonb_array_elements(%L) WITH ORDINALITY AS j (image, number)',
        part->'rows');
BEGIN
    IF NOT each THEN
        RETURN bemi._do(format(E'DECLARE i record; differing pg_catalog.text; BEGIN\n%s LOOP\n%s INTO differing;\n'
            'IF NOT FOUND OR differing OPERATOR(pg_catalog.<>) '''' THEN RAISE EXCEPTION USING ERRCODE = ''BM001''; END IF;'
            '\nEND LOOP;\nEND', rows, write));
    END IF;
    RETURN bemi._do(format(E'DECLARE i record; differing pg_catalog.text; reason pg_catalog.text; before pg_catalog.jsonb;\n'
        '  unfit pg_catalog.jsonb := ''{}'';\nBEGIN\n%1$s LOOP\nBEGIN\n'
        'before := %2$s;\n%3$s INTO differing;\nreason := bemi._unfit(%4$L, FOUND::pg_catalog.int4, 1, differing);\n'
        'IF reason IS NULL AND %5$s THEN reason := bemi._written_besides(before, 1); END IF;\n'
        'IF reason IS NOT NULL THEN RAISE EXCEPTION USING ERRCODE = ''BM001'', MESSAGE = reason; END IF;\n'
        'EXCEPTION WHEN OTHERS THEN\nIF bemi._is_fatal(SQLSTATE) THEN RAISE; END IF;\n'
        'GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;\n'
        'unfit := pg_catalog.jsonb_set(unfit, ARRAY[i.number::pg_catalog.text], pg_catalog.to_jsonb(bemi._error_text(SQLERRM, reason)));'
        '\nEND;\nEND LOOP;\nPERFORM pg_catalog.set_config(''bemi_revert.unfit'', unfit::pg_catalog.text, true);\nEND',
        rows, CASE WHEN side_effects THEN 'NULL' ELSE 'bemi._rows_written()' END, write, part->>'kind', (NOT side_effects)::text));
END $$;
COMMENT ON FUNCTION bemi._running_apart_sql(jsonb, boolean, boolean) IS
    'rows of a part one after the other, all or as far as they fit';

-- Why what was written for a part is not what should have been; null where it is.
CREATE OR REPLACE FUNCTION bemi._unfit(kind text, rows bigint, expected bigint, differing text)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN differing = '?' THEN 'a trigger has changed a row'
        WHEN differing <> '' THEN format('a trigger has changed the row: %1$s'
            ' (except_columns => ''{%1$s}'' leaves that to it)', differing)
        WHEN rows IS NOT DISTINCT FROM expected THEN NULL
        WHEN kind = 'insert' THEN 'a trigger or a policy has kept the row out'
        ELSE 'the row is not as the change left it' END;
END $$;
COMMENT ON FUNCTION bemi._unfit(text, bigint, bigint, text) IS
    'why what was written for a part is not what should have been';

CREATE OR REPLACE FUNCTION bemi._error_text(message text, detail text)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN concat_ws(': ', message, nullif(detail, ''));
END $$;
COMMENT ON FUNCTION bemi._error_text(text, text) IS 'an error as the reason of a conflict';

-- Runs SQL that gives a json value, or none, under the caller's search_path, which triggers see too.
CREATE OR REPLACE FUNCTION bemi._execute(sql text, caller_path text, gives boolean)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result jsonb;
BEGIN
    PERFORM set_config('search_path', caller_path, true);
    IF gives THEN
        EXECUTE sql INTO result;
    ELSE
        EXECUTE sql;
    END IF;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    RETURN result;
END $$;
COMMENT ON FUNCTION bemi._execute(text, text, boolean) IS
    'runs SQL under the search_path of the caller';

-- Runs parts that are one statement: number of the part → why it is not done.
CREATE OR REPLACE FUNCTION bemi._run(parts jsonb, caller_path text)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    results jsonb := bemi._execute(bemi._running_sql(parts), caller_path, true);
BEGIN
    RETURN (SELECT coalesce(jsonb_object_agg(n, reason), '{}')
        FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n)
        LEFT JOIN jsonb_array_elements(results) r ON (r->>0)::integer = n,
            bemi._unfit(p->>'kind', coalesce((r->>1)::bigint, 0), (p->>'count')::bigint, r->>2) reason
        WHERE reason IS NOT NULL);
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

-- Errors that say nothing of a row: they end everything. (XX000 is what output functions of some types raise.)
CREATE OR REPLACE FUNCTION bemi._is_fatal(state text)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT "left"(state, 2) IN ('40', '53', '57', '58') OR state IN ('55P03', 'XX001', 'XX002'));
END $$;
COMMENT ON FUNCTION bemi._is_fatal(text) IS
    'whether an error says nothing of a row, and ends everything';

-- Parts that write one row each, where a part is of several changes.
CREATE OR REPLACE FUNCTION bemi._singly(parts jsonb)
RETURNS SETOF jsonb LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN jsonb_array_length(p->'ids') = 1 THEN p
        ELSE p || jsonb_build_object('ids', jsonb_build_array(id), 'count', 1, 'rows',
            jsonb_build_array(p->'rows'->(i::integer - 1))) END
    FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n),
        jsonb_array_elements(p->'ids') WITH ORDINALITY y (id, i)
    ORDER BY n, i
$$;
COMMENT ON FUNCTION bemi._singly(jsonb) IS
    'parts that write one row each';

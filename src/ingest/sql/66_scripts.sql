-- Reversion. The work as a script: one transaction, for psql on the database that has the tables.

-- A DO block around statements, under a tag that they don't hold.
CREATE OR REPLACE FUNCTION bemi._do(body text)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT format(E'DO $%1$s$ %2$s $%1$s$;', (SELECT 'bemi' || n FROM
        (SELECT '' UNION ALL SELECT i::text FROM generate_series(1, 1000000) i) t (n)
        WHERE position('$bemi' || n || '$' IN body) = 0 LIMIT 1), body));
END $$;
COMMENT ON FUNCTION bemi._do(text) IS 'a DO block around statements';

CREATE OR REPLACE FUNCTION bemi._raise(message text)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT format('RAISE EXCEPTION USING MESSAGE = %L;', message));
END $$;
COMMENT ON FUNCTION bemi._raise(text) IS
    'a statement that fails with a message';

-- One step as a statement, with a comment above it. A statement that doesn't write as many rows as it
-- should is an error, and with it the transaction.
CREATE OR REPLACE FUNCTION bemi._step_sql(parts jsonb, forward boolean)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    count integer := jsonb_array_length(parts);
    comment text := (SELECT string_agg(format(E'-- %s\n', p->>'label'), '' ORDER BY n)
        FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n));
    rows bigint := (SELECT sum((p->>'rows')::bigint) FROM jsonb_array_elements(parts) p);
    refusal text;
    body text;
BEGIN
    IF count = 1 AND parts#>>'{0,kind}' IN ('insert', 'clear') THEN
        RETURN comment || bemi._part_sql(parts->0) || ';';
    END IF;
    refusal := bemi._raise(parts#>>'{0,label}' || CASE WHEN rows = 1 THEN ': its row is not as '
        ELSE ' and others: not every row is as ' END
        || CASE WHEN forward THEN 'it was before' ELSE 'it was left' END);
    IF count = 1 AND rows = 1 THEN
        RETURN comment || bemi._do(format(E'BEGIN\n%s;\nIF NOT FOUND THEN %s END IF;\nEND',
            bemi._part_sql(parts->0), refusal));
    END IF;
    SELECT format(E'WITH %s\nSELECT pg_catalog.count(*) INTO written FROM (%s) AS c;',
        string_agg(format(E'c%s AS (%s\n  RETURNING 1)', n, bemi._part_sql(p)), E',\n' ORDER BY n),
        string_agg(format('SELECT 1 FROM c%s', n), ' UNION ALL ' ORDER BY n))
    INTO body FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n);
    RETURN comment || bemi._do(format(
        E'DECLARE written pg_catalog.int8; BEGIN\n%s\nIF written OPERATOR(pg_catalog.<>) %s THEN %s END IF;\nEND',
        body, rows, refusal));
END $$;
COMMENT ON FUNCTION bemi._step_sql(jsonb, boolean) IS 'the parts of one step as a statement';

-- How many rows this transaction has written, in SQL: what a trigger or a cascade wrote as well.
CREATE OR REPLACE FUNCTION bemi._rows_written_sql()
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT '(SELECT pg_catalog.sum(n_tup_ins OPERATOR(pg_catalog.+) n_tup_upd OPERATOR(pg_catalog.+) n_tup_del) FROM pg_catalog.pg_stat_xact_user_tables)'
$$;
COMMENT ON FUNCTION bemi._rows_written_sql() IS
    'how many rows this transaction has written, in SQL';

-- What both directions begin with. The settings are those under which images read back exactly: names
-- in them are as pg_catalog alone gives them. The rest of search_path is left to triggers.
CREATE OR REPLACE FUNCTION bemi._script_head()
RETURNS SETOF text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    VALUES ('BEGIN;'),
        (format('SET LOCAL client_encoding = %L; SET LOCAL extra_float_digits = 1; SET LOCAL lc_monetary = ''C'';'
            ' SET LOCAL intervalstyle = ''postgres''; SET LOCAL xmloption = ''content'';',
            current_setting('client_encoding'))),
        ('SELECT pg_catalog.set_config(''search_path'', pg_catalog.concat_ws('', '', ''pg_catalog'','
            ' nullif(pg_catalog.current_setting(''search_path''), '''')), true);')
$$;
COMMENT ON FUNCTION bemi._script_head() IS
    'the statements that a script begins with';

CREATE OR REPLACE FUNCTION bemi._message_sql(context jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT format('SELECT pg_catalog.pg_logical_emit_message(true, ''_bemi'', %L);', context));
END $$;
COMMENT ON FUNCTION bemi._message_sql(jsonb) IS
    'a statement that says the context of what follows';

-- What a selection is, in the context of what reverts it. (Ids are left out: each change says which
-- transaction it reverts.)
CREATE OR REPLACE FUNCTION bemi._selected_by(context jsonb, table_name text, since timestamptz,
    until timestamptz)
RETURNS jsonb LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object('table', table_name, 'since', since, 'until', until))
        || CASE WHEN context IS NULL THEN '{}' ELSE jsonb_build_object('context', context) END
$$;
COMMENT ON FUNCTION bemi._selected_by(jsonb, text, timestamptz, timestamptz) IS
    'what a selection is, for a context';

-- The context of a step that reverts changes of a transaction. A step of several is numbered, so that
-- they can be known as such when they are to be reverted.
CREATE OR REPLACE FUNCTION bemi._reverting(selected_by jsonb, transaction_id bigint, items jsonb[],
    step integer)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT jsonb_build_object('reverts', selected_by
        || jsonb_build_object('transaction_id', transaction_id)
        || CASE WHEN cardinality(items) > 1 THEN jsonb_build_object('step', step) ELSE '{}' END));
END $$;
COMMENT ON FUNCTION bemi._reverting(jsonb, bigint, jsonb[], integer) IS
    'context of a step that reverts changes of a transaction';

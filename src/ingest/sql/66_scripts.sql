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

DROP FUNCTION IF EXISTS bemi._step_sql(jsonb, boolean), bemi._reverting(jsonb, bigint, jsonb[], integer),
    bemi._step_statements(text, boolean, text[], jsonb, jsonb);

-- What fails unless a row was written, and is as it should be. `label`: an expression.
CREATE OR REPLACE FUNCTION bemi._refusals(label text, forward boolean)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN format(E'IF NOT FOUND THEN\n  RAISE EXCEPTION USING MESSAGE = pg_catalog.concat(%1$s, %2$L);\n'
        'ELSIF differing OPERATOR(pg_catalog.<>) '''' THEN\n'
        '  RAISE EXCEPTION USING MESSAGE = pg_catalog.concat(%1$s, '': a trigger has changed the row: '', differing,\n'
        '    '' (except_columns => ''''{'', differing, ''}'''' leaves that to it)'');'
        '\nEND IF;',
        label, CASE WHEN forward THEN ': its row is not as it was before' ELSE ': its row is not as it was left' END);
END $$;
COMMENT ON FUNCTION bemi._refusals(text, boolean) IS
    'what fails unless a row was written, and is as it should be';

-- Rows that are written one after the other.
CREATE OR REPLACE FUNCTION bemi._apart_sql(part jsonb, forward boolean)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE
        WHEN part->>'kind' = 'clear' THEN bemi._clear_sql(part)
        WHEN jsonb_array_length(part->'rows') = 1
        THEN bemi._do(format(E'DECLARE differing pg_catalog.text; BEGIN\n%s INTO differing;\n%s\nEND',
            bemi._write_sql(part, quote_literal(part#>'{rows,0,was}'), quote_literal(part#>'{rows,0,becomes}')),
            bemi._refusals(quote_literal(part->>'label'), forward)))
        ELSE bemi._do(format(E'DECLARE i record; differing pg_catalog.text; BEGIN\n'
            'FOR i IN SELECT j.image FROM pg_catalog.jsonb_array_elements(%L) AS j (image) LOOP\n'
            '%s INTO differing;\n%s\nEND LOOP;\nEND', part->'rows',
            bemi._write_sql(part, 'i.image OPERATOR(pg_catalog.->) ''was''', 'i.image OPERATOR(pg_catalog.->) ''becomes'''),
            bemi._refusals('i.image OPERATOR(pg_catalog.->>) ''label''', forward))) END;
END $$;
COMMENT ON FUNCTION bemi._apart_sql(jsonb, boolean) IS 'rows that are written one after the other';

-- All rows of a table or of a partition go. That it is one of the table's is for the catalog to say, and not for the record.
CREATE OR REPLACE FUNCTION bemi._clear_sql(part jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN part->'relation' = part#>'{shape,name}' THEN bemi._write_sql(part, NULL, NULL) || ';'
        ELSE bemi._do(format(E'BEGIN\nIF NOT EXISTS (SELECT FROM pg_catalog.pg_partition_tree(%L) AS p\n'
            '  WHERE p.relid OPERATOR(pg_catalog.=) %L::pg_catalog.regclass) THEN %s END IF;\n%s;\nEND',
            part#>>'{shape,name}', part->>'relation', bemi._raise(format('%s: %s is not a partition of %s', part->>'label',
                bemi._plain(part->>'relation'), bemi._plain(part#>>'{shape,name}'))), bemi._write_sql(part, NULL, NULL))) END;
END $$;
COMMENT ON FUNCTION bemi._clear_sql(jsonb) IS 'all rows of a table or of a partition go';

-- Rows that are written in one statement.
CREATE OR REPLACE FUNCTION bemi._together_sql(parts jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    total bigint := (SELECT sum((p->>'count')::bigint) FROM jsonb_array_elements(parts) p);
    label text := (parts#>>'{0,label}') || CASE WHEN jsonb_array_length(parts) > 1 THEN ' and others' ELSE '' END;
    body text;
BEGIN
    SELECT format(E'WITH %s\nSELECT pg_catalog.count(*), pg_catalog.max(r.differing) INTO written, differing FROM (%s) AS r;',
        string_agg(bemi._with_sql(p, n), E',\n' ORDER BY n),
        string_agg(format('SELECT r.differing FROM r%s AS r', n), ' UNION ALL ' ORDER BY n))
    INTO body FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n);
    RETURN bemi._do(format(E'DECLARE written pg_catalog.int8; differing pg_catalog.text; BEGIN\n%s\n'
        'IF written OPERATOR(pg_catalog.<>) %s THEN %s\nELSIF differing OPERATOR(pg_catalog.<>) '''' THEN\n'
        '  RAISE EXCEPTION USING MESSAGE = pg_catalog.concat(%L, differing);\nEND IF;\nEND', body, total,
        bemi._raise(label || ': not every row is as it was left'), label || ': a trigger has changed a row: '));
END $$;
COMMENT ON FUNCTION bemi._together_sql(jsonb) IS 'rows that are written in one statement';

-- One step as statements, with comments above them. One that doesn't write the rows that it should is an error, and
-- with it the transaction.
CREATE OR REPLACE FUNCTION bemi._step_sql(parts jsonb, forward boolean, apart boolean)
RETURNS SETOF text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF apart OR jsonb_array_length(parts) = 1 AND jsonb_array_length(parts#>'{0,rows}') = 1 THEN
        RETURN QUERY SELECT format(E'-- %s\n%s', p->>'label', bemi._apart_sql(p, forward))
        FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n) ORDER BY n;
    ELSE
        RETURN QUERY SELECT string_agg(format(E'-- %s\n', p->>'label'), '' ORDER BY n) || bemi._together_sql(parts)
        FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n);
    END IF;
END $$;
COMMENT ON FUNCTION bemi._step_sql(jsonb, boolean, boolean) IS 'the parts of one step as statements';

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
        -- To a client of SQL_ASCII the server sends what it has.
        (format('SET LOCAL client_encoding = %L; SET LOCAL extra_float_digits = 1; SET LOCAL lc_monetary = ''C'';'
            ' SET LOCAL datestyle = ''ISO''; SET LOCAL intervalstyle = ''postgres''; SET LOCAL xmloption = ''content'';',
            coalesce(nullif(current_setting('client_encoding'), 'SQL_ASCII'), current_setting('server_encoding')))),
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

-- The context of a step that reverts changes of a transaction. One that did several in one statement is numbered, so that
-- they can be known as such when they are to be reverted.
CREATE OR REPLACE FUNCTION bemi._reverting(selected_by jsonb, transaction_id bigint, together boolean,
    step integer)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT jsonb_build_object('reverts', selected_by
        || jsonb_build_object('transaction_id', transaction_id)
        || CASE WHEN together THEN jsonb_build_object('step', step) ELSE '{}' END));
END $$;
COMMENT ON FUNCTION bemi._reverting(jsonb, bigint, boolean, integer) IS
    'context of a step that reverts changes of a transaction';

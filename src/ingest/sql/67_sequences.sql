-- Reversion. Rows that come back bring numbers that a sequence may give once more, where TRUNCATE … RESTART IDENTITY has set it back or a
-- copy of a schema has never used it. So the sequences that belong to a table's columns are moved on, and never back.

-- As a DO block for the database that has the table. Where the role may not set a sequence there is a WARNING. What it
-- sets is not taken back with a transaction.
CREATE OR REPLACE FUNCTION bemi._sequences_sql(name text)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT bemi._do(format($block$
DECLARE
  caller_path pg_catalog.text := pg_catalog.current_setting('search_path');
  s record; top pg_catalog.int8; behind pg_catalog.bool;
BEGIN
PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
FOR s IN SELECT a.attname AS name, q.seqrelid::regclass AS sequence, q.seqincrement > 0 AS grows FROM pg_attribute a
  JOIN pg_sequence q ON q.seqrelid = pg_get_serial_sequence(%1$L, a.attname)::regclass
  WHERE a.attrelid = %1$L::regclass AND a.attnum > 0 AND NOT a.attisdropped
    AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
LOOP
  BEGIN
    EXECUTE format('SELECT %%s(t.%%I) FROM %%s AS t', CASE WHEN s.grows THEN 'max' ELSE 'min' END, s.name, %1$L) INTO top;
    EXECUTE format('SELECT CASE WHEN last_value = $1 THEN NOT is_called WHEN $2 THEN last_value < $1 ELSE last_value > $1 END FROM %%s',
      s.sequence) INTO behind USING top, s.grows;
    IF behind THEN
      PERFORM setval(s.sequence, top);
    END IF;
  EXCEPTION WHEN insufficient_privilege OR numeric_value_out_of_range THEN
    RAISE WARNING 'the sequence %% may give numbers that %% has already', s.sequence, %1$L
      USING DETAIL = SQLERRM, HINT = 'Set it beyond them by setval().';
  END;
END LOOP;
PERFORM pg_catalog.set_config('search_path', caller_path, true);
END$block$, name))
$body$;
COMMENT ON FUNCTION bemi._sequences_sql(text) IS
    'a DO block that moves the sequences of a table on to what its rows have';

-- The tables that parts insert rows into, by a list of guards.
CREATE OR REPLACE FUNCTION bemi._grown(guarded jsonb)
RETURNS SETOF text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT g->>0 FROM jsonb_array_elements(guarded) g WHERE g->>1 = 'INSERT' ORDER BY 1
$$;
COMMENT ON FUNCTION bemi._grown(jsonb) IS 'the tables that rows are inserted into, by a list of guards';

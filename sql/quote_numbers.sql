-- quote_numbers: numbers that a double would not hold, as strings.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE DOMAIN amount AS numeric(12, 2);
CREATE DOMAIN counter AS bigint;
CREATE TYPE pair AS (b bigint, n numeric, i int);
CREATE TABLE t (id bigserial PRIMARY KEY, small smallint, plain int, big bigint, exact numeric, real real, double double precision, o oid, m money, a amount, c counter,
    bs bigint[], ns numeric[], p pair, ps pair[], j json, jb jsonb, r int8range, counters counter[]);
ALTER TABLE t REPLICA IDENTITY FULL;
INSERT INTO t VALUES (DEFAULT, 1, 2, 9007199254740993, 12345678901234567890.10, 1.5, 2.5, 3, 4, 5, 6, '{7,NULL}', '{{8.0,9}}', (10, 11, 12), ARRAY[(13, 14, 15)::pair], '[16, 1.7]', '[18, 1.90]', '[20,21)', '{22}');
UPDATE t SET big = NULL, exact = 'NaN', bs = '{}', ns = '{NaN,-Infinity}' WHERE id = 1;
CREATE FUNCTION images(VARIADIC options text[]) RETURNS SETOF json LANGUAGE sql AS $$
    SELECT data::json->'after' FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC options)
$$;
SET lc_monetary = 'C';
SELECT images('quote_numbers', 'none');
SELECT images('quote_numbers', 'bigint');
SELECT images('quote_numbers', 'numeric');
SELECT images('quote_numbers', 'bigint,numeric');
-- either way the row is read back the same
SELECT jsonb_populate_record(NULL::t, i::jsonb)::text = jsonb_populate_record(NULL::t, images::jsonb)::text
FROM images('quote_numbers', 'bigint,numeric') WITH ORDINALITY a (i, n) JOIN images('quote_numbers', 'none') WITH ORDINALITY b (images, n) USING (n);
-- keys, and what counts the record, are as ever
SELECT r->'primary_key', r->'previous_key', r->'before'->'id', r->'sequence', r->'context' FROM records('quote_numbers', 'bigint') r;
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi', '{"userId": 9007199254740993}');
UPDATE t SET id = 9007199254740993;
COMMIT;
SELECT r->'primary_key', r->'previous_key', r->'before'->'id', r->'sequence', r->'context' FROM records('quote_numbers', 'bigint') r;

SELECT pg_drop_replication_slot('regress');
DROP TABLE t;
DROP TYPE pair;
DROP DOMAIN amount, counter;
DROP FUNCTION images;

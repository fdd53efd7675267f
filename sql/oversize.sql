-- Records that would pass max_record_size: the largest values go first, and the rest stays.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE FUNCTION short(json) RETURNS text LANGUAGE sql AS $$SELECT regexp_replace($1::text, '([a-z0-9])\1{9,}', '\1…', 'g')$$;
-- What is left of the records. Warns of one that is too large.
CREATE FUNCTION left_over(VARIADIC options text[]) RETURNS TABLE (operation text, primary_key text, before text, after text, missing json, last json) LANGUAGE plpgsql AS $$
DECLARE
    largest int := pg_size_bytes(options[array_position(options, 'max_record_size') + 1]);
    too_large int := (SELECT max(octet_length(data)) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC options) WHERE octet_length(data) > largest);
BEGIN
    IF too_large IS NOT NULL THEN
        RAISE WARNING 'a record of % bytes', too_large;
    END IF;
    RETURN QUERY SELECT r->>'operation', short(r->'primary_key'), short(r->'before'), short(r->'after'), r->'missing', r->'last' FROM records(VARIADIC options) r;
END$$;

-- the largest value, or as many as it takes; of equals the first column's
CREATE TABLE t (id int PRIMARY KEY, a text, b text, c text, n int);
INSERT INTO t VALUES (1, repeat('a', 220), repeat('b', 200), repeat('c', 80), 1);
INSERT INTO t VALUES (2, repeat('a', 300), repeat('b', 400), repeat('c', 200), 1);
INSERT INTO t VALUES (3, repeat('a', 500), repeat('b', 500), repeat('c', 500), 1);
INSERT INTO t VALUES (4, repeat('a', 300), repeat('b', 300), repeat('c', 300), 1);
INSERT INTO t VALUES (5, repeat('a', 2000), repeat('b', 2000), repeat('c', 2000), 1);
INSERT INTO t VALUES (6, repeat('a', 2000), repeat('b', 300), repeat('c', 300), NULL);
INSERT INTO t VALUES (7, '', NULL, repeat('c', 5000), 1);
SELECT * FROM left_over('max_record_size', '1kB');
-- of the two images too; a value may be left out of one and stay in the other
ALTER TABLE t REPLICA IDENTITY FULL;
UPDATE t SET n = 2 WHERE id = 1;
UPDATE t SET a = '' WHERE id = 1;
UPDATE t SET b = repeat('d', 450) WHERE id = 1;
UPDATE t SET b = 'short' WHERE id = 5;
DELETE FROM t WHERE id IN (5, 6);
SELECT * FROM left_over('max_record_size', '1kB');
-- what is masked, excluded or not logged takes no room
UPDATE t SET n = 3 WHERE id = 4;
SELECT * FROM left_over('max_record_size', '1kB', 'mask_columns', 'a', 'exclude_columns', 'b');
ALTER TABLE t REPLICA IDENTITY DEFAULT, ALTER c SET STORAGE EXTERNAL;
INSERT INTO t VALUES (8, repeat('a', 300), repeat('b', 100), repeat('c', 5000), 1);
UPDATE t SET n = 3 WHERE id = 8;
UPDATE t SET b = repeat('b', 600) WHERE id = 8;
SELECT * FROM left_over('max_record_size', '1kB');
-- in a transaction with others, before and after a context, and in batches
BEGIN;
INSERT INTO t VALUES (11, repeat('a', 2000), 'b', 'c', 1), (12, 'a', 'b', 'c', 1);
SELECT FROM pg_logical_emit_message(true, '_bemi', to_json(repeat('context', 500))::text);
INSERT INTO t VALUES (13, 'a', 'b', repeat('c', 2000), 1), (14, 'a', repeat('b', 2000), 'c', 1);
COMMIT;
SELECT r->'primary_key', short(r->'after'), r->'missing', length(r->>'context'), r->'last' FROM records('max_record_size', '1kB', 'batch_size', '10kB') r;

-- what decides is the size of the value as PostgreSQL counts it, not of its text
CREATE TABLE escaped (id int PRIMARY KEY, controls text, plain text, bytes bytea);
INSERT INTO escaped VALUES (1, repeat(E'\u0001', 50), repeat('p', 150), NULL);
INSERT INTO escaped VALUES (2, repeat(E'\u0001', 200), repeat('p', 150), NULL);
INSERT INTO escaped VALUES (3, NULL, repeat('p', 350), decode(repeat('00', 300), 'hex'));
INSERT INTO escaped VALUES (4, repeat('\', 300), repeat('p', 250), decode(repeat('00', 200), 'hex'));
SELECT primary_key, after, missing FROM left_over('max_record_size', '1kB');
-- a value that doesn't fit by itself goes first, whatever its size
INSERT INTO escaped VALUES (5, repeat(E'\u0001', 200), repeat('p', 300), decode(repeat('00', 100), 'hex'));
SELECT primary_key, after, missing FROM left_over('max_record_size', '1kB');
-- all kinds of types
CREATE TYPE pair AS (a text, b int[]);
CREATE TABLE kinds (id int PRIMARY KEY, j json, jb jsonb, list int[], p pair, n numeric, x xid[]);
INSERT INTO kinds VALUES
    (1, ('[' || repeat('1, ', 500) || '1]')::json, '[1]', '{1}', ('a', '{1}'), 1, '{1}'),
    (2, '[1]', ('[' || repeat('1, ', 500) || '1]')::jsonb, '{1}', ('a', '{1}'), 1, '{1}'),
    (3, '[1]', '[1]', array_fill(1000, ARRAY[300]), ('a', '{1}'), 1, '{1}'),
    (4, '[1]', '[1]', '{1}', (repeat('a', 500), array_fill(1000, ARRAY[100])), 1, '{1}'),
    (5, '[1]', '[1]', '{1}', ('a', '{1}'), repeat('9', 1000)::numeric, '{1}'),
    (6, '[1]', '[1]', '{1}', ('a', '{1}'), 1, array_fill('1000'::xid, ARRAY[300])),
    (7, ('[' || repeat('1,', 300) || '1]')::json, ('[' || repeat('1,', 100) || '1]')::jsonb, array_fill(1, ARRAY[100]), (repeat('a', 100), '{}'), repeat('9', 100)::numeric, '{1}');
SELECT r->'primary_key', (SELECT string_agg(key, ' ') FROM json_object_keys(r->'after') key), r->'missing' FROM records('max_record_size', '1kB') r;
-- white space of json is no part of the record
INSERT INTO kinds (id, j) VALUES (8, ('[' || repeat(' ', 5000) || '1]')::json);
SELECT primary_key, after, missing FROM left_over('max_record_size', '1kB');

-- the key is no value that could be left out
CREATE TABLE long_key (a text, b int, PRIMARY KEY (a, b));
INSERT INTO long_key VALUES (repeat('k', 300), 1), (repeat('k', 500), 2), (repeat('"', 200), 3), (repeat('k', 1500), 4);
SELECT length(r->>'primary_key'), (SELECT string_agg(key, ' ') FROM json_object_keys(r->'after') key), r->'missing' FROM records('max_record_size', '1kB') r;
-- nor are the names: a record of a very wide table may be larger, and has no values then
DO $$BEGIN
    EXECUTE (SELECT format('CREATE TABLE wide (%s, last text)', string_agg(format('%s_%s int DEFAULT %2$s', repeat('n', 50), n), ','))
             FROM generate_series(1, 140) n);
END$$;
INSERT INTO wide DEFAULT VALUES;
INSERT INTO wide (last) VALUES ('end');
SELECT r->'after', (SELECT count(*) FROM json_object_keys(r->'missing')) FROM records('max_record_size', '1kB') r;
INSERT INTO wide (last) VALUES ('end');
SELECT (SELECT count(*) FROM json_object_keys(r->'after')), (SELECT count(*) FROM json_object_keys(r->'missing')) FROM records('max_record_size', '8kB') r;
-- a null takes its name's room, and is not left out either
DO $$BEGIN
    EXECUTE (SELECT string_agg(format('ALTER TABLE wide ALTER %s_%s DROP DEFAULT', repeat('n', 50), n), ';') FROM generate_series(1, 140) n);
END$$;
INSERT INTO wide VALUES (1);
INSERT INTO wide (last) VALUES ('end');
SELECT (SELECT count(*) FROM json_object_keys(r->'after')), r->'missing' FROM records('max_record_size', '1kB') r;

-- every size around the limit: nothing is left out that would have fitted
TRUNCATE t;
SELECT skip();
INSERT INTO t SELECT i, repeat('a', i), repeat('b', 100) FROM generate_series(500, 800) i;
WITH whole AS (SELECT data::json->>'primary_key' AS key, octet_length(data) AS size FROM pg_logical_slot_peek_changes('regress', NULL, NULL)),
     cut AS (SELECT data::json->>'primary_key' AS key, octet_length(data) AS size, data::json->'missing' AS missing FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'max_record_size', '1kB'))
SELECT count(*) FILTER (WHERE missing IS NULL) > 0 AS some_whole, count(*) FILTER (WHERE missing->>'a' = 'size') > 0 AS some_not,
       bool_and(cut.size <= 1024) AS none_too_large, bool_and((whole.size < 1000) <= (missing IS NULL)) AS none_without_need
FROM whole JOIN cut USING (key);

SELECT pg_drop_replication_slot('regress');
DROP TABLE t, escaped, kinds, long_key, wide;
DROP TYPE pair;
DROP FUNCTION left_over, short;

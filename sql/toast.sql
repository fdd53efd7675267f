-- Values that PostgreSQL stores out of line: what an UPDATE leaves as it was is not logged again.
\set SHOW_CONTEXT never
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE FUNCTION short(json) RETURNS text LANGUAGE sql AS $$SELECT regexp_replace($1::text, '([a-z0-9])\1{9,}', '\1…', 'g')$$;
CREATE FUNCTION images(VARIADIC options text[] DEFAULT '{}') RETURNS TABLE (operation text, identity text, before text, after text, missing json) LANGUAGE sql AS $$
    SELECT r->>'operation', r->>'identity', short(r->'before'), short(r->'after'), r->'missing' FROM records(VARIADIC options) r
$$;
CREATE TABLE t (id int PRIMARY KEY, big text, code int NOT NULL UNIQUE, other text, note text);
ALTER TABLE t ALTER big SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL;
CREATE PROCEDURE change() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO t VALUES (1, repeat('a', 3000), 1, repeat('b', 3000), 'short');
    UPDATE t SET note = 'changed';
    UPDATE t SET big = repeat('c', 3000);
    UPDATE t SET big = big || 'd', other = NULL;
    UPDATE t SET other = repeat('e', 3000), big = 'short';
    UPDATE t SET id = 2;
    UPDATE t SET code = 2;
    UPDATE t SET big = NULL, other = repeat('e', 3000);
    DELETE FROM t;
END$$;

-- full: the value is taken from the row before
ALTER TABLE t REPLICA IDENTITY FULL;
CALL change();
SELECT * FROM images();
-- the others: it is missing, which is not the same as a null
ALTER TABLE t REPLICA IDENTITY DEFAULT;
CALL change();
SELECT * FROM images();
ALTER TABLE t REPLICA IDENTITY USING INDEX t_code_key;
CALL change();
SELECT * FROM images();
ALTER TABLE t REPLICA IDENTITY NOTHING;
CALL change();
SELECT * FROM images();
-- a column that is left out is not missing
ALTER TABLE t REPLICA IDENTITY DEFAULT;
INSERT INTO t VALUES (1, repeat('a', 3000), 1, repeat('b', 3000), 'short');
UPDATE t SET note = 'changed';
DELETE FROM t;
SELECT * FROM images('exclude_columns', 'big');

-- compressed, out of line, both or neither: the value is whole
CREATE TABLE whole (how text PRIMARY KEY, plain text, extended text, main text, external text, bytes bytea, document jsonb, numbers int[]);
ALTER TABLE whole REPLICA IDENTITY FULL;
ALTER TABLE whole ALTER plain SET STORAGE PLAIN, ALTER main SET STORAGE MAIN, ALTER external SET STORAGE EXTERNAL;
INSERT INTO whole SELECT 'small', v, v, v, v, v::bytea, to_jsonb(v), ARRAY[1, 2] FROM (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 3) i) t (v);
INSERT INTO whole SELECT 'compressible', left(v, 5000), v, v, v, convert_to(v, 'UTF8'), jsonb_build_array(v, 1, v), array_fill(7, ARRAY[10000]) FROM repeat('ü"x', 30000) v;
INSERT INTO whole SELECT 'random', left(v, 5000), v, left(v, 2000), v, decode(v, 'hex'), jsonb_build_object('v', v), ARRAY(SELECT i FROM generate_series(1, 50000) i)
FROM (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 10000) i) t (v);
UPDATE whole SET main = 'changed' WHERE how <> 'small';
DELETE FROM whole WHERE how = 'random';
SELECT r->>'operation' AS operation, r->>'primary_key' AS how,
       (SELECT string_agg(key || ' ' || length(value), ', ' ORDER BY key) FROM json_each_text(r->'before')) AS before,
       (SELECT string_agg(key || ' ' || length(value), ', ' ORDER BY key) FROM json_each_text(r->'after')) AS after,
       (r->'after')::jsonb - 'main' = to_jsonb(w) - 'main' AS as_in_the_table
FROM records() r LEFT JOIN whole w ON how = r->>'primary_key';

-- in composites and arrays the server stores whole values
CREATE TYPE pair AS (a text, b text);
CREATE TABLE nested (id int PRIMARY KEY, p pair, ps pair[], ts text[]);
INSERT INTO nested SELECT 1, (v, 'b')::pair, ARRAY[(v, v)::pair], ARRAY[v, NULL, v] FROM (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i) t (v);
UPDATE nested SET id = 2;
SELECT r->>'operation' AS operation, r->'missing' AS missing, (SELECT count(*) FROM json_object_keys(r->'after')) AS columns FROM records() r;
ALTER TABLE nested REPLICA IDENTITY FULL;
UPDATE nested SET id = 3;
SELECT r->>'operation' AS operation, r->'missing' AS missing, (r->'after')::jsonb = to_jsonb(n) AS as_in_the_table FROM records() r, nested n;

SELECT pg_drop_replication_slot('regress');
DROP TABLE t, whole, nested;
DROP TYPE pair;
DROP PROCEDURE change;
DROP FUNCTION images, short;

-- primary_key and previous_key.
\set SHOW_CONTEXT never
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
-- The keys of what is in the slot. Warns where primary_key is not what it is to be: of one column
-- image->>'column', of several jsonb_build_array(...)::text.
CREATE FUNCTION keys(VARIADIC columns text[]) RETURNS TABLE (operation text, primary_key json, previous_key json, before json, after json)
LANGUAGE plpgsql AS $$
DECLARE
    r json;
    image jsonb;
    expected text;
BEGIN
    FOR r IN SELECT * FROM records() LOOP
        image := r->CASE r->>'operation' WHEN 'DELETE' THEN 'before' ELSE 'after' END;
        expected := NULL;
        IF image ?& columns THEN
            expected := CASE cardinality(columns) WHEN 1 THEN image->>columns[1]
                        ELSE (SELECT jsonb_agg(image->c ORDER BY n)::text FROM unnest(columns) WITH ORDINALITY t (c, n)) END;
        END IF;
        IF expected IS DISTINCT FROM r->>'primary_key' THEN
            RAISE WARNING 'expected %', expected;
        END IF;
        RETURN QUERY SELECT r->>'operation', r->'primary_key', r->'previous_key', r->'before', r->'after';
    END LOOP;
END$$;

-- several columns, in the order of the key and not of the table; columns that are only included are none of it
CREATE TABLE composite (b text, note text, extra int, a int, PRIMARY KEY (a, b) INCLUDE (extra));
INSERT INTO composite VALUES ('eu', 'n', 5, 7);
UPDATE composite SET note = 'm';
UPDATE composite SET extra = 6;
UPDATE composite SET b = 'us';
UPDATE composite SET a = 8, b = 'eu';
UPDATE composite SET a = a, b = b;
DELETE FROM composite;
SELECT * FROM keys('a', 'b');
ALTER TABLE composite REPLICA IDENTITY FULL;
INSERT INTO composite VALUES ('eu', 'n', 5, 7);
UPDATE composite SET extra = 6;
UPDATE composite SET b = 'us';
DELETE FROM composite;
SELECT * FROM keys('a', 'b');
-- the identity's index has a part of the key: the old key is not known
CREATE TABLE part (a int, b int, c int NOT NULL UNIQUE, d int, PRIMARY KEY (a, b));
CREATE UNIQUE INDEX part_a ON part (a);
ALTER TABLE part REPLICA IDENTITY USING INDEX part_a;
INSERT INTO part VALUES (1, 2, 3, 4);
UPDATE part SET a = 2;
UPDATE part SET b = 3;
DELETE FROM part;
SELECT * FROM keys('a', 'b');

-- a key that is made, dropped, made of another column
CREATE TABLE remade (a int NOT NULL, b int NOT NULL);
BEGIN;
INSERT INTO remade VALUES (1, 2);
ALTER TABLE remade ADD PRIMARY KEY (b);
UPDATE remade SET b = 3;
ALTER TABLE remade DROP CONSTRAINT remade_pkey;
UPDATE remade SET b = 4;
ALTER TABLE remade ADD PRIMARY KEY (a);
UPDATE remade SET a = 5;
COMMIT;
SELECT r->'primary_key' AS primary_key, r->'previous_key' AS previous_key, r->'before' AS before, r->'after' AS after FROM records() r;
-- a unique index serves where there is no primary key
CREATE TABLE uniques (a int NOT NULL UNIQUE, b int);
INSERT INTO uniques VALUES (1, 2);
SELECT r->'primary_key' AS primary_key FROM records() r;
-- deferrable keys are keys
CREATE TABLE deferred (a int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, b int);
ALTER TABLE deferred REPLICA IDENTITY FULL;
INSERT INTO deferred VALUES (1, 1), (2, 2);
UPDATE deferred SET a = 3 - a;
DELETE FROM deferred WHERE a = 1;
SELECT * FROM keys('a');

-- text that JSON escapes, in one column and in several
CREATE TABLE texts (a text PRIMARY KEY);
INSERT INTO texts VALUES (''), ('plain'), ('"quoted" \ '''), (E'line\nbreak\ttab'), ('ünïcode 😀'), ('null'), ('{"a": 1}'), (E'\u0001');
UPDATE texts SET a = a || '"' WHERE a IN ('', 'plain');
SELECT primary_key, previous_key FROM keys('a');
CREATE TABLE two_texts (a text, b varchar(10), c char(3), PRIMARY KEY (a, b, c));
INSERT INTO two_texts VALUES ('', '', ''), ('"', '\', ''''), (E'\n', 'ü😀', 'abc');
UPDATE two_texts SET c = 'x';
SELECT primary_key, previous_key FROM keys('a', 'b', 'c');

-- all kinds of types: of one column, and of two
\pset format unaligned
\pset tuples_only on
CREATE TYPE mood AS ENUM ('sad', 'so "so"');
CREATE TYPE pair AS (x int, y text);
CREATE DOMAIN code AS text CHECK (VALUE <> '');
CREATE PROCEDURE try(type text, VARIADIC literals text[]) LANGUAGE plpgsql AS $$
DECLARE
    literal text;
BEGIN
    EXECUTE format('CREATE TABLE of_type (a %s PRIMARY KEY)', type);
    EXECUTE format('CREATE TABLE of_types (a %s, b %1$s, PRIMARY KEY (b, a))', type);
    FOREACH literal IN ARRAY literals LOOP
        EXECUTE format('INSERT INTO of_type VALUES (%L)', literal);
        EXECUTE format('INSERT INTO of_types VALUES (%L, %L)', literals[1], literal);
    END LOOP;
END$$;
CREATE FUNCTION tried() RETURNS TABLE (primary_key json) LANGUAGE plpgsql AS $$
DECLARE
    r json;
    image jsonb;
    expected text;
BEGIN
    FOR r IN SELECT * FROM records() LOOP
        image := r->'after';
        expected := CASE r->>'table' WHEN 'of_type' THEN image->>'a' ELSE jsonb_build_array(image->'b', image->'a')::text END;
        IF expected IS DISTINCT FROM r->>'primary_key' THEN
            RAISE WARNING 'expected %', expected;
        END IF;
        RETURN QUERY SELECT r->'primary_key' ORDER BY r->>'table';
    END LOOP;
    DROP TABLE of_type, of_types;
END$$;
CALL try('smallint', '-32768', '0'); SELECT * FROM tried();
CALL try('bigint', '9223372036854775807', '-9223372036854775808'); SELECT * FROM tried();
CALL try('numeric', '1.50', '-0.00', '12345678901234567890.10', '1e30', 'NaN', 'Infinity'); SELECT * FROM tried();
CALL try('real', '1.5', '1e10', '3.4028235e38', '1e-7', 'NaN', '-Infinity'); SELECT * FROM tried();
CALL try('double precision', '0.1', '-0', '1e22', '1e-7', '1.7976931348623157e308', 'NaN', 'Infinity'); SELECT * FROM tried();
CALL try('boolean', 'true', 'false'); SELECT * FROM tried();
CALL try('uuid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'); SELECT * FROM tried();
CALL try('date', '2026-01-02', 'infinity', '0044-03-15 BC'); SELECT * FROM tried();
CALL try('timestamp', '2026-01-02 03:04:05', '2026-01-02 03:04:05.6789'); SELECT * FROM tried();
CALL try('timestamptz', '2026-01-02 03:04:05+02', '-infinity'); SELECT * FROM tried();
CALL try('timetz', '03:04:05+02'); SELECT * FROM tried();
CALL try('interval', '1 day 2 hours', '-1 month'); SELECT * FROM tried();
CALL try('bytea', '\x00ff5c22', ''); SELECT * FROM tried();
CALL try('bit varying', '0101'); SELECT * FROM tried();
CALL try('oid', '4294967295'); SELECT * FROM tried();
CALL try('"char"', 'x'); SELECT * FROM tried();
CALL try('name', 'ü"'); SELECT * FROM tried();
CALL try('inet', '10.0.0.1/8', '::1'); SELECT * FROM tried();
CALL try('money', '1234.5'); SELECT * FROM tried();
CALL try('pg_lsn', '16/B374D848'); SELECT * FROM tried();
CALL try('jsonb', '{"b": [1, 2.0, {"c": null}], "a": "x\"y"}', '"text"', '1.50', 'null', '[]'); SELECT * FROM tried();
CALL try('int[]', '{1,NULL,3}', '{{1,2},{3,4}}', '{}'); SELECT * FROM tried();
CALL try('text[]', '{"a b",NULL,"\"",ü}'); SELECT * FROM tried();
CALL try('int4range', '[1,5)', 'empty'); SELECT * FROM tried();
CALL try('mood', 'so "so"'); SELECT * FROM tried();
CALL try('pair', '(1,"a ""b""")', '(,)'); SELECT * FROM tried();
CALL try('pair[]', '{"(1,a)",NULL}'); SELECT * FROM tried();
CALL try('code', 'x"y'); SELECT * FROM tried();
CALL try('tsvector', 'a:1 b'); SELECT * FROM tried();
\pset format aligned
\pset tuples_only off
-- a citext that changes only its case, and a number that changes only its scale, are another text
CREATE EXTENSION citext;
CREATE TABLE same (a citext, b numeric, PRIMARY KEY (a, b));
INSERT INTO same VALUES ('Eu', 1.0);
UPDATE same SET a = 'EU';
UPDATE same SET b = 1.00;
UPDATE same SET b = 1.00;
SELECT * FROM keys('a', 'b');

-- as many columns as a key can have
DO $$BEGIN
    EXECUTE (SELECT format('CREATE TABLE longest (%s, PRIMARY KEY (%s))', string_agg(format('c%s int', n), ',' ORDER BY n), string_agg('c' || n, ',' ORDER BY n DESC))
             FROM generate_series(1, 32) n);
    EXECUTE (SELECT format('INSERT INTO longest VALUES (%s)', string_agg(n::text, ',')) FROM generate_series(1, 32) n);
END$$;
SELECT r->'primary_key' AS primary_key FROM records() r;

-- quote_numbers changes the images, not the keys
CREATE TABLE quoted (a bigint, b numeric, PRIMARY KEY (a, b));
INSERT INTO quoted VALUES (1, 2.50);
UPDATE quoted SET a = 2;
SELECT r->'primary_key' AS primary_key, r->'previous_key' AS previous_key, r->'before' AS before, r->'after' AS after
FROM records('quote_numbers', 'bigint,numeric') r;

-- Keys that PostgreSQL stores out of line, under each identity: where it did not log the value, the
-- key is not known.
CREATE TABLE toasted (a text, b int, n int, c int NOT NULL UNIQUE, PRIMARY KEY (a, b));
ALTER TABLE toasted ALTER a SET STORAGE EXTERNAL;
CREATE PROCEDURE change_toasted() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO toasted VALUES (repeat('k', 2500), 1, 0, 1);
    UPDATE toasted SET n = 1;
    UPDATE toasted SET b = 2;
    UPDATE toasted SET a = repeat('l', 2500);
    UPDATE toasted SET a = 'short';
    DELETE FROM toasted;
    COMMIT;
    INSERT INTO toasted VALUES (repeat('k', 2500), 1, 0, 1);
    DELETE FROM toasted;
END$$;
CREATE FUNCTION short(text) RETURNS text LANGUAGE sql AS $$SELECT regexp_replace($1, '([kl])\1+', '\1…', 'g')$$;
CREATE FUNCTION toasted_keys() RETURNS TABLE (operation text, identity text, primary_key text, previous_key text, before text, after text, missing json) LANGUAGE sql AS $$
    SELECT r->>'operation', r->>'identity', short(r->>'primary_key'), short(r->>'previous_key'), short(r->>'before'), short(r->>'after'), r->'missing'
    FROM records() r
$$;
CALL change_toasted();
SELECT * FROM toasted_keys();
ALTER TABLE toasted REPLICA IDENTITY FULL;
CALL change_toasted();
SELECT * FROM toasted_keys();
ALTER TABLE toasted REPLICA IDENTITY USING INDEX toasted_c_key;
CALL change_toasted();
SELECT * FROM toasted_keys();
ALTER TABLE toasted REPLICA IDENTITY NOTHING;
CALL change_toasted();
SELECT * FROM toasted_keys();
-- compressed in line
CREATE TABLE compressed (a text PRIMARY KEY, n int);
INSERT INTO compressed VALUES (repeat('k', 2600), 1);
UPDATE compressed SET n = 2;
UPDATE compressed SET a = repeat('l', 2600);
DELETE FROM compressed;
SELECT * FROM toasted_keys();

SELECT pg_drop_replication_slot('regress');
DROP TABLE composite, part, remade, uniques, deferred, texts, two_texts, same, longest, quoted, toasted, compressed;
DROP FUNCTION keys, tried, short, toasted_keys;
DROP PROCEDURE try, change_toasted;
DROP EXTENSION citext;
DROP TYPE mood, pair;
DROP DOMAIN code;

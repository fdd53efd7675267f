-- Columns that are generated, dropped, added, or change their type.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE FUNCTION rows() RETURNS TABLE (operation text, primary_key text, previous_key text, before json, after json) LANGUAGE sql AS $$
    SELECT r->>'operation', r->>'primary_key', r->>'previous_key', r->'before', r->'after' FROM records() r
$$;

-- stored generated columns and identity columns are columns like others, in keys too
CREATE TABLE generated (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, b text DEFAULT 'b');
ALTER TABLE generated REPLICA IDENTITY FULL;
INSERT INTO generated (a) VALUES (1), (NULL);
UPDATE generated SET a = 3 WHERE id = 2;
DELETE FROM generated WHERE id = 1;
SELECT * FROM rows();
CREATE TABLE generated_key (a int, key text GENERATED ALWAYS AS ('k' || chr(a)) STORED PRIMARY KEY);
INSERT INTO generated_key VALUES (65);
UPDATE generated_key SET a = 66;
DELETE FROM generated_key;
SELECT * FROM rows();

-- dropped columns are gone, wherever they stood, also for rows that still hold a value
CREATE TABLE dropped (first int, a int PRIMARY KEY, middle text, b int, last text);
ALTER TABLE dropped REPLICA IDENTITY FULL;
INSERT INTO dropped VALUES (1, 2, 'three', 4, 'five');
ALTER TABLE dropped DROP first;
INSERT INTO dropped VALUES (3, 'four', 5, 'six');
ALTER TABLE dropped DROP last;
UPDATE dropped SET b = b + 1 WHERE a = 2;
ALTER TABLE dropped DROP middle, ADD middle int;
UPDATE dropped SET middle = 7 WHERE a = 2;
DELETE FROM dropped;
SELECT * FROM rows();
CREATE TABLE all_dropped (a int, b text);
ALTER TABLE all_dropped DROP a, DROP b, REPLICA IDENTITY FULL;
INSERT INTO all_dropped DEFAULT VALUES;
DELETE FROM all_dropped;
SELECT * FROM rows();

-- an added column has its default in rows that were there before, without their being written again
CREATE TABLE added (id int PRIMARY KEY);
ALTER TABLE added REPLICA IDENTITY FULL;
INSERT INTO added VALUES (1), (2);
ALTER TABLE added ADD constant text DEFAULT 'default', ADD "null" int, ADD number numeric DEFAULT 1.50, ADD at timestamptz DEFAULT '2026-01-02 03:04:05+00';
UPDATE added SET "null" = 5 WHERE id = 1;
ALTER TABLE added ALTER constant SET DEFAULT 'other', ADD long text DEFAULT repeat('x', 50), ADD list int[] DEFAULT '{1,2}';
INSERT INTO added VALUES (3);
UPDATE added SET id = id + 10;
DELETE FROM added WHERE id = 12;
SELECT * FROM rows();
-- under the other identities as well
CREATE TABLE added_key (id int);
INSERT INTO added_key VALUES (1);
ALTER TABLE added_key ADD code text NOT NULL DEFAULT 'c';
ALTER TABLE added_key ADD PRIMARY KEY (code, id);
UPDATE added_key SET id = 2;
INSERT INTO added_key VALUES (3);
DELETE FROM added_key;
SELECT * FROM rows();

-- a new type: the rewritten rows are no changes, and later changes have it
CREATE TABLE retyped (id int PRIMARY KEY, a text, b timestamp);
ALTER TABLE retyped REPLICA IDENTITY FULL;
INSERT INTO retyped VALUES (1, '1', '2026-01-02 03:04:05');
ALTER TABLE retyped ALTER id TYPE bigint, ALTER a TYPE int USING a::int, ALTER b TYPE date;
UPDATE retyped SET a = 2;
ALTER TABLE retyped ALTER a TYPE text;
VACUUM FULL retyped;
CLUSTER retyped USING retyped_pkey;
UPDATE retyped SET a = 'three';
SELECT * FROM rows();
-- also between changes of one transaction
BEGIN;
UPDATE retyped SET a = '4';
ALTER TABLE retyped ALTER a TYPE numeric USING a::numeric + 0.50;
UPDATE retyped SET a = a + 1;
ALTER TABLE retyped ALTER a TYPE jsonb USING jsonb_build_object('a', a);
UPDATE retyped SET b = NULL;
ALTER TABLE retyped DROP b, ADD c text DEFAULT 'new', DROP CONSTRAINT retyped_pkey, ADD PRIMARY KEY (c, id);
UPDATE retyped SET a = '[]';
COMMIT;
SELECT * FROM rows();
-- a table that is dropped and made anew in one transaction
BEGIN;
INSERT INTO generated_key VALUES (70);
DROP TABLE generated_key;
CREATE TABLE generated_key (other text);
INSERT INTO generated_key VALUES ('another');
COMMIT;
DROP TABLE generated_key;
SELECT * FROM rows();
-- CREATE TABLE AS and SELECT INTO write rows, COPY FREEZE as well
CREATE TABLE made AS SELECT 1 AS a, 'x' AS b;
SELECT 2 AS a, 'y' AS b INTO made_too;
BEGIN;
CREATE TABLE frozen (a int);
COPY frozen FROM stdin (FREEZE);
3
\.
COMMIT;
SELECT * FROM rows();

SELECT pg_drop_replication_slot('regress');
DROP TABLE generated, dropped, all_dropped, added, added_key, retyped, made, made_too, frozen;
DROP FUNCTION rows;

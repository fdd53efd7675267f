-- TRUNCATE: one record for each table that holds rows.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (id int PRIMARY KEY, n int);
ALTER TABLE t REPLICA IDENTITY FULL;
CREATE TABLE u (id int PRIMARY KEY);
CREATE TABLE keyless (n int);
CREATE TABLE owner (id int PRIMARY KEY);
CREATE TABLE owned (id int REFERENCES owner);
CREATE TABLE parted (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_eu PARTITION OF parted FOR VALUES IN ('eu') PARTITION BY RANGE (id);
CREATE TABLE parted_eu_1 PARTITION OF parted_eu FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_eu_2 PARTITION OF parted_eu FOR VALUES FROM (10) TO (20);
CREATE TABLE parted_us PARTITION OF parted FOR VALUES IN ('us');
CREATE TABLE base (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (base);

-- also of an empty table; images and keys are empty whatever the identity is
TRUNCATE t;
TRUNCATE keyless;
SELECT records();
-- with a context, between other changes, and what is rolled back
BEGIN;
INSERT INTO t VALUES (1, 1);
TRUNCATE t;
SELECT FROM pg_logical_emit_message(true, '_bemi', '"a context"');
INSERT INTO t VALUES (2, 2);
SAVEPOINT s;
TRUNCATE t;
ROLLBACK TO s;
DELETE FROM t;
COMMIT;
SELECT records();

-- several tables are several records of one position; sequence counts each of them, emitted or not
CREATE FUNCTION truncated(VARIADIC options text[] DEFAULT '{}') RETURNS TABLE (name text, partition json, sequence json, last json) LANGUAGE sql AS $$
    SELECT r->>'table', r->'partition', r->'sequence', r->'last' FROM records(VARIADIC options) r
$$;
TRUNCATE t, u, keyless;
SELECT * FROM truncated();
TRUNCATE t, u, keyless;
INSERT INTO u VALUES (1);
TRUNCATE u, t;
SELECT count(DISTINCT data::json->>'position'), count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL) WHERE data::json->>'operation' = 'TRUNCATE';
SELECT * FROM truncated('tables', 'u');
TRUNCATE t, u, keyless;
SELECT * FROM truncated('exclude_tables', 'public.k*, t');
TRUNCATE t, u, keyless;
INSERT INTO u VALUES (2);
SELECT r->>'operation', r->>'table', r->'sequence' FROM records('operations', 'create,update,delete') r;
-- what foreign keys take along
TRUNCATE owner CASCADE;
SELECT * FROM truncated();
-- RESTART IDENTITY writes no row
CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY);
TRUNCATE numbered RESTART IDENTITY;
SELECT * FROM truncated();

-- of a partitioned table, a record for each partition that holds rows, under the topmost name
TRUNCATE parted;
SELECT * FROM truncated();
TRUNCATE parted_eu;
SELECT * FROM truncated();
TRUNCATE parted_eu_2, t;
SELECT * FROM truncated();
TRUNCATE parted;
SELECT * FROM truncated('tables', 'parted_us, parted_eu_1');
TRUNCATE parted;
SELECT * FROM truncated('exclude_tables', 'parted');
-- of a parent, one for each child as well, under their own names
TRUNCATE base;
SELECT * FROM truncated();
TRUNCATE ONLY base;
SELECT * FROM truncated();

-- no rows of tables that are never emitted
CREATE TEMP TABLE temporary (n int);
CREATE UNLOGGED TABLE unlogged (n int);
TRUNCATE temporary, unlogged;
TRUNCATE t, unlogged, temporary;
SELECT * FROM truncated();

SELECT pg_drop_replication_slot('regress');
DROP TABLE t, u, keyless, owner, owned, numbered, parted, base, child, temporary, unlogged;
DROP FUNCTION truncated;

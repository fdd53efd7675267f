-- Only ordinary tables and partitions are emitted, and none of three schemas.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE FUNCTION emitted() RETURNS TABLE (operation text, name text, after json, sequence json) LANGUAGE sql AS $$
    SELECT r->>'operation', format('%I.%I', r->>'schema', r->>'table'), r->'after', r->'sequence' FROM records() r
$$;
CREATE TABLE t (id int PRIMARY KEY);

-- what PostgreSQL does not log, or not as changes of rows
CREATE TEMP TABLE temporary (id int);
CREATE TEMP TABLE temporary_too ON COMMIT DELETE ROWS AS SELECT 1 AS id;
CREATE UNLOGGED TABLE unlogged (id int);
CREATE SEQUENCE numbers;
CREATE INDEX ON unlogged (id);
INSERT INTO temporary VALUES (1);
INSERT INTO unlogged VALUES (1);
UPDATE unlogged SET id = 2;
SELECT nextval('numbers');
SELECT setval('numbers', 10);
SELECT FROM lo_create(0) AS o (o) WHERE lo_unlink(o) = 0;
COMMENT ON TABLE t IS 'a comment';
SELECT * FROM emitted();
-- an unlogged table that becomes a logged one, and back
BEGIN;
ALTER TABLE unlogged SET LOGGED;
INSERT INTO unlogged VALUES (3);
COMMIT;
ALTER TABLE unlogged SET UNLOGGED;
INSERT INTO unlogged VALUES (4);
SELECT * FROM emitted();
-- materialised views are logged like tables, and count, but are not emitted
INSERT INTO t VALUES (1), (2);
CREATE MATERIALIZED VIEW stored AS SELECT id, id * 2 AS twice FROM t;
CREATE UNIQUE INDEX ON stored (id);
SELECT skip();
BEGIN;
DELETE FROM t WHERE id = 1;
REFRESH MATERIALIZED VIEW CONCURRENTLY stored;
INSERT INTO t VALUES (3);
COMMIT;
REFRESH MATERIALIZED VIEW stored;
SELECT * FROM emitted();
-- a change through a view is one of the table
CREATE VIEW seen AS SELECT id FROM t WHERE id > 2;
INSERT INTO seen VALUES (4);
UPDATE seen SET id = 5 WHERE id = 4;
SELECT * FROM emitted();
-- locks, and rows that were only locked
BEGIN;
LOCK TABLE t;
SELECT FROM t FOR UPDATE;
COMMIT;
SELECT * FROM emitted();
-- changes by triggers, foreign keys and rules
CREATE TABLE owner (id int PRIMARY KEY);
CREATE TABLE owned (id int PRIMARY KEY, owner int REFERENCES owner ON UPDATE CASCADE ON DELETE CASCADE);
CREATE RULE log AS ON INSERT TO owner DO ALSO INSERT INTO owned VALUES (NEW.id * 10, NEW.id);
INSERT INTO owner VALUES (1);
UPDATE owner SET id = 2;
DELETE FROM owner;
SELECT * FROM emitted();

-- three schemas are never emitted, and only those
CREATE SCHEMA bemi;
CREATE SCHEMA "Bemi";
CREATE SCHEMA bemi_2;
CREATE TABLE bemi.changes (id int PRIMARY KEY);
CREATE TABLE "Bemi".changes (id int PRIMARY KEY);
CREATE TABLE bemi_2.changes (id int PRIMARY KEY);
CREATE TABLE bemi (id int PRIMARY KEY);
CREATE TABLE public.pg_class (id int PRIMARY KEY);
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.regress_bemi (id int);
RESET allow_system_table_mods;
BEGIN;
INSERT INTO bemi.changes VALUES (1);
INSERT INTO "Bemi".changes VALUES (2);
INSERT INTO bemi_2.changes VALUES (3);
INSERT INTO bemi VALUES (4);
INSERT INTO public.pg_class VALUES (5);
UPDATE information_schema.sql_features SET comments = comments WHERE feature_id = 'B011';
INSERT INTO pg_catalog.regress_bemi VALUES (7);
TRUNCATE bemi.changes, bemi;
COMMIT;
SET allow_system_table_mods = on;
DROP TABLE pg_catalog.regress_bemi;
RESET allow_system_table_mods;
SELECT * FROM emitted();
INSERT INTO bemi.changes VALUES (1);
SELECT records('tables', 'bemi.*, information_schema.*, pg_catalog.*');
-- nor partitions there, nor of tables there
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE bemi.part PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM (10) TO (20);
CREATE TABLE bemi.parted (id int) PARTITION BY RANGE (id);
CREATE TABLE part_of_bemi PARTITION OF bemi.parted FOR VALUES FROM (0) TO (10);
INSERT INTO parted VALUES (1), (11);
INSERT INTO bemi.parted VALUES (2);
SELECT * FROM emitted();
-- a table moves there and back
BEGIN;
INSERT INTO t VALUES (11);
ALTER TABLE t SET SCHEMA bemi;
INSERT INTO bemi.t VALUES (12);
ALTER TABLE bemi.t SET SCHEMA public;
INSERT INTO t VALUES (13);
COMMIT;
SELECT * FROM emitted();
-- a catalog of a user's own is a table
CREATE TABLE user_catalog (id int) WITH (user_catalog_table = true);
INSERT INTO user_catalog VALUES (1);
SELECT * FROM emitted();

SELECT pg_drop_replication_slot('regress');
DROP SCHEMA bemi, "Bemi", bemi_2 CASCADE;
DROP TABLE temporary, temporary_too, unlogged, owner, owned, bemi, public.pg_class, parted, user_catalog, t CASCADE;
DROP SEQUENCE numbers;
DROP FUNCTION emitted;

-- Rows of partitions: under the topmost table's name, with the partition's in "partition".
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE FUNCTION rows(VARIADIC options text[] DEFAULT '{}')
    RETURNS TABLE (operation text, name text, partition text, primary_key text, previous_key text, before json, after json) LANGUAGE sql AS $$
    SELECT r->>'operation', format('%s.%s', r->>'schema', r->>'table'), r->>'partition', r->>'primary_key', r->>'previous_key', r->'before', r->'after'
    FROM records(VARIADIC options) r
$$;

-- several levels, partitions in another schema, and with their columns in another order
CREATE SCHEMA "Archive";
CREATE TABLE event (id int, region text, at date, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE event_eu PARTITION OF event FOR VALUES IN ('eu') PARTITION BY RANGE (id);
CREATE TABLE "Archive"."EU old" PARTITION OF event_eu FOR VALUES FROM (0) TO (10);
CREATE TABLE event_eu_new PARTITION OF event_eu FOR VALUES FROM (10) TO (20);
CREATE TABLE event_us (at date, region text NOT NULL, gone int, id int NOT NULL);
ALTER TABLE event_us DROP gone;
ALTER TABLE event ATTACH PARTITION event_us FOR VALUES IN ('us');
CREATE TABLE event_rest PARTITION OF event DEFAULT;
INSERT INTO event VALUES (1, 'eu', '2026-01-01'), (11, 'eu', NULL), (1, 'us', NULL), (1, 'af', NULL);
INSERT INTO event_us VALUES ('2026-01-02', 'us', 2);
UPDATE event SET at = '2026-01-03' WHERE id = 1;
DELETE FROM event WHERE region = 'us' AND id = 2;
DELETE FROM event WHERE region = 'us';
SELECT * FROM rows();
-- the whole record
INSERT INTO event VALUES (2, 'eu', NULL);
SELECT records();

-- a row that moves to another partition is deleted there and made here
UPDATE event SET id = 12 WHERE id = 1 AND region = 'eu';
UPDATE event SET region = 'us' WHERE id = 12;
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi', '"move"');
UPDATE event SET region = 'eu' WHERE id = 12;
COMMIT;
SELECT r->>'operation', r->>'partition', r->>'primary_key', r->'previous_key', r->'context', r->'sequence', r->'last' FROM records() r;

-- the replica identity is the partition's own
ALTER TABLE event_us REPLICA IDENTITY FULL;
INSERT INTO event VALUES (3, 'us', NULL), (3, 'af', NULL);
UPDATE event SET at = '2026-01-04' WHERE id = 3;
UPDATE event SET id = 4 WHERE id = 3;
DELETE FROM event WHERE id = 4;
SELECT * FROM rows();

-- detached it is a table like others, attached again a partition; in the same transaction too
INSERT INTO event VALUES (5, 'us', NULL);
ALTER TABLE event DETACH PARTITION event_us;
INSERT INTO event_us VALUES (NULL, 'us', 6);
INSERT INTO event VALUES (6, 'us', NULL);
DELETE FROM event WHERE id = 6;
ALTER TABLE event ATTACH PARTITION event_us FOR VALUES IN ('us');
INSERT INTO event VALUES (7, 'us', NULL);
SELECT * FROM rows();
BEGIN;
INSERT INTO event VALUES (8, 'us', NULL);
ALTER TABLE event DETACH PARTITION event_us;
INSERT INTO event_us VALUES (NULL, 'us', 9);
ALTER TABLE event ATTACH PARTITION event_us FOR VALUES IN ('us');
INSERT INTO event VALUES (10, 'us', NULL);
COMMIT;
SELECT * FROM rows();
-- a level that is detached takes its partitions with it
BEGIN;
INSERT INTO event VALUES (3, 'eu', NULL);
ALTER TABLE event DETACH PARTITION event_eu;
INSERT INTO event_eu VALUES (4, 'eu', NULL);
ALTER TABLE event ATTACH PARTITION event_eu FOR VALUES IN ('eu');
INSERT INTO event VALUES (5, 'eu', NULL);
COMMIT;
ALTER TABLE event DETACH PARTITION event_eu;
INSERT INTO event_eu VALUES (6, 'eu', NULL);
ALTER TABLE event ATTACH PARTITION event_eu FOR VALUES IN ('eu');
INSERT INTO event VALUES (7, 'eu', NULL);
SELECT * FROM rows();

-- renamed on any level
BEGIN;
INSERT INTO event VALUES (13, 'eu', NULL);
ALTER TABLE event_eu_new RENAME TO "new ""one""";
INSERT INTO event VALUES (14, 'eu', NULL);
ALTER TABLE event RENAME TO happening;
INSERT INTO happening VALUES (15, 'eu', NULL);
ALTER TABLE event_eu RENAME TO europe;
ALTER TABLE happening SET SCHEMA "Archive";
INSERT INTO "Archive".happening VALUES (16, 'eu', NULL);
ALTER SCHEMA "Archive" RENAME TO archive;
INSERT INTO archive.happening VALUES (17, 'eu', NULL), (8, 'eu', NULL);
COMMIT;
INSERT INTO archive.happening VALUES (18, 'eu', NULL);
SELECT name, partition, primary_key FROM rows();
-- filters know a partition by its own name and by the topmost table's, not by a name in between
INSERT INTO archive.happening VALUES (1, 'eu', NULL), (10, 'eu', NULL), (20, 'us', NULL), (20, 'af', NULL);
CREATE FUNCTION kept(VARIADIC options text[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(coalesce(data::json->>'partition', data::json->>'table'), ' ') FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC options)
$$;
SELECT kept('tables', 'happening');
SELECT kept('tables', 'archive.*');
SELECT kept('tables', 'public.*');
SELECT kept('tables', 'event_us, archive.EU*');
SELECT kept('tables', 'europe');
SELECT kept('exclude_tables', 'event_*');
SELECT kept('exclude_tables', 'archive.happening');
SELECT kept('tables', 'happening', 'exclude_tables', 'event_us');
SELECT skip();
-- so do filters of columns
INSERT INTO archive.happening VALUES (21, 'us', '2026-01-01'), (21, 'af', '2026-01-01');
SELECT r->'after' FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'exclude_columns', 'event_us.at, event_rest.region'), LATERAL (SELECT data::json) t (r);
SELECT r->'after' FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'exclude_columns', 'archive.happening.at'), LATERAL (SELECT data::json) t (r);
SELECT r->'after', r->'missing' FROM records('mask_columns', 'happening.region') r;

-- inheritance is no partitioning: a child is a table of its own
CREATE TABLE base (id int PRIMARY KEY);
CREATE TABLE child (more int) INHERITS (base);
INSERT INTO base VALUES (1);
INSERT INTO child VALUES (2, 3);
UPDATE base SET id = id + 10;
SELECT * FROM rows();

SELECT pg_drop_replication_slot('regress');
DROP TABLE archive.happening, base, child;
DROP SCHEMA archive;
DROP FUNCTION rows, kept;

-- What is left out: tables, columns, operations. `sequence` counts it all the same.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE SCHEMA audit;
CREATE SCHEMA "Audit";
CREATE TABLE todo (id int PRIMARY KEY, task text);
CREATE TABLE todo_item (id int PRIMARY KEY, task text);
CREATE TABLE audit.todo (id int PRIMARY KEY, task text);
CREATE TABLE audit.log (id int PRIMARY KEY, task text);
CREATE TABLE "Audit"."Log" (id int PRIMARY KEY, task text);
BEGIN;
INSERT INTO todo VALUES (1, 'a');
INSERT INTO todo_item VALUES (2, 'b');
INSERT INTO audit.todo VALUES (3, 'c');
INSERT INTO audit.log VALUES (4, 'd');
INSERT INTO "Audit"."Log" VALUES (5, 'e');
UPDATE todo SET id = 6, task = 'f';
DELETE FROM audit.log;
TRUNCATE audit.todo, todo;
COMMIT;
CREATE FUNCTION emitted(VARIADIC options text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
    wrong text;
BEGIN
    SELECT string_agg(format('%s %s.%s%s', d->>'sequence', d->>'schema', d->>'table', CASE WHEN d->>'last' IS NOT NULL THEN ' last' END), ', ' ORDER BY n),
           string_agg(complaint(data, previous::json, lsn, xid, true), ', ')
    FROM (SELECT *, data::json AS d, lag(data) OVER (ORDER BY n) AS previous
          FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC options) WITH ORDINALITY m (lsn, xid, data, n)) m
    INTO result, wrong;
    IF wrong IS NOT NULL THEN
        RAISE WARNING '%', wrong;
    END IF;
    RETURN coalesce(result, 'nothing');
END$$;

-- tables, by schema and name, by name alone, by patterns of both
SELECT emitted(VARIADIC '{}');
SELECT emitted('tables', 'public.todo');
SELECT emitted('tables', 'todo');
SELECT emitted('tables', 'todo*');
SELECT emitted('tables', 'audit.*');
SELECT emitted('tables', '?udit.?og');
SELECT emitted('tables', '*.*o*');
SELECT emitted('tables', 'log, public.todo_item');
SELECT emitted('tables', 'none');
-- exclude_tables takes from what tables gives
SELECT emitted('exclude_tables', 'audit.*');
SELECT emitted('exclude_tables', 'todo');
SELECT emitted('exclude_tables', '*');
SELECT emitted('tables', 'todo*', 'exclude_tables', 'audit.todo');
SELECT emitted('exclude_tables', 'audit.todo', 'tables', 'audit.todo');
-- operations
SELECT emitted('operations', 'create');
SELECT emitted('operations', 'update');
SELECT emitted('operations', 'delete,truncate');
SELECT emitted('operations', 'delete', 'tables', 'audit.log');
SELECT emitted('operations', 'update', 'tables', 'audit.log');

-- columns: an excluded one is in neither image nor named as missing; one of the key takes the keys with it
SELECT skip();
CREATE TABLE wide (id int, code text, secret text, big text, PRIMARY KEY (id, code));
ALTER TABLE wide ALTER big SET STORAGE EXTERNAL;
INSERT INTO wide VALUES (1, 'a', 's', repeat('b', 3000));
UPDATE wide SET secret = 't';
UPDATE wide SET code = 'b';
ALTER TABLE wide REPLICA IDENTITY FULL;
UPDATE wide SET secret = 'u';
DELETE FROM wide;
CREATE FUNCTION images(VARIADIC options text[]) RETURNS TABLE (primary_key json, previous_key json, before text, after text, missing json) LANGUAGE sql AS $$
    SELECT r->'primary_key', r->'previous_key', regexp_replace(r->>'before', 'b{9,}', 'b…'), regexp_replace(r->>'after', 'b{9,}', 'b…'), r->'missing'
    FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC options) m (lsn, xid, data), LATERAL (SELECT m.data::json) d (r)
$$;
SELECT * FROM images('exclude_columns', 'x');
SELECT * FROM images('exclude_columns', 'secret');
SELECT * FROM images('exclude_columns', 'wide.b*, public.wide.secret, other.code, other.wide.id');
SELECT * FROM images('exclude_columns', 'code');
SELECT * FROM images('exclude_columns', '*');
SELECT skip();

-- ignore_columns: an UPDATE of nothing else is left out, where the old row is known
CREATE TABLE ignored (id int PRIMARY KEY, updated_at timestamptz, views bigint, note text, big text);
ALTER TABLE ignored REPLICA IDENTITY FULL, ALTER big SET STORAGE EXTERNAL;
CREATE PROCEDURE change() LANGUAGE plpgsql AS $$BEGIN
    INSERT INTO ignored VALUES (1, '2026-01-01', 0, 'inserted', repeat('b', 3000));
    UPDATE ignored SET updated_at = '2026-01-02';
    UPDATE ignored SET updated_at = NULL, views = NULL;
    UPDATE ignored SET views = 1;
    UPDATE ignored SET views = 2, note = 'views and note';
    UPDATE ignored SET note = 'note';
    UPDATE ignored SET note = note;
    UPDATE ignored SET updated_at = '2026-01-03', big = big || '';
    UPDATE ignored SET updated_at = '2026-01-04', big = repeat('c', 3000), note = 'big';
    UPDATE ignored SET id = 2, views = 3;
    DELETE FROM ignored;
    TRUNCATE ignored;
END$$;
CREATE FUNCTION kept(VARIADIC options text[]) RETURNS TABLE (operation text, sequence json, note text, views text) LANGUAGE sql AS $$
    SELECT r->>'operation', r->'sequence', r->'after'->>'note', r->'after'->>'views' FROM records(VARIADIC options) r
$$;
CALL change();
SELECT * FROM kept('ignore_columns', 'updated_at, ignored.views');
CALL change();
SELECT * FROM kept('ignore_columns', 'public.ignored.updated_at, other.views');
-- only ignored columns changed, and they are not shown either
CALL change();
SELECT * FROM kept('ignore_columns', 'updated_at, views', 'exclude_columns', 'updated_at', 'mask_columns', 'views');
-- every column
CALL change();
SELECT * FROM kept('ignore_columns', '*');
-- where the old row is not known, all are kept
ALTER TABLE ignored REPLICA IDENTITY DEFAULT;
CALL change();
SELECT * FROM kept('ignore_columns', 'updated_at, views');

-- a transaction of which nothing is left sends nothing, and does not hold the slot back
INSERT INTO todo VALUES (7, 'g');
SELECT count(*) FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'tables', 'other');
SELECT records();

SELECT pg_drop_replication_slot('regress');
SET client_min_messages = warning;
DROP SCHEMA audit, "Audit" CASCADE;
DROP TABLE todo, todo_item, wide, ignored;
DROP FUNCTION emitted, images, kept;
DROP PROCEDURE change;

-- The view bemi.untracked and the function bemi.check, in a database of their own: they look at all
-- its tables. What depends on the server's settings and slots is in t/042_extension_check.pl.
SELECT current_database() AS home \gset
CREATE DATABASE regression_bemi_check TEMPLATE template0;
\c regression_bemi_check
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION bemi_decoder;
-- nothing to complain of in an empty database: the extension's own tables don't count
TABLE bemi.untracked;
SELECT name, ok, found, fix FROM bemi.check() WHERE name IN ('tables_identity', 'tables_key', 'unlogged_tables');

CREATE TABLE by_key (id int PRIMARY KEY);
CREATE TABLE by_deferrable_key (id int PRIMARY KEY DEFERRABLE);
CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL DEFAULT 'a' UNIQUE);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_key;
CREATE TABLE by_lost_index (id int PRIMARY KEY, code text NOT NULL DEFAULT 'a' UNIQUE);
ALTER TABLE by_lost_index REPLICA IDENTITY USING INDEX by_lost_index_code_key;
ALTER TABLE by_lost_index DROP CONSTRAINT by_lost_index_code_key;
CREATE TABLE by_nothing (id int PRIMARY KEY);
ALTER TABLE by_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE full_without_key (id int);
ALTER TABLE full_without_key REPLICA IDENTITY FULL;
CREATE TABLE full_with_key (id int PRIMARY KEY);
ALTER TABLE full_with_key REPLICA IDENTITY FULL;
CREATE TABLE without_both (id int);
CREATE SCHEMA "Wild ' schema";
CREATE TABLE "Wild ' schema"."Table "" here" (id int PRIMARY KEY);
CREATE TABLE parted (id int) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
ALTER TABLE parted_1 REPLICA IDENTITY FULL;
-- unique indexes that records take for a key where there is no primary key, and those that they don't
CREATE TABLE by_unique (id int NOT NULL, note text, UNIQUE (id) INCLUDE (note));
CREATE TABLE by_nullable (id int UNIQUE);
CREATE TABLE by_deferrable (id int NOT NULL UNIQUE DEFERRABLE);
CREATE TABLE by_partial (id int NOT NULL);
CREATE UNIQUE INDEX ON by_partial (id) WHERE id > 0;
CREATE TABLE by_expression (id int NOT NULL);
CREATE UNIQUE INDEX ON by_expression (abs(id));
CREATE TABLE parted_unique (id int NOT NULL UNIQUE) PARTITION BY LIST (id);
CREATE TABLE parted_unique_1 PARTITION OF parted_unique FOR VALUES IN (1);
CREATE TABLE parted_own (id int NOT NULL) PARTITION BY LIST (id);
CREATE TABLE parted_own_1 PARTITION OF parted_own (UNIQUE (id)) FOR VALUES IN (1);
CREATE TABLE parted_identity (id int NOT NULL) PARTITION BY LIST (id);
CREATE TABLE parted_identity_1 PARTITION OF parted_identity (CONSTRAINT its_own UNIQUE (id)) FOR VALUES IN (1);
ALTER TABLE parted_identity_1 REPLICA IDENTITY USING INDEX its_own;
-- not emitted, so not here
CREATE TEMP TABLE scratch (id int);
CREATE UNLOGGED TABLE fast (id int);
CREATE UNLOGGED TABLE "Fast ""er" (id int);
CREATE VIEW seen AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW stored AS SELECT 1 AS id;
CREATE TABLE bemi.changes (id int);
CREATE TABLE changes (id uuid PRIMARY KEY, commit_position bigint);
CREATE UNLOGGED TABLE bemi.queue (id int);

SELECT * FROM bemi.untracked ORDER BY lacks COLLATE "C" DESC, schema COLLATE "C", "table" COLLATE "C";
-- what the decoder writes agrees: a row in each table, without a key where the view says so
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
SELECT format('INSERT INTO %I.%I (id) VALUES (1)', n.nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'r' AND relpersistence = 'p' AND relname <> 'changes' AND nspname IN ('public', 'Wild '' schema') ORDER BY relname COLLATE "C" \gexec
WITH emitted AS (
    SELECT r->>'schema' AS schema, regexp_replace(coalesce(r->>'partition', r->>'table'), '^public\.', '') AS "table", r->>'primary_key' IS NULL AS keyless
    FROM (SELECT data::jsonb FROM pg_logical_slot_get_changes('regress', NULL, NULL)) c (r)
)
SELECT count(*) AS tables, string_agg(e."table", ', ') FILTER (WHERE keyless IS DISTINCT FROM (u."table" IS NOT NULL)) AS differ
FROM emitted e LEFT JOIN bemi.untracked u ON u.schema = e.schema AND u."table" = e."table" AND u.lacks = 'key';
SELECT FROM pg_drop_replication_slot('regress');
\x on
SELECT name, ok, found, fix FROM bemi.check() WHERE name IN ('tables_identity', 'tables_key', 'unlogged_tables');
\x off
-- the fixes mend it
SELECT unnest(string_to_array(fix, E'\n')) FROM bemi.check() WHERE name IN ('tables_identity', 'unlogged_tables') \gexec
SELECT replace(fix, '...', 'id') FROM bemi.untracked WHERE lacks = 'key' ORDER BY fix COLLATE "C" \gexec
TABLE bemi.untracked;
SELECT name, ok, found, fix FROM bemi.check() WHERE name IN ('tables_identity', 'tables_key', 'unlogged_tables');
-- a long list is cut
SELECT bemi._listed(array_agg('t' || i ORDER BY i)) FROM generate_series(1, 6) i;

-- all requirements, in the order to look at them; a fix just where there is something to mend
SELECT name, (fix IS NULL) = (ok IS TRUE) AS fix_where_needed, found <> '' AS found FROM bemi.check();
SELECT name FROM bemi.check() WHERE ok IS NULL AND name <> 'repack_concurrently'; -- which 19 has
-- those that the tests' server meets
SELECT name, ok FROM bemi.check() WHERE name IN ('wal_level', 'output_plugin_libraries', 'replication_slots', 'wal_senders');

-- lists of libraries, as the server reads them: quotes make one name of what stands in them
SELECT list, array(SELECT bemi._names_in(list)) AS names, bemi._with_name(list, 'bemi_decoder') FROM (VALUES
    ('pgoutput'), ('pgoutput, test_decoding,bemi_decoder'), (E' "bemi_decoder" ,\n\tPgOutput'), ('"pgoutput, Bemi""_decoder"'),
    ('$libdir/a, "/opt/b c/d.so"'), (''), ('""'), (NULL)) AS l (list);
CREATE FUNCTION pg_temp.session_library(list text) RETURNS text LANGUAGE sql AS $$
    SELECT set_config('session_preload_libraries', list, false);
    SELECT concat_ws(' ', ok, found, fix) FROM bemi.check() WHERE name = 'session_library';
$$;
SELECT list, pg_temp.session_library(list) FROM (VALUES
    ('bemi_session'), ('auto_explain, "$libdir/bemi_session"'), ('/opt/bemi_session.so'),
    (''), ('auto_explain'), ('bemi_session2, not_bemi_session'), ('"auto_explain, bemi_session"')) AS l (list);
RESET session_preload_libraries;

-- for everybody: who monitors the server sees more
CREATE ROLE regress_bemi_monitor IN ROLE pg_monitor;
CREATE ROLE regress_bemi_app;
SET ROLE regress_bemi_monitor;
SELECT name, ok, found FROM bemi.check() WHERE name = 'session_library';
SET ROLE regress_bemi_app;
SELECT count(*) FROM bemi.check();
SELECT name, ok, found FROM bemi.check() WHERE name = 'session_library';
SELECT count(*) FROM bemi.untracked;
RESET ROLE;

\c :home
DROP DATABASE regression_bemi_check;
DROP ROLE regress_bemi_monitor, regress_bemi_app;

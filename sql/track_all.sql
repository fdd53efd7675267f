-- CALL bemi.track_all, and the tables that come later.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION bemi_decoder;
CREATE SCHEMA "All ""'
%s";
CREATE SCHEMA elsewhere;
CREATE VIEW public.identities AS
SELECT c.relname, c.relreplident FROM pg_catalog.pg_class c
WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname LIKE 'All%') AND c.relkind IN ('r', 'p')
ORDER BY c.relname COLLATE "C";
SET search_path = "All ""'
%s";

-- what is there: tables, partitions wherever they are; the rest is passed over
CREATE TABLE plain (id int PRIMARY KEY);
CREATE TABLE "Or;der" ("Id" int PRIMARY KEY);
CREATE TABLE parted (id int) PARTITION BY LIST (id);
CREATE TABLE elsewhere.parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE UNLOGGED TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
CREATE UNLOGGED TABLE fast (id int);
CREATE TEMP TABLE scratch (id int);
CREATE VIEW seen AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW stored AS SELECT 1 AS id;
CREATE TABLE elsewhere.other (id int);
CALL bemi.track_all('All "''
%s');
TABLE public.identities;
SELECT relname, relreplident FROM pg_class WHERE relnamespace = 'elsewhere'::regnamespace ORDER BY relname;
TABLE bemi.tracked_schemas;
-- again: nothing left to do
CALL bemi.track_all('All "''
%s');

-- what comes later, by every way to make a table
CREATE TABLE made (id int);
CREATE TABLE made_as AS SELECT 1 AS id;
SELECT 1 AS id INTO selected_into;
CREATE TABLE made_like (LIKE plain INCLUDING ALL);
CREATE TABLE made_parted (id int) PARTITION BY LIST (id);
CREATE TABLE made_parted_1 PARTITION OF made_parted FOR VALUES IN (1);
CREATE TABLE elsewhere.made_parted_2 PARTITION OF made_parted FOR VALUES IN (2);
DO $$BEGIN EXECUTE 'CREATE TABLE made_by_do (id int)'; END$$;
BEGIN; SAVEPOINT s; CREATE TABLE made_in_savepoint (id int); RELEASE s; COMMIT;
BEGIN; SAVEPOINT s; CREATE TABLE made_twice (id int); ROLLBACK TO s; CREATE TABLE made_twice (id text); COMMIT;
CREATE TABLE IF NOT EXISTS made (id int);
ALTER TABLE elsewhere.other SET SCHEMA "All ""'
%s";
SELECT * FROM public.identities WHERE relreplident <> 'f';
SELECT relname, relreplident FROM pg_class WHERE relnamespace = 'elsewhere'::regnamespace ORDER BY relname;
-- with an index of its own choice, moved in a savepoint: untrack gives it back
BEGIN;
CREATE TABLE elsewhere.moved (id int NOT NULL UNIQUE);
ALTER TABLE elsewhere.moved REPLICA IDENTITY USING INDEX moved_id_key;
SAVEPOINT s;
ALTER TABLE elsewhere.moved SET SCHEMA "All ""'
%s";
RELEASE s;
COMMIT;
SELECT * FROM public.identities WHERE relname = 'moved';
SELECT bemi.untrack('moved');
SELECT * FROM public.identities WHERE relname = 'moved';

-- what was chosen since, with untrack or without, stays, also in the transaction that made it
SELECT bemi.untrack('made');
ALTER TABLE made ADD COLUMN note text;
ALTER TABLE made RENAME TO made_renamed;
BEGIN;
CREATE TABLE chosen (id int PRIMARY KEY);
ALTER TABLE chosen REPLICA IDENTITY USING INDEX chosen_pkey;
CREATE TABLE elsewhere.chosen_moved (id int PRIMARY KEY);
ALTER TABLE elsewhere.chosen_moved SET SCHEMA "All ""'
%s";
SELECT bemi.untrack('chosen_moved');
ALTER TABLE chosen_moved ADD COLUMN note text;
COMMIT;
ALTER TABLE chosen ADD COLUMN note text;
SELECT * FROM public.identities WHERE relreplident <> 'f';

-- as does what was moved here before anybody asked to track the schema
CREATE SCHEMA moved_to;
CREATE TABLE elsewhere.moved_before (id int);
ALTER TABLE elsewhere.moved_before SET SCHEMA moved_to;
INSERT INTO bemi.tracked_schemas VALUES ('moved_to');
ALTER TABLE moved_to.moved_before ALTER id SET DEFAULT 1;
SELECT relreplident FROM pg_class WHERE oid = 'moved_to.moved_before'::regclass;
DROP SCHEMA moved_to CASCADE;

-- unlogged tables: ready for the day when they are logged, each of them
CREATE UNLOGGED TABLE made_fast (id int);
CREATE UNLOGGED TABLE elsewhere.made_faster (id int);
ALTER TABLE elsewhere.made_faster SET SCHEMA "All ""'
%s";
SELECT bemi.untrack('fast');
ALTER TABLE fast SET LOGGED;
ALTER TABLE parted_2 SET LOGGED;
ALTER TABLE made_fast SET LOGGED;
ALTER TABLE made_faster SET LOGGED;
SELECT relname, relreplident FROM pg_class
WHERE relpersistence = 'p' AND relname IN ('fast', 'parted_2', 'made_fast', 'made_faster') ORDER BY relname;
SELECT "table", lacks FROM bemi.untracked WHERE schema LIKE 'All%' AND lacks = 'replica identity full' ORDER BY 1;
ALTER TABLE parted_2 SET UNLOGGED;

-- not tracked: other schemas, temporary tables
CREATE TABLE elsewhere.free (id int);
CREATE TEMP TABLE made_scratch (id int);
CREATE TEMP TABLE made_scratch_as AS SELECT 1 AS id;
SELECT relname, relreplident FROM pg_class WHERE relname IN ('free', 'made_scratch', 'made_scratch_as') ORDER BY relname;
-- nor is anything where nobody asked for it any more
DELETE FROM bemi.tracked_schemas;
CREATE TABLE unasked (id int);
SELECT * FROM public.identities WHERE relname = 'unasked';

-- a schema that is made again under its name is tracked still, with what is made along with it
INSERT INTO bemi.tracked_schemas VALUES ('made_again');
CREATE SCHEMA made_again CREATE TABLE along (id int);
SELECT relname, relreplident FROM pg_class WHERE relnamespace = 'made_again'::regnamespace;
DROP SCHEMA made_again CASCADE;

-- roles without a right: their tables come first
CREATE ROLE regress_bemi_owner;
GRANT USAGE, CREATE ON SCHEMA elsewhere TO regress_bemi_owner;
CALL bemi.track_all('elsewhere');
SET ROLE regress_bemi_owner;
CREATE TABLE elsewhere.owned (id int);
RESET ROLE;
REVOKE SELECT ON bemi.tracked_schemas FROM PUBLIC;
SET ROLE regress_bemi_owner;
CREATE TABLE elsewhere.owned_blind (id int);
RESET ROLE;
GRANT SELECT ON bemi.tracked_schemas TO PUBLIC;
REVOKE USAGE ON SCHEMA bemi FROM PUBLIC;
SET ROLE regress_bemi_owner;
CREATE TABLE elsewhere.owned_outside (id int);
CREATE TEMP TABLE owned_scratch (id int);
DROP TABLE owned_scratch;
RESET ROLE;
GRANT USAGE ON SCHEMA bemi TO PUBLIC;
SELECT relname, relreplident FROM pg_class WHERE relnamespace = 'elsewhere'::regnamespace AND relname LIKE 'owned%' ORDER BY relname;
-- an owner who isn't a superuser gets what is his, and is told the rest
DELETE FROM bemi.tracked_schemas;
CREATE TABLE elsewhere.foreign_to_him (id int);
SET ROLE regress_bemi_owner;
CALL bemi.track_all('elsewhere');
RESET ROLE;
SELECT relname, relreplident FROM pg_class WHERE relnamespace = 'elsewhere'::regnamespace AND relkind = 'r' ORDER BY relname;
TABLE bemi.tracked_schemas;

-- the caller's search_path and lock_timeout neither matter nor change
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.trap(name, name) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'trapped'; END$$;
CREATE OPERATOR hostile.= (FUNCTION = hostile.trap, LEFTARG = name, RIGHTARG = name);
CREATE FUNCTION hostile.format(text, VARIADIC "any") RETURNS text LANGUAGE internal AS 'text_format';
CREATE FUNCTION hostile.array_append(text[], text) RETURNS text[] LANGUAGE plpgsql AS $$BEGIN RAISE 'trapped'; END$$;
CREATE FUNCTION hostile.pg_sleep(float8) RETURNS void LANGUAGE plpgsql AS $$BEGIN RAISE 'trapped'; END$$;
CREATE DOMAIN hostile.regclass AS int CHECK (VALUE < 0);
CREATE DOMAIN hostile.float8 AS int CHECK (VALUE < 0);
CREATE TABLE hostile.pg_class (oid oid, relreplident "char", relnamespace oid);
SET search_path = hostile, pg_catalog;
SET lock_timeout = '7s';
CALL bemi.track_all('elsewhere');
SHOW search_path;
SHOW lock_timeout;
RESET lock_timeout;
SET search_path = public;
SELECT relname, relreplident FROM pg_class WHERE relnamespace = 'elsewhere'::regnamespace AND relreplident <> 'f' AND relkind = 'r';

-- what is refused
CALL bemi.track_all('absent');
CALL bemi.track_all('Elsewhere');
CALL bemi.track_all('pg_catalog');
CALL bemi.track_all('information_schema');
CALL bemi.track_all('bemi');
CALL bemi.track_all(NULL);
BEGIN;
CALL bemi.track_all('hostile');
ROLLBACK;
TABLE bemi.tracked_schemas;

DROP SCHEMA elsewhere, hostile, "All ""'
%s" CASCADE;
DROP EXTENSION bemi_decoder;
DROP SCHEMA bemi;
DROP ROLE regress_bemi_owner;

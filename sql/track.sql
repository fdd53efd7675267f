-- bemi.track and bemi.untrack: one table, its partitions, and what they refuse.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION bemi_decoder;
CREATE SCHEMA track_test;
SET search_path = track_test;
CREATE VIEW identities AS
SELECT c.relname, c.relreplident FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'track_test'::pg_catalog.regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname COLLATE "C";

-- there and back, twice: what is done already is left alone
CREATE TABLE todo (id int PRIMARY KEY, task text);
SELECT bemi.track('todo'), bemi.track('todo');
TABLE identities;
SELECT bemi.untrack('todo'), bemi.untrack('todo');
TABLE identities;
DROP TABLE todo;

-- back to what it was: an index, nothing, or the whole row already
CREATE TABLE by_index (code text NOT NULL);
CREATE UNIQUE INDEX "By Code" ON by_index (code);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX "By Code";
CREATE TABLE by_nothing (id int PRIMARY KEY);
ALTER TABLE by_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE by_full (id int PRIMARY KEY);
ALTER TABLE by_full REPLICA IDENTITY FULL;
SELECT bemi.track(c) FROM (VALUES ('by_index'::regclass), ('by_nothing'), ('by_full')) t (c);
SELECT bemi.track('by_index');
TABLE identities;
TABLE bemi.previous_identities;
SELECT bemi.untrack(c) FROM (VALUES ('by_index'::regclass), ('by_nothing'), ('by_full')) t (c);
TABLE identities;
SELECT indexrelid::regclass FROM pg_index WHERE indisreplident AND indrelid = 'by_index'::regclass;
-- what has become of the index since must not stand in the way
SELECT bemi.track('by_index');
ALTER TABLE by_index ALTER code DROP NOT NULL;
SELECT bemi.untrack('by_index');
SELECT relreplident FROM identities WHERE relname = 'by_index';
ALTER TABLE by_index ALTER code SET NOT NULL;
ALTER TABLE by_index REPLICA IDENTITY USING INDEX "By Code";
SELECT bemi.track('by_index');
DROP INDEX "By Code";
SELECT bemi.untrack('by_index');
SELECT relreplident FROM identities WHERE relname = 'by_index';
CREATE UNIQUE INDEX "By Code" ON by_index (code);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX "By Code";
SELECT bemi.track('by_index');
DROP INDEX "By Code";
CREATE UNIQUE INDEX "By Code" ON by_index (code) WHERE code <> '';
SELECT bemi.untrack('by_index');
SELECT relreplident FROM identities WHERE relname = 'by_index';
-- an old memory doesn't outlive a new choice
ALTER TABLE by_nothing REPLICA IDENTITY DEFAULT;
SELECT bemi.track('by_nothing'), bemi.untrack('by_nothing');
SELECT relreplident FROM identities WHERE relname = 'by_nothing';
-- what is untracked is not remembered, and without a memory the default comes back
TABLE bemi.previous_identities;
SELECT bemi.untrack('by_full');
SELECT relreplident FROM identities WHERE relname = 'by_full';
DROP TABLE by_index, by_nothing, by_full;

-- wild names
CREATE SCHEMA "Track ""'
Test";
CREATE TABLE "Track ""'
Test"."Order %s ""'
$$" ("Id" int NOT NULL);
CREATE UNIQUE INDEX "Index "" '
" ON "Track ""'
Test"."Order %s ""'
$$" ("Id");
ALTER TABLE "Track ""'
Test"."Order %s ""'
$$" REPLICA IDENTITY USING INDEX "Index "" '
";
SELECT fix FROM bemi.untracked WHERE schema LIKE 'Track%' AND lacks = 'replica identity full' \gexec
SELECT relreplident FROM pg_class WHERE relname LIKE 'Order \%s%';
SELECT bemi.untrack(oid) FROM pg_class WHERE relname LIKE 'Order \%s%';
SELECT relreplident FROM pg_class WHERE relname LIKE 'Order \%s%';
DROP SCHEMA "Track ""'
Test" CASCADE;
-- a name that another schema has too, and one that stands first in every search_path
CREATE TABLE pg_class (id int);
SELECT bemi.track('track_test.pg_class');
TABLE identities;
DROP TABLE track_test.pg_class;

-- partitions: those that are there, at every level, and those that come
CREATE TABLE event (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE event_eu PARTITION OF event FOR VALUES IN ('eu') PARTITION BY RANGE (id);
CREATE TABLE event_eu_1 PARTITION OF event_eu FOR VALUES FROM (0) TO (10);
CREATE TABLE event_us PARTITION OF event FOR VALUES IN ('us');
CREATE UNLOGGED TABLE event_fast PARTITION OF event FOR VALUES IN ('fast');
CREATE FOREIGN DATA WRAPPER track_fdw;
CREATE SERVER track_server FOREIGN DATA WRAPPER track_fdw;
CREATE FOREIGN TABLE event_far (id int NOT NULL, region text NOT NULL) SERVER track_server;
SELECT bemi.track('event_us');
TABLE identities;
SELECT bemi.track('event');
TABLE identities;
CREATE UNLOGGED TABLE event_faster PARTITION OF event FOR VALUES IN ('faster');
CREATE TABLE event_eu_2 PARTITION OF event_eu FOR VALUES FROM (10) TO (20);
CREATE TABLE event_af (id int NOT NULL, region text NOT NULL);
TABLE identities;
ALTER TABLE event ATTACH PARTITION event_af FOR VALUES IN ('af');
CREATE TABLE event_as (LIKE event) PARTITION BY RANGE (id);
CREATE TABLE event_as_1 PARTITION OF event_as FOR VALUES FROM (0) TO (10);
ALTER TABLE event ATTACH PARTITION event_as FOR VALUES IN ('as');
TABLE identities;
-- one that was untracked stays so, whatever is done to its parent
SELECT bemi.untrack('event_us');
ALTER TABLE event ADD COLUMN note text;
ALTER TABLE event DETACH PARTITION event_af;
SELECT * FROM identities WHERE relname IN ('event_us', 'event_af');
-- no warning of the unlogged one on the way back
SELECT bemi.untrack('event');
TABLE identities;
CREATE TABLE event_sa PARTITION OF event FOR VALUES IN ('sa');
SELECT relreplident FROM identities WHERE relname = 'event_sa';
DROP TABLE event;
CREATE TABLE remote (id int, region text) PARTITION BY LIST (region);
ALTER TABLE remote ATTACH PARTITION event_far FOR VALUES IN ('far');
SELECT bemi.track('remote');
DROP TABLE remote, event_af;

-- what cannot be tracked
CREATE TABLE plain (id int);
CREATE VIEW seen AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW stored AS SELECT 1 AS id;
CREATE FOREIGN TABLE distant (id int) SERVER track_server;
CREATE UNLOGGED TABLE fast (id int);
CREATE TEMP TABLE scratch (id int);
CREATE SEQUENCE numbers;
CREATE TYPE pair AS (a int, b int);
CREATE INDEX plain_id ON plain (id);
SELECT bemi.track('seen');
SELECT bemi.track('stored');
SELECT bemi.track('distant');
SELECT bemi.track('fast');
SELECT bemi.track('numbers');
SELECT bemi.track('pair');
SELECT bemi.track('plain_id');
SELECT bemi.track('pg_catalog.pg_class');
SELECT bemi.track('information_schema.sql_features');
SELECT bemi.track('bemi.tracked_schemas');
SELECT bemi.track('bemi.untracked');
CREATE TABLE changes (id int, commit_position bigint);
SELECT bemi.track('changes');
SELECT bemi.untrack('seen');
SELECT bemi.track('absent');
SELECT bemi.track(NULL);
SELECT bemi.untrack(NULL);
SELECT bemi.track(4000000000::oid::regclass);
\set VERBOSITY sqlstate
SELECT bemi.track('seen');
SELECT bemi.track(NULL);
SELECT bemi.track(4000000000::oid::regclass);
\set VERBOSITY default
-- the name of its schema has a number in it
DO $$BEGIN PERFORM bemi.track('scratch'); EXCEPTION WHEN wrong_object_type THEN RAISE WARNING 'refused'; END$$;
-- a tracked table that is made unlogged can still be untracked
SELECT bemi.track('plain');
ALTER TABLE plain SET UNLOGGED;
SELECT bemi.untrack('plain');
SELECT relreplident FROM identities WHERE relname = 'plain';

-- an owner needs no right of its own, and nobody else has one
CREATE ROLE regress_bemi_owner;
CREATE ROLE regress_bemi_other;
GRANT USAGE ON SCHEMA track_test TO regress_bemi_owner, regress_bemi_other;
CREATE TABLE owned (id int NOT NULL UNIQUE);
ALTER TABLE owned REPLICA IDENTITY USING INDEX owned_id_key;
ALTER TABLE owned OWNER TO regress_bemi_owner;
SET SESSION AUTHORIZATION regress_bemi_other;
SELECT bemi.track('owned');
SELECT bemi._note_identity('owned'), bemi._forget_identity('owned');
SELECT * FROM bemi.previous_identities WHERE table_name = 'owned';
INSERT INTO bemi.previous_identities VALUES ('track_test', 'owned', 'n');
SET SESSION AUTHORIZATION regress_bemi_owner;
SELECT bemi.track('owned');
SET SESSION AUTHORIZATION regress_bemi_other;
SELECT bemi.untrack('owned');
SELECT bemi._forget_identity('owned');
SELECT * FROM bemi.previous_identities WHERE table_name = 'owned';
SET SESSION AUTHORIZATION regress_bemi_owner;
SELECT bemi.untrack('owned');
RESET SESSION AUTHORIZATION;
SELECT relreplident FROM identities WHERE relname = 'owned';

SET search_path = public;
DROP SERVER track_server CASCADE;
DROP FOREIGN DATA WRAPPER track_fdw;
DROP SCHEMA track_test CASCADE;
DROP EXTENSION bemi_decoder;
DROP SCHEMA bemi;
DROP ROLE regress_bemi_owner, regress_bemi_other;

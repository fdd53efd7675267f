-- bemi.exclude_tables, bemi.exclude_columns and bemi.mask_columns: what the administrator hides, no
-- consumer can bring to light.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
\set superuser :USER
SET client_min_messages = error;
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE ROLE regress_bemi_reader LOGIN REPLICATION PASSWORD 'reader';
CREATE TABLE shown (id int PRIMARY KEY, secret text, token text, note text);
CREATE TABLE hidden (id int);
INSERT INTO shown VALUES (1, 'SECRET', 'TOKEN', 'note');
INSERT INTO hidden VALUES (2);
CREATE FUNCTION emitted(VARIADIC options text[] DEFAULT '{}') RETURNS TABLE (name text, after json, missing json) LANGUAGE sql AS $$
    SELECT r->>'table', r->'after', r->'missing' FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC options) m (lsn, xid, data), LATERAL (SELECT m.data::json) d (r)
$$;

-- they are empty, for a superuser to set, and added to the options
LOAD 'bemi_decoder';
SELECT name, setting, context, short_desc FROM pg_settings WHERE name LIKE 'bemi.%\_tables' OR name LIKE 'bemi.%\_columns' ORDER BY name;
SELECT * FROM emitted();
SET bemi.exclude_tables = 'hidden, other';
SET bemi.exclude_columns = 'public.shown.note';
SET bemi.mask_columns = 'shown.secret';
SELECT * FROM emitted();
SELECT * FROM emitted('tables', '*', 'mask_columns', 'token');
SELECT * FROM emitted('tables', 'hidden', 'exclude_columns', 'secret');
SELECT * FROM emitted('exclude_tables', 'shown');
SET bemi.exclude_tables = '*';
SELECT * FROM emitted();
SET bemi.exclude_tables = '';
SET bemi.exclude_columns = '*';
SELECT * FROM emitted();
RESET bemi.exclude_tables;
RESET bemi.exclude_columns;
RESET bemi.mask_columns;
-- the next transaction after a change has it
BEGIN;
SET LOCAL bemi.mask_columns = '*';
SELECT * FROM emitted();
COMMIT;
SELECT * FROM emitted();
-- bad values are refused, the old one stays
SET bemi.mask_columns = 'secret';
SET bemi.mask_columns = 'a b';
SET bemi.mask_columns = 'a.b.c.d';
SET bemi.mask_columns = '"a';
SET bemi.exclude_columns = 'a,';
SET bemi.exclude_tables = 'a.b.c';
SET bemi.exclude_tables = 'a\';
SET bemi.exclude_tables = ',';
SET bemi.exclude_tables = ' ';
SHOW bemi.mask_columns;
RESET bemi.mask_columns;

-- a consumer can't set them: in its session
SET SESSION AUTHORIZATION regress_bemi_reader;
SET bemi.mask_columns = '';
SET LOCAL bemi.exclude_tables = '';
SELECT set_config('bemi.exclude_columns', '', false);
RESET SESSION AUTHORIZATION;

-- The administrator's values, for this database.
CREATE PROCEDURE set_here(name text, value text) LANGUAGE plpgsql AS $$BEGIN
    IF value IS NULL THEN
        EXECUTE format('ALTER DATABASE %I RESET %s', current_database(), name);
    ELSE
        EXECUTE format('ALTER DATABASE %I SET %s = %L', current_database(), name, value);
    END IF;
END$$;
CALL set_here('bemi.mask_columns', 'secret');
CALL set_here('bemi.exclude_columns', 'token');
CALL set_here('bemi.exclude_tables', 'hidden');
-- Before the library is loaded anybody may set what is not known yet: as soon as it is, that is void.
\connect
SET SESSION AUTHORIZATION regress_bemi_reader;
SELECT * FROM emitted();
\connect
SET client_min_messages = error;
SET SESSION AUTHORIZATION regress_bemi_reader;
SET bemi.mask_columns = '';
SET bemi.exclude_columns = 'x';
SELECT set_config('bemi.exclude_tables', '', false);
SHOW bemi.mask_columns;
SELECT * FROM emitted();
SHOW bemi.mask_columns;
SET bemi.mask_columns = '';
SELECT * FROM emitted();
\connect
SET client_min_messages = error;
SET SESSION AUTHORIZATION regress_bemi_reader;
SET "BEMI.Mask_Columns" = '';
BEGIN;
SET LOCAL bemi.exclude_columns = '';
SAVEPOINT s;
SET LOCAL bemi.exclude_columns = 'x';
SELECT * FROM emitted();
ROLLBACK TO s;
SELECT * FROM emitted();
COMMIT;
SELECT * FROM emitted();
DISCARD ALL;
RESET ALL;
SELECT * FROM emitted();
-- in settings of its own role, of a function, with the connection
\connect
SET SESSION AUTHORIZATION regress_bemi_reader;
\set VERBOSITY sqlstate
ALTER ROLE regress_bemi_reader SET bemi.mask_columns = '';
\set VERBOSITY default
RESET SESSION AUTHORIZATION;
CREATE FUNCTION evade() RETURNS SETOF text SET bemi.mask_columns = '' LANGUAGE sql AS 'SELECT data FROM pg_logical_slot_peek_changes(''regress'', NULL, NULL)';
SET SESSION AUTHORIZATION regress_bemi_reader;
SET client_min_messages = error;
SELECT (e::json)->'missing' FROM evade() e;
\connect -reuse-previous=on "user=regress_bemi_reader password=reader options='-c client_min_messages=error -c bemi.mask_columns='"
SHOW bemi.mask_columns;
SELECT * FROM emitted();
RESET bemi.mask_columns;
SELECT * FROM emitted();
\connect -reuse-previous=on "user=regress_bemi_reader password=reader options='-c client_min_messages=error -c bemi.mask_columns=x'"
SELECT * FROM emitted();
\connect -reuse-previous=on "user=regress_bemi_reader password=reader options='-c client_min_messages=error -c BEMI.mask_columns=x'"
SELECT * FROM emitted();
\connect -reuse-previous=on "user=regress_bemi_reader password=reader options='-c client_min_messages=error -c bemi.Exclude_Tables='"
SELECT * FROM emitted();
\connect -reuse-previous=on "user=regress_bemi_reader password=reader options='-c client_min_messages=error'"
SELECT * FROM emitted();
-- a superuser may
\set conninfo 'user=' :superuser ' options=''-c client_min_messages=error -c bemi.mask_columns=note -c bemi.exclude_tables='''
\connect -reuse-previous=on :conninfo
SELECT * FROM emitted();
\set conninfo 'user=' :superuser ' options='
\connect -reuse-previous=on :conninfo

-- a value that is wrong hides nothing, so nothing is emitted until it is put right
CALL set_here('bemi.mask_columns', 'secret, other col');
\connect
SELECT * FROM emitted();
CALL set_here('bemi.mask_columns', 'secret, "other col"');
\connect
SELECT * FROM emitted();
-- once the library is loaded, such a value is refused at once
CALL set_here('bemi.mask_columns', 'secret, other col');
CALL set_here('bemi.mask_columns', NULL);
CALL set_here('bemi.exclude_columns', NULL);
CALL set_here('bemi.exclude_tables', NULL);
\connect
SELECT * FROM emitted();

SELECT pg_drop_replication_slot('regress');
DROP TABLE shown, hidden;
DROP FUNCTION emitted, evade;
DROP PROCEDURE set_here;
DROP ROLE regress_bemi_reader;

-- What CREATE EXTENSION makes, who may use it, and set_context.
-- In a database of its own: other tests leave tables behind that this one would list.
SELECT current_database() AS home \gset
CREATE DATABASE regression_bemi_extension TEMPLATE template0;
\c regression_bemi_extension
\set SHOW_CONTEXT never
SET client_min_messages = warning;

-- the schema may exist, under somebody else's role: its objects stay, and it can't make more
CREATE ROLE regress_bemi_ingest;
CREATE ROLE regress_bemi_third;
CREATE SCHEMA bemi AUTHORIZATION regress_bemi_ingest;
SET ROLE regress_bemi_ingest;
GRANT CREATE ON SCHEMA bemi TO PUBLIC, regress_bemi_third;
CREATE TABLE bemi.gaps (id int);
CREATE FUNCTION bemi.change_id() RETURNS int LANGUAGE sql AS 'SELECT 1';
RESET ROLE;
CREATE EXTENSION bemi_decoder;
SELECT nspowner::regrole = 'regress_bemi_ingest'::regrole AS still_its,
       has_schema_privilege('regress_bemi_ingest', 'bemi', 'USAGE WITH GRANT OPTION') AS may_look,
       (SELECT count(*) FROM aclexplode(nspacl) WHERE privilege_type = 'CREATE' AND grantee <> nspowner) AS creators
FROM pg_namespace WHERE nspname = 'bemi';
SELECT ok, found, fix FROM bemi.check() WHERE name = 'schema_bemi';
SET ROLE regress_bemi_ingest;
CREATE TABLE bemi.progress (id int);
CREATE FUNCTION bemi.track(text) RETURNS void LANGUAGE sql AS '';
ALTER SCHEMA bemi RENAME TO mine;
DROP SCHEMA bemi CASCADE;
DROP FUNCTION bemi.check();
RESET ROLE;
-- who is given CREATE later is told of, and what looks like ours
GRANT CREATE ON SCHEMA bemi TO regress_bemi_ingest;
SET ROLE regress_bemi_ingest;
CREATE FUNCTION bemi.track(text) RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
CREATE OPERATOR bemi.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int);
CREATE TYPE bemi.mood AS ENUM ('fine');
RESET ROLE;
\x on
SELECT ok, found, fix FROM bemi.check() WHERE name = 'schema_bemi';
\x off
SELECT unnest(string_to_array(fix, E'\n')) FROM bemi.check() WHERE name = 'schema_bemi' \gexec
SELECT ok, found FROM bemi.check() WHERE name = 'schema_bemi';
-- an extension is not made beside one
DROP EXTENSION bemi_decoder;
CREATE FUNCTION bemi.check(level int DEFAULT 1) RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
CREATE EXTENSION bemi_decoder;
DROP SCHEMA bemi CASCADE;

-- an object that stands in the way is an error, and not replaced
CREATE SCHEMA bemi;
CREATE FUNCTION bemi.track(regclass) RETURNS void LANGUAGE sql AS '';
CREATE EXTENSION bemi_decoder;
DROP FUNCTION bemi.track(regclass);
CREATE EXTENSION bemi_decoder;

-- not for everybody to create
CREATE ROLE regress_bemi_app;
DROP EXTENSION bemi_decoder;
SET ROLE regress_bemi_app;
CREATE EXTENSION bemi_decoder;
RESET ROLE;
CREATE EXTENSION bemi_decoder;
SELECT extname, extversion, extrelocatable, extnamespace::regnamespace FROM pg_extension WHERE extname = 'bemi_decoder';

-- every object is in schema bemi or belongs to no schema, and has a comment
SELECT o.type, o.identity, obj_description(d.objid, o.catalog) IS NOT NULL AS has_comment
FROM pg_depend d
CROSS JOIN LATERAL (
    SELECT i.type, i.identity, d.classid::regclass::text
    FROM pg_identify_object(d.classid, d.objid, 0) i
) AS o (type, identity, catalog)
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND o.type <> 'type'
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'bemi_decoder')
ORDER BY o.type COLLATE "C", o.identity COLLATE "C";

-- every function has a search_path of its own; procedures that commit cannot
SELECT p.oid::regprocedure FROM pg_proc p
WHERE pronamespace = 'bemi'::regnamespace
  AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false);
-- what runs with its owner's rights
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'bemi'::regnamespace AND prosecdef;
-- what not everybody may run
SELECT p.oid::regprocedure, has_function_privilege('pg_monitor', p.oid, 'EXECUTE') AS pg_monitor FROM pg_proc p
WHERE pronamespace = 'bemi'::regnamespace AND NOT has_function_privilege('regress_bemi_app', p.oid, 'EXECUTE')
ORDER BY proname COLLATE "C";
-- what everybody may do with its tables and its view
SELECT c.oid::regclass AS relation, p.privilege FROM pg_class c,
    unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p (privilege)
WHERE relnamespace = 'bemi'::regnamespace AND relkind IN ('r', 'v')
  AND has_table_privilege('regress_bemi_app', c.oid, p.privilege)
ORDER BY relname COLLATE "C", privilege;
-- and with the schema
SELECT has_schema_privilege('regress_bemi_app', 'bemi', 'USAGE') AS usage,
       has_schema_privilege('regress_bemi_app', 'bemi', 'CREATE') AS create;

-- set_context: for everybody, for this transaction
SET ROLE regress_bemi_app;
BEGIN;
SELECT bemi.set_context('{"userId": 7, "params": {"task": "Sleep"}}');
SELECT current_setting('bemi.context'), pg_current_xact_id_if_assigned() IS NOT NULL AS emitted;
SAVEPOINT s;
SELECT bemi.set_context('[1, null]');
SELECT current_setting('bemi.context');
ROLLBACK TO s;
SELECT current_setting('bemi.context');
SELECT bemi.set_context(NULL);
SELECT current_setting('bemi.context');
SELECT bemi.set_context('null');
SELECT current_setting('bemi.context');
COMMIT;
SELECT current_setting('bemi.context');
\set VERBOSITY sqlstate
SELECT bemi.set_context('{"userId": 7');
\set VERBOSITY default
-- in a function, for what its caller does next as well
CREATE FUNCTION pg_temp.act() RETURNS text LANGUAGE plpgsql SET search_path = '' AS
$$BEGIN PERFORM bemi.set_context('{"by": "act"}'); RETURN pg_catalog.current_setting('bemi.context'); END$$;
BEGIN;
SELECT pg_temp.act(), current_setting('bemi.context');
SELECT current_setting('bemi.context');
COMMIT;
-- nothing to say, and no transaction id spent, where nothing can be changed
BEGIN READ ONLY;
SELECT bemi.set_context('{"userId": 8}');
SELECT current_setting('bemi.context'), pg_current_xact_id_if_assigned() IS NOT NULL AS emitted;
COMMIT;
RESET ROLE;

-- what is dropped is gone, and what it has set remains
CREATE TABLE public.kept (id int PRIMARY KEY);
SELECT bemi.track('public.kept');
DROP EXTENSION bemi_decoder;
SELECT relreplident FROM pg_class WHERE oid = 'public.kept'::regclass;
SELECT count(*) FROM pg_event_trigger;

\c :home
DROP DATABASE regression_bemi_extension;
DROP ROLE regress_bemi_app, regress_bemi_ingest, regress_bemi_third;

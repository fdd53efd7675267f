-- bemi.include: what the server knows of a session, under the key "session".
CREATE ROLE regress_writer;
LOAD 'bemi_session';
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int PRIMARY KEY, v text);
GRANT ALL ON t TO regress_writer;
GRANT EXECUTE ON FUNCTION written(), records(text[]) TO regress_writer;
SET application_name = 'regress';

SET bemi.include = 'user, application_name, query';
SET SESSION AUTHORIZATION regress_writer;
INSERT INTO t VALUES (1);
INSERT INTO t VALUES (2) /*userId='7'*/;
SET application_name = 'other';
BEGIN;
INSERT INTO t VALUES (3);
SET application_name = 'renamed';
INSERT INTO t VALUES (4);
COMMIT;
-- what comes from elsewhere under that key is dropped
SET bemi.context = '{"session": {"user": "somebody else"}, "userId": 8}';
INSERT INTO t VALUES (11) /*session='forged',tag='kept'*/;
INSERT INTO t VALUES (12) /*Bemi {"s\u0065ssion": "forged", "session": "forged again"} Bemi*/;
INSERT INTO t VALUES (13) /*Bemi "session" Bemi*/;
INSERT INTO t VALUES (14) /*Bemi ["session", {"session": "data"}] Bemi*/;
RESET bemi.context;
-- a message of the role's own lasts until the next statement
BEGIN;
INSERT INTO t VALUES (17);
SELECT FROM pg_logical_emit_message(true, '_bemi', '{"session": "forged"}');
INSERT INTO t VALUES (18);
COMMIT;
-- nor does a context push it out that no decoder would take
SELECT length(set_config('bemi.context', '{"filler": "' || repeat('x', 1048000) || '"}', false));
INSERT INTO t VALUES (15);
SELECT length(set_config('bemi.context', repeat('[', 64) || repeat(']', 64), false));
INSERT INTO t VALUES (16);
RESET bemi.context;
-- nor does a statement that makes its transaction a read-only one in between
INSERT INTO t SELECT 20 FROM (SELECT set_config('transaction_read_only', 'on', true) OFFSET 0) s WHERE set_config = 'on';
-- only a superuser switches it off
SET bemi.include = '';
RESET bemi.include;
SELECT set_config('bemi.include', 'query', true);
INSERT INTO t VALUES (21);
RESET SESSION AUTHORIZATION;
SELECT * FROM written();
-- there is room for the longest query and name, whatever they are made of
\set ones `printf '\001%.0s' $(seq 8192)`
SET SESSION AUTHORIZATION regress_writer;
SELECT length(set_config('application_name', repeat('"', 63), false));
SELECT length(set_config('bemi.context', '{"filler": "' || repeat('x', 999410) || '"}', false));
INSERT INTO t VALUES (19, :'ones');
RESET bemi.context;
SET application_name = 'renamed';
RESET SESSION AUTHORIZATION;
SELECT left(w, 11), w LIKE '%"session":{"user":"regress_writer",%' FROM written() w;
RESET bemi.include;
INSERT INTO t VALUES (22);
-- whoever has the role of another stays who connected
SET bemi.include = 'user', 'client';
SET ROLE regress_writer;
INSERT INTO t VALUES (23);
RESET ROLE;
SELECT regexp_replace(replace(w, to_json(session_user)::text, '"(me)"'), '"client":"[^"]+"', '"client":"(address)"') FROM written() w;

-- the query is not shown while values are hidden
SET bemi.include = 'user, queries';
SET bemi.mask_columns = 't.v';
SET bemi.include = 'application_name, query';
SET bemi.mask_columns = '';
SET bemi.include = 'application_name, query';
INSERT INTO t VALUES (31, 'shown');
SET bemi.mask_columns = 't.v';
INSERT INTO t VALUES (32, 'secret');
RESET bemi.mask_columns;
SET bemi.exclude_columns = 't.v';
INSERT INTO t VALUES (33, 'secret');
RESET bemi.exclude_columns;
-- of several statements, each its own; a long one is cut
INSERT INTO t VALUES (34) \; /* a */ INSERT INTO t VALUES (35) /* b */ ;
SELECT * FROM written();
DO $$BEGIN INSERT INTO t VALUES (36); END$$;
PREPARE p AS INSERT INTO t VALUES ($1);
EXECUTE p(37);
SELECT w FROM written() w;
\set long `printf 'ü%.0s' $(seq 5000)`
INSERT INTO t VALUES (38, :'long');
SELECT length(w), right(w, 10) FROM written() w;

SELECT pg_drop_replication_slot('regress');
RESET bemi.include;
DROP TABLE t;
REVOKE EXECUTE ON FUNCTION written(), records(text[]) FROM regress_writer;
DROP ROLE regress_writer;

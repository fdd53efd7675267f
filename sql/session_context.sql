-- The setting bemi.context, and how contexts from several sources come together.
LOAD 'bemi_session';
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int PRIMARY KEY, v text);

-- bad JSON is an error at SET
SET bemi.context = '{"userId": }';
SET bemi.context = 'userId';
SET bemi.context = '{"a": "\u0000"}';
SELECT set_config('bemi.context', repeat('[', 65) || repeat(']', 65), false);
SELECT set_config('bemi.context', repeat('[', 64) || repeat(']', 64), false) <> '';
ALTER ROLE CURRENT_USER SET bemi.context = '{';
DO $$BEGIN SET bemi.context = '1 2'; EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%: %', SQLSTATE, SQLERRM; END$$;
-- all the rest is none: null, an empty object, nothing
SET bemi.context = 'null';
INSERT INTO t VALUES (1);
SET bemi.context = '{}';
INSERT INTO t VALUES (2);
SET bemi.context = ' ';
INSERT INTO t VALUES (3);
RESET bemi.context;
INSERT INTO t VALUES (4);
SELECT * FROM written();

-- for the session, the transaction, one function
SET bemi.context = '{"of": "session"}';
INSERT INTO t VALUES (11);
BEGIN;
SET LOCAL bemi.context = ' {"of" : "transaction"} ';
SHOW bemi.context;
INSERT INTO t VALUES (12);
COMMIT;
INSERT INTO t VALUES (13);
CREATE FUNCTION add(n int) RETURNS void LANGUAGE sql SET bemi.context = '{"of": "function"}' AS 'INSERT INTO t VALUES (n)';
BEGIN;
INSERT INTO t VALUES (14);
SELECT FROM add(15);
INSERT INTO t VALUES (16);
COMMIT;
-- changed between the rows of one statement
CREATE FUNCTION count_rows(n int) RETURNS int LANGUAGE sql AS $$SELECT n FROM set_config('bemi.context', json_build_object('row', n)::text, true)$$;
INSERT INTO t SELECT count_rows(n) FROM generate_series(17, 19) n;
SELECT * FROM written();
-- as poolers do between two clients
DISCARD ALL;
SHOW bemi.context;
INSERT INTO t VALUES (21);
SET bemi.context = '{"of": "session"}';
RESET ALL;
INSERT INTO t VALUES (22);
SELECT * FROM written();

-- key by key, the setting weakest
SET bemi.context = '{"setting": 1, "tag": 1, "bemi": 1, "both": {"deep": 1}}';
INSERT INTO t VALUES (31) /*tag='2',bemi='2'*/ /*Bemi {"bemi": 3, "both": {"deeper": 3}} Bemi*/;
INSERT INTO t VALUES (32) /*tag='2'*/;
INSERT INTO t VALUES (33) /*Bemi [3] Bemi*/;
INSERT INTO t VALUES (34) /*Bemi null Bemi*/;
SET bemi.context = '"text"';
INSERT INTO t VALUES (35);
INSERT INTO t VALUES (36) /*tag='2'*/;
SELECT * FROM written();

-- one message for as many statements as have the same
SET bemi.context = '{"userId": 1}';
BEGIN;
INSERT INTO t VALUES (41), (42);
UPDATE t SET v = 'x' WHERE n BETWEEN 41 AND 42;
INSERT INTO t VALUES (43) /*Bemi {"userId":1} Bemi*/;
-- and back to it after another
INSERT INTO t VALUES (44) /*Bemi {"userId": 2} Bemi*/;
INSERT INTO t VALUES (45);
RESET bemi.context;
INSERT INTO t VALUES (46);
INSERT INTO t VALUES (47) /*Bemi {"userId": 3} Bemi*/;
INSERT INTO t VALUES (48);
INSERT INTO t VALUES (49);
COMMIT;
SELECT * FROM written();

-- bemi.set_context leaves the message to the library
CREATE EXTENSION bemi_decoder;
BEGIN;
SELECT FROM bemi.set_context('{"userId": 5}');
SELECT pg_current_xact_id_if_assigned() IS NULL;
INSERT INTO t VALUES (51);
INSERT INTO t VALUES (52) /*tag='2'*/;
INSERT INTO t VALUES (53);
COMMIT;
INSERT INTO t VALUES (54);
SELECT * FROM written();
-- also for what was written before it, where nothing is written after it
BEGIN;
INSERT INTO t VALUES (55);
SELECT FROM bemi.set_context('{"userId": 6}');
COMMIT;
BEGIN;
INSERT INTO t VALUES (56);
SET LOCAL bemi.context = '{"userId": 7}';
ROLLBACK AND CHAIN;
INSERT INTO t VALUES (57);
INSERT INTO t VALUES (58) /*tag='2'*/;
SET LOCAL bemi.context = '{"userId": 8}';
COMMIT;
SELECT * FROM written();
BEGIN READ ONLY;
SELECT FROM bemi.set_context('{"userId": 9}');
COMMIT;
DROP EXTENSION bemi_decoder;
-- a message of somebody else stays in force until a statement has a context of its own
BEGIN;
INSERT INTO t VALUES (61) /*tag='1'*/;
SELECT FROM pg_logical_emit_message(true, '_bemi', '{"userId": 10}');
INSERT INTO t VALUES (62);
INSERT INTO t VALUES (63) /*tag='1'*/;
DO $$BEGIN PERFORM pg_logical_emit_message(true, '_bemi', '{"userId": 11}'); END$$;
INSERT INTO t VALUES (64) /*tag='1'*/;
COMMIT;
SELECT * FROM written();

SELECT pg_drop_replication_slot('regress');
DROP TABLE t;
DROP FUNCTION add, count_rows;

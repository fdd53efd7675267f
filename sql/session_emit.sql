-- Contexts that others write into the transaction, by pg_logical_emit_message: each call is noticed, whichever way it is made.
LOAD 'bemi_session';
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int PRIMARY KEY, v text);
SET bemi.include = 'application_name';
SET application_name = 'true';
CREATE FUNCTION forge() RETURNS text VOLATILE LANGUAGE plpgsql AS $$
DECLARE
    l pg_lsn;
BEGIN
    l := pg_logical_emit_message(true, '_bemi', '{"session": "forged"}');
    RETURN 'x';
END$$;

-- an expression that plpgsql keeps, called again and again
BEGIN;
DO $$
DECLARE
    l pg_lsn;
BEGIN
    FOR n IN 1 .. 3 LOOP
        l := pg_logical_emit_message(true, '_bemi', '{"session": "forged"}');
        INSERT INTO t VALUES (n);
    END LOOP;
END$$;
SELECT forge();
INSERT INTO t VALUES (4);
SELECT forge();
INSERT INTO t VALUES (5);
INSERT INTO t VALUES (6);
COMMIT;
INSERT INTO t VALUES (7), (8);
SELECT * FROM written();
-- for each row of a plan
INSERT INTO t SELECT n, pg_logical_emit_message(true, '_bemi', '{"session": "forged"}')::text FROM generate_series(11, 12) n;
UPDATE t SET v = forge() WHERE n IN (11, 12);
CREATE TABLE made AS SELECT n, forge() FROM generate_series(13, 14) n;
SELECT * FROM written();
-- a cursor, whose plan outlives statements and savepoints
BEGIN;
DECLARE c CURSOR FOR SELECT pg_logical_emit_message(true, '_bemi', '{"session": "forged"}') IS NULL FROM generate_series(1, 5);
INSERT INTO t VALUES (21);
FETCH c;
INSERT INTO t VALUES (22);
FETCH c;
SAVEPOINT a;
INSERT INTO t VALUES (23);
CLOSE c;
INSERT INTO t VALUES (24);
ROLLBACK TO a;
INSERT INTO t VALUES (25);
COMMIT;
SELECT * FROM written();
-- once the statement that called it has ended, one message is enough
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi', '{"session": "forged"}');
INSERT INTO t SELECT n FROM generate_series(31, 33) n;
INSERT INTO t VALUES (34);
COMMIT;
-- in a procedure that commits
CREATE PROCEDURE forge_all() LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 41 .. 43 LOOP
        INSERT INTO t VALUES (n);
        PERFORM forge();
        INSERT INTO t VALUES (n + 10);
        COMMIT;
    END LOOP;
END$$;
CALL forge_all();
INSERT INTO t VALUES (44);
SELECT * FROM written();
-- in parallel workers, by a function that says of itself that it may
CREATE FUNCTION forge_in_parallel(n int) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_logical_emit_message(true, '_bemi', '{"session": "forged"}');
    RETURN n;
END$$;
CREATE UNLOGGED TABLE many AS SELECT n FROM generate_series(1, 20000) n;
ALTER TABLE many SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
BEGIN;
INSERT INTO t VALUES (71);
SELECT max(forge_in_parallel(n)) FROM many WHERE n < 3;
INSERT INTO t VALUES (72);
CREATE INDEX ON many (forge_in_parallel(n)) WHERE n < 3;
INSERT INTO t VALUES (73);
COMMIT;
SELECT * FROM written();
-- a context of the application's own, where nothing stronger is
RESET bemi.include;
BEGIN;
SELECT forge();
INSERT INTO t VALUES (61), (62);
INSERT INTO t VALUES (63) /*by='tags'*/;
SELECT forge();
INSERT INTO t VALUES (64);
COMMIT;
SELECT * FROM written();

SELECT pg_drop_replication_slot('regress');
DROP TABLE t, made, many;
DROP FUNCTION forge, forge_in_parallel;
DROP PROCEDURE forge_all;

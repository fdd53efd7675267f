-- What runs inside of a statement carries that one's context: functions, cascades, triggers, deferred ones too.
LOAD 'bemi_session';
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int PRIMARY KEY, v text);
CREATE TABLE child (n int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE log (n int);

-- triggers and cascades
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log VALUES (TG_ARGV[0]::int) /*by='666'*/; RETURN coalesce(NEW, OLD); END$$;
CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION note(1);
CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note(2);
CREATE TRIGGER c AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note(3);
INSERT INTO t VALUES (1) /*by='insert'*/;
INSERT INTO child VALUES (1, 1), (2, 1);
UPDATE t SET n = 2 /*by='update'*/;
DELETE FROM t /*by='delete'*/;
SELECT * FROM written();
COPY t (n) FROM stdin /*by='copy'*/;
3
\.
TRUNCATE t CASCADE /*by='truncate'*/;
-- a trigger that writes where the statement itself finds nothing
DELETE FROM t /*by='nothing'*/;
SELECT * FROM written();
DROP TRIGGER a ON t;
DROP TRIGGER b ON t;
DROP TRIGGER c ON t;

-- deferred: the last statement's that wrote and was not rolled back
CREATE CONSTRAINT TRIGGER d AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note(4);
INSERT INTO t VALUES (11) /*by='alone'*/;
BEGIN;
INSERT INTO t VALUES (12) /*by='first'*/;
INSERT INTO t VALUES (13) /*by='second'*/;
SELECT 1 /*by='666'*/;
COMMIT;
BEGIN;
INSERT INTO t VALUES (14) /*by='first'*/;
SAVEPOINT a;
INSERT INTO t VALUES (15) /*by='second'*/;
ROLLBACK TO a;
COMMIT;
BEGIN;
INSERT INTO t VALUES (16) /*by='first'*/;
COMMIT /*by='commit'*/;
BEGIN;
INSERT INTO t VALUES (17) /*by='first'*/;
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO t VALUES (18) /*by='second'*/;
INSERT INTO t VALUES (19);
COMMIT;
INSERT INTO t VALUES (20);
SELECT * FROM written();
DROP TRIGGER d ON t;

-- EXECUTE: the prepared text's and its own
PREPARE tagged AS INSERT INTO t VALUES ($1) /*by='prepare',prepared='yes'*/;
PREPARE plain AS INSERT INTO t VALUES ($1);
EXECUTE tagged(31);
EXECUTE tagged(32) /*by='execute'*/;
EXECUTE plain(33) /*by='execute'*/;
EXECUTE plain(34);
PREPARE query AS SELECT 35 AS n /*prepared='yes'*/;
CREATE TABLE made AS EXECUTE query /*by='create'*/;
-- (what EXPLAIN says differs from version to version)
\o /dev/null
EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) EXECUTE tagged(36) /*by='explain'*/;
\o
BEGIN;
EXECUTE tagged(37);
INSERT INTO t VALUES (38);
COMMIT;
EXECUTE none(39) /*by='666'*/;
SELECT * FROM written();
DEALLOCATE ALL;

-- cursors: a statement in a cursor belongs to the FETCH that runs it
CREATE FUNCTION add(n int) RETURNS int LANGUAGE plpgsql AS $$BEGIN INSERT INTO t VALUES (n); RETURN n; END$$;
BEGIN;
DECLARE c CURSOR FOR SELECT add(n) FROM generate_series(41, 43) n /*by='declare'*/;
FETCH c /*by='first'*/;
FETCH c /*by='second'*/;
FETCH c;
COMMIT;
-- a transaction that ends inside of a procedure
CREATE PROCEDURE in_steps() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO t VALUES (51);
    COMMIT;
    INSERT INTO t VALUES (52);
    ROLLBACK;
    INSERT INTO t VALUES (53);
END$$;
CALL in_steps() /*by='call'*/;
INSERT INTO t VALUES (54);
-- an error in the middle leaves nothing behind
DO $$BEGIN INSERT INTO t VALUES (55); PERFORM 1 / 0; END$$ /*by='error'*/;
INSERT INTO t VALUES (56);
SELECT add(57 / (n - 1)) FROM generate_series(1, 2) n /*by='error'*/;
INSERT INTO t VALUES (58);
SELECT * FROM written();

SELECT pg_drop_replication_slot('regress');
DROP TABLE t, child, log, made;
DROP FUNCTION note, add;
DROP PROCEDURE in_steps;

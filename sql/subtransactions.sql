-- Savepoints and blocks with an exception handler: what they roll back never was.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int, filler text);
CREATE FUNCTION context(text) RETURNS void LANGUAGE sql AS $$SELECT pg_logical_emit_message(true, '_bemi', $1)$$;
CREATE FUNCTION contexts(VARIADIC options text[] DEFAULT '{}') RETURNS TABLE (sequence json, after json, context json, last json) LANGUAGE sql AS $$
    SELECT r->'sequence', r->'after'->'n', r->'context', r->'last' FROM records(VARIADIC options) r
$$;

-- rows and contexts of a savepoint go with it; sequence counts what is left
BEGIN;
INSERT INTO t VALUES (1);
SAVEPOINT s;
SELECT FROM context('"rolled back"');
INSERT INTO t VALUES (2);
ROLLBACK TO s;
INSERT INTO t VALUES (3);
SELECT FROM context('"first"');
INSERT INTO t VALUES (4);
SAVEPOINT s;
SELECT FROM context('"rolled back"');
INSERT INTO t VALUES (5);
ROLLBACK TO s;
INSERT INTO t VALUES (6);
COMMIT;
SELECT * FROM contexts();

-- a savepoint that is kept counts as if it were not there: its context goes on behind it
BEGIN;
INSERT INTO t VALUES (11);
SAVEPOINT s;
SELECT FROM context('"inside"');
INSERT INTO t VALUES (12);
RELEASE s;
INSERT INTO t VALUES (13);
SAVEPOINT s;
INSERT INTO t VALUES (14);
SELECT FROM context('"behind"');
COMMIT;
INSERT INTO t VALUES (15);
SELECT * FROM contexts();

-- the first change of a savepoint directly behind a context, and directly in front of it
BEGIN;
SELECT FROM context('"one"');
SAVEPOINT a;
INSERT INTO t VALUES (21);
SELECT FROM context('"two"');
SAVEPOINT b;
INSERT INTO t VALUES (22);
RELEASE b;
SELECT FROM context('"three"');
INSERT INTO t VALUES (23);
RELEASE a;
SELECT FROM context('"four"');
SAVEPOINT c;
INSERT INTO t VALUES (24);
COMMIT;
SELECT * FROM contexts();
BEGIN;
SELECT FROM context('"one"');
SAVEPOINT a;
INSERT INTO t VALUES (25);
SELECT FROM context('"two"');
SAVEPOINT b;
INSERT INTO t VALUES (26);
COMMIT;
SELECT * FROM contexts('context_scope', 'preceding');

-- savepoints inside of savepoints, some kept and some not
BEGIN;
INSERT INTO t VALUES (31);
SAVEPOINT a;
SELECT FROM context('"a"');
INSERT INTO t VALUES (32);
SAVEPOINT b;
SELECT FROM context('"b"');
INSERT INTO t VALUES (33);
SAVEPOINT c;
SELECT FROM context('"c"');
INSERT INTO t VALUES (34);
RELEASE c;
ROLLBACK TO b;
INSERT INTO t VALUES (35);
SAVEPOINT d;
UPDATE t SET filler = 'd' WHERE n = 32;
SELECT FROM context('"d"');
RELEASE a;
INSERT INTO t VALUES (36);
COMMIT;
SELECT * FROM contexts();

-- everything in a savepoint is rolled back: there was nothing
BEGIN;
SAVEPOINT s;
INSERT INTO t VALUES (41);
SELECT FROM context('"s"');
ROLLBACK TO s;
COMMIT;
SELECT * FROM contexts();

-- blocks with an exception handler
DO $$BEGIN
    PERFORM context('"outside"');
    FOR i IN 51..53 LOOP
        BEGIN
            PERFORM context(to_json(i)::text);
            INSERT INTO t VALUES (i);
            IF i = 52 THEN
                RAISE EXCEPTION 'not this one';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            INSERT INTO t VALUES (-i);
        END;
    END LOOP;
END$$;
SELECT * FROM contexts();

-- more of them than the server keeps in memory, in their order
DO $$BEGIN
    FOR i IN 1..300 LOOP
        BEGIN
            IF i % 10 = 0 THEN
                PERFORM context(to_json(i)::text);
            END IF;
            INSERT INTO t VALUES (i);
            IF i % 3 = 0 THEN
                RAISE EXCEPTION 'not this one';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
    END LOOP;
END$$;
SELECT count(*), min(n), max(n), bool_and(n % 3 <> 0) AS kept, bool_and(n > previous) AS in_order,
       bool_and(context = (SELECT coalesce(max(c), 10) FROM generate_series(10, n, 10) c WHERE c % 3 <> 0)) AS nearest
FROM (SELECT after::text::int AS n, context::text::int, lag(after::text::int, 1, 0) OVER () AS previous FROM contexts()) t;

-- changes of the table that are rolled back are not seen by the rows behind them
BEGIN;
INSERT INTO t VALUES (61);
SAVEPOINT s;
ALTER TABLE t RENAME filler TO renamed;
ALTER TABLE t ADD more int DEFAULT 5;
INSERT INTO t VALUES (62);
ROLLBACK TO s;
INSERT INTO t VALUES (63);
SAVEPOINT s;
ALTER TABLE t ADD more text DEFAULT 'x';
INSERT INTO t VALUES (64);
RELEASE s;
INSERT INTO t VALUES (65);
COMMIT;
SELECT r->'after', r->'last' FROM records() r;
ALTER TABLE t DROP more;

-- a procedure that commits makes several transactions
CREATE PROCEDURE several() LANGUAGE plpgsql AS $$BEGIN
    INSERT INTO t VALUES (71);
    PERFORM context('"one"');
    COMMIT;
    INSERT INTO t VALUES (72);
    ROLLBACK;
    INSERT INTO t VALUES (73);
    PERFORM context('"two"');
    INSERT INTO t VALUES (74);
END$$;
CALL several();
SELECT * FROM contexts();

-- what was spilled to disk is sent as what is in memory, where it is known beforehand whether a context will come
CREATE FUNCTION digest(work_mem text) RETURNS text LANGUAGE plpgsql AS $$BEGIN
    PERFORM set_config('logical_decoding_work_mem', work_mem, true);
    RETURN (SELECT md5(string_agg(lsn || data, E'\n')) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'batch_size', '4kB'));
END$$;
CREATE PROCEDURE fill(first int) LANGUAGE sql AS $$INSERT INTO t SELECT first + g, repeat('x', 200) FROM generate_series(0, 599) g$$;
CALL fill(1000);
BEGIN;
CALL fill(2000);
SAVEPOINT s;
CALL fill(3000);
COMMIT;
BEGIN;
CALL fill(4000);
SAVEPOINT s;
SELECT FROM context('"inside"');
RELEASE s;
CALL fill(5000);
COMMIT;
BEGIN;
CALL fill(6000);
SAVEPOINT s;
CALL fill(7000);
SELECT FROM context('"behind"');
COMMIT;
BEGIN;
CALL fill(8000);
SAVEPOINT s;
SELECT FROM context('"rolled back"');
ROLLBACK TO s;
COMMIT;
SELECT digest('64kB') = digest('64MB') AS same;
SELECT c.context::text, (c.after::text)::int / 1000 AS thousands, count(*), count(c.last) FROM contexts() c GROUP BY 1, 2 ORDER BY 2;

SELECT pg_drop_replication_slot('regress');
DROP TABLE t;
DROP FUNCTION context, contexts, digest;
DROP PROCEDURE several, fill;

-- An ERROR leaves the session usable, and the slot where it was.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (id int PRIMARY KEY, note text, at interval);
INSERT INTO t VALUES (1, 'one', '1 day');
CREATE FUNCTION count_records(VARIADIC options text[] DEFAULT '{}') RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC options)
$$;

-- options
SELECT count_records('bad', 'option');
SELECT count_records();
SELECT count_records('tables', '"unclosed');
SELECT count_records('tables', 't');
-- in a block of its own, before and after good readings, in one transaction
DO $$
DECLARE
    counts bigint[] := '{}';
BEGIN
    FOR i IN 1..50 LOOP
        counts := counts || count_records();
        BEGIN
            PERFORM count_records('bad', 'option');
        EXCEPTION WHEN invalid_parameter_value THEN
            counts := counts || count_records('tables', 't');
        END;
    END LOOP;
    RAISE INFO '% readings, % records', cardinality(counts), (SELECT sum(c) FROM unnest(counts) c);
END$$;

-- in the middle of a reading: what it knew of tables is forgotten, and later changes of them go well
INSERT INTO t SELECT i, repeat('x', 100), '1 day' FROM generate_series(2, 2000) i;
SET work_mem = '64kB';
SET temp_file_limit = 0;
\set VERBOSITY sqlstate
SELECT count_records();
SELECT count_records('tables', 'none');
BEGIN;
SAVEPOINT s;
SELECT count_records();
ROLLBACK TO s;
SELECT count_records('tables', 'none');
SAVEPOINT s;
SELECT count_records();
ROLLBACK TO s;
ALTER TABLE t RENAME note TO remark;
COMMIT;
CREATE PROCEDURE fail_and_alter() LANGUAGE plpgsql AS $$BEGIN
    FOR i IN 1..20 LOOP
        BEGIN
            PERFORM count_records();
        EXCEPTION WHEN configuration_limit_exceeded THEN
            NULL;
        END;
        ALTER TABLE t RENAME remark TO note;
        ALTER TABLE t RENAME note TO remark;
        COMMIT;
    END LOOP;
END$$;
CALL fail_and_alter();
RESET temp_file_limit;
\set VERBOSITY default
SELECT count_records();
INSERT INTO t VALUES (2001, 'renamed');
SELECT data::json->'after' FROM pg_logical_slot_peek_changes('regress', NULL, NULL) WITH ORDINALITY m (lsn, xid, data, n) WHERE n IN (1, 2001);
RESET work_mem;

-- a reading of some transactions only, and the rest
SELECT count(*) FROM pg_logical_slot_get_changes('regress', NULL, 1);
SELECT count(*) FROM pg_logical_slot_get_changes('regress', NULL, 10);
SELECT data::json->'after' FROM pg_logical_slot_get_changes('regress', NULL, NULL);
-- nested in the reading of another slot
SELECT FROM pg_create_logical_replication_slot('regress_two', 'bemi_decoder');
INSERT INTO t VALUES (2002, 'both');
SELECT a.data::json->'after', b.data::json->'after', a.data = b.data
FROM pg_logical_slot_peek_changes('regress', NULL, NULL) a, LATERAL (SELECT * FROM pg_logical_slot_peek_changes('regress_two', NULL, NULL, 'tables', a.data::json->>'table')) b;
SELECT count(*) FROM pg_logical_slot_get_changes('regress', NULL, NULL) a, pg_logical_slot_get_changes('regress_two', NULL, NULL) b;
SELECT pg_drop_replication_slot('regress_two');
-- in cursors, and after DISCARD
INSERT INTO t VALUES (2003, 'cursor');
BEGIN;
DECLARE c CURSOR FOR SELECT data::json->'after' FROM pg_logical_slot_peek_changes('regress', NULL, NULL);
FETCH c;
ALTER TABLE t RENAME remark TO note;
FETCH c;
COMMIT;
DISCARD ALL;
SELECT records()->'after';
-- a slot that is not there
SELECT count(*) FROM pg_logical_slot_get_changes('regress_three', NULL, NULL);
SELECT records();

SELECT pg_drop_replication_slot('regress');
DROP TABLE t;
DROP FUNCTION count_records;
DROP PROCEDURE fail_and_alter;

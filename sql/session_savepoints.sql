-- What is in force follows savepoints and the blocks of plpgsql.
LOAD 'bemi_session';
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int PRIMARY KEY, v text);

-- written anew after ROLLBACK TO
BEGIN;
SAVEPOINT a;
INSERT INTO t VALUES (1) /*tag='a'*/;
ROLLBACK TO a;
INSERT INTO t VALUES (1) /*tag='a'*/;
RELEASE a;
INSERT INTO t VALUES (2) /*tag='a'*/;
COMMIT;
SELECT * FROM written();
-- not where it was written before
BEGIN;
INSERT INTO t VALUES (11) /*tag='a'*/;
SAVEPOINT a;
INSERT INTO t VALUES (12) /*tag='a'*/;
ROLLBACK TO a;
INSERT INTO t VALUES (12) /*tag='a'*/;
SAVEPOINT b;
INSERT INTO t VALUES (13) /*tag='b'*/;
SAVEPOINT c;
INSERT INTO t VALUES (14) /*tag='c'*/;
RELEASE c;
INSERT INTO t VALUES (15) /*tag='c'*/;
ROLLBACK TO b;
INSERT INTO t VALUES (13) /*tag='a'*/;
INSERT INTO t VALUES (14) /*tag='b'*/;
RELEASE a;
INSERT INTO t VALUES (15) /*tag='b'*/;
INSERT INTO t VALUES (16);
COMMIT;
SELECT * FROM written();
-- {} is in force like any other
BEGIN;
INSERT INTO t VALUES (21) /*tag='a'*/;
SAVEPOINT a;
INSERT INTO t VALUES (22);
ROLLBACK TO a;
INSERT INTO t VALUES (22);
INSERT INTO t VALUES (23);
COMMIT;
BEGIN;
SAVEPOINT a;
INSERT INTO t VALUES (24) /*tag='a'*/;
ROLLBACK TO a;
INSERT INTO t VALUES (24);
COMMIT;
SELECT * FROM written();
-- blocks
DO /*tag='do'*/ $$
BEGIN
    BEGIN
        INSERT INTO t VALUES (31);
        RAISE EXCEPTION 'no';
    EXCEPTION WHEN OTHERS THEN
        INSERT INTO t VALUES (31);
    END;
    BEGIN
        INSERT INTO t VALUES (32);
        INSERT INTO t VALUES (32);
    EXCEPTION WHEN unique_violation THEN
    END;
    INSERT INTO t VALUES (33);
END$$;
CREATE FUNCTION try(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('bemi.context', json_build_object('row', n)::text, true);
    INSERT INTO t VALUES (n);
    RAISE EXCEPTION 'no';
EXCEPTION WHEN raise_exception THEN
    RETURN n;
END$$;
INSERT INTO t SELECT try(n) FROM generate_series(41, 42) n /*tag='outer'*/;
SELECT * FROM written();
-- several levels that end at once
BEGIN;
DO $$
BEGIN
    PERFORM set_config('bemi.context', '{"level": 1}', true);
    INSERT INTO t VALUES (101);
    BEGIN
        PERFORM set_config('bemi.context', '{"level": 2}', true);
        INSERT INTO t VALUES (102);
        BEGIN
            PERFORM set_config('bemi.context', '{"level": 3}', true);
            INSERT INTO t VALUES (103);
            BEGIN
                RAISE EXCEPTION 'no';
            EXCEPTION WHEN division_by_zero THEN
            END;
        EXCEPTION WHEN division_by_zero THEN
        END;
    EXCEPTION WHEN raise_exception THEN
        INSERT INTO t VALUES (104);
    END;
END$$;
COMMIT;
SELECT * FROM written();
-- two-phase commit: the next transaction starts anew
BEGIN;
INSERT INTO t VALUES (201) /*tag='a'*/;
PREPARE TRANSACTION 'regress';
INSERT INTO t VALUES (202) /*tag='a'*/;
COMMIT PREPARED 'regress';
SELECT * FROM written();

SELECT pg_drop_replication_slot('regress');
DROP TABLE t;
DROP FUNCTION try;

-- Changes that were replayed from elsewhere.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (id int PRIMARY KEY);
SELECT FROM pg_replication_origin_create('regress one');
SELECT FROM pg_replication_origin_create(E'regress "two" ü\n');
CREATE PROCEDURE change() LANGUAGE plpgsql AS $$BEGIN
    INSERT INTO t VALUES (1);
    COMMIT;
    PERFORM pg_replication_origin_session_setup('regress one');
    PERFORM pg_logical_emit_message(true, '_bemi', '"replayed"');
    INSERT INTO t VALUES (2);
    PERFORM pg_logical_emit_message(true, 'message', 'replayed');
    UPDATE t SET id = 3 WHERE id = 2;
    PERFORM pg_replication_origin_xact_setup('0/123456', '2001-02-03 04:05:06.5+00');
    COMMIT;
    PERFORM pg_replication_origin_session_reset();
    PERFORM pg_replication_origin_session_setup(E'regress "two" ü\n');
    DELETE FROM t;
    TRUNCATE t;
    COMMIT;
    PERFORM pg_replication_origin_session_reset();
    INSERT INTO t VALUES (4);
    TRUNCATE t;
    COMMIT;
END$$;
CREATE FUNCTION seen() RETURNS TABLE (operation text, id json, origin json, context json, sequence json, last json) LANGUAGE sql AS $$
    SELECT r->>'operation', r->'after'->'id', r->'origin', r->'context', r->'sequence', r->'last' FROM records() r
$$;
CALL change();
SELECT * FROM seen();
-- a replayed change has the time of its first commit, if that is known
CALL change();
SELECT r->'origin', r->'committed_at'
FROM pg_logical_slot_peek_changes('regress', NULL, NULL) m (lsn, xid, data), LATERAL (SELECT m.data::json) d (r) WHERE r->>'origin' = 'regress one';
-- the whole records
SELECT records('messages', '*');
-- origin = none leaves all of them out, and their messages
CALL change();
SELECT records('origin', 'none', 'messages', '*');
CALL change();
SELECT count(*) FROM records('origin', 'any');

-- an origin that is gone since has left its name
SELECT FROM pg_replication_origin_session_setup('regress one');
INSERT INTO t VALUES (5);
SELECT FROM pg_replication_origin_session_reset();
SELECT FROM pg_replication_origin_drop('regress one');
SELECT r->'origin' FROM records() r;
-- times that no commit of this server has
SELECT FROM pg_replication_origin_create('regress one');
CREATE PROCEDURE commit_at(at timestamptz) LANGUAGE plpgsql AS $$BEGIN
    INSERT INTO t VALUES ((SELECT max(id) + 1 FROM t));
    PERFORM pg_replication_origin_session_setup('regress one');
    PERFORM pg_replication_origin_xact_setup('0/123456', at);
    COMMIT;
    PERFORM pg_replication_origin_session_reset();
END$$;
CALL commit_at('1999-12-31 23:59:59.999999+00');
CALL commit_at('1970-01-01 00:00:00+00');
CALL commit_at('12345-06-07 08:09:10.000001+00');
CALL commit_at('0044-03-15 00:00:00.5+00 BC');
CALL commit_at('4713-11-24 00:00:00+00 BC');
CALL commit_at('294276-12-31 23:59:59.999999+00');
CALL commit_at('infinity');
CALL commit_at('-infinity');
SET TimeZone = UTC;
SELECT r->'committed_at', (r->>'committed_at')::timestamptz
FROM pg_logical_slot_get_changes('regress', NULL, NULL) m (lsn, xid, data), LATERAL (SELECT m.data::json) d (r);

SELECT FROM pg_replication_origin_drop('regress one');
SELECT FROM pg_replication_origin_drop(E'regress "two" ü\n');
SELECT pg_drop_replication_slot('regress');
DROP TABLE t;
DROP FUNCTION seen;
DROP PROCEDURE change, commit_at;

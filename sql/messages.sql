-- Logical messages as records of their own.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (id int PRIMARY KEY);

-- none without the option; with it, transactional ones, in their place among the changes
CREATE PROCEDURE change() LANGUAGE plpgsql AS $$BEGIN
    PERFORM pg_logical_emit_message(true, 'audit', 'first');
    INSERT INTO t VALUES (1);
    PERFORM pg_logical_emit_message(false, 'audit', 'not transactional');
    PERFORM pg_logical_emit_message(true, '_bemi', '{"userId": 1}');
    PERFORM pg_logical_emit_message(true, 'audit_log', 'second');
    DELETE FROM t;
    PERFORM pg_logical_emit_message(true, 'Audit', 'last');
    COMMIT;
    PERFORM pg_logical_emit_message(true, 'audit', 'alone');
    COMMIT;
    PERFORM pg_logical_emit_message(false, 'audit', 'alone, not transactional');
    COMMIT;
    PERFORM pg_logical_emit_message(true, 'audit', 'rolled back');
    ROLLBACK;
END$$;
CALL change();
SELECT records();
CALL change();
SELECT records('messages', '*');
-- prefixes are patterns; dots are characters of a prefix like others
CREATE FUNCTION contents(pattern text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(data::json->>'content', ' | '), 'none')
    FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'messages', pattern) WHERE data::json->>'operation' = 'MESSAGE'
$$;
CALL change();
SELECT pattern, contents(pattern) FROM unnest(ARRAY['audit', 'audit*', '?udit', '_bemi', 'audit_log, _bemi', 'none', '"audit"', '"audit*"']) pattern;
SELECT skip();
SELECT FROM pg_logical_emit_message(true, 'a.b.c.d', 'dots');
SELECT FROM pg_logical_emit_message(true, 'a.b', 'dot');
SELECT FROM pg_logical_emit_message(true, 'a,b', 'comma');
SELECT FROM pg_logical_emit_message(true, 'a b', 'blank');
SELECT FROM pg_logical_emit_message(true, 'a*b', 'star');
SELECT FROM pg_logical_emit_message(true, 'a"b', 'quote');
SELECT FROM pg_logical_emit_message(true, 'üb', 'ü');
SELECT FROM pg_logical_emit_message(true, '', 'empty prefix');
SELECT FROM pg_logical_emit_message(true, repeat('p', 300), 'long prefix');
SELECT pattern, contents(pattern) FROM unnest(ARRAY['*', 'a*', 'a.*', 'a.b', '*.d', '"a,b"', '"a b"', '"a*b"', 'a*b', 'a?b', 'a""""b', '?b', '??']) pattern;
SELECT skip();
-- tables, operations and origins have nothing to do with them
CALL change();
SELECT r->>'content' FROM records('messages', 'audit', 'tables', 'none', 'operations', 'delete') r;
-- their order, and "last", are those of the transaction
BEGIN;
SELECT FROM pg_logical_emit_message(true, 'm', '1');
SAVEPOINT s;
SELECT FROM pg_logical_emit_message(true, 'm', 'rolled back');
ROLLBACK TO s;
INSERT INTO t VALUES (2), (3);
SELECT FROM pg_logical_emit_message(true, 'm', '2');
SAVEPOINT s;
SELECT FROM pg_logical_emit_message(true, 'm', '3');
INSERT INTO t VALUES (4);
COMMIT;
SELECT coalesce(r->>'content', r->>'primary_key'), r->'sequence', r->'context', r->'last' FROM records('messages', 'm') r;
-- a context that comes late does not pass by what was held
BEGIN;
INSERT INTO t VALUES (5);
SELECT FROM pg_logical_emit_message(true, 'm', '1');
INSERT INTO t VALUES (6);
SELECT FROM pg_logical_emit_message(true, '_bemi', '"late"');
COMMIT;
SELECT coalesce(r->>'content', r->>'primary_key'), r->'sequence', r->'context', r->'last' FROM records('messages', '*') r;
-- a context that can't be used is a message like others
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi', 'no JSON');
INSERT INTO t VALUES (7);
COMMIT;
SELECT r->'content', r->'context', r->'context_error' IS NOT NULL FROM records('messages', '_bemi') r;
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi', '"not now"');
SELECT FROM pg_logical_emit_message(true, 'other', '"context"');
INSERT INTO t VALUES (8);
COMMIT;
SELECT r->'prefix', r->'content', r->'context' FROM records('messages', '*', 'context_prefix', 'other') r;

-- content is a string if it is text, else its bytes in base64
CREATE PROCEDURE try(VARIADIC contents bytea[]) LANGUAGE plpgsql AS $$BEGIN
    FOR i IN 1 .. cardinality(contents) LOOP
        PERFORM pg_logical_emit_message(true, 'm', contents[i]);
    END LOOP;
END$$;
CALL try('', 'text', 'quote " backslash \\ slash / line\012break\001', convert_to('ünïcode 😀', 'UTF8'), '{"json": 1}', '\000', 'a\000b', 'text\000', '\377', '\303', '\303\050', '\355\240\200', 'text \377', '\000\001\002', '\000\001\002\003', '\000\001\002\003\004');
SELECT r->'content', CASE json_typeof(r->'content') WHEN 'object' THEN decode(r->'content'->>'base64', 'base64') END FROM records('messages', 'm') r;
DO $$BEGIN
    PERFORM pg_logical_emit_message(true, 'm', repeat('text', 100000));
    PERFORM pg_logical_emit_message(true, 'm', decode(repeat('00ff', 100000), 'hex'));
END$$;
SELECT length(r->>'content'), position(E'\n' in r->'content'->>'base64'), decode(r->'content'->>'base64', 'base64') = decode(repeat('00ff', 100000), 'hex') FROM records('messages', 'm') r;
-- too large for a record
DO $$BEGIN
    PERFORM pg_logical_emit_message(true, 'm', repeat('x', 600));
    PERFORM pg_logical_emit_message(true, 'm', repeat('x', 1200));
    PERFORM pg_logical_emit_message(true, 'm', repeat(E'\u0001', 300));
    PERFORM pg_logical_emit_message(true, repeat('p', 2000), 'content');
    INSERT INTO t VALUES (9);
END$$;
SELECT left(r->>'operation', 3), r->'missing', length(r->>'prefix'), length(r->>'content'), r->'last' FROM records('messages', '*', 'max_record_size', '1kB') r;

SELECT pg_drop_replication_slot('regress');
DROP TABLE t;
DROP FUNCTION contents;
DROP PROCEDURE change, try;

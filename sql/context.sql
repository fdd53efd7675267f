-- Which context a change gets, and what becomes of one that can't be used.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int, filler text);
CREATE FUNCTION context(text) RETURNS void LANGUAGE sql AS $$SELECT pg_logical_emit_message(true, '_bemi', $1)$$;
CREATE FUNCTION contexts(VARIADIC options text[] DEFAULT '{}') RETURNS TABLE (n text, context json, context_error json, last json) LANGUAGE sql AS $$
    SELECT r->'after'->>'n', r->'context', r->'context_error', r->'last' FROM records(VARIADIC options) r
$$;

-- the nearest before the change; before the first one, the first
BEGIN;
INSERT INTO t VALUES (1);
INSERT INTO t VALUES (2);
SELECT FROM context('"first"');
INSERT INTO t VALUES (3);
SELECT FROM context('"second"');
SELECT FROM context('"third"');
INSERT INTO t VALUES (4);
INSERT INTO t VALUES (5);
SELECT FROM context('"fourth"');
COMMIT;
-- only in its own transaction
INSERT INTO t VALUES (6);
BEGIN;
INSERT INTO t VALUES (7);
SELECT FROM context('"fifth"');
COMMIT;
INSERT INTO t VALUES (8);
SELECT * FROM contexts();
-- preceding: changes before the first have none
BEGIN;
INSERT INTO t VALUES (11);
SELECT FROM context('"first"');
INSERT INTO t VALUES (12);
SELECT FROM context('"second"');
COMMIT;
BEGIN;
INSERT INTO t VALUES (13);
SELECT FROM context('"third"');
COMMIT;
BEGIN;
SELECT FROM context('"fourth"');
INSERT INTO t VALUES (14);
COMMIT;
SELECT * FROM contexts('context_scope', 'preceding');
-- once for every row, as the packages for ORMs do
BEGIN;
SELECT FROM context('{"userId": 1}');
INSERT INTO t VALUES (21);
SELECT FROM context('{"userId": 1}');
INSERT INTO t VALUES (22);
SELECT FROM context('{"userId": 2}');
INSERT INTO t VALUES (23);
SELECT FROM context('{"userId": 1}');
INSERT INTO t VALUES (24);
COMMIT;
SELECT * FROM contexts();
-- by a trigger, in front of each row, and then behind all rows of the statement
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM context(to_json(NEW.n)::text); RETURN NEW; END$$;
CREATE TRIGGER note BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO t VALUES (31), (32);
DROP TRIGGER note ON t;
CREATE TRIGGER note AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO t VALUES (33), (34);
DROP TRIGGER note ON t;
SELECT * FROM contexts();

-- a message that is not transactional is no context, nor is one with another prefix
BEGIN;
SELECT FROM pg_logical_emit_message(false, '_bemi', '"not transactional"');
SELECT FROM pg_logical_emit_message(true, '_bemi2', '"longer"');
SELECT FROM pg_logical_emit_message(true, '_bem', '"shorter"');
SELECT FROM pg_logical_emit_message(true, '_BEMI', '"upper case"');
SELECT FROM pg_logical_emit_message(true, '', '"empty"');
INSERT INTO t VALUES (41);
COMMIT;
SELECT * FROM contexts();
BEGIN;
SELECT FROM context('"usual"');
SELECT FROM pg_logical_emit_message(true, 'my "own" prefix', '"own"');
INSERT INTO t VALUES (42);
COMMIT;
SELECT * FROM contexts('context_prefix', 'my "own" prefix');

-- any JSON is kept: without white space, numbers and order as they were written
CREATE PROCEDURE try(VARIADIC contexts text[]) LANGUAGE plpgsql AS $$
DECLARE
    c text;
BEGIN
    FOREACH c IN ARRAY contexts LOOP
        PERFORM context(c);
        INSERT INTO t VALUES (0);
    END LOOP;
END$$;
CALL try('{}', '[]', '""', '0', 'true', 'false', '"text"', '-12.50');
CALL try(E' { "b" : [ 1 , 2.0 ] ,\n\t"a" : { } , "b" : "twice" }\r\n', '[1E2, 1e+400, -0, 0.10, 123456789012345678901234567890, 1e-16383]');
CALL try('"\u00e9\ud83d\ude00\t\/\\\" ü 😀"', '"\u0001\u007f"', '{"": {"": ""}}', '"a\nb"');
SELECT context FROM contexts();
-- null means none
CALL try('null', E' \n null ', '{"a": null}', '[null]', '"null"');
SELECT context, context_error FROM contexts();
BEGIN;
INSERT INTO t VALUES (51);
SELECT FROM context('null');
INSERT INTO t VALUES (52);
SELECT FROM context('1');
INSERT INTO t VALUES (53);
SELECT FROM context('null');
INSERT INTO t VALUES (54);
COMMIT;
SELECT * FROM contexts();
-- nested 64 levels deep it is still taken
CALL try(repeat('[', 64) || repeat(']', 64), repeat('{"a":', 64) || '1' || repeat('}', 64), repeat('[{"a":', 32) || '1' || repeat('}]', 32));
SELECT context, context_error FROM contexts();

-- what jsonb would refuse never stops the stream; the record says why (in the words of the JSON
-- parser, which are left out here)
CREATE FUNCTION errors(VARIADIC options text[] DEFAULT '{}') RETURNS TABLE (context json, context_error text) LANGUAGE sql AS $$
    SELECT context, regexp_replace(context_error::text, '^"not JSON at byte \d+: [A-Z][^:]*: ', '"not JSON: ') FROM contexts(VARIADIC options)
$$;
CALL try('', ' ', '{', '[1,]', '{"a" 1}', '{a: 1}', '{"a": 1,}', '''single''', 'undefined', 'NaN', '01', '1.', '.5', '+1', '1e', '-', '0x1', '[1 2]',
         'nul', 'nulls', 'TRUE', '"open', '"a' || chr(10) || 'b"', '"a' || chr(9) || 'b"', '"\x"', '"\u12"', '"\u00g0"', '1 2', '{} {}', '[]]', '{"a": 1} trailing', '// 1', '1 /* x */');
SELECT * FROM errors();
CALL try(chr(65279) || '{}', '{}' || chr(160), chr(8232) || '1');
SELECT context, left(context_error, 10) FROM errors();
-- also where it is JSON
CALL try('"\u0000"', '{"a\u0000b": 1}', '"\ud800"', '"\udc00"', '"\ud83d\ud83d"', '"\ud83dx"', '"\ude00\ud83d"', '1e131072', '[1e-16384]', '1e999999999999999', '-1e131072');
SELECT * FROM errors();
CALL try(repeat('[', 65) || repeat(']', 65), repeat('{"a":', 65) || '1' || repeat('}', 65));
SELECT * FROM errors();
CALL try(repeat('[', 100000), repeat('[', 100000) || repeat(']', 100000), repeat('{"a":', 100000), '"' || repeat('x', 2000), repeat('ü', 2000));
SELECT context, length(context_error), left(context_error, 50), right(context_error, 5) FROM errors();
-- bytes that are no text
CREATE PROCEDURE try_bytes(VARIADIC contexts bytea[]) LANGUAGE plpgsql AS $$
DECLARE
    c bytea;
BEGIN
    FOREACH c IN ARRAY contexts LOOP
        PERFORM pg_logical_emit_message(true, '_bemi', c);
        INSERT INTO t VALUES (0);
    END LOOP;
END$$;
CALL try_bytes('{"a":1}', '\x00', '{"a":1}\000', '{"a":1}\000garbage', '"a\000b"', '"\377"', '"\303"', '"\303\050"', '"\355\240\200"', '"\300\200"', '"\364\220\200\200"', '\377\376{}', '"\303\274\360\237\230\200"');
SELECT * FROM errors();
-- the changes around a bad context have the others
BEGIN;
INSERT INTO t VALUES (61);
SELECT FROM context('bad');
INSERT INTO t VALUES (62);
SELECT FROM context('"good"');
INSERT INTO t VALUES (63);
SELECT FROM context('bad');
INSERT INTO t VALUES (64);
COMMIT;
SELECT n, context, left(context_error::text, 10), last FROM contexts();

-- max_context_size counts the bytes of the message
CALL try('"12345678"', '"123456789"', '          1', '"üüüü"', '"üüüüü"', '          ' || repeat('x', 2000));
SELECT context, left(context_error::text, 100) FROM contexts('max_context_size', '10');
CALL try('"' || repeat('x', 1024 * 1024 - 2) || '"', '"' || repeat('x', 1024 * 1024 - 1) || '"', repeat('x', 10 * 1024 * 1024));
SELECT length(context::text), left(context_error::text, 60), length(context_error::text) FROM contexts();
-- a large one is taken for every row
CALL try('"' || repeat('x', 3000000) || '"', '"' || repeat('x', 3000000) || '"');
SELECT length(context::text), context_error FROM contexts('max_context_size', '4MB');

-- context_hold: so many bytes of records wait for the first context, and then go out without one
CREATE FUNCTION fill(first int, count int) RETURNS void LANGUAGE sql AS $$INSERT INTO t SELECT first + i, repeat('x', 500) FROM generate_series(0, count - 1) i$$;
BEGIN;
SELECT FROM fill(101, 5);
SELECT FROM context('"in time"');
SELECT FROM fill(106, 5);
COMMIT;
SELECT * FROM contexts('context_hold', '5kB');
BEGIN;
SELECT FROM fill(111, 10);
SELECT FROM context('"too late"');
SELECT FROM fill(121, 2);
SELECT FROM context('"next"');
SELECT FROM fill(123, 2);
COMMIT;
INSERT INTO t VALUES (125);
BEGIN;
INSERT INTO t VALUES (126);
SELECT FROM context('"in time"');
COMMIT;
SELECT * FROM contexts('context_hold', '5kB');
BEGIN;
INSERT INTO t VALUES (131);
SELECT FROM context('"too late"');
INSERT INTO t VALUES (132);
COMMIT;
SELECT * FROM contexts('context_hold', '0');
-- what is not emitted does not wait
BEGIN;
SELECT FROM fill(141, 10);
UPDATE t SET filler = NULL WHERE n = 141;
SELECT FROM context('"in time"');
COMMIT;
SELECT * FROM contexts('context_hold', '5kB', 'operations', 'update');

SELECT pg_drop_replication_slot('regress');
DROP TABLE t;
DROP FUNCTION context, contexts, errors, note, fill;
DROP PROCEDURE try, try_bytes;

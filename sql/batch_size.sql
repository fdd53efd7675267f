-- batch_size: several records in a message, with line breaks between them.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (id int PRIMARY KEY, filler text);
CREATE PROCEDURE change(context int, count int) LANGUAGE plpgsql AS $$BEGIN
    FOR i IN 1..count LOOP
        IF i = context THEN
            PERFORM pg_logical_emit_message(true, '_bemi', '"the context"');
        END IF;
        INSERT INTO t VALUES (i, repeat('x', 1000));
    END LOOP;
    DELETE FROM t WHERE id = count;
    COMMIT;
    TRUNCATE t;
END$$;
-- How many records there are in each message, of which transaction. Warns where a message was sent
-- too early or too late, or where the records are not those of one a message.
CREATE FUNCTION messages(batch_size int, VARIADIC options text[] DEFAULT '{}') RETURNS TABLE (records int, of_transaction int) LANGUAGE plpgsql AS $$
DECLARE
    given text[] := ARRAY['batch_size', batch_size::text] || options;
    message record;
    lines text[];
    transaction int := 1;
BEGIN
    FOR message IN SELECT * FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC given) LOOP
        lines := string_to_array(message.data, E'\n');
        IF lines[cardinality(lines)]::json->'last' IS NULL AND octet_length(message.data) < batch_size THEN
            RAISE WARNING 'sent with only % bytes', octet_length(message.data);
        END IF;
        IF cardinality(lines) > 1 AND octet_length(message.data) - octet_length(lines[cardinality(lines)]) - 1 >= batch_size THEN
            RAISE WARNING 'sent with as much as % bytes', octet_length(message.data);
        END IF;
        RETURN QUERY SELECT cardinality(lines), transaction;
        IF lines[cardinality(lines)]::json->'last' IS NOT NULL THEN
            transaction := transaction + 1;
        END IF;
    END LOOP;
    IF (SELECT string_agg(data, E'\n') FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC given))
        <> (SELECT string_agg(data, E'\n') FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC options)) THEN
        RAISE WARNING 'other records than without batches';
    END IF;
    PERFORM records(VARIADIC given);
END$$;

-- one a message: without it, and if any record is enough
CALL change(0, 3);
SELECT * FROM messages(0);
CALL change(0, 3);
SELECT * FROM messages(1);
-- a message is sent when it has that many bytes; no message has records of two transactions
CALL change(0, 20);
SELECT * FROM messages(4500);
CALL change(0, 20);
SELECT * FROM messages(100000);
-- the same where the records were held for a context
CALL change(1, 20);
SELECT * FROM messages(4500);
CALL change(10, 20);
SELECT * FROM messages(4500);
CALL change(20, 20);
SELECT * FROM messages(4500, 'context_hold', '20kB');
CALL change(10, 20);
SELECT * FROM messages(4500, 'context_scope', 'preceding');
-- with filters and messages
CALL change(10, 20);
SELECT * FROM messages(4500, 'operations', 'delete,truncate', 'messages', '*');
-- a record that is larger by itself
BEGIN;
INSERT INTO t VALUES (1, 'small'), (2, repeat('x', 5000)), (3, 'small'), (4, 'small');
COMMIT;
SELECT * FROM messages(4500);
-- what a batch looks like
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi', '"the context"');
INSERT INTO t VALUES (11, E'line\nbreak');
DELETE FROM t WHERE id < 10;
COMMIT;
SELECT regexp_replace(regexp_replace(data, '"database".*?"schema"', '…', 'g'), '"committed_at".*?"sequence"', '…', 'g') FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'batch-size', '64kB');

SELECT pg_drop_replication_slot('regress');
DROP TABLE t;
DROP FUNCTION messages;
DROP PROCEDURE change;

-- A record: its keys, their order, and what is the same in all records of a transaction.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE todo (id bigint PRIMARY KEY, task text NOT NULL, is_completed boolean NOT NULL);
ALTER TABLE todo REPLICA IDENTITY FULL;

-- the life of three to-dos, with the context of each request
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi',
    '{"userId": 187234, "endpoint": "/todo", "params": {"task": "Sleep", "isCompleted": false}}');
INSERT INTO todo VALUES (26, 'Sleep', false);
COMMIT;
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi',
    '{"userId": 187234, "endpoint": "/todo", "params": {"task": "Eat", "isCompleted": false}}');
INSERT INTO todo VALUES (27, 'Eat', false);
COMMIT;
INSERT INTO todo VALUES (28, 'Repeat', false);
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi', '{"userId": 187234, "endpoint": "/todo/complete"}');
UPDATE todo SET is_completed = true WHERE id = 26;
DELETE FROM todo WHERE id = 27;
COMMIT;
TRUNCATE todo;
SELECT records();

-- nothing is left, and nothing comes of what changes nothing
SELECT records();
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi', '{"userId": 1}');
COMMIT;
UPDATE todo SET id = 1;
CREATE TABLE other (id int);
DROP TABLE other;
SELECT records();

-- what is rolled back never was
BEGIN;
INSERT INTO todo VALUES (1, 'undone', false);
ROLLBACK;
SELECT records();

-- positions and the transaction's id are those of the server
BEGIN;
INSERT INTO todo VALUES (4, 'where', true);
SELECT pg_current_xact_id() AS id \gset
COMMIT;
SELECT pg_current_wal_insert_lsn() AS after_commit \gset
SELECT position < commit_position AS in_order, commit_position < lsn AND lsn <= :'after_commit' AS of_the_commit,
       r->>'transaction_id' = :'id' AS of_the_transaction, r->>'database' = current_database() AS of_this_database
FROM pg_logical_slot_peek_changes('regress', NULL, NULL), LATERAL (
    SELECT data::json r, '0/0'::pg_lsn + (data::json->>'position')::numeric AS position,
           '0/0'::pg_lsn + (data::json->>'commit_position')::numeric AS commit_position) t;
-- as binary the function gives the same bytes
SELECT convert_from(b.data, 'UTF8') = t.data
FROM pg_logical_slot_peek_binary_changes('regress', NULL, NULL) b, pg_logical_slot_peek_changes('regress', NULL, NULL) t;
SELECT skip();

-- no columns, no rows, and as many columns as there can be
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE empty AS SELECT FROM todo WHERE false;
DO $$BEGIN
    EXECUTE (SELECT format('CREATE TABLE wide (%s)', string_agg(format('c%s int DEFAULT %1$s', n), ','))
             FROM generate_series(1, 1600) n);
END$$;
INSERT INTO wide DEFAULT VALUES;
SELECT r->>'table', (SELECT count(*) FROM json_each(r->'after')), (SELECT sum(value::int) FROM json_each_text(r->'after'))
FROM records() r;

DROP TABLE todo, nothing, wide, empty;
SELECT pg_drop_replication_slot('regress');

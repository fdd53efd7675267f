-- Prepared transactions are decoded when they are committed. (The other expected file is that of a
-- server without them.)
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT current_setting('max_prepared_transactions') = '0' AS impossible \gset
\if :impossible
    \quit
\endif
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int);
BEGIN;
INSERT INTO t VALUES (1);
SAVEPOINT s;
INSERT INTO t VALUES (2);
ROLLBACK TO s;
SELECT FROM pg_logical_emit_message(true, '_bemi', '"prepared"');
INSERT INTO t VALUES (3);
PREPARE TRANSACTION 'regress one';
BEGIN;
INSERT INTO t VALUES (4);
PREPARE TRANSACTION 'regress two';
SELECT records();
INSERT INTO t VALUES (5);
COMMIT PREPARED 'regress one';
ROLLBACK PREPARED 'regress two';
SELECT records();
SELECT pg_drop_replication_slot('regress');
-- of a slot for two-phase commit too
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder', false, true);
BEGIN;
INSERT INTO t VALUES (6);
PREPARE TRANSACTION 'regress three';
SELECT records();
COMMIT PREPARED 'regress three';
SELECT records();
SELECT pg_drop_replication_slot('regress');
DROP TABLE t;

-- Decoding waits for nobody's lock, not on a table and not on a type: whoever has it may wait for the decoding in turn
CREATE TYPE pair AS (a int, b text);
CREATE TABLE other (a int);
CREATE TABLE held (id int PRIMARY KEY, p pair, o other, os other[]);
CREATE TABLE parted (id int) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted DEFAULT;
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
INSERT INTO held VALUES (1, (1, 'b'), ROW(2), ARRAY[ROW(3)::other]);
INSERT INTO parted VALUES (1);
BEGIN;
LOCK TABLE held, other, parted;
ALTER TYPE pair ADD ATTRIBUTE c int;
PREPARE TRANSACTION 'regress four';
SET lock_timeout = '10s';
SELECT records();
RESET lock_timeout;
ROLLBACK PREPARED 'regress four';
SELECT pg_drop_replication_slot('regress');
DROP TABLE held, other, parted;
DROP TYPE pair;

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

-- Which statements write a context, and when: before their first row, and not without one.
LOAD 'bemi_session';
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int PRIMARY KEY, v text);
CREATE TABLE u (n int PRIMARY KEY, v text);
ALTER TABLE t REPLICA IDENTITY FULL;

INSERT INTO t VALUES (1), (2), (3) /*by='insert'*/;
INSERT INTO t SELECT n + 3 FROM t /*by='insert select'*/;
INSERT INTO t VALUES (1) ON CONFLICT (n) DO UPDATE SET v = 'upsert' /*by='upsert'*/;
UPDATE t SET v = 'x' WHERE n < 3 /*by='update'*/;
UPDATE t SET v = u.v FROM t u WHERE u.n = t.n + 1 AND t.n = 1 /*by='update from'*/;
DELETE FROM t WHERE n = 6 /*by='delete'*/;
DELETE FROM t USING u WHERE u.n <> t.n /*by='nothing'*/;
MERGE INTO t USING (VALUES (1)) s (n) ON t.n = s.n WHEN MATCHED THEN DELETE /*by='merge delete'*/;
MERGE INTO t USING (VALUES (2)) s (n) ON t.n = s.n WHEN MATCHED THEN UPDATE SET v = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (s.n) /*by='merge update'*/;
MERGE INTO t USING (VALUES (7)) s (n) ON t.n = s.n WHEN MATCHED THEN UPDATE SET v = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (s.n) /*by='merge insert'*/;
WITH gone AS (DELETE FROM t WHERE n = 5 RETURNING *) INSERT INTO u SELECT * FROM gone /*by='with'*/;
WITH gone AS (DELETE FROM t WHERE n = 4 RETURNING *) SELECT count(*) FROM gone /*by='with, of select'*/;
WITH gone AS (DELETE FROM u) SELECT 'not asked for' /*by='with, after select'*/;
SELECT * FROM written();
-- commands
COPY t FROM stdin /*by='copy'*/;
11	a
12	b
\.
COPY (UPDATE t SET v = 'y' WHERE n = 11 RETURNING n) TO stdout /*by='copy to'*/;
TRUNCATE t /*by='truncate'*/;
CREATE TABLE made AS SELECT n FROM generate_series(1, 2) n /*by='create table as'*/;
SELECT n INTO made_too FROM made /*by='select into'*/;
CREATE TABLE IF NOT EXISTS made AS SELECT 1 /*by='nothing'*/;
CREATE TABLE made_empty AS SELECT n FROM made WITH NO DATA /*by='nothing'*/;
-- (what EXPLAIN says differs from version to version)
\o /dev/null
EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) INSERT INTO t VALUES (21) /*by='explain analyze'*/;
EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) CREATE TABLE explained AS SELECT 1 AS n /*by='explain create'*/;
\o
SELECT * FROM written();
-- functions called from SELECT, and in CALL and DO
CREATE FUNCTION add(n int) RETURNS int LANGUAGE plpgsql AS $$BEGIN INSERT INTO t VALUES (n) /*by='666'*/; RETURN n; END$$;
CREATE PROCEDURE add_twice(n int) LANGUAGE plpgsql AS $$BEGIN PERFORM add(n); COMMIT; PERFORM add(n + 1); END$$;
SELECT add(31) /*by='select'*/;
CALL add_twice(32) /*by='call'*/;
DO 'BEGIN PERFORM add(34); END' /*by='do'*/;
SELECT * FROM written();
-- a view, a partitioned table, a table with children
CREATE VIEW v AS SELECT n FROM t;
CREATE VIEW w AS SELECT n FROM t;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM add(NEW.n); RETURN NEW; END$$;
CREATE TRIGGER instead INSTEAD OF INSERT ON w FOR EACH ROW EXECUTE FUNCTION instead();
INSERT INTO v VALUES (41) /*by='view'*/;
INSERT INTO w VALUES (42) /*by='instead'*/;
CREATE TABLE p (n int PRIMARY KEY) PARTITION BY RANGE (n);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
INSERT INTO p VALUES (1) /*by='partitioned'*/;
UPDATE p SET n = 11 /*by='moved'*/;
DELETE FROM p /*by='partitioned'*/;
TRUNCATE p /*by='truncate partitioned'*/;
CREATE UNLOGGED TABLE parent (n int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child VALUES (1);
UPDATE parent SET n = 2 /*by='child'*/;
TRUNCATE parent /*by='truncate child'*/;
CREATE RULE also AS ON INSERT TO child DO ALSO INSERT INTO u VALUES (NEW.n);
INSERT INTO child VALUES (43) /*by='rule'*/;
SELECT * FROM written();

-- not: EXPLAIN alone
CREATE FUNCTION nothing_logged(OUT text) LANGUAGE sql AS $$SELECT CASE WHEN pg_current_xact_id_if_assigned() IS NULL THEN 'no transaction id' ELSE 'a transaction id' END$$;
BEGIN;
EXPLAIN (COSTS off) DELETE FROM t WHERE v = 'no such' /*by='666'*/;
EXPLAIN (COSTS off) INSERT INTO t VALUES (51) /*by='666'*/;
-- no row: no transaction id, and nothing in the write-ahead log
UPDATE t SET v = 'z' WHERE v = 'no such' /*by='666'*/;
DELETE FROM t WHERE v = 'no such' /*by='666'*/;
DELETE FROM t WHERE n IN (SELECT n FROM t WHERE v = 'no such' LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING n /*by='666'*/;
INSERT INTO t SELECT * FROM t WHERE v = 'no such' /*by='666'*/;
MERGE INTO t USING (SELECT n FROM t WHERE v = 'no such') s ON t.n = s.n WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.n) /*by='666'*/;
WITH gone AS (DELETE FROM t WHERE v = 'no such' RETURNING *) INSERT INTO u SELECT * FROM gone /*by='666'*/;
SELECT count(*) >= 0 FROM t /*by='666'*/;
SELECT nothing_logged();
COMMIT;
-- read-only transactions, whose errors stay what they are
BEGIN READ ONLY;
SELECT count(*) >= 0 FROM t /*by='666'*/;
SELECT nothing_logged();
SAVEPOINT a;
INSERT INTO t VALUES (52) /*by='666'*/;
ROLLBACK TO a;
COPY t FROM '/dev/null' /*by='666'*/;
ROLLBACK TO a;
TRUNCATE t /*by='666'*/;
ROLLBACK;
-- tables that are not logged
CREATE TEMP TABLE of_session (n int);
CREATE UNLOGGED TABLE unlogged (n int);
SELECT * FROM skip();
BEGIN;
INSERT INTO of_session VALUES (1) /*by='666'*/;
UPDATE of_session SET n = 2 /*by='666'*/;
COPY of_session FROM stdin /*by='666'*/;
3
\.
INSERT INTO unlogged VALUES (1) /*by='666'*/;
COPY unlogged FROM stdin /*by='666'*/;
3
\.
TRUNCATE unlogged, of_session /*by='666'*/;
CREATE TEMP TABLE made_temp AS SELECT 1 AS n /*by='666'*/;
CREATE UNLOGGED TABLE made_unlogged AS SELECT 1 AS n /*by='666'*/;
CREATE MATERIALIZED VIEW made_view AS SELECT 1 AS n /*by='666'*/;
WITH gone AS (DELETE FROM of_session RETURNING *) INSERT INTO unlogged SELECT * FROM gone /*by='666'*/;
COMMIT;
SELECT * FROM written();
-- but a function that such a statement calls
INSERT INTO unlogged SELECT add(53) /*by='function'*/;
CREATE TEMP TABLE made_temp_too AS SELECT add(54) /*by='function, of create'*/;
SELECT * FROM written();

-- what can be seen of a first row only too early: a message too many, and its transaction id
INSERT INTO t VALUES (41) ON CONFLICT DO NOTHING /*by='conflict'*/;
COPY t FROM stdin /*by='empty copy'*/;
\.
SELECT * FROM written();
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'messages', '_bemi');

SELECT pg_drop_replication_slot('regress');
DROP VIEW v, w;
DROP MATERIALIZED VIEW made_view;
DROP TABLE t, u, made, made_too, made_empty, explained, p, parent, child, unlogged, made_unlogged, of_session, made_temp, made_temp_too;
DROP FUNCTION add, instead, nothing_logged;
DROP PROCEDURE add_twice;

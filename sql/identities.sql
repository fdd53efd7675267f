-- What before and after hold, by operation and replica identity.
\set SHOW_CONTEXT never
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');

-- The same is done to each table: both its keys change, one by one, and what is no key.
CREATE PROCEDURE change(name text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %I VALUES (1, ''a'', ''one'')', name);
    EXECUTE format('UPDATE %I SET note = ''two''', name);
    EXECUTE format('UPDATE %I SET note = note', name);
    EXECUTE format('UPDATE %I SET id = 2', name);
    EXECUTE format('UPDATE %I SET code = ''b''', name);
    EXECUTE format('UPDATE %I SET code = ''c'', id = 3, note = NULL', name);
    EXECUTE format('DELETE FROM %I', name);
    EXECUTE format('TRUNCATE %I', name);
END$$;
CREATE FUNCTION images() RETURNS TABLE (operation text, identity text, primary_key json, previous_key text, before json, after json) LANGUAGE sql AS $$
    SELECT r->>'operation', r->>'identity', r->'primary_key', r->>'previous_key', r->'before', r->'after' FROM records() r
$$;

CREATE TABLE t_full (id int PRIMARY KEY, code text NOT NULL UNIQUE, note text);
ALTER TABLE t_full REPLICA IDENTITY FULL;
CALL change('t_full');
SELECT * FROM images();

-- default: the primary key's columns, and in an UPDATE only if one of them changed
CREATE TABLE t_default (id int PRIMARY KEY, code text NOT NULL UNIQUE, note text);
CALL change('t_default');
SELECT * FROM images();

-- index: the index's columns, in the same way; what the primary key was before is not among them
CREATE TABLE t_index (id int PRIMARY KEY, code text NOT NULL UNIQUE, note text);
ALTER TABLE t_index REPLICA IDENTITY USING INDEX t_index_code_key;
CALL change('t_index');
SELECT * FROM images();

-- an index that has the primary key's column and one more
CREATE TABLE t_both (id int PRIMARY KEY, code text NOT NULL, note text, UNIQUE (code, id));
ALTER TABLE t_both REPLICA IDENTITY USING INDEX t_both_code_id_key;
CALL change('t_both');
SELECT * FROM images();

-- the primary key's own index, named
CREATE TABLE t_primary (id int PRIMARY KEY, code text NOT NULL UNIQUE, note text);
ALTER TABLE t_primary REPLICA IDENTITY USING INDEX t_primary_pkey;
CALL change('t_primary');
SELECT * FROM images();

-- nothing: every change is there, with what there is
CREATE TABLE t_nothing (id int PRIMARY KEY, code text NOT NULL UNIQUE, note text);
ALTER TABLE t_nothing REPLICA IDENTITY NOTHING;
CALL change('t_nothing');
SELECT * FROM images();

-- default where there is no primary key is nothing
CREATE TABLE t_keyless (id int, code text NOT NULL UNIQUE, note text);
CALL change('t_keyless');
SELECT * FROM images();

-- and so it is where the primary key is deferrable
CREATE TABLE t_deferrable (id int PRIMARY KEY DEFERRABLE, code text NOT NULL UNIQUE, note text);
CALL change('t_deferrable');
SELECT * FROM images();

-- full needs no key
CREATE TABLE t_full_keyless (id int, code text, note text);
ALTER TABLE t_full_keyless REPLICA IDENTITY FULL;
CALL change('t_full_keyless');
SELECT * FROM images();

-- an index that is gone leaves nothing
ALTER TABLE t_index DROP CONSTRAINT t_index_code_key;
INSERT INTO t_index VALUES (1, 'a', 'one');
UPDATE t_index SET note = 'two';
UPDATE t_index SET id = 2;
DELETE FROM t_index;
SELECT * FROM images();

-- a change of the identity counts from the next change on, in the same transaction too
CREATE TABLE t_changing (id int PRIMARY KEY, code text NOT NULL UNIQUE, note text);
BEGIN;
INSERT INTO t_changing VALUES (1, 'a', 'one');
UPDATE t_changing SET id = 2;
ALTER TABLE t_changing REPLICA IDENTITY FULL;
UPDATE t_changing SET id = 3;
ALTER TABLE t_changing REPLICA IDENTITY USING INDEX t_changing_code_key;
UPDATE t_changing SET code = 'b';
ALTER TABLE t_changing REPLICA IDENTITY NOTHING;
UPDATE t_changing SET id = 4;
ALTER TABLE t_changing REPLICA IDENTITY DEFAULT;
DELETE FROM t_changing;
COMMIT;
SELECT * FROM images();

-- a key that was dropped since, and that is not even known to have been: VACUUM has noted that there is no index, where
-- the changes' own view of the catalogs sees it too
CREATE TABLE t_lagging (id int PRIMARY KEY, note text);
INSERT INTO t_lagging VALUES (1, 'one');
UPDATE t_lagging SET note = 'two';
UPDATE t_lagging SET id = 2;
DELETE FROM t_lagging;
ALTER TABLE t_lagging DROP CONSTRAINT t_lagging_pkey;
VACUUM t_lagging;
SELECT relhasindex FROM pg_class WHERE oid = 't_lagging'::regclass;
SELECT * FROM images();

-- nulls are values: under full they are in both images
CREATE TABLE t_nulls (a int, b text, c int);
ALTER TABLE t_nulls REPLICA IDENTITY FULL;
INSERT INTO t_nulls DEFAULT VALUES;
UPDATE t_nulls SET b = '';
UPDATE t_nulls SET b = NULL;
DELETE FROM t_nulls;
SELECT * FROM images();

-- several rows at once, by all that changes rows
CREATE TABLE t_many (id int PRIMARY KEY, n int);
INSERT INTO t_many SELECT i, 0 FROM generate_series(1, 3) i;
UPDATE t_many SET n = id;
INSERT INTO t_many VALUES (1, 5), (4, 5) ON CONFLICT (id) DO UPDATE SET n = t_many.n + excluded.n;
INSERT INTO t_many VALUES (1, 5) ON CONFLICT DO NOTHING;
COPY t_many FROM stdin;
5	50
6	\N
\.
WITH gone AS (DELETE FROM t_many WHERE id < 4 RETURNING *) INSERT INTO t_many SELECT id + 10, n FROM gone;
SELECT * FROM images();
-- rows of one COPY share a position, and count one by one
CREATE TABLE t_copied (id int);
COPY t_copied FROM stdin;
1
2
3
\.
SELECT count(DISTINCT data::json->>'position'), string_agg(data::json->>'sequence', ' ')
FROM pg_logical_slot_get_changes('regress', NULL, NULL);

SELECT pg_drop_replication_slot('regress');
DROP TABLE t_full, t_default, t_index, t_both, t_primary, t_nothing, t_keyless, t_deferrable, t_full_keyless, t_changing,
    t_lagging, t_nulls, t_many, t_copied;
DROP PROCEDURE change;
DROP FUNCTION images;

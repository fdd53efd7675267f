-- Keys of tables without a primary key: the replica identity's index, else one of the other unique
-- indexes, chosen by a rule on the catalogs alone.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE FUNCTION keys(VARIADIC options text[] DEFAULT '{}') RETURNS TABLE ("table" text, operation text, identity text, primary_key text, previous_key text) LANGUAGE sql AS $$
    SELECT r->>'table', r->>'operation', r->>'identity', r->>'primary_key', r->>'previous_key' FROM records(VARIADIC options) r
$$;

-- each replica identity: what is not logged is not known
CREATE TABLE item (code text NOT NULL, region text NOT NULL, note text, CONSTRAINT item_code UNIQUE (region, code) INCLUDE (note));
CREATE PROCEDURE change_item() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO item VALUES ('a', 'eu', 'n'), ('b', 'eu', 'm');
    UPDATE item SET note = 'o' WHERE code = 'a';
    UPDATE item SET code = 'c' WHERE code = 'a';
    DELETE FROM item;
    TRUNCATE item;
END$$;
CALL change_item();
SELECT * FROM keys();
ALTER TABLE item REPLICA IDENTITY FULL;
CALL change_item();
SELECT * FROM keys();
ALTER TABLE item REPLICA IDENTITY NOTHING;
CALL change_item();
SELECT * FROM keys();
CREATE UNIQUE INDEX item_identity ON item (code, region);
ALTER TABLE item REPLICA IDENTITY USING INDEX item_identity;
CALL change_item();
SELECT * FROM keys();
-- only primary keys, as it was in 1.0
ALTER TABLE item REPLICA IDENTITY FULL;
CALL change_item();
SELECT * FROM keys('keys', 'primary');

-- the identity's index goes before one of fewer columns, and the primary key before both
CREATE TABLE before_others (a int NOT NULL, b int NOT NULL, c int NOT NULL);
CREATE UNIQUE INDEX before_a ON before_others (a);
CREATE UNIQUE INDEX before_cb ON before_others (c, b);
INSERT INTO before_others VALUES (1, 2, 3);
ALTER TABLE before_others REPLICA IDENTITY USING INDEX before_cb;
INSERT INTO before_others VALUES (2, 3, 4);
ALTER TABLE before_others ADD PRIMARY KEY (b, a);
INSERT INTO before_others VALUES (3, 4, 5);
ALTER TABLE before_others REPLICA IDENTITY DEFAULT;
INSERT INTO before_others VALUES (4, 5, 6);
SELECT * FROM keys();

-- the fewest columns, then the first name in byte order; those that don't tell every row apart don't count
CREATE TABLE chosen (a int NOT NULL, b int NOT NULL, c int NOT NULL, n int, s int NOT NULL);
CREATE UNIQUE INDEX "B" ON chosen (a, b);
CREATE UNIQUE INDEX a ON chosen (b, c);
INSERT INTO chosen VALUES (1, 2, 3, 4, 5);
CREATE UNIQUE INDEX nullable ON chosen (n);
CREATE UNIQUE INDEX partial ON chosen (a) WHERE b > 0;
CREATE UNIQUE INDEX expressions ON chosen ((a + 1));
CREATE UNIQUE INDEX mixed ON chosen (c, (a + 1));
CREATE INDEX plain ON chosen (a);
ALTER TABLE chosen ADD CONSTRAINT deferred UNIQUE (b) DEFERRABLE, ADD CONSTRAINT ranges EXCLUDE USING btree (c WITH =);
INSERT INTO chosen VALUES (2, 3, 4, 5, 6);
-- renamed, made and dropped in between, within a transaction
ALTER INDEX "B" RENAME TO z;
INSERT INTO chosen VALUES (3, 4, 5, 6, 7);
BEGIN;
CREATE UNIQUE INDEX short ON chosen (s);
INSERT INTO chosen VALUES (4, 5, 6, 7, 8);
ALTER TABLE chosen ALTER s DROP NOT NULL;
INSERT INTO chosen VALUES (5, 6, 7, 8, 9);
ALTER TABLE chosen ALTER s SET NOT NULL;
SAVEPOINT s;
DROP INDEX short;
INSERT INTO chosen VALUES (6, 7, 8, 9, 10);
ROLLBACK TO s;
INSERT INTO chosen VALUES (7, 8, 9, 10, 11);
DROP INDEX short, a, z;
INSERT INTO chosen VALUES (8, 9, 10, 11, 12);
COMMIT;
CREATE UNIQUE INDEX CONCURRENTLY later ON chosen (s);
INSERT INTO chosen VALUES (9, 10, 11, 12, 13);
SELECT * FROM keys();
-- an index that could not be made counts for nothing
CREATE TABLE failed (a int NOT NULL, b int NOT NULL UNIQUE);
INSERT INTO failed VALUES (1, 1), (1, 2);
CREATE UNIQUE INDEX CONCURRENTLY failed_a ON failed (a);
INSERT INTO failed VALUES (2, 3);
SELECT * FROM keys();

-- a column that must not be seen: the key is not shown, and no other takes its place
CREATE TABLE person (email text NOT NULL UNIQUE, a int NOT NULL, b int NOT NULL, UNIQUE (a, b));
ALTER TABLE person REPLICA IDENTITY FULL;
INSERT INTO person VALUES ('joe@example.com', 1, 2);
UPDATE person SET email = 'ann@example.com';
SELECT r->'primary_key' AS primary_key, r->'previous_key' AS previous_key, r->'before' AS before, r->'after' AS after, r->'missing' AS missing
FROM records('mask_columns', 'email') r;
INSERT INTO person VALUES ('jim@example.com', 3, 4);
UPDATE person SET email = 'eve@example.com' WHERE a = 3;
SELECT r->'primary_key' AS primary_key, r->'previous_key' AS previous_key, r->'before' AS before, r->'after' AS after, r->'missing' AS missing
FROM records('exclude_columns', 'person.email') r;

-- Partitions: only an index that belongs to one of the topmost table, whose name decides. What a
-- partition calls its own index, and what it has beside, makes no difference.
CREATE TABLE part (a int NOT NULL, b int NOT NULL, c int NOT NULL) PARTITION BY LIST (a);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2) PARTITION BY LIST (b);
CREATE TABLE part_2_x PARTITION OF part_2 DEFAULT;
CREATE UNIQUE INDEX part_1_own ON part_1 (c);
CREATE UNIQUE INDEX part_2_own ON part_2 (c, b);
INSERT INTO part VALUES (1, 2, 3), (2, 3, 4);
CREATE UNIQUE INDEX m ON part (c, b, a);
CREATE UNIQUE INDEX x ON part (a, b, c);
INSERT INTO part VALUES (1, 3, 4), (2, 4, 5);
ALTER INDEX part_1_a_b_c_idx RENAME TO a_first;
INSERT INTO part VALUES (1, 4, 5), (2, 5, 6);
ALTER INDEX m RENAME TO z;
INSERT INTO part VALUES (1, 5, 6), (2, 6, 7);
DROP INDEX z;
CREATE UNIQUE INDEX y ON ONLY part (b, a);
INSERT INTO part VALUES (1, 6, 7), (2, 7, 8);
CREATE UNIQUE INDEX of_1 ON part_1 (b, a);
INSERT INTO part VALUES (1, 7, 8), (2, 8, 9);
ALTER INDEX y ATTACH PARTITION of_1;
INSERT INTO part VALUES (1, 8, 9), (2, 9, 10);
ALTER TABLE part DETACH PARTITION part_1;
INSERT INTO part_1 VALUES (1, 9, 10);
ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES IN (1);
INSERT INTO part VALUES (1, 10, 11);
ALTER TABLE part_1 REPLICA IDENTITY USING INDEX part_1_own;
INSERT INTO part VALUES (1, 11, 12);
SELECT "table", operation, primary_key FROM keys();

-- Random tables with random indexes, held against the rule in SQL.
CREATE FUNCTION key_columns(wanted regclass) RETURNS text[] LANGUAGE sql AS $$
    SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, n)
            JOIN pg_attribute a ON attrelid = wanted AND attnum = k.number WHERE k.n <= i.indnkeyatts ORDER BY k.n)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = wanted
    WHERE i.indrelid = wanted AND (i.indisprimary OR i.indisreplident AND t.relreplident = 'i'
        OR i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
            AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = wanted AND NOT attnotnull
                AND attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])))
    ORDER BY i.indisprimary DESC, i.indisreplident AND t.relreplident = 'i' DESC, i.indnkeyatts, c.relname COLLATE "C" LIMIT 1
$$;
CREATE FUNCTION one_of(VARIADIC choices text[]) RETURNS text LANGUAGE sql AS $$SELECT choices[1 + floor(random() * cardinality(choices))]$$;
CREATE PROCEDURE make_tables() LANGUAGE plpgsql AS $$
DECLARE
    columns text;
BEGIN
    FOR n IN 1 .. 100 LOOP
        EXECUTE format('CREATE TABLE random_%s (a int %s, b int %s, c int %s, d int NOT NULL)', n, one_of('NOT NULL', 'NOT NULL', 'NOT NULL', ''), one_of('NOT NULL', 'NOT NULL', 'NOT NULL', ''), one_of('NOT NULL', 'NOT NULL', 'NOT NULL', ''));
        FOR i IN 1 .. floor(random() * 5) LOOP
            SELECT string_agg(k, ', ') INTO columns FROM (SELECT k FROM unnest('{a,b,c,d}'::text[]) k ORDER BY random() LIMIT 1 + floor(random() * 3)) t;
            CASE WHEN random() < 0.1 AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = format('random_%s', n)::regclass AND indisprimary) THEN
                EXECUTE format('ALTER TABLE random_%s ADD PRIMARY KEY (%s) %s', n, columns, one_of('DEFERRABLE', ''));
            WHEN random() < 0.1 THEN
                EXECUTE format('ALTER TABLE random_%s ADD UNIQUE (%s) DEFERRABLE', n, columns);
            ELSE
                EXECUTE format('CREATE %s INDEX %I ON random_%s (%s) %s %s', one_of('UNIQUE', 'UNIQUE', 'UNIQUE', ''),
                    one_of('A', 'a', 'B', 'ä', 'z') || i || '_' || n, n, columns, one_of('INCLUDE (d)', ''), one_of('WHERE d > 0', '', '', ''));
            END CASE;
        END LOOP;
        -- where it can be, one of them is the identity
        BEGIN
            SELECT format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %s', indrelid::regclass, indexrelid::regclass) INTO columns
            FROM pg_index WHERE indrelid = format('random_%s', n)::regclass AND random() < 0.3 ORDER BY random() LIMIT 1;
            IF FOUND THEN EXECUTE columns; END IF;
        EXCEPTION WHEN wrong_object_type OR feature_not_supported THEN NULL;
        END;
        EXECUTE format('INSERT INTO random_%s VALUES (1, 2, 3, 4)', n);
    END LOOP;
END$$;
SELECT setseed(0.5);
CALL make_tables();
SELECT count(*) AS tables, count(r->>'primary_key') > 20 AS many_have_one, count(*) - count(r->>'primary_key') > 5 AS and_some_none,
    count(*) FILTER (WHERE r->>'primary_key' IS DISTINCT FROM wanted) AS other_than_the_rule
FROM records() r, LATERAL key_columns(((r->>'schema') || '.' || (r->>'table'))::regclass) k (columns),
    LATERAL (SELECT CASE cardinality(columns) WHEN 1 THEN r->'after'->>columns[1]
        ELSE (SELECT jsonb_agg(r->'after'->c ORDER BY n)::text FROM unnest(columns) WITH ORDINALITY t (c, n)) END) e (wanted)
WHERE r->>'table' LIKE 'random%';
SELECT FROM pg_drop_replication_slot('regress');
DO $$BEGIN
    EXECUTE (SELECT 'DROP TABLE ' || string_agg(oid::regclass::text, ', ') FROM pg_class WHERE relname ~ '^random_\d+$');
END$$;
DROP TABLE item, before_others, chosen, failed, person, part;
DROP FUNCTION keys, key_columns, one_of;
DROP PROCEDURE change_item, make_tables;

-- Names change in mid-stream: every record has those of the moment of its change.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE FUNCTION rows(VARIADIC options text[] DEFAULT '{}') RETURNS TABLE (operation text, name text, primary_key text, after json) LANGUAGE sql AS $$
    SELECT r->>'operation', format('%s.%s', r->>'schema', r->>'table'), r->>'primary_key', r->'after' FROM records(VARIADIC options) r
$$;
CREATE SCHEMA one;
CREATE TYPE one.part AS (x int, y text);
CREATE TYPE one.pair AS (l one.part, r one.part[]);
CREATE TYPE one.mood AS ENUM ('sad', 'happy');
CREATE DOMAIN one.code AS text;
CREATE TABLE one.t (id int PRIMARY KEY, note text, p one.pair, m one.mood, c one.code, ms one.mood[]);
-- What is renamed, each between two changes. The second half is the way back.
CREATE PROCEDURE change(commits boolean) LANGUAGE plpgsql AS $$
DECLARE
    rename text;
    name text := 'one.t';
BEGIN
    EXECUTE $i$INSERT INTO one.t VALUES (1, 'note', ((1, 'a'), ARRAY[(2, 'b')::one.part]), 'sad', 'code', '{sad,happy}')$i$;
    FOREACH rename IN ARRAY ARRAY['ALTER TABLE one.t RENAME note TO remark', 'ALTER TABLE one.t RENAME id TO key', 'ALTER TABLE one.t RENAME TO u',
        'ALTER TYPE one.part RENAME ATTRIBUTE x TO z', 'ALTER TYPE one.pair RENAME ATTRIBUTE r TO rest', 'ALTER TYPE one.mood RENAME VALUE ''sad'' TO ''unhappy''',
        'ALTER TYPE one.mood ADD VALUE ''new''', 'ALTER TYPE one.part ADD ATTRIBUTE w int CASCADE', 'ALTER TYPE one.part DROP ATTRIBUTE w CASCADE',
        'ALTER TYPE one.part RENAME TO piece', 'ALTER TABLE one.u SET SCHEMA public', 'ALTER SCHEMA one RENAME TO two', 'ALTER TABLE u SET SCHEMA two',
        'ALTER SCHEMA two RENAME TO one', 'ALTER TABLE one.u RENAME TO t', 'ALTER TABLE one.t RENAME key TO id', 'ALTER TABLE one.t RENAME remark TO note',
        'ALTER TYPE one.piece RENAME TO part', 'ALTER TYPE one.part RENAME ATTRIBUTE z TO x', 'ALTER TYPE one.pair RENAME ATTRIBUTE rest TO r', 'ALTER TYPE one.mood RENAME VALUE ''unhappy'' TO ''sad''']
    LOOP
        IF commits THEN
            COMMIT;
        END IF;
        EXECUTE rename;
        IF commits THEN
            COMMIT;
        END IF;
        EXECUTE format('UPDATE %s SET c = %L', (SELECT oid::regclass FROM pg_class WHERE oid = current_setting('regress.oid')::oid), rename);
    END LOOP;
    EXECUTE 'DELETE FROM one.t';
END$$;
SELECT 'one.t'::regclass::oid AS oid \gset
SET regress.oid = :oid;
-- read afterwards, in one go
CALL change(true);
SELECT * FROM rows();
-- all in one transaction
ALTER TYPE one.mood RENAME TO old_mood;
CREATE TYPE one.mood AS ENUM ('sad', 'happy');
ALTER TABLE one.t ALTER m TYPE one.mood USING m::text::one.mood, ALTER ms TYPE one.mood[] USING ms::text::one.mood[];
SELECT skip();
CALL change(false);
SELECT * FROM rows();
-- what is rolled back has renamed nothing
BEGIN;
INSERT INTO one.t VALUES (2);
SAVEPOINT s;
ALTER TABLE one.t RENAME note TO remark;
ALTER TABLE one.t RENAME TO u;
ALTER SCHEMA one RENAME TO two;
INSERT INTO two.u VALUES (3);
ROLLBACK TO s;
INSERT INTO one.t VALUES (4);
COMMIT;
SELECT * FROM rows();

-- filters follow the names
CREATE TABLE shown (a int, secret int);
INSERT INTO shown VALUES (1, 1);
ALTER TABLE shown RENAME TO hidden;
INSERT INTO hidden VALUES (2, 2);
ALTER TABLE hidden RENAME TO shown;
INSERT INTO shown VALUES (3, 3);
ALTER TABLE shown RENAME secret TO open;
INSERT INTO shown VALUES (4, 4);
ALTER TABLE shown RENAME a TO secret;
INSERT INTO shown VALUES (5, 5);
BEGIN;
INSERT INTO shown VALUES (6, 6);
ALTER TABLE shown RENAME TO hidden;
INSERT INTO hidden VALUES (7, 7);
ALTER TABLE hidden RENAME secret TO a;
ALTER TABLE hidden RENAME TO shown;
INSERT INTO shown VALUES (8, 8);
ALTER TABLE shown SET SCHEMA one;
INSERT INTO one.shown VALUES (9, 9);
COMMIT;
SELECT * FROM rows('tables', 'public.shown', 'exclude_columns', 'secret');

-- so many tables that plans are thrown away, and made anew
DO $$BEGIN
    FOR i IN 1..200 LOOP
        EXECUTE format('CREATE TABLE one.many_%s (a int)', i);
    END LOOP;
END$$;
DO $$BEGIN
    FOR i IN 1..200 LOOP
        EXECUTE format('INSERT INTO one.many_%s VALUES (%1$s)', i);
    END LOOP;
    FOR i IN 1..200 LOOP
        EXECUTE format('ALTER TABLE one.many_%s RENAME a TO b', i);
        EXECUTE format('INSERT INTO one.many_%s VALUES (%1$s)', i);
        COMMIT;
        EXECUTE format('INSERT INTO one.many_%s VALUES (%1$s)', i);
    END LOOP;
END$$;
SELECT count(*), count(*) FILTER (WHERE r->'after'->>'a' = substr(r->>'table', 6)) AS as_a, count(*) FILTER (WHERE r->'after'->>'b' = substr(r->>'table', 6)) AS as_b FROM records() r;

SELECT pg_drop_replication_slot('regress');
SET client_min_messages = warning;
DROP SCHEMA one CASCADE;
DROP PROCEDURE change;
DROP FUNCTION rows;

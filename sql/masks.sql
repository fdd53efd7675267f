-- mask_columns: values that are not shown, and whether they changed.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE FUNCTION masked(VARIADIC options text[]) RETURNS TABLE (operation text, primary_key text, previous_key text, before json, after json, missing json) LANGUAGE sql AS $$
    SELECT r->>'operation', r->>'primary_key', r->>'previous_key', r->'before', r->'after', r->'missing' FROM records(VARIADIC options) r
$$;
CREATE TABLE t (id int, code text, secret text, big text, note text, PRIMARY KEY (code, id));
ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
CREATE PROCEDURE change() LANGUAGE plpgsql AS $$BEGIN
    INSERT INTO t VALUES (1, 'a', 'SECRET', repeat('SECRET', 500), 'one');
    UPDATE t SET note = 'two';
    UPDATE t SET secret = 'SECRET 2';
    UPDATE t SET secret = NULL;
    UPDATE t SET note = 'three';
    UPDATE t SET secret = '';
    UPDATE t SET big = repeat('SECRET', 501);
    UPDATE t SET big = big || '';
    UPDATE t SET id = 2;
    UPDATE t SET code = 'b', secret = 'SECRET', big = NULL;
    DELETE FROM t;
    TRUNCATE t;
END$$;

-- where the old row is known, "masked, changed" tells that the value changed
ALTER TABLE t REPLICA IDENTITY FULL;
CALL change();
SELECT * FROM masked('mask_columns', 'secret, public.t.big, other.note');
-- where it is not, nobody can tell; a value that was not logged is masked as well
ALTER TABLE t REPLICA IDENTITY DEFAULT;
CALL change();
SELECT * FROM masked('mask_columns', 'secret, public.t.big');
-- a masked column of the key makes the keys null, although the old one is logged
CALL change();
SELECT * FROM masked('mask_columns', 't.code, big', 'operations', 'update,delete');
ALTER TABLE t REPLICA IDENTITY FULL;
CALL change();
SELECT * FROM masked('mask_columns', 'id', 'exclude_columns', 'big', 'operations', 'update,delete');
-- what is excluded is not named, masked or not
CALL change();
SELECT * FROM masked('mask_columns', '*', 'exclude_columns', 'secret, big', 'operations', 'create,update');
-- a mask does not touch what an UPDATE is left out for
CALL change();
SELECT * FROM masked('mask_columns', '*', 'ignore_columns', 'secret, big', 'operations', 'update');

-- all kinds of types, equal or not
CREATE TABLE kinds (n numeric, f float8, j json, jb jsonb, a int[], p point, s text, b boolean);
ALTER TABLE kinds REPLICA IDENTITY FULL;
INSERT INTO kinds VALUES (1.0, 0, '{"a": 1}', '{"a": 1}', '{1}', '(0,0)', repeat('x', 3000), true);
UPDATE kinds SET n = 1.00;
UPDATE kinds SET f = '-0';
UPDATE kinds SET j = '{"a":1}', jb = '{"a":1}';
UPDATE kinds SET a = '{1}', p = '(0,0)', s = repeat('x', 3000);
UPDATE kinds SET n = NULL, f = NULL, j = NULL, jb = NULL, a = NULL, p = NULL, s = NULL, b = NULL;
SELECT r->'before', r->'after', r->'missing' FROM records('mask_columns', '*') r;
-- a value whose output would fail is only masked
CREATE TYPE short_lived AS ENUM ('a');
CREATE TABLE labels (id int, s short_lived);
INSERT INTO labels VALUES (1, 'a');
DELETE FROM pg_enum WHERE enumtypid = 'short_lived'::regtype;
UPDATE labels SET id = 2;
SELECT r->'after', r->'missing' FROM records('mask_columns', 's') r;

SELECT pg_drop_replication_slot('regress');
DROP TABLE t, kinds, labels;
DROP TYPE short_lived;
DROP FUNCTION masked;
DROP PROCEDURE change;

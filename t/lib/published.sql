-- Tables of every kind, publications by chance, and the comparison of what bemi._full_faults and bemi._key_faults say with
-- what the server does to UPDATE and DELETE under each replica identity. For t/043_published_tables.pl.

CREATE SCHEMA app;
CREATE SCHEMA other;
CREATE TABLE app.plain (id int PRIMARY KEY, a int, b int);
CREATE TABLE app.stored (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) STORED);
CREATE TABLE app.keyed_by_generated (id int, a int NOT NULL, b int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY);
CREATE TABLE app.dropped (id int PRIMARY KEY, x int, a int, b int, g int GENERATED ALWAYS AS (a * 2) STORED);
ALTER TABLE app.dropped DROP COLUMN g, DROP COLUMN x;
CREATE TABLE other.keyless (id int NOT NULL UNIQUE, a int, b int);
CREATE TABLE app.deferrable (id int PRIMARY KEY DEFERRABLE, a int, b int);
CREATE TABLE app.root (id int, a int, b int, PRIMARY KEY (id, a)) PARTITION BY LIST (a);
CREATE TABLE app.part_1 PARTITION OF app.root FOR VALUES IN (1);
CREATE TABLE other.part_2 (b int, gone int, id int NOT NULL, a int NOT NULL, PRIMARY KEY (id, a));
ALTER TABLE other.part_2 DROP COLUMN gone;
ALTER TABLE app.root ATTACH PARTITION other.part_2 FOR VALUES IN (2);
CREATE TABLE other.mid PARTITION OF app.root FOR VALUES IN (3) PARTITION BY RANGE (id);
CREATE TABLE app.part_3 PARTITION OF other.mid FOR VALUES FROM (0) TO (10);
CREATE TABLE other.groot (id int, a int NOT NULL, b int GENERATED ALWAYS AS (id * 2) STORED) PARTITION BY LIST (a);
CREATE TABLE app.gpart PARTITION OF other.groot FOR VALUES IN (1);
DO $$
BEGIN
    EXECUTE 'CREATE TABLE app.virtual (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL)';
EXCEPTION WHEN syntax_error THEN NULL; -- before 18
END $$;

-- Whether the server refuses a statement because of a publication.
CREATE FUNCTION app.refuses(statement text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN false;
EXCEPTION WHEN invalid_column_reference OR object_not_in_prerequisite_state THEN
    RETURN true;
END $$;

-- The replica identities that a table can have, and their columns.
CREATE FUNCTION app.identities(t regclass) RETURNS TABLE (identity text, key name[]) LANGUAGE sql AS $$
    WITH index AS (
        SELECT c.relname, x.indisprimary,
            array(SELECT attname FROM pg_attribute a WHERE a.attrelid = t AND a.attnum = ANY (x.indkey::int2[])) AS key
        FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid WHERE x.indrelid = t AND x.indimmediate
    )
    SELECT 'FULL', NULL::name[] UNION ALL SELECT 'NOTHING', NULL
    UNION ALL SELECT 'DEFAULT', (SELECT i.key FROM index i WHERE i.indisprimary)
    UNION ALL SELECT 'USING INDEX ' || i.relname, i.key FROM index i
$$;

-- What the extension says otherwise than the server does, for all tables and identities.
CREATE FUNCTION app.differences(OUT n int, OUT refused int, OUT text text) LANGUAGE plpgsql AS $$
DECLARE
    t regclass;
    i record;
    ours boolean;
    server boolean;
BEGIN
    n := 0;
    refused := 0;
    FOR i IN
        SELECT c.oid::regclass AS "table", k.* FROM pg_class c CROSS JOIN app.identities(c.oid) k
        WHERE relkind = 'r' AND relnamespace IN ('app'::regnamespace, 'other'::regnamespace) AND relpersistence = 'p' ORDER BY c.oid
    LOOP
        t := i."table";
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY %s', t, i.identity);
        server := app.refuses(format('UPDATE %s SET id = id WHERE false', t)) OR app.refuses(format('DELETE FROM %s WHERE false', t));
        ours := CASE i.identity WHEN 'FULL' THEN EXISTS (SELECT FROM bemi._full_faults(ARRAY[t], false))
            ELSE EXISTS (SELECT FROM bemi._key_faults(t, i.key)) END;
        n := n + 1;
        refused := refused + server::int;
        IF ours <> server THEN
            text := concat_ws(E'\n', text, format('%s %s: server %s, extension %s', t, i.identity, server, ours));
        END IF;
    END LOOP;
END $$;

-- Runs a statement that chance has made: itself, or null where it makes no sense.
CREATE FUNCTION app.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN statement;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
CREATE FUNCTION app.pick(VARIADIC a text[]) RETURNS text LANGUAGE sql AS $$ SELECT a[1 + floor(random() * cardinality(a))::int] $$;
CREATE FUNCTION app.member() RETURNS text LANGUAGE sql AS $$
    SELECT app.pick('app.plain', 'app.stored', 'app.keyed_by_generated', 'app.dropped', 'other.keyless', 'app.deferrable', 'app.root',
            'app.part_1', 'other.part_2', 'other.mid', 'app.part_3', 'other.groot', 'app.gpart', 'app.virtual')
        || app.pick('', ' (id)', ' (id, a)', ' (a)', ' (id, a, b)', ' (b)')
        || app.pick('', '', ' WHERE (id > 1)', ' WHERE (a > 1)', ' WHERE (b IS NULL)')
$$;
CREATE FUNCTION app.publication(name text) RETURNS text LANGUAGE sql AS $$
    SELECT 'CREATE PUBLICATION ' || name || app.pick(
            ' FOR ALL TABLES', ' FOR ALL TABLES',
            ' FOR ALL TABLES EXCEPT (TABLE ' || app.pick('app.root', 'app.stored', 'other.groot', 'app.plain') || ')', -- from 19 on
            ' FOR TABLES IN SCHEMA app', ' FOR TABLES IN SCHEMA other',
            ' FOR TABLES IN SCHEMA app, TABLE ' || app.pick('app.root', 'other.groot', 'app.stored') || app.pick('', ' WHERE (a > 1)'),
            ' FOR TABLE ' || app.member(), ' FOR TABLE ' || app.member() || ', ' || app.member(),
            ' FOR TABLE ' || app.member() || ', ' || app.member() || ', ' || app.member())
        || format(' WITH (publish = %L, publish_via_partition_root = %s%s)',
            app.pick('insert', 'insert, update', 'insert, delete', 'insert, update, delete'), app.pick('true', 'false'),
            CASE WHEN current_setting('server_version_num')::int >= 180000
                THEN ', publish_generated_columns = ' || app.pick('none', 'stored') END)
$$;

CREATE UNLOGGED TABLE app.result (compared int, refused int, differences text);
-- So many rounds, each with publications by chance.
CREATE PROCEDURE app.compare(rounds int) LANGUAGE plpgsql AS $$
DECLARE
    made text;
    d record;
BEGIN
    INSERT INTO app.result VALUES (0, 0, '');
    FOR round IN 1..rounds LOOP
        made := concat_ws(E';\n', app.try(app.publication('p1')), app.try(app.publication('p2')),
            CASE WHEN random() < 0.3 THEN app.try(app.publication('p3')) END);
        d := app.differences();
        UPDATE app.result SET compared = compared + d.n, refused = refused + d.refused,
            differences = CASE WHEN d.text IS NULL OR length(differences) > 2000 THEN differences
                ELSE concat(differences, E'\n', made, E'\n', d.text) END;
        PERFORM app.try('DROP PUBLICATION ' || pubname) FROM pg_publication;
        COMMIT;
    END LOOP;
END $$;

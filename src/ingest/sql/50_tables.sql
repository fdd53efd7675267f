-- Which tables `changes` tells of, and how a name that somebody gives finds one of them.

-- One row for each table that a slot has sent a record or a snapshot of, and for each that had rows
-- already when the slot was made (had_rows): what those were, only a snapshot tells.
CREATE TABLE IF NOT EXISTS bemi.tables (
    "table"           text NOT NULL,
    schema            text NOT NULL,
    database          text NOT NULL,
    slot              text NOT NULL,
    system_identifier numeric(20) NOT NULL,
    had_rows          boolean NOT NULL DEFAULT false,
    PRIMARY KEY ("table", schema, database, slot, system_identifier)
);

-- How far a slot is stored; of one that `drop` has removed, how far it was. Without a row where nothing is known of it.
CREATE OR REPLACE FUNCTION bemi._progress_of(of_slot text)
RETURNS SETOF bemi.progress LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog AS $$
BEGIN
    RETURN QUERY SELECT * FROM bemi.progress p WHERE p.slot = of_slot;
    IF NOT FOUND THEN
        RETURN QUERY SELECT * FROM bemi.dropped d WHERE d.slot = of_slot;
    END IF;
END $$;
COMMENT ON FUNCTION bemi._progress_of(text) IS
    'internal: how far a slot is stored, or was when it was dropped';

-- The tables of that name, in any schema where the schema is null. Those that bemi.tables doesn't
-- know (of a slot that is gone, of rows that somebody copied in) are looked for in `changes` itself,
-- which takes as long as the table has changes.
CREATE OR REPLACE FUNCTION bemi.tables_named(of_schema text, of_table text)
RETURNS TABLE (slot text, database text, schema text, "table" text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    RETURN QUERY SELECT DISTINCT t.slot, t.database, t.schema, t."table" FROM bemi.tables t
    WHERE t."table" = of_table AND (of_schema IS NULL OR t.schema = of_schema)
        AND EXISTS (SELECT FROM bemi.progress p
            WHERE p.slot = t.slot AND p.database = t.database);
    IF NOT FOUND THEN
        RETURN QUERY SELECT DISTINCT t.slot, t.database, t.schema, t."table" FROM bemi.tables t
        WHERE t."table" = of_table AND (of_schema IS NULL OR t.schema = of_schema)
            AND EXISTS (SELECT FROM bemi.dropped d
                WHERE d.slot = t.slot AND d.database = t.database);
    END IF;
    IF NOT FOUND THEN
        RETURN QUERY SELECT p.slot, c.database, c.schema, c."table"
        FROM (SELECT DISTINCT c.database, c.schema, c."table" FROM @schema@.changes c
            WHERE c."table" = of_table AND (of_schema IS NULL OR c.schema = of_schema)) c
        LEFT JOIN bemi.progress p ON p.database = c.database;
    END IF;
END $$;
COMMENT ON FUNCTION bemi.tables_named(text, text) IS
    'slot, database, schema and name of the tables in changes that have this name';

-- A name as SQL has it: folded to lower case where it is not quoted, with or without a schema.
-- Gives the one table that it means. `of_database` is the name of a source's database or of a slot.
-- Errors: 22004 null, 42602 no name, 42P01 none of that name, 42P09 several.
CREATE OR REPLACE FUNCTION bemi.find_table(name text, of_database text DEFAULT NULL,
    OUT slot text, OUT database text, OUT schema text, OUT "table" text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    parts text[] := parse_ident(name);
    found record;
    others text[] := '{}';
BEGIN
    IF name IS NULL THEN
        RAISE EXCEPTION 'the name of the table must not be null' USING ERRCODE = 'null_value_not_allowed';
    ELSIF cardinality(parts) > 2 THEN
        RAISE EXCEPTION 'the name "%" has more parts than schema and table', name
            USING ERRCODE = 'invalid_name',
                HINT = 'The database is an argument of its own.';
    END IF;
    FOR found IN SELECT * FROM bemi.tables_named(
        CASE WHEN cardinality(parts) > 1 THEN parts[1] END, parts[cardinality(parts)]) t
        ORDER BY t.slot = of_database DESC NULLS LAST, t.database, t.schema, t.slot
    LOOP
        CONTINUE WHEN of_database NOT IN (found.database, coalesce(found.slot, found.database));
        -- A slot may have its database's name, and other slots databases of that name.
        EXIT WHEN slot = of_database AND found.slot IS DISTINCT FROM of_database;
        others := others || format('%I.%I in database %I%s', found.schema, found."table",
            found.database, ' of slot ' || quote_ident(found.slot));
        slot := found.slot; database := found.database;
        schema := found.schema; "table" := found."table";
    END LOOP;
    IF cardinality(others) = 0 THEN
        RAISE EXCEPTION 'there are no changes of a table "%"%', name,
            CASE WHEN of_database IS NULL THEN '' ELSE format(' in database "%s"', of_database) END
            USING ERRCODE = 'undefined_table',
                DETAIL = 'Nothing was stored of a table of this name: it has had no rows since the slot was made, or it'
                    ' is left out by an option or a setting, or there is none.',
                HINT = 'Names are folded to lower case unless they are quoted, as in SQL. "bemi_ingest snapshot" makes'
                    ' a table known that has no rows.';
    ELSIF cardinality(others) > 1 THEN
        RAISE EXCEPTION 'the name "%" is ambiguous', name
            USING ERRCODE = 'ambiguous_alias',
                DETAIL = format('There is %s.', array_to_string(others, ', and ')),
                HINT = 'Give the schema with the table, and the database (or the slot) as the'
                    ' argument database.';
    END IF;
END $$;
COMMENT ON FUNCTION bemi.find_table(text, text) IS
    'the one table in changes that a name means, with an error where there is none or more than one';

-- The sources that a slot's rows may be of: of each cluster that it is known to have been in, in each of its
-- forks.
CREATE OR REPLACE FUNCTION bemi.sources_of_slot(of_slot text)
RETURNS integer[] LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT array_agg(bemi.source_of(s.system_identifier, fork))
    FROM (SELECT p.system_identifier FROM bemi._progress_of(of_slot) p
        UNION SELECT g.system_identifier FROM bemi.gaps g WHERE g.slot = of_slot
        UNION SELECT t.system_identifier FROM bemi.tables t WHERE t.slot = of_slot) s,
        generate_series(0, (SELECT p.fork FROM bemi._progress_of(of_slot) p)) fork
$$;
COMMENT ON FUNCTION bemi.sources_of_slot(text) IS
    'the sources that rows of a slot may be of, as bemi.change_source() gives them';

-- Databases of several clusters may have one name: the sources of slots of such a database that a row of
-- this slot, or of this source, is certainly not of. What no slot is known to have sent may be of any.
CREATE OR REPLACE FUNCTION bemi.sources_beside(of_database text, of_slot text, of_source integer DEFAULT NULL)
RETURNS integer[] LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    WITH slots AS (
        SELECT p.sources, p.slot = of_slot OR of_source = ANY (p.sources) AS own
        FROM (SELECT p.slot, bemi.sources_of_slot(p.slot) AS sources
            FROM bemi.progress p WHERE p.database = of_database) p
    )
    SELECT ARRAY(SELECT DISTINCT source FROM slots s, unnest(s.sources) source
        WHERE EXISTS (SELECT FROM slots WHERE own) AND source NOT IN
            (SELECT unnest(o.sources) FROM slots o WHERE o.own))
$$;
COMMENT ON FUNCTION bemi.sources_beside(text, text, integer) IS
    'the sources of other databases of the same name';

-- Whether two rows of changes may be of one database, where they are of databases of one name.
CREATE OR REPLACE FUNCTION bemi.is_of_database(of_database text, source integer, other integer)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT source = other OR other <> ALL (bemi.sources_beside(of_database, NULL, source))
$$;
COMMENT ON FUNCTION bemi.is_of_database(text, integer, integer) IS
    'whether rows of changes of two sources may be of one database';

-- as_of: a table as it was, with the columns and types of a table (or composite type) of today.

-- The table of `changes` that a row type stands for: the one of its schema and name; where there is
-- none, of its name in any schema.
CREATE OR REPLACE FUNCTION bemi.table_of_type(type regtype)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    shape record;
BEGIN
    SELECT n.nspname, c.relname INTO shape
    FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.oid = type;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is not the type of a table''s rows', type
            USING ERRCODE = 'wrong_object_type', HINT = 'For example: bemi.as_of(NULL::todo, now()).';
    END IF;
    RETURN CASE WHEN EXISTS (SELECT FROM bemi.tables_named(shape.nspname, shape.relname))
        THEN quote_ident(shape.nspname) || '.' ELSE '' END || quote_ident(shape.relname);
END $$;
COMMENT ON FUNCTION bemi.table_of_type(regtype) IS
    'the table of changes that a row type stands for';

CREATE OR REPLACE FUNCTION bemi.typed_rows(shape anyelement, m bemi.moment)
RETURNS SETOF anyelement LANGUAGE plpgsql STABLE
SET search_path = pg_catalog SET lc_monetary = 'C' SET intervalstyle = 'postgres'
SET xmloption = 'content' AS $$
BEGIN
    RETURN QUERY SELECT p.* FROM bemi.table_of(m) t, jsonb_populate_record(shape, t."row") p;
END $$;
COMMENT ON FUNCTION bemi.typed_rows(anyelement, bemi.moment) IS
    'the rows of a table at a moment, as rows of a type';

CREATE OR REPLACE FUNCTION bemi.as_of(shape anyelement, at timestamptz, database text DEFAULT NULL,
    "table" text DEFAULT NULL)
RETURNS SETOF anyelement LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT * FROM bemi.typed_rows(shape, bemi.moment_at(
        coalesce("table", bemi.table_of_type(pg_typeof(shape))), database, at, NULL))
$$;
CREATE OR REPLACE FUNCTION bemi.as_of(shape anyelement, at_position pg_lsn, database text DEFAULT NULL,
    "table" text DEFAULT NULL)
RETURNS SETOF anyelement LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT * FROM bemi.typed_rows(shape, bemi.moment_at(
        coalesce("table", bemi.table_of_type(pg_typeof(shape))), database, NULL,
        (at_position - '0/0')::bigint))
$$;
CREATE OR REPLACE FUNCTION bemi.as_of(shape anyelement, commit_position bigint,
    database text DEFAULT NULL, "table" text DEFAULT NULL)
RETURNS SETOF anyelement LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT * FROM bemi.typed_rows(shape, bemi.moment_at(
        coalesce("table", bemi.table_of_type(pg_typeof(shape))), database, NULL, commit_position))
$$;
CREATE OR REPLACE FUNCTION bemi.as_of(shape anyelement, at text, database text DEFAULT NULL,
    "table" text DEFAULT NULL)
RETURNS SETOF anyelement LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT * FROM bemi.typed_rows(shape, bemi.moment_at(
        coalesce("table", bemi.table_of_type(pg_typeof(shape))), database,
        bemi.time_of(at), bemi.position_of(at)))
$$;
COMMENT ON FUNCTION bemi.as_of(anyelement, timestamptz, text, text) IS
    'the rows of a table as they were at a time, as rows of the type of `shape`, whose values stand in for columns that there were not';
COMMENT ON FUNCTION bemi.as_of(anyelement, pg_lsn, text, text) IS
    'the typed rows of a table once all transactions with a commit_position up to this one were committed';
COMMENT ON FUNCTION bemi.as_of(anyelement, bigint, text, text) IS
    'the typed rows of a table once the transaction with this commit_position was committed';
COMMENT ON FUNCTION bemi.as_of(anyelement, text, text, text) IS
    'the typed rows of a table as they were at a time or a position (such as 0/16B3748)';

-- table_at: all rows of a table as they were.

-- The record of each row that was there, the row, and which values of it are not in the records.
-- `strict`: an error where rows cannot be told apart; otherwise they may be too many.
CREATE OR REPLACE FUNCTION bemi.rows_of(m bemi.moment, strict boolean DEFAULT true)
RETURNS TABLE (change @schema@.changes, image jsonb, missing jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    WITH keyed AS MATERIALIZED (
        SELECT * FROM bemi.keyed_rows(m)
    ), others AS MATERIALIZED (
        SELECT * FROM bemi.keyless_rows(m, ARRAY(SELECT k.orphan FROM keyed k WHERE k.orphan IS NOT NULL), strict)
    ), there AS (
        SELECT k.change FROM keyed k WHERE (k.change).id IS NOT NULL
            AND (k.change).id NOT IN (SELECT o.dead FROM others o WHERE o.dead IS NOT NULL)
        UNION ALL SELECT o.change FROM others o WHERE o.dead IS NULL
    )
    SELECT t.change, (t.change).after, '{}'::jsonb FROM there t
    WHERE NOT coalesce((t.change).details ? 'missing', false)
    UNION ALL
    SELECT t.change, f.image, f.missing FROM there t, bemi.whole_image(m, t.change, false) f
    WHERE (t.change).details ? 'missing'
$$;
COMMENT ON FUNCTION bemi.rows_of(bemi.moment, boolean) IS
    'the rows of a table at a moment of bemi.moment_at(): record, row, and what values are missing';

-- The same, with an error where a value is not known.
CREATE OR REPLACE FUNCTION bemi.table_of(m bemi.moment)
RETURNS TABLE (primary_key text, "row" jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    RETURN QUERY SELECT (r.change).primary_key, r.image FROM bemi.rows_of(m) r
    WHERE CASE WHEN r.missing = '{}' THEN true
        ELSE bemi.refuse_missing(m, (r.change).primary_key, r.missing) IS NULL END;
END $$;
COMMENT ON FUNCTION bemi.table_of(bemi.moment) IS
    'the rows of a table at a moment of bemi.moment_at(), with an error where a value is not known';

CREATE OR REPLACE FUNCTION bemi.table_at("table" text, at timestamptz, database text DEFAULT NULL)
RETURNS TABLE (primary_key text, "row" jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT * FROM bemi.table_of(bemi.moment_at("table", database, at, NULL))
$$;
CREATE OR REPLACE FUNCTION bemi.table_at("table" text, at_position pg_lsn, database text DEFAULT NULL)
RETURNS TABLE (primary_key text, "row" jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT * FROM bemi.table_of(bemi.moment_at("table", database, NULL, (at_position - '0/0')::bigint))
$$;
CREATE OR REPLACE FUNCTION bemi.table_at("table" text, commit_position bigint, database text DEFAULT NULL)
RETURNS TABLE (primary_key text, "row" jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT * FROM bemi.table_of(bemi.moment_at("table", database, NULL, commit_position))
$$;
CREATE OR REPLACE FUNCTION bemi.table_at("table" text, at text, database text DEFAULT NULL)
RETURNS TABLE (primary_key text, "row" jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT * FROM bemi.table_of(bemi.moment_at("table", database, bemi.time_of(at), bemi.position_of(at)))
$$;
COMMENT ON FUNCTION bemi.table_at(text, timestamptz, text) IS
    'the rows of a table as they were at a time';
COMMENT ON FUNCTION bemi.table_at(text, pg_lsn, text) IS
    'the rows of a table once all transactions with a commit_position up to this one were committed';
COMMENT ON FUNCTION bemi.table_at(text, bigint, text) IS
    'the rows of a table once the transaction with this commit_position was committed';
COMMENT ON FUNCTION bemi.table_at(text, text, text) IS
    'the rows of a table as they were at a time or a position (such as 0/16B3748)';

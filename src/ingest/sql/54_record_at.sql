-- record_at: one row as it was.

-- What a row was by its key, at a time or a position, whichever is not null. Where not all rows of
-- the table are known, one that has changed in the same stretch is: by its last record up to the
-- moment, or by what the next one found.
CREATE OR REPLACE FUNCTION bemi.record_of(name text, key text, of_database text, at timestamptz,
    at_position bigint)
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    m bemi.moment := bemi.moment_at(name, of_database, at, at_position, false);
    last bigint := bemi.last_change_of_key(m, key, coalesce(m.base, m.since), m.position);
    change @schema@.changes;
    image jsonb;
    missing jsonb;
BEGIN
    IF key IS NULL THEN
        RETURN NULL;
    END IF;
    change := bemi.row_after(m, key, last);
    IF last IS NULL AND m.base IS NULL THEN
        image := bemi.row_before_records(m, key);
        IF image IS NULL THEN
            PERFORM bemi.moment_at(name, of_database, at, at_position);
        END IF;
        RETURN nullif(image, '{}');
    ELSIF change.id IS NULL OR bemi.has_ended(m, change) THEN
        RETURN NULL;
    END IF;
    SELECT * INTO image, missing FROM bemi.whole_image(m, change, false);
    PERFORM bemi.refuse_missing(m, key, missing);
    RETURN image;
END $$;
COMMENT ON FUNCTION bemi.record_of(text, text, text, timestamptz, bigint) IS
    'what a row was by its key, at a time or a position, whichever is not null';


CREATE OR REPLACE FUNCTION bemi.record_at("table" text, primary_key text, at timestamptz,
    database text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT bemi.record_of("table", primary_key, database, at, NULL)
$$;
CREATE OR REPLACE FUNCTION bemi.record_at("table" text, primary_key text, at_position pg_lsn,
    database text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT bemi.record_of("table", primary_key, database, NULL, (at_position - '0/0')::bigint)
$$;
CREATE OR REPLACE FUNCTION bemi.record_at("table" text, primary_key text, commit_position bigint,
    database text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT bemi.record_of("table", primary_key, database, NULL, commit_position)
$$;
-- What a constant without a type is taken for, as in record_at('todo', '26', '2026-01-02 03:04').
CREATE OR REPLACE FUNCTION bemi.record_at("table" text, primary_key text, at text,
    database text DEFAULT NULL)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT bemi.record_of("table", primary_key, database, bemi.time_of(at), bemi.position_of(at))
$$;
COMMENT ON FUNCTION bemi.record_at(text, text, timestamptz, text) IS
    'a row of a table as it was at a time, by its key as changes.primary_key has it; null where there was none';
COMMENT ON FUNCTION bemi.record_at(text, text, pg_lsn, text) IS
    'a row of a table as it was once all transactions with a commit_position up to this one were committed';
COMMENT ON FUNCTION bemi.record_at(text, text, bigint, text) IS
    'a row of a table as it was once the transaction with this commit_position was committed';
COMMENT ON FUNCTION bemi.record_at(text, text, text, text) IS
    'a row of a table as it was at a time or a position (such as 0/16B3748)';

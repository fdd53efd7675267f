-- record_at: one row as it was.

-- Whether the row of a key may have come, changed or gone with a change that doesn't say so: one behind the
-- last record of the key, or among several that it has in one transaction (`last`; null: there is none).
CREATE OR REPLACE FUNCTION bemi._is_doubtful(m bemi.moment, key text, last bigint)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT EXISTS (SELECT FROM bemi._unidentified_changes(m, coalesce(last, m.base, m.since), coalesce(
        (SELECT CASE count(*) WHEN 1 THEN max(k.sequence) END FROM bemi.key_changes(m, key, last) k), 0), m.position))
$$;
COMMENT ON FUNCTION bemi._is_doubtful(bemi.moment, text, bigint) IS
    'whether the row of a key may have come, changed or gone with a change that does not say so';

-- Ends with an error where rows are there at a moment that have no key in the records: what is asked for by its key
-- may be one of them.
CREATE OR REPLACE FUNCTION bemi._refuse_rows_without_key(m bemi.moment, key text, asked text)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    without_key bigint := (SELECT count(*) FROM bemi.rows_of(m) r
        WHERE (r.change).primary_key IS NULL AND NOT coalesce((r.change).details ? 'primary_key', false));
BEGIN
    IF without_key > 0 THEN
        RAISE EXCEPTION 'whether % had a row % at % is not known: % of its rows have no key in the records',
            bemi.moment_text(m), key, asked, without_key
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'bemi.table_at() and bemi.as_of() have these rows; "bemi_ingest snapshot" stores them with'
                    ' their keys, where the table has one.';
    END IF;
END $$;
COMMENT ON FUNCTION bemi._refuse_rows_without_key(bemi.moment, text, text) IS
    'ends with an error where rows are there at a moment that have no key in the records';

-- The row of a key at a moment, told by all records that may be of that row; null where there was none.
CREATE OR REPLACE FUNCTION bemi._doubtful_row(m bemi.moment, of_key text, OUT image jsonb, OUT missing jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    SELECT v.new, coalesce(v.missing, '{}') INTO image, missing
    FROM (SELECT DISTINCT ON (v.row_number) v.*
        FROM bemi.versions_of(m, of_key, m.position) WITH ORDINALITY v (row_number, change, old, new, missing, till, n)
        WHERE (v.change).commit_position >= coalesce(m.base, m.since)
            AND (m.source IS NULL OR bemi.change_source((v.change).id) = m.source)
        ORDER BY v.row_number, v.n DESC) v
    WHERE v.new IS NOT NULL AND (v.change).primary_key = of_key AND NOT bemi.has_ended(m, v.change)
    ORDER BY v.n DESC LIMIT 1;
END $$;
COMMENT ON FUNCTION bemi._doubtful_row(bemi.moment, text) IS
    'the row of a key at a moment, told by all records that may be of it';

-- What a row was by its key, at a time or a position, whichever is not null. Where not all rows of
-- the table are known, one that has changed in the same stretch is: by its last record up to the
-- moment, or by what the next one found.
CREATE OR REPLACE FUNCTION bemi.record_of(name text, key text, of_database text, at timestamptz,
    at_position bigint)
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    m bemi.moment := bemi.moment_at(name, of_database, at, at_position, false);
    known_key text := bemi._key_of(m, key);
    last bigint := bemi.last_change_of_key(m, known_key, coalesce(m.base, m.since), m.position);
    change @schema@.changes;
    image jsonb;
    missing jsonb;
BEGIN
    IF last IS NULL AND m.base IS NULL THEN
        image := bemi.row_before_records(m, known_key);
        IF image IS NULL THEN
            PERFORM bemi.moment_at(name, of_database, at, at_position);
        END IF;
        RETURN nullif(image, '{}');
    ELSIF bemi._is_doubtful(m, known_key, last) THEN
        SELECT * INTO image, missing FROM bemi._doubtful_row(m, known_key);
        IF image IS NULL THEN
            PERFORM bemi._refuse_rows_without_key(bemi.moment_at(name, of_database, at, at_position), known_key,
                bemi.asked_text(at, at_position));
        ELSE
            PERFORM bemi.refuse_missing(m, known_key, missing);
        END IF;
        RETURN image;
    END IF;
    change := bemi.row_after(m, known_key, last);
    IF change.id IS NULL OR bemi.has_ended(m, change) THEN
        RETURN NULL;
    END IF;
    SELECT * INTO image, missing FROM bemi.whole_image(m, change, false);
    PERFORM bemi.refuse_missing(m, known_key, missing);
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

-- Reversion. A TRUNCATE has no rows in its record: they are rebuilt from the records before it.

DROP FUNCTION IF EXISTS bemi._keyless_rows(bemi.moment, @schema@.changes);

-- The rows that a TRUNCATE took, and what is missing of each. Errors: those of bemi.moment_at(),
-- where the records don't tell of all rows.
CREATE OR REPLACE FUNCTION bemi._truncated(change @schema@.changes)
RETURNS TABLE (primary_key text, image jsonb, missing jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m bemi.moment := bemi.moment_at(format('%I.%I', change.schema, change."table"),
        change.database, NULL, change.commit_position - 1);
BEGIN
    IF EXISTS (SELECT FROM @schema@.changes c
        WHERE c."table" = change."table" AND c.schema = change.schema
            AND c.database = change.database AND c.commit_position = change.commit_position
            AND c.sequence < change.sequence
            AND coalesce(c.details->>'partition' = change.details->>'partition', true))
    THEN
        RAISE EXCEPTION 'its transaction had changed the table before it'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN QUERY SELECT (r.change).primary_key, r.image, r.missing FROM bemi.rows_of(m) r
    WHERE coalesce((r.change).details->>'partition' = change.details->>'partition', true);
END $$;
COMMENT ON FUNCTION bemi._truncated(@schema@.changes) IS 'the rows that a TRUNCATE took';

-- The item of a TRUNCATE that is undone: parts that insert the rows, 10,000 at a time.
CREATE OR REPLACE FUNCTION bemi._restore(item jsonb, change @schema@.changes, shape jsonb,
    selection text)
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    left_out text[] := ARRAY(SELECT jsonb_array_elements_text(shape->'left_out'));
    lacks text;
    parts jsonb;
BEGIN
    WITH row AS (
        SELECT t.primary_key, t.image, (SELECT min(key) FROM jsonb_object_keys(t.missing - left_out) key
                WHERE NOT t.image ? key) AS lacks,
            ARRAY(SELECT k FROM jsonb_object_keys(t.image - left_out) k ORDER BY k) AS written
        FROM bemi._truncated(change) t
    ), chunk AS (
        SELECT *, (row_number() OVER (PARTITION BY written) - 1) / 10000 AS number FROM row
    ), part AS (
        SELECT written, jsonb_agg(jsonb_build_object('becomes', image)) AS rows, coalesce(
            min(format('row %s of it has no value of column %s in the records',
                bemi._plain(primary_key), bemi._plain_name(chunk.lacks))) FILTER (WHERE chunk.lacks IS NOT NULL),
            min(bemi._misfit(shape, image, written, true)),
            bemi._came_again(selection, change, array_agg(primary_key))) AS lacks
        FROM chunk GROUP BY written, number
    )
    SELECT jsonb_agg(jsonb_build_object('kind', 'insert', 'shape', shape, 'relation', shape->'name', 'written', written,
        'checked', written, 'compared', jsonb '[]', 'keyed', false, 'keyless', false,
        'rows', rows, 'ids', jsonb_build_array(jsonb_build_array(change.id)), 'count', jsonb_array_length(rows),
        'label', format('%s: %s rows', item->>'label', jsonb_array_length(rows)))),
        min(part.lacks)
    INTO parts, lacks FROM part;
    RETURN item || jsonb_build_object('parts', coalesce(parts, '[]'))
        || CASE WHEN lacks IS NULL THEN '{}' ELSE jsonb_build_object('conflict', lacks) END;
EXCEPTION WHEN object_not_in_prerequisite_state OR undefined_table OR ambiguous_alias THEN
    RETURN item || jsonb_build_object('conflict',
        'the rows that it took are not all in the records: ' || SQLERRM);
END $$;
COMMENT ON FUNCTION bemi._restore(jsonb, @schema@.changes, jsonb, text) IS
    'the item of a TRUNCATE with the rows that it took';

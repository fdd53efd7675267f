-- Reversion. A TRUNCATE has no rows in its record: they are rebuilt from the records before it.

-- Rows without a key, in the partition of a change, as they were at a moment: of each image as many as
-- came and have not gone since the last TRUNCATE. Of images that say the same in other scales, those go
-- first that are written as the one that went.
CREATE OR REPLACE FUNCTION bemi._keyless_rows(m bemi.moment, change @schema@.changes)
RETURNS TABLE (image jsonb, missing jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH record AS (
        SELECT c.*, count(*) FILTER (WHERE c.operation = 'TRUNCATE')
            OVER (ORDER BY c.commit_position DESC, c.sequence DESC) AS truncated
        FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.primary_key IS NULL AND c.schema = m.schema
            AND c.database = m.database AND c.commit_position BETWEEN m.base AND m.position
            AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
            AND coalesce(c.details->>'partition' = change.details->>'partition', true)
    )
    SELECT k.image, coalesce(k.missing, '{}') FROM (
        SELECT min(i.image::text)::jsonb AS image, min(i.missing)::jsonb AS missing,
            greatest(sum(i.times), 0) AS times, sum(sum(i.times)) OVER same AS same_times,
            sum(greatest(sum(i.times), 0)) OVER (same ORDER BY i.image::text) AS times_so_far
        FROM record r, LATERAL (
            SELECT r.after, 1, (r.details->'missing')::text WHERE r.operation <> 'DELETE'
            UNION ALL SELECT r.before, -1, NULL WHERE r.operation IN ('UPDATE', 'DELETE')
        ) i (image, times, missing)
        WHERE r.truncated = 0 AND r.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
        GROUP BY i.image, i.image::text WINDOW same AS (PARTITION BY i.image)
    ) k, generate_series(1, least(k.times, k.same_times - k.times_so_far + k.times))
$$;
COMMENT ON FUNCTION bemi._keyless_rows(bemi.moment, @schema@.changes) IS
    'rows of a table without a key, as they were at a moment';

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
    WHERE (r.change).primary_key IS NOT NULL
        AND coalesce((r.change).details->>'partition' = change.details->>'partition', true)
    UNION ALL SELECT NULL, k.image, k.missing FROM bemi._keyless_rows(m, change) k;
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
        SELECT t.primary_key, t.image - left_out AS image,
            (SELECT min(key) FROM jsonb_object_keys(t.missing - left_out) key
                WHERE NOT t.image ? key) AS lacks,
            ARRAY(SELECT k FROM jsonb_object_keys(t.image - left_out) k ORDER BY k) AS written
        FROM bemi._truncated(change) t
    ), chunk AS (
        SELECT *, (row_number() OVER (PARTITION BY written) - 1) / 10000 AS number FROM row
    ), part AS (
        SELECT written, jsonb_agg(image) AS images, coalesce(
            min(format('row %s of it has no value of column %I in the records',
                bemi._plain(primary_key), chunk.lacks)) FILTER (WHERE chunk.lacks IS NOT NULL),
            min(bemi._misfit(shape, image, written, true)),
            bemi._came_again(selection, change, array_agg(primary_key))) AS lacks
        FROM chunk GROUP BY written, number
    )
    SELECT jsonb_agg(jsonb_build_object('kind', 'insert', 'shape', shape, 'written', written,
        'images', images, 'ids', jsonb_build_array(jsonb_build_array(change.id)), 'becomes', NULL,
        'rows', jsonb_array_length(images),
        'label', format('%s: %s rows', item->>'label', jsonb_array_length(images)))),
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

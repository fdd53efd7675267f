-- Retention: partitions whose changes are all older than the limit go, and what their rows were at
-- that moment (the horizon) stays, as rows of operation SNAPSHOT.

-- The row as a record left it: values that it lacks because PostgreSQL did not log them (`missing`
-- says toast) come from the records of the same row before it, followed through changes of key.
-- `missing` is what could not be found.
CREATE OR REPLACE FUNCTION bemi.whole_image(change @schema@.changes,
    OUT image jsonb, OUT missing jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    earlier @schema@.changes := change;
    lacks text[];
BEGIN
    image := change.after;
    missing := coalesce(change.details->'missing', '{}');
    LOOP
        lacks := ARRAY(SELECT key FROM jsonb_each_text(missing) WHERE value = 'toast');
        EXIT WHEN lacks = '{}' OR earlier.operation IN ('CREATE', 'SNAPSHOT');
        SELECT * INTO earlier FROM @schema@.changes c
        WHERE c."table" = earlier."table" AND c.schema = earlier.schema
            AND c.database = earlier.database
            AND c.primary_key = coalesce(earlier.previous_key, earlier.primary_key)
            AND (c.commit_position, c.sequence) < (earlier.commit_position, earlier.sequence)
        ORDER BY c.commit_position DESC, c.sequence DESC LIMIT 1;
        EXIT WHEN NOT FOUND OR earlier.operation = 'DELETE';
        SELECT image || coalesce(jsonb_object_agg(key, value), '{}'),
               missing - coalesce(array_agg(key), '{}')
        INTO image, missing FROM jsonb_each(earlier.after) WHERE key = ANY (lacks);
    END LOOP;
END $$;

-- Rows with a key, as they were at the horizon: the last record of each, unless it is a DELETE, or
-- the row has left its key, or its table (or partition) was truncated since.
CREATE OR REPLACE FUNCTION bemi.keyed_rows_at(horizon timestamptz)
RETURNS SETOF @schema@.changes LANGUAGE sql STABLE AS $$
    WITH latest AS (
        SELECT DISTINCT ON (c.database, c.schema, c."table", c.primary_key) c.*
        FROM @schema@.changes c
        WHERE c.committed_at < horizon AND c.primary_key IS NOT NULL
            AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
        ORDER BY c.database, c.schema, c."table", c.primary_key,
            c.commit_position DESC, c.sequence DESC
    )
    SELECT l.* FROM latest l
    WHERE l.operation <> 'DELETE'
        AND NOT EXISTS (SELECT FROM @schema@.changes m
            WHERE m."table" = l."table" AND m.previous_key = l.primary_key
                AND m.schema = l.schema AND m.database = l.database AND m.committed_at < horizon
                AND (m.commit_position, m.sequence) > (l.commit_position, l.sequence))
        AND NOT EXISTS (SELECT FROM @schema@.changes t
            WHERE t."table" = l."table" AND t.primary_key IS NULL AND t.operation = 'TRUNCATE'
                AND t.schema = l.schema AND t.database = l.database AND t.committed_at < horizon
                AND (t.commit_position, t.sequence) > (l.commit_position, l.sequence)
                AND coalesce(t.details->>'partition' = l.details->>'partition', true))
$$;

-- Rows of tables without a key are told apart by their images alone: of each image, as many as came
-- and have not gone since the table was last truncated.
CREATE OR REPLACE FUNCTION bemi.keyless_rows_at(horizon timestamptz)
RETURNS SETOF @schema@.changes LANGUAGE sql STABLE AS $$
    WITH old AS (
        SELECT c AS change, c.* FROM @schema@.changes c
        WHERE c.committed_at < horizon AND c.primary_key IS NULL
            AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
            AND NOT EXISTS (SELECT FROM @schema@.changes t
                WHERE t."table" = c."table" AND t.primary_key IS NULL AND t.operation = 'TRUNCATE'
                    AND t.schema = c.schema AND t.database = c.database
                    AND t.committed_at < horizon
                    AND (t.commit_position, t.sequence) > (c.commit_position, c.sequence)
                    AND coalesce(t.details->>'partition' = c.details->>'partition', true))
    ), gone AS (
        SELECT database, schema, "table", before AS image, count(*) AS times
        FROM old WHERE operation IN ('UPDATE', 'DELETE') GROUP BY 1, 2, 3, 4
    ), came AS (
        SELECT o.change, o.database, o.schema, o."table", o.after AS image, row_number() OVER (
            PARTITION BY o.database, o.schema, o."table", o.after
            ORDER BY o.commit_position, o.sequence) AS number
        FROM old o WHERE o.operation <> 'DELETE'
    )
    SELECT (c.change).* FROM came c
    LEFT JOIN gone g USING (database, schema, "table", image)
    WHERE c.number > coalesce(g.times, 0)
$$;

-- Drops what is older than the target's limit; gives how many partitions went. The SNAPSHOT rows keep
-- the position (and so the id) of the record that they repeat, so that every order holds.
CREATE OR REPLACE FUNCTION bemi.retain(target_schema text)
RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    target bemi.target := (SELECT t FROM bemi.target t WHERE t.schema = target_schema);
    -- the beginning of the partition that holds the limit
    at timestamptz := date_trunc(target.partition_by, (now() - target.retain) AT TIME ZONE 'UTC')
        AT TIME ZONE 'UTC';
    old regclass;
    dropped integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM bemi.partitions(target_schema) WHERE till <= at) THEN
        RETURN 0;
    END IF;
    PERFORM set_config('lock_timeout', '5s', true);
    PERFORM bemi.ensure_partition(target_schema, at);
    INSERT INTO @schema@.changes (id, primary_key, before, after, context, database, schema,
        "table", operation, committed_at, queued_at, transaction_id, position, commit_position,
        sequence, details)
    SELECT (c.row).id, (c.row).primary_key, '{}', w.image, '{}', (c.row).database, (c.row).schema,
        (c.row)."table", 'SNAPSHOT', at, now(), (c.row).transaction_id, (c.row).position,
        (c.row).commit_position, (c.row).sequence,
        nullif(jsonb_strip_nulls(jsonb_build_object('partition', (c.row).details->'partition',
            'missing', nullif(w.missing, '{}'))), '{}')
    FROM (SELECT k AS row FROM bemi.keyed_rows_at(at) k
          UNION ALL SELECT k FROM bemi.keyless_rows_at(at) k) c, bemi.whole_image(c.row) w;
    FOR old IN SELECT partition FROM bemi.partitions(target_schema) WHERE till <= at LOOP
        EXECUTE format('DROP TABLE %s', old);
        dropped := dropped + 1;
    END LOOP;
    UPDATE bemi.target t SET horizon = at WHERE t.schema = target_schema;
    RETURN dropped;
END $$;

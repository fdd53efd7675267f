-- Retention: partitions whose changes are all older than the limit go, and what their rows were at
-- that moment (the horizon) stays, as rows of operation SNAPSHOT.

-- The rows that were there at the horizon: the record that each comes from, the row, and which values
-- of it are not in the records. Nothing makes it fail: where rows cannot be told apart, all stay.
CREATE OR REPLACE FUNCTION bemi.rows_at_horizon(horizon timestamptz)
RETURNS TABLE (change @schema@.changes, image jsonb, missing jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    t record;
BEGIN
    FOR t IN
        SELECT c.database, c.schema, c."table", bemi.change_source(c.id) AS source,
            max(c.commit_position) AS position
        FROM @schema@.changes c
        WHERE c.committed_at < horizon
            AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'TRUNCATE', 'SNAPSHOT')
        GROUP BY 1, 2, 3, 4 HAVING max(c.commit_position) IS NOT NULL
    LOOP
        RETURN QUERY SELECT r.* FROM bemi.rows_of(ROW(NULL, t.database, t.schema, t."table",
            t.position, 0, t.position, 0, t.source)::bemi.moment, false) r
        WHERE (r.change).committed_at < horizon;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.rows_at_horizon(timestamptz) IS
    'the rows that were there at the horizon of a retention';

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
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'bemi.retain works in isolation level read committed only'
            USING ERRCODE = 'invalid_transaction_state',
                DETAIL = 'It must see what others have forgotten in the meantime.';
    END IF;
    IF NOT EXISTS (SELECT FROM bemi.partitions(target_schema) WHERE till <= at) THEN
        RETURN 0;
    END IF;
    PERFORM set_config('lock_timeout', '5s', true);
    -- bemi.forget() must not miss the images that are written here. (Not an advisory lock: any role
    -- that may connect could hold that.)
    PERFORM FROM bemi.target FOR UPDATE;
    PERFORM bemi.ensure_partition(target_schema, at);
    INSERT INTO @schema@.changes (id, primary_key, before, after, context, database, schema,
        "table", operation, committed_at, queued_at, transaction_id, position, commit_position,
        sequence, details)
    SELECT (r.change).id, (r.change).primary_key, '{}', r.image, '{}', (r.change).database,
        (r.change).schema, (r.change)."table", 'SNAPSHOT', at, now(), (r.change).transaction_id,
        (r.change).position, (r.change).commit_position, (r.change).sequence,
        nullif(jsonb_strip_nulls(jsonb_build_object('partition', (r.change).details->'partition',
            'missing', nullif(bemi.withheld(r.change) || r.missing, '{}'))), '{}')
    FROM bemi.rows_at_horizon(at) r;
    FOR old IN SELECT partition FROM bemi.partitions(target_schema) WHERE till <= at LOOP
        EXECUTE format('DROP TABLE %s', old);
        dropped := dropped + 1;
    END LOOP;
    UPDATE bemi.target t SET horizon = at WHERE t.schema = target_schema;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION bemi.retain(text) IS
    'drops partitions older than the limit of the target, keeps the last images of their rows; gives how many went';

-- All rows with a key that a table had at a moment.

-- The record of each row with a key that was there. Where a key's first record is of a row which
-- must have been there before, orphan is its id: that row went by another key, or by none.
--
-- The keys are found one by one in the index, each by its first record of all, and with a look for its
-- last: how many changes a row has had costs nothing. Only where the first record of all is not the one
-- that counts (it is of another database, or before the base), or shares its transaction with another of
-- that key, is there a look for the first too. (WITH TIES: sequence is not in the index, and a sort by
-- it as well would read all records of a key.)
CREATE OR REPLACE FUNCTION bemi.keyed_rows(m bemi.moment)
RETURNS TABLE (change @schema@.changes, orphan uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    WITH RECURSIVE keys AS (
        (SELECT c.primary_key, c.schema, c.database, c.commit_position, c.sequence, c.operation,
                c.previous_key, c.id, lead(c.commit_position) OVER in_order AS next_position
            FROM @schema@.changes c
            WHERE c."table" = m."table" AND c.primary_key IS NOT NULL
            WINDOW in_order AS (PARTITION BY c.primary_key, c.schema ORDER BY c.commit_position)
            ORDER BY c.primary_key, c.schema, c.commit_position LIMIT 1)
        UNION ALL
        SELECT n.* FROM keys k
        CROSS JOIN LATERAL (SELECT c.primary_key, c.schema, c.database, c.commit_position, c.sequence,
                c.operation, c.previous_key, c.id, lead(c.commit_position) OVER in_order
            FROM @schema@.changes c
            WHERE c."table" = m."table" AND c.primary_key > k.primary_key
            WINDOW in_order AS (PARTITION BY c.primary_key, c.schema ORDER BY c.commit_position)
            ORDER BY c.primary_key, c.schema, c.commit_position LIMIT 1) n
    ), found AS (
        SELECT k.*, coalesce(k.schema = m.schema AND k.database = m.database
            AND k.commit_position BETWEEN m.base AND m.position
            AND k.commit_position IS DISTINCT FROM k.next_position
            AND k.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
            AND (m.source IS NULL OR bemi.change_source(k.id) = m.source), false) AS is_first
        FROM keys k OFFSET 0
    ), truncated AS MATERIALIZED (
        SELECT DISTINCT ON (1) c.details->>'partition' AS partition, c.commit_position, c.sequence
        FROM bemi.truncates(m, m.base) c ORDER BY 1, 2 DESC, 3 DESC
    ), stored AS MATERIALIZED (
        SELECT * FROM bemi.last_snapshots(m)
    ), departed AS MATERIALIZED (
        SELECT DISTINCT ON (c.previous_key) c.previous_key, c.commit_position, c.sequence
        FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.previous_key IS NOT NULL AND c.schema = m.schema
            AND c.commit_position BETWEEN m.base AND m.position AND c.database = m.database
            AND c.primary_key IS DISTINCT FROM c.previous_key
            AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
        ORDER BY c.previous_key, c.commit_position DESC, c.sequence DESC
    ), first_departed AS MATERIALIZED (
        SELECT DISTINCT ON (c.previous_key) c.previous_key, c.id, c.commit_position, c.sequence
        FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.previous_key IS NOT NULL AND c.schema = m.schema
            AND c.commit_position BETWEEN m.base AND m.position AND c.database = m.database
            AND c.primary_key IS DISTINCT FROM c.previous_key
            AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
        ORDER BY c.previous_key, c.commit_position, c.sequence
    ), latest AS (
        SELECT k.primary_key, l.c AS change,
            CASE WHEN (fd.commit_position, fd.sequence) < (CASE WHEN k.is_first THEN k.commit_position
                        ELSE f.commit_position END, CASE WHEN k.is_first THEN k.sequence ELSE f.sequence END)
                THEN fd.id
                WHEN k.is_first THEN CASE WHEN k.operation = 'DELETE'
                    OR k.operation = 'UPDATE' AND k.previous_key IS NULL THEN k.id END
                WHEN f.operation = 'DELETE' OR f.operation = 'UPDATE' AND f.previous_key IS NULL
                THEN f.id END AS orphan,
            -- It left its key, or was deleted: perhaps after another had come in that transaction.
            CASE WHEN (d.commit_position, d.sequence) > (l.commit_position, l.sequence)
                THEN CASE WHEN d.commit_position = l.commit_position THEN 'doubtful' ELSE 'gone' END
                WHEN l.operation = 'DELETE'
                THEN CASE WHEN EXISTS (SELECT FROM @schema@.changes a
                        WHERE a."table" = m."table" AND a.primary_key = k.primary_key
                            AND a.schema = m.schema AND a.commit_position = l.commit_position
                            AND a.database = m.database AND a.operation IN ('CREATE', 'UPDATE'))
                    THEN 'doubtful' ELSE 'gone' END END AS fate
        FROM found k
        CROSS JOIN LATERAL (SELECT t.* FROM (SELECT c, c.commit_position, c.sequence, c.operation
            FROM @schema@.changes c
            WHERE c."table" = m."table" AND c.primary_key = k.primary_key AND c.schema = m.schema
                AND c.commit_position BETWEEN m.base AND m.position AND c.database = m.database
                AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
                AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
            ORDER BY c.commit_position DESC FETCH FIRST ROW WITH TIES) t
            ORDER BY t.sequence DESC LIMIT 1) l
        LEFT JOIN LATERAL (SELECT t.* FROM (SELECT c.id, c.operation, c.previous_key, c.commit_position,
                c.sequence
            FROM @schema@.changes c
            WHERE NOT k.is_first AND c."table" = m."table" AND c.primary_key = k.primary_key
                AND c.schema = m.schema AND c.commit_position BETWEEN m.base AND m.position
                AND c.database = m.database AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
                AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
            ORDER BY c.commit_position FETCH FIRST ROW WITH TIES) t
            ORDER BY t.sequence LIMIT 1) f ON true
        LEFT JOIN departed d ON d.previous_key = k.primary_key
        LEFT JOIN first_departed fd ON fd.previous_key = k.primary_key
    ), judged AS (
        SELECT CASE fate WHEN 'gone' THEN NULL
            WHEN 'doubtful' THEN bemi.row_after(m, primary_key, (change).commit_position)
            ELSE change END AS change, orphan
        FROM latest OFFSET 0
    ), there AS (
        SELECT CASE WHEN NOT EXISTS (SELECT FROM truncated t
            WHERE (t.commit_position, t.sequence) > ((j.change).commit_position, (j.change).sequence)
                AND coalesce(t.partition = (j.change).details->>'partition', true))
            AND NOT EXISTS (SELECT FROM stored s WHERE s.commit_position > (j.change).commit_position
                AND s.partition IS NOT DISTINCT FROM (j.change).details->>'partition') THEN j.change
            END AS change, j.orphan
        FROM judged j OFFSET 0
    )
    SELECT t.change, t.orphan FROM there t WHERE (t.change).id IS NOT NULL OR t.orphan IS NOT NULL
    UNION ALL
    -- Keys of which nothing is known but that a row left them.
    SELECT NULL, fd.id FROM first_departed fd
    WHERE NOT EXISTS (SELECT FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.primary_key = fd.previous_key AND c.schema = m.schema
            AND c.commit_position BETWEEN m.base AND m.position AND c.database = m.database
            AND (m.source IS NULL OR bemi.change_source(c.id) = m.source))
$$;
COMMENT ON FUNCTION bemi.keyed_rows(bemi.moment) IS
    'the records of the rows with a key that a table had at a moment, and changes of rows that went by another key';

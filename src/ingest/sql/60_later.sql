-- Reversion. Selected changes whose row was changed later by one that is not selected: to undo only the
-- first would give what never was. Rows of tables without a key can't be followed; any row of the
-- same image is as good as another.

-- The query for the changes of a row behind a change of it, in order: change, and its columns. `origin` is an alias of
-- `changes`, `key` an expression of the row's key.
CREATE OR REPLACE FUNCTION bemi._behind_sql(origin text, key text, further text)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT format('SELECT c.* FROM (%s) c ORDER BY c.commit_position, c.sequence %s',
        string_agg(format($query$(
            SELECT c AS change, c.* FROM @schema@.changes c
            WHERE c."table" = %1$s."table" AND c.schema = %1$s.schema
                AND c.database = %1$s.database AND %2$s
                AND (bemi.change_source(c.id) = bemi.change_source(%1$s.id) OR bemi.is_of_database(
                    c.database, bemi.change_source(%1$s.id), bemi.change_source(c.id)))
                AND c.commit_position >= %1$s.commit_position
                AND (c.commit_position, c.sequence) > (%1$s.commit_position, %1$s.sequence)
            ORDER BY c.commit_position, c.sequence %3$s)$query$, origin, condition, further),
            ' UNION ALL '), further)
    FROM (VALUES
        (format($$c.primary_key = %s AND c.operation IN ('CREATE', 'UPDATE', 'DELETE')$$, key)),
        (format($$c.previous_key = %1$s AND c.primary_key IS DISTINCT FROM %1$s$$, key)),
        (format($$c.primary_key IS NULL AND c.operation = 'TRUNCATE'
            AND coalesce(c.details->>'partition' = %s.details->>'partition', true)$$, origin))
    ) v (condition)
$body$;
COMMENT ON FUNCTION bemi._behind_sql(text, text, text) IS
    'query for the later changes of a row, in order';

-- The query for the selected changes behind which the next change of the row is not selected: change
-- and key. The row of an UPDATE that changed the key is looked for under both.
CREATE OR REPLACE FUNCTION bemi._changed_later_sql(selection text)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT format($query$
        WITH selected AS MATERIALIZED (
            SELECT c AS change, c.* FROM @schema@.changes c
            WHERE %1$s AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'TRUNCATE')
        )
        SELECT s.change, k.key
        FROM selected s, LATERAL (SELECT s.primary_key UNION SELECT s.previous_key) k (key),
            LATERAL (%2$s) c
        WHERE s.commit_position IS NOT NULL AND (k.key IS NOT NULL OR s.primary_key IS NULL)
            AND NOT coalesce(%1$s, false)
    $query$, selection, bemi._behind_sql('s', 'k.key', 'LIMIT 1'))
$body$;
COMMENT ON FUNCTION bemi._changed_later_sql(text) IS
    'query for selected changes behind which the next change of their row is not selected';

-- What the row of a key is after a change that touched it.
CREATE OR REPLACE FUNCTION bemi._left_at(change @schema@.changes, key text)
RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN change.primary_key IS NOT DISTINCT FROM key THEN change.after ELSE '{}' END
$$;
COMMENT ON FUNCTION bemi._left_at(@schema@.changes, text) IS
    'what the row of a key is after a change that touched it';

-- Whether a TRUNCATE was reverted, and that was not reverted in turn: its rows came back under a context that says so. (Where
-- there were none to come back, nothing says it.)
CREATE OR REPLACE FUNCTION bemi._is_undone(change @schema@.changes, of_transaction bigint, operations text[])
RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    later @schema@.changes;
BEGIN
    FOR later IN SELECT DISTINCT ON (c.transaction_id) c.* FROM @schema@.changes c
        WHERE c.context @> jsonb_build_object('reverts', jsonb_build_object('transaction_id', of_transaction))
            AND c."table" = change."table" AND c.schema = change.schema AND c.database = change.database
            AND c.commit_position > change.commit_position AND c.operation = ANY (operations)
            AND bemi.is_of_database(c.database, bemi.change_source(change.id), bemi.change_source(c.id))
            AND coalesce(c.details->>'partition' = change.details->>'partition', true)
    LOOP
        IF NOT bemi._is_undone(later, later.transaction_id, '{CREATE,DELETE,TRUNCATE}') THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;
COMMENT ON FUNCTION bemi._is_undone(@schema@.changes, bigint, text[]) IS
    'whether a TRUNCATE was reverted, and that was not reverted in turn';

-- Whether a row had a key only within the transaction of a change, all of whose changes of that key are selected: it came to the
-- key there. Then the key is free before and after, for other rows to do the same.
CREATE OR REPLACE FUNCTION bemi._passed_by(selection text, change @schema@.changes, key text)
RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    passed boolean;
BEGIN
    EXECUTE format($query$
        SELECT coalesce((array_agg(k.came ORDER BY k.sequence))[1] AND bool_and(k.selected), false) FROM (
            SELECT c.sequence, coalesce(%1$s, false) AS selected, c.operation = 'CREATE'
                OR coalesce(c.primary_key = $2 AND c.previous_key <> $2, false) AS came
            FROM @schema@.changes c
            WHERE c."table" = ($1)."table" AND c.schema = ($1).schema AND c.database = ($1).database
                AND c.commit_position = ($1).commit_position AND c.primary_key = $2
            UNION ALL
            SELECT c.sequence, coalesce(%1$s, false), false FROM @schema@.changes c
            WHERE c."table" = ($1)."table" AND c.schema = ($1).schema AND c.database = ($1).database
                AND c.commit_position = ($1).commit_position AND c.previous_key = $2 AND c.primary_key <> $2) k
    $query$, selection) INTO passed USING change, key;
    RETURN passed;
END $body$;
COMMENT ON FUNCTION bemi._passed_by(text, @schema@.changes, text) IS
    'whether a row had a key only within the transaction of a change';

-- What of the later changes of a row stands once one more was made. `passed`: bemi._passed_by(). Then a transaction at whose end no row
-- has the key any more is taken away again. Or another one is, where this is its revert, which may take it back at once.
CREATE OR REPLACE FUNCTION bemi._still_standing(standing @schema@.changes[], change @schema@.changes,
    later @schema@.changes, key text, passed boolean)
RETURNS @schema@.changes[] LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := cardinality(standing);
    reverts jsonb := later.context#>'{reverts,transaction_id}';
    before jsonb;
BEGIN
    WHILE n > 0 AND standing[n].commit_position = later.commit_position LOOP
        n := n - 1;
    END LOOP;
    before := bemi._left_at(CASE n WHEN 0 THEN change ELSE standing[n] END, key);
    IF later.operation <> 'TRUNCATE' AND passed AND before = '{}' AND bemi._left_at(later, key) = '{}'
        OR later.operation = 'TRUNCATE' AND (before = '{}' OR key IS NULL)
            AND bemi._is_undone(later, later.transaction_id, '{CREATE}')
    THEN
        RETURN standing[:n];
    END IF;
    n := cardinality(standing);
    WHILE n > 0 AND reverts = to_jsonb(standing[n].transaction_id)
        AND bemi._left_at(CASE n WHEN 1 THEN change ELSE standing[n - 1] END, key) <> bemi._left_at(later, key)
    LOOP
        n := n - 1;
    END LOOP;
    RETURN CASE WHEN reverts = to_jsonb(standing[n].transaction_id) THEN standing[:n - 1] ELSE standing || later END;
END $$;
COMMENT ON FUNCTION bemi._still_standing(@schema@.changes[], @schema@.changes, @schema@.changes, text, boolean) IS
    'what of the later changes of a row stands once one more was made';

-- Why a change that is followed by one that is not selected can't be undone; null where all that
-- follows, up to the next that is selected, was reverted again.
CREATE OR REPLACE FUNCTION bemi._changed_later(selection text, change @schema@.changes, key text)
RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
DECLARE
    standing @schema@.changes[] := '{}';
    passed boolean := key IS NOT NULL AND bemi._passed_by(selection, change, key);
    top @schema@.changes;
    later record;
BEGIN
    FOR later IN EXECUTE format('SELECT c.change, %s AS selected FROM (%s) c', selection,
        bemi._behind_sql('($1)', '$2', '')) USING change, key
    LOOP
        EXIT WHEN later.selected;
        standing := bemi._still_standing(standing, change, later.change, key, passed);
    END LOOP;
    top := standing[1];
    RETURN format('its row was changed later, by the %s %s at %s, which is not selected',
        top.operation, top.id, top.committed_at AT TIME ZONE 'UTC') WHERE top.id IS NOT NULL;
END $$;
COMMENT ON FUNCTION bemi._changed_later(text, @schema@.changes, text) IS
    'why a change can''t be undone: what was changed later and is not selected';

-- Why a TRUNCATE can't be undone: of the rows that it took, these are their keys, one came again later.
CREATE OR REPLACE FUNCTION bemi._came_again(selection text, change @schema@.changes, keys text[])
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('row %s of it: %s', bemi._plain(key), reason) FROM (
        SELECT key, bemi._changed_later(selection, change, key) AS reason
        FROM (SELECT DISTINCT c.primary_key AS key FROM @schema@.changes c
            WHERE c."table" = change."table" AND c.schema = change.schema
                AND c.database = change.database AND c.primary_key = ANY (keys)
                AND bemi.is_of_database(c.database, bemi.change_source(change.id),
                    bemi.change_source(c.id))
                AND c.commit_position >= change.commit_position
                AND (c.commit_position, c.sequence) > (change.commit_position, change.sequence)) k
        ORDER BY key) r
    WHERE reason IS NOT NULL LIMIT 1
$$;
COMMENT ON FUNCTION bemi._came_again(text, @schema@.changes, text[]) IS
    'why the rows of a TRUNCATE can''t come back: one of these keys was used again later';

-- id → conflict. OFFSET 0: only what the query finds is looked at closely.
CREATE OR REPLACE FUNCTION bemi._later_conflicts(selection text)
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    conflicts jsonb;
BEGIN
    EXECUTE format('SELECT jsonb_object_agg(id, reason) FROM (SELECT (l.change).id,'
        ' bemi._changed_later(%L, l.change, l.key) FROM (%s OFFSET 0) l) c (id, reason)'
        ' WHERE reason IS NOT NULL', selection, bemi._changed_later_sql(selection)) INTO conflicts;
    RETURN coalesce(conflicts, '{}');
END $$;
COMMENT ON FUNCTION bemi._later_conflicts(text) IS
    'selected changes whose row was changed later by one that is not selected: id → why that is a conflict';

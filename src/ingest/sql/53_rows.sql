-- One row of a table at a moment. It is found by its key, in the last transaction that touched it.

-- The records of a key in one transaction, in order: those that have it, and those that left it.
CREATE OR REPLACE FUNCTION bemi.key_changes(m bemi.moment, key text, of_commit bigint)
RETURNS SETOF @schema@.changes LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT * FROM (
        SELECT * FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.primary_key = key AND c.schema = m.schema
            AND c.commit_position = of_commit
        UNION ALL
        SELECT * FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.previous_key = key AND c.schema = m.schema
            AND c.commit_position = of_commit AND c.primary_key IS DISTINCT FROM key
    ) c
    WHERE c.database = m.database AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
        AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
    ORDER BY c.sequence
$$;
COMMENT ON FUNCTION bemi.key_changes(bemi.moment, text, bigint) IS
    'the records of a key in one transaction, in order, those that left it included';

-- Which of the records holds the row that a change found: the first with that image; 0 where none has.
-- Numbers may have got other scales since, where their column has another type; one that is written the
-- same comes first. A `before` that is not whole (identity) only has to agree.
CREATE OR REPLACE FUNCTION bemi.find_image(records @schema@.changes[], change @schema@.changes)
RETURNS integer LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT coalesce((SELECT n FROM generate_subscripts(records, 1) n
        WHERE CASE WHEN change.details ?| '{identity,missing}'
            THEN (records[n]).after @> change.before ELSE (records[n]).after = change.before END
        ORDER BY (records[n]).after::text = change.before::text DESC, n LIMIT 1), 0)
$$;
COMMENT ON FUNCTION bemi.find_image(@schema@.changes[], @schema@.changes) IS
    'the number of the record that holds the row that a change found; 0 where none has';

-- The records that hold rows of a key after a transaction that touched it; before it, those of `here`
-- did. Within a transaction two rows may have one key for a while (where its constraint is
-- deferrable), so a row that leaves is told from one that has come by its image.
CREATE OR REPLACE FUNCTION bemi.rows_after(m bemi.moment, key text, of_commit bigint,
    INOUT here @schema@.changes[], OUT came integer, OUT went integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    c @schema@.changes;
    leaves boolean;
    comes boolean;
    place integer;
BEGIN
    came := 0; went := 0;
    FOR c IN SELECT * FROM bemi.key_changes(m, key, of_commit) LOOP
        leaves := c.operation = 'DELETE' OR c.operation = 'UPDATE' AND coalesce(c.previous_key, key) = key;
        comes := c.operation <> 'DELETE' AND c.primary_key IS NOT DISTINCT FROM key;
        IF leaves THEN
            place := bemi.find_image(here, c);
            here := here[:place - 1] || here[place + 1:];
        END IF;
        IF comes THEN
            here := here || c;
        END IF;
        came := came + (comes AND NOT leaves)::integer;
        went := went + (leaves AND NOT comes)::integer;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.rows_after(bemi.moment, text, bigint, @schema@.changes[]) IS
    'the records that hold rows of a key after a transaction that touched it, from those before';

-- The record that holds the row of a key after a transaction that touched it; null where it left none.
-- Where as many rows came as went, it depends on whether there was one before.
CREATE OR REPLACE FUNCTION bemi.row_after(m bemi.moment, key text, of_commit bigint)
RETURNS @schema@.changes LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    past bemi.moment := m;
    prior @schema@.changes;
    after record;
BEGIN
    SELECT * INTO after FROM bemi.rows_after(m, key, of_commit, '{}');
    IF after.came > 0 AND after.came = after.went THEN
        past.position := of_commit - 1;
        prior := bemi.change_at(past, key);
        IF prior.id IS NOT NULL THEN
            SELECT * INTO after FROM bemi.rows_after(m, key, of_commit, ARRAY[prior]);
        END IF;
    END IF;
    RETURN after.here[cardinality(after.here)];
END $$;
COMMENT ON FUNCTION bemi.row_after(bemi.moment, text, bigint) IS
    'the record that holds the row of a key after a transaction that touched it; null where it left none';

-- The row as a record left it: values that it lacks because PostgreSQL did not log them (`missing`
-- says toast) come from the records of the same row before it, followed through changes of key. Where a
-- record does not tell the key that its row had before, they end: the next one may be of another row.
-- `missing` is what could not be found; what was masked or forgotten on purpose is in it where `withheld`.
CREATE OR REPLACE FUNCTION bemi.whole_image(m bemi.moment, change @schema@.changes, withheld boolean,
    OUT image jsonb, OUT missing jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    earlier @schema@.changes := change;
    lacks text[];
BEGIN
    image := change.after;
    SELECT coalesce(jsonb_object_agg(key, value), '{}') INTO missing
    FROM jsonb_each(change.details->'missing') WHERE NOT change.after ? key;
    LOOP
        lacks := ARRAY(SELECT key FROM jsonb_each_text(missing) WHERE value = 'toast');
        EXIT WHEN lacks = '{}' OR earlier.operation IN ('CREATE', 'SNAPSHOT')
            -- a row whose key may have been another one before
            OR bemi._hides_old_key(earlier, NOT (earlier.details->>'identity' = 'index'
                AND bemi._identity_lacks_key(m)));
        SELECT t.* INTO earlier FROM (
            SELECT * FROM @schema@.changes c
            WHERE c."table" = change."table" AND c.schema = change.schema
                AND c.database = change.database
                AND c.primary_key = coalesce(earlier.previous_key, earlier.primary_key)
                AND c.commit_position BETWEEN coalesce(m.base, m.since) AND earlier.commit_position
                AND (c.commit_position < earlier.commit_position OR c.sequence < earlier.sequence)
                AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
            ORDER BY c.commit_position DESC FETCH FIRST ROW WITH TIES) t
        ORDER BY t.sequence DESC LIMIT 1;
        EXIT WHEN NOT FOUND OR earlier.operation = 'DELETE';
        SELECT image || coalesce(jsonb_object_agg(key, value), '{}'),
               missing - coalesce(array_agg(key), '{}')
        INTO image, missing FROM jsonb_each(earlier.after) WHERE key = ANY (lacks);
        -- What that record lacks for good (it was masked, too large, forgotten) no earlier one tells.
        SELECT missing || coalesce(jsonb_object_agg(key, value), '{}')
        INTO missing FROM jsonb_each(earlier.details->'missing')
        WHERE key = ANY (lacks) AND value <> '"toast"' AND NOT earlier.after ? key;
    END LOOP;
    IF NOT withheld AND missing <> '{}' THEN
        missing := (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each_text(missing)
            WHERE value NOT LIKE 'masked%' AND value <> 'forgotten');
    END IF;
END $$;
COMMENT ON FUNCTION bemi.whole_image(bemi.moment, @schema@.changes, boolean) IS
    'the row as a record left it, with values that were not logged again taken from the records before; what is missing nevertheless';

-- What a record says of values that were masked or forgotten: on purpose, and for good.
CREATE OR REPLACE FUNCTION bemi.withheld(change @schema@.changes)
RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(change.details->'missing')
    WHERE value #>> '{}' LIKE 'masked%' OR value #>> '{}' = 'forgotten'
$$;
COMMENT ON FUNCTION bemi.withheld(@schema@.changes) IS
    'what a record says of values that were masked or forgotten';

-- Ends with the error that a value is not known; does nothing where all are.
CREATE OR REPLACE FUNCTION bemi.refuse_missing(m bemi.moment, key text, missing jsonb)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF missing <> '{}' THEN
        RAISE EXCEPTION 'the value of column % of row % of % is not in the records',
            (SELECT string_agg(quote_ident(k), ', ' ORDER BY k) FROM jsonb_object_keys(missing) k),
            coalesce(key, '(without a key)'), bemi.moment_text(m)
            USING ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = format('Why it is missing: %s.', missing),
                HINT = 'Replica identity full (bemi.track) logs all values; a row is known in full'
                    ' again from its next snapshot on.';
    END IF;
END $$;
COMMENT ON FUNCTION bemi.refuse_missing(bemi.moment, text, jsonb) IS
    'ends with the error that a value is not known; does nothing where all are';

-- The commit of the last change of a key between two positions, both included; null where none is.
CREATE OR REPLACE FUNCTION bemi.last_change_of_key(m bemi.moment, key text, since bigint, till bigint)
RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT greatest(
        (SELECT c.commit_position FROM @schema@.changes c
            WHERE c."table" = m."table" AND c.primary_key = key AND c.schema = m.schema
                AND c.commit_position BETWEEN since AND till AND c.database = m.database
                AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
            ORDER BY c.commit_position DESC LIMIT 1),
        (SELECT c.commit_position FROM @schema@.changes c
            WHERE c."table" = m."table" AND c.previous_key = key AND c.schema = m.schema
                AND c.commit_position BETWEEN since AND till AND c.database = m.database
                AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
            ORDER BY c.commit_position DESC LIMIT 1))
$$;
COMMENT ON FUNCTION bemi.last_change_of_key(bemi.moment, text, bigint, bigint) IS
    'the commit_position of the last change of a key between two positions, both included; null where none is';

-- The table's TRUNCATE records up to the moment: of the table, or of one of its partitions.
CREATE OR REPLACE FUNCTION bemi.truncates(m bemi.moment, since bigint)
RETURNS SETOF @schema@.changes LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT * FROM @schema@.changes c
    WHERE c."table" = m."table" AND c.primary_key IS NULL AND c.schema = m.schema
        AND c.commit_position BETWEEN since AND m.position
        AND c.operation = 'TRUNCATE' AND c.database = m.database
        AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
$$;
COMMENT ON FUNCTION bemi.truncates(bemi.moment, bigint) IS
    'the TRUNCATE records of a table, or of its partitions, from a position up to a moment';

-- The last snapshot up to the moment, of the table or of each of its partitions.
CREATE OR REPLACE FUNCTION bemi.last_snapshots(m bemi.moment)
RETURNS TABLE (partition text, commit_position bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT nullif(s.partition, ''), max(s.position - '0/0'::pg_lsn)::bigint
    FROM bemi.snapshots s
    WHERE s."table" = m."table" AND s.schema = m.schema AND s.database = m.database
        AND s.position - '0/0'::pg_lsn BETWEEN m.base AND m.position
        AND bemi.is_of_source(m, s.system_identifier)
    GROUP BY 1
$$;
COMMENT ON FUNCTION bemi.last_snapshots(bemi.moment) IS
    'the last snapshot up to a moment, of a table or of each of its partitions';

-- Whether the row that a record holds was truncated after it, up to the moment; or was not there any
-- more when a snapshot was taken: its key was made of other columns meanwhile.
CREATE OR REPLACE FUNCTION bemi.has_ended(m bemi.moment, change @schema@.changes)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT EXISTS (SELECT FROM bemi.truncates(m, change.commit_position) t
            WHERE (t.commit_position, t.sequence) > (change.commit_position, change.sequence)
                AND coalesce(t.details->>'partition' = change.details->>'partition', true))
        OR EXISTS (SELECT FROM bemi.last_snapshots(m) s
            WHERE s.commit_position > change.commit_position
                AND s.partition IS NOT DISTINCT FROM change.details->>'partition')
$$;
COMMENT ON FUNCTION bemi.has_ended(bemi.moment, @schema@.changes) IS
    'whether the row of a record was truncated after it, or was no longer there at a snapshot';

-- The record that holds the row of a key at a moment; null where there was no such row.
CREATE OR REPLACE FUNCTION bemi.change_at(m bemi.moment, key text)
RETURNS @schema@.changes LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    found @schema@.changes;
BEGIN
    found := bemi.row_after(m, key,
        bemi.last_change_of_key(m, key, coalesce(m.base, m.since), m.position));
    IF found.id IS NOT NULL AND bemi.has_ended(m, found) THEN
        RETURN NULL;
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION bemi.change_at(bemi.moment, text) IS
    'the record that holds the row of a key at a moment; null where there was no such row';

-- What a row was whose first record in a stretch comes after the moment: the `before` of that record.
CREATE OR REPLACE FUNCTION bemi.row_before_records(m bemi.moment, key text)
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    c @schema@.changes;
BEGIN
    SELECT k.* INTO c FROM bemi.key_changes(m, key, (
        SELECT least(
            (SELECT min(n.commit_position) FROM @schema@.changes n
                WHERE n."table" = m."table" AND n.primary_key = key AND n.schema = m.schema
                    AND n.commit_position > m.position AND n.commit_position <= m.till
                    AND n.database = m.database
                    AND (m.source IS NULL OR bemi.change_source(n.id) = m.source)),
            (SELECT min(n.commit_position) FROM @schema@.changes n
                WHERE n."table" = m."table" AND n.previous_key = key AND n.schema = m.schema
                    AND n.commit_position > m.position AND n.commit_position <= m.till
                    AND n.database = m.database
                    AND (m.source IS NULL OR bemi.change_source(n.id) = m.source))))) k
    ORDER BY k.sequence LIMIT 1;
    IF c.operation = 'CREATE' OR c.primary_key = key AND c.previous_key <> key THEN
        RETURN '{}';
    ELSIF c.operation IN ('UPDATE', 'DELETE') AND c.before <> '{}' AND NOT c.details ?| '{identity,missing}' THEN
        RETURN c.before;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION bemi.row_before_records(bemi.moment, text) IS
    'what a row was whose first record comes after the moment';

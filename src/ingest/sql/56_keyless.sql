-- Rows without a key are told apart by their images: of each image as many were there as had come and
-- not gone. Those that went by another key before (a primary key that was made of other columns, or
-- added, or dropped) are found by their images too.

-- The columns of an image, in order.
CREATE OR REPLACE FUNCTION bemi.columns_of(image jsonb)
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(image) k
$$;
COMMENT ON FUNCTION bemi.columns_of(jsonb) IS
    'the columns of an image, in order';

-- An image with these columns only.
CREATE OR REPLACE FUNCTION bemi.only_columns(image jsonb, columns text[])
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT jsonb_object_agg(key, value) FROM jsonb_each(image) WHERE key = ANY (columns)
$$;
COMMENT ON FUNCTION bemi.only_columns(jsonb, text[]) IS
    'an image with these columns only';

-- Records up to the moment that have no key, since their table (or partition) was last truncated, or
-- all its rows were stored by a snapshot.
CREATE OR REPLACE FUNCTION bemi.keyless_changes(m bemi.moment)
RETURNS SETOF @schema@.changes LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    WITH truncated AS MATERIALIZED (
        SELECT DISTINCT ON (1) c.details->>'partition' AS partition, c.commit_position, c.sequence
        FROM bemi.truncates(m, m.base) c ORDER BY 1, 2 DESC, 3 DESC
    ), stored AS MATERIALIZED (
        SELECT * FROM bemi.last_snapshots(m)
    )
    SELECT c.* FROM @schema@.changes c
    WHERE c."table" = m."table" AND c.primary_key IS NULL AND c.schema = m.schema
        AND c.commit_position BETWEEN m.base AND m.position AND c.database = m.database
        AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
        AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
        AND NOT EXISTS (SELECT FROM truncated t
            WHERE (t.commit_position, t.sequence) > (c.commit_position, c.sequence)
                AND coalesce(t.partition = c.details->>'partition', true))
        AND NOT EXISTS (SELECT FROM stored s WHERE s.commit_position > c.commit_position
            AND s.partition IS NOT DISTINCT FROM c.details->>'partition')
$$;
COMMENT ON FUNCTION bemi.keyless_changes(bemi.moment) IS
    'the records without a key up to a moment, since the last TRUNCATE or snapshot';

-- Takes from the records those whose rows have gone: each of `gone` takes the earliest one before it
-- that had its image. First by whole images, as they are written; then by what they say, since numbers
-- get other scales where their column gets another type; what is left by the columns that both have, which
-- are fewer where the identity is an index or columns were added or dropped meanwhile.
CREATE OR REPLACE FUNCTION bemi.pair_images(INOUT came @schema@.changes[], INOUT gone @schema@.changes[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    as_written boolean := true;
    -- null: whole images
    columns text[];
    tried text[] := '{}';
    came_paired integer[];
    gone_paired integer[];
BEGIN
    LOOP
        WITH a AS (
            SELECT c.ordinality AS n, c.commit_position AS place, c.sequence,
                CASE WHEN as_written THEN to_jsonb(c.after::text) WHEN columns IS NULL THEN c.after
                    ELSE bemi.only_columns(c.after, columns) END AS image
            FROM unnest(came) WITH ORDINALITY c
            WHERE columns IS NULL OR c.after ?& columns
        ), b AS (
            SELECT c.ordinality AS n, c.commit_position AS place, c.sequence,
                CASE WHEN as_written THEN to_jsonb(c.before::text) WHEN columns IS NULL THEN c.before
                    ELSE bemi.only_columns(c.before, columns) END AS image
            FROM unnest(gone) WITH ORDINALITY c
            WHERE columns IS NULL OR c.before ?& columns
        ), pairs AS (
            SELECT a.n AS came_n, b.n AS gone_n
            FROM (SELECT *, row_number() OVER (PARTITION BY image ORDER BY place, sequence) AS k FROM a) a
            JOIN (SELECT *, row_number() OVER (PARTITION BY image ORDER BY place, sequence) AS k FROM b) b
                USING (image, k)
            WHERE (a.place, a.sequence) < (b.place, b.sequence)
        )
        SELECT array_agg(came_n), array_agg(gone_n) INTO came_paired, gone_paired FROM pairs;
        IF came_paired IS NOT NULL THEN
            came := ARRAY(SELECT came[n] FROM generate_subscripts(came, 1) n
                LEFT JOIN unnest(came_paired) p ON p = n WHERE p IS NULL);
            gone := ARRAY(SELECT gone[n] FROM generate_subscripts(gone, 1) n
                LEFT JOIN unnest(gone_paired) p ON p = n WHERE p IS NULL);
        END IF;
        EXIT WHEN cardinality(gone) = 0;
        IF as_written THEN
            as_written := false;
            CONTINUE;
        END IF;
        tried := tried || coalesce(columns::text, '');
        SELECT s.common INTO columns FROM (
            SELECT ARRAY(SELECT unnest(c.columns) INTERSECT SELECT unnest(g.columns) ORDER BY 1) AS common
            FROM (SELECT DISTINCT bemi.columns_of(u.after) AS columns FROM unnest(came) u) c,
                (SELECT DISTINCT bemi.columns_of(u.before) AS columns FROM unnest(gone) u) g) s
        WHERE cardinality(s.common) > 0 AND s.common::text <> ALL (tried)
        ORDER BY cardinality(s.common) DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.pair_images(@schema@.changes[], @schema@.changes[]) IS
    'takes from the records those whose rows have gone, told by their images';

-- An UPDATE under an index as identity says nothing of the old row where the index's columns did not
-- change: then `before` are these columns of `after`. Which they are is known from the record before
-- that has them, or the first one after.
CREATE OR REPLACE FUNCTION bemi.with_identity(m bemi.moment, records @schema@.changes[])
RETURNS @schema@.changes[] LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    columns text[];
    c @schema@.changes;
BEGIN
    IF NOT EXISTS (SELECT FROM unnest(records) r WHERE r.details->>'identity' = 'index') THEN
        RETURN records;
    END IF;
    SELECT bemi.columns_of(r.before) INTO columns FROM @schema@.changes r
    WHERE r."table" = m."table" AND r.primary_key IS NULL AND r.schema = m.schema
        AND r.commit_position BETWEEN m.base AND m.till AND r.database = m.database
        AND r.details->>'identity' = 'index' AND r.before <> '{}'
    ORDER BY r.commit_position LIMIT 1;
    IF NOT FOUND THEN
        RETURN records;
    END IF;
    FOR n IN 1 .. cardinality(records) LOOP
        c := records[n];
        CONTINUE WHEN c.details->>'identity' IS DISTINCT FROM 'index';
        IF c.before <> '{}' THEN
            columns := bemi.columns_of(c.before);
        ELSIF c.operation = 'UPDATE' THEN
            c.before := bemi.only_columns(c.after, columns);
            records[n] := c;
        END IF;
    END LOOP;
    RETURN records;
END $$;
COMMENT ON FUNCTION bemi.with_identity(bemi.moment, @schema@.changes[]) IS
    'the same records, with the columns of an index as identity where an UPDATE did not log them';

-- Records of a key with records without one between them: the key may have been dropped and added again
-- meanwhile, and another row have it. `change` is one that found a row of that key; `left_by` the record before it,
-- or before one that made a row, where that one left a row that has not ended. `records` are those without a key.
CREATE OR REPLACE FUNCTION bemi.doubtful_links(m bemi.moment, records @schema@.changes[])
RETURNS TABLE (change @schema@.changes, left_by @schema@.changes)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    WITH keyed AS (
        SELECT c FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.primary_key IS NOT NULL AND c.schema = m.schema
            AND c.commit_position BETWEEN m.base AND m.position AND c.database = m.database
            AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
            AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
    ), event AS (
        SELECT c, (c).commit_position AS place, (c).sequence, 1 AS step,
            coalesce((c).previous_key, (c).primary_key) AS key
        FROM keyed WHERE (c).operation IN ('UPDATE', 'DELETE')
        UNION ALL
        SELECT c, (c).commit_position, (c).sequence, 2, (c).primary_key FROM keyed WHERE (c).operation <> 'DELETE'
        UNION ALL
        SELECT r, r.commit_position, r.sequence, 2, NULL FROM unnest(records) r WHERE EXISTS (SELECT FROM keyed)
    ), numbered AS (
        SELECT e.*, count(*) FILTER (WHERE key IS NULL) OVER (ORDER BY place, sequence, step) AS keyless FROM event e
    ), linked AS (
        SELECT n.*, lag(c) OVER in_order AS prior, lag(step) OVER in_order AS prior_step,
            lag(keyless) OVER in_order AS prior_keyless
        FROM numbered n WHERE key IS NOT NULL WINDOW in_order AS (PARTITION BY key ORDER BY place, sequence, step)
    )
    SELECT CASE WHEN step = 1 THEN c END, CASE WHEN prior_step = 2 AND NOT bemi.has_ended(m, prior) THEN prior END
    FROM linked WHERE prior_keyless < keyless AND (c).operation <> 'SNAPSHOT' AND NOT bemi.has_ended(m, c)
$$;
COMMENT ON FUNCTION bemi.doubtful_links(bemi.moment, @schema@.changes[]) IS
    'records of a key between which the table may have been without one, so that another row may have it';

-- The records of rows without a key that were there; and the ids of records among keyed_rows() whose
-- row had gone under another key. `orphans` is what keyed_rows() calls so. Where `strict`, a change of a
-- row that is not in the records is an error.
CREATE OR REPLACE FUNCTION bemi.keyless_rows(m bemi.moment, orphans uuid[], strict boolean)
RETURNS TABLE (change @schema@.changes, dead uuid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    records @schema@.changes[] := bemi.with_identity(m, ARRAY(
        SELECT c FROM bemi.keyless_changes(m) c ORDER BY c.commit_position, c.sequence));
    came @schema@.changes[] := ARRAY(SELECT c FROM unnest(records) c WHERE c.operation <> 'DELETE');
    gone @schema@.changes[] := ARRAY(SELECT c FROM unnest(records) c WHERE c.operation IN ('UPDATE', 'DELETE'))
        || bemi.with_identity(m, ARRAY(
        SELECT c FROM @schema@.changes c WHERE c.id = ANY (orphans) AND NOT bemi.has_ended(m, c)
            -- Times may have another order than positions: retention has then dropped an earlier record
            -- of the row, and stored the row behind this one.
            AND NOT EXISTS (SELECT FROM @schema@.changes s
                WHERE s."table" = c."table" AND s.primary_key = c.primary_key AND s.schema = c.schema
                    AND s.commit_position BETWEEN c.commit_position AND m.position
                    AND s.database = c.database AND s.operation = 'SNAPSHOT'
                    AND bemi.change_source(s.id) = bemi.change_source(c.id))));
    keyed @schema@.changes[] := '{}';
    changed @schema@.changes[];
    left_by @schema@.changes[];
    followed integer[];
    paired record;
BEGIN
    IF cardinality(records) > 0 THEN
        SELECT array_agg(d.change), array_agg(d.left_by) INTO changed, left_by
        FROM bemi.doubtful_links(m, records) d;
        gone := gone || bemi.with_identity(m, ARRAY(SELECT c FROM unnest(changed) c WHERE c.id <> ALL (orphans)));
    END IF;
    IF cardinality(gone) > 0 OR changed IS NOT NULL THEN
        keyed := ARRAY(SELECT r.change FROM bemi.keyed_rows(m) r WHERE (r.change).id IS NOT NULL);
        left_by := ARRAY(SELECT CASE WHEN (left_by[n]).id NOT IN (SELECT k.id FROM unnest(keyed) k)
                THEN left_by[n] END
            FROM generate_subscripts(left_by, 1) n ORDER BY n);
        SELECT * INTO paired FROM bemi.pair_images(
            came || keyed || ARRAY(SELECT l FROM unnest(left_by) l WHERE l.id IS NOT NULL), gone);
        -- What no image tells the key does.
        followed := ARRAY(SELECT n FROM generate_subscripts(changed, 1) n
            WHERE (changed[n]).id IN (SELECT g.id FROM unnest(paired.gone) g)
                AND (left_by[n]).id IN (SELECT c.id FROM unnest(paired.came) c));
        came := ARRAY(SELECT c FROM unnest(paired.came) c WHERE c.id NOT IN (SELECT (left_by[n]).id FROM unnest(followed) n));
        IF strict THEN
            PERFORM bemi.refuse_unpaired(m, ARRAY(SELECT g FROM unnest(paired.gone) g
                WHERE g.id NOT IN (SELECT (changed[n]).id FROM unnest(followed) n)));
        END IF;
    END IF;
    RETURN QUERY SELECT c, NULL::uuid FROM unnest(came) c
            WHERE c.primary_key IS NULL OR c.id IN (SELECT l.id FROM unnest(left_by) l)
        UNION ALL SELECT NULL, k.id FROM unnest(keyed) k
            WHERE k.id NOT IN (SELECT c.id FROM unnest(came) c);
END $$;
COMMENT ON FUNCTION bemi.keyless_rows(bemi.moment, uuid[], boolean) IS
    'the records of the rows without a key that a table had at a moment, and ids of rows with a key that had gone';

-- Ends with the error that a change doesn't tell, or can't be told, which row it was of.
CREATE OR REPLACE FUNCTION bemi.refuse_unpaired(m bemi.moment, gone @schema@.changes[])
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    first @schema@.changes := (SELECT c FROM unnest(gone) c ORDER BY c.commit_position, c.sequence LIMIT 1);
BEGIN
    IF first.id IS NOT NULL THEN
        RAISE EXCEPTION 'rows of % cannot be told apart: the % at % is of a row that is not in the records',
            bemi.moment_text(m), first.operation, bemi.time_text(first.committed_at)
            USING ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = CASE WHEN first.before = '{}'
                    THEN format('It does not say which row it was of: the replica identity was %s.',
                        coalesce(first.details->>'identity', 'full'))
                    ELSE format('The row was %s.', left(first.before::text, 1000)) END,
                HINT = 'A primary key and replica identity full (bemi.track) tell rows apart.';
    END IF;
END $$;
COMMENT ON FUNCTION bemi.refuse_unpaired(bemi.moment, @schema@.changes[]) IS
    'ends with the error that a change does not tell which row it was of; does nothing where all do';

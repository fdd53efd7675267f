-- history: what has become of a row, version by version; diff: what is different in two rows.
--
-- Here and wherever else values are compared, it is as text: jsonb's own = takes 1.0 and 1.00 for one.

CREATE OR REPLACE FUNCTION bemi.diff(before jsonb, after jsonb)
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT coalesce(jsonb_object_agg(key,
        CASE WHEN b.key IS NULL THEN '{}' ELSE jsonb_build_object('old', b.value) END
        || CASE WHEN a.key IS NULL THEN '{}' ELSE jsonb_build_object('new', a.value) END), '{}')
    FROM jsonb_each(before) b FULL JOIN jsonb_each(after) a USING (key)
    WHERE b.value::text IS DISTINCT FROM a.value::text
$$;
COMMENT ON FUNCTION bemi.diff(jsonb, jsonb) IS
    'the columns in which two rows differ: {"column": {"old": value, "new": value}}, without old or new where the column is not in that row';

-- A key with those that its row had before or later, and so on; a thousand are enough.
CREATE OR REPLACE FUNCTION bemi.related_keys(m bemi.moment, key text)
RETURNS text[] LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    keys text[] := ARRAY[key];
    new text[] := keys;
BEGIN
    LOOP
        new := ARRAY(SELECT DISTINCT o.key FROM unnest(new) n (key), LATERAL (
            SELECT c.previous_key FROM @schema@.changes c WHERE c."table" = m."table"
                AND c.primary_key = n.key AND c.schema = m.schema AND c.previous_key IS NOT NULL
                AND c.database = m.database
            UNION ALL
            SELECT c.primary_key FROM @schema@.changes c WHERE c."table" = m."table"
                AND c.previous_key = n.key AND c.schema = m.schema AND c.primary_key IS NOT NULL
                AND c.database = m.database) o (key)
            WHERE o.key <> ALL (keys));
        EXIT WHEN cardinality(new) = 0 OR cardinality(keys) > 1000;
        keys := keys || new;
    END LOOP;
    RETURN keys;
END $$;
COMMENT ON FUNCTION bemi.related_keys(bemi.moment, text) IS
    'a key with those that its row had before or later';

-- The records of some keys, and the TRUNCATEs, in order, as far as a slot's stretches have them.
-- The stretch of each: where it begins, and when it ends, where another follows.
CREATE OR REPLACE FUNCTION bemi.records_of_keys(m bemi.moment, keys text[])
RETURNS TABLE (change @schema@.changes, since bigint, known_till timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT r.change, s.from_position, CASE WHEN s.number < s.count THEN s.to_time END
    FROM (
        SELECT c AS change, c.id, c.commit_position, c.sequence FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.primary_key = ANY (keys) AND c.schema = m.schema
            AND c.database = m.database AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
        UNION ALL
        SELECT c, c.id, c.commit_position, c.sequence FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.previous_key = ANY (keys) AND c.schema = m.schema
            AND c.database = m.database AND (c.primary_key = ANY (keys)) IS NOT TRUE
        UNION ALL
        SELECT c, c.id, c.commit_position, c.sequence FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.primary_key IS NULL AND c.schema = m.schema
            AND c.database = m.database AND c.operation = 'TRUNCATE'
    ) r, (SELECT *, count(*) OVER () FROM bemi.stretches(m.slot, m.database)
        WITH ORDINALITY s (from_position, to_position, from_time, to_time, source, stored, number)) s
    WHERE r.commit_position >= s.from_position AND r.commit_position <= s.to_position
        AND (s.source IS NULL OR bemi.change_source(r.id) = s.source)
    ORDER BY r.commit_position, r.sequence
$$;
COMMENT ON FUNCTION bemi.records_of_keys(bemi.moment, text[]) IS
    'the records of some keys, and the TRUNCATEs, in order, with the stretch of each';

-- The same records, each with the number of the row that it is of, what that row was before and after
-- it, and whether that row ever had the key that was asked for. A TRUNCATE is there for each row.
CREATE OR REPLACE FUNCTION bemi.versions_of(m bemi.moment, key text)
RETURNS TABLE (row_number integer, change @schema@.changes, old jsonb, new jsonb, missing jsonb,
    known_till timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    -- Rows that are there: their keys, numbers, images and partitions, the longest there first.
    there_keys text[] := '{}';
    there_numbers integer[] := '{}';
    there_images jsonb[] := '{}';
    there_partitions text[] := '{}';
    rows integer := 0;
    place integer;
    r record;
    c @schema@.changes;
BEGIN
    FOR r IN SELECT * FROM bemi.records_of_keys(m, bemi.related_keys(m, key)) LOOP
        c := r.change; change := c; known_till := r.known_till; m.since := r.since;
        IF c.operation = 'TRUNCATE' THEN
            FOR place IN REVERSE cardinality(there_keys) .. 1 LOOP
                CONTINUE WHEN c.details->>'partition' <> there_partitions[place];
                row_number := there_numbers[place]; old := there_images[place];
                new := NULL; missing := NULL; change.primary_key := there_keys[place];
                RETURN NEXT;
                there_keys := there_keys[:place - 1] || there_keys[place + 1:];
                there_numbers := there_numbers[:place - 1] || there_numbers[place + 1:];
                there_images := there_images[:place - 1] || there_images[place + 1:];
                there_partitions := there_partitions[:place - 1] || there_partitions[place + 1:];
            END LOOP;
            CONTINUE;
        END IF;
        place := NULL;
        IF c.operation <> 'CREATE' THEN
            SELECT n INTO place FROM generate_subscripts(there_keys, 1) n
            WHERE there_keys[n] = coalesce(c.previous_key, c.primary_key)
            ORDER BY there_images[n]::text = c.before::text DESC NULLS LAST,
                there_images[n] = c.before DESC NULLS LAST, n LIMIT 1;
        END IF;
        old := there_images[place];
        IF place IS NULL THEN
            rows := rows + 1;
            row_number := rows;
            old := CASE WHEN c.operation IN ('CREATE', 'SNAPSHOT') THEN '{}'
                WHEN NOT coalesce(c.details ? 'identity', false) THEN c.before END;
        ELSE
            row_number := there_numbers[place];
            CONTINUE WHEN c.operation = 'SNAPSHOT' AND old::text = c.after::text;
            there_keys := there_keys[:place - 1] || there_keys[place + 1:];
            there_numbers := there_numbers[:place - 1] || there_numbers[place + 1:];
            there_images := there_images[:place - 1] || there_images[place + 1:];
            there_partitions := there_partitions[:place - 1] || there_partitions[place + 1:];
        END IF;
        new := NULL; missing := NULL;
        IF c.operation <> 'DELETE' THEN
            new := c.after;
            IF c.details ? 'missing' THEN
                SELECT f.image, nullif(f.missing, '{}') INTO new, missing FROM bemi.whole_image(m, c, false) f;
            END IF;
            there_keys := there_keys || c.primary_key;
            there_numbers := there_numbers || row_number;
            there_images := there_images || new;
            there_partitions := there_partitions || coalesce(c.details->>'partition', '');
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.versions_of(bemi.moment, text) IS
    'the records of a key with the number of the row of each, and what that row was before and after it';

CREATE OR REPLACE FUNCTION bemi.history("table" text, primary_key text, database text DEFAULT NULL)
RETURNS TABLE (validity tstzrange, operation text, key text, "row" jsonb, changed jsonb,
    context jsonb, missing jsonb, committed_at timestamptz, transaction_id bigint,
    commit_position bigint, sequence bigint, id uuid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
    m bemi.moment;
    asked text := primary_key;
BEGIN
    SELECT t.slot, t.database, t.schema, t."table" INTO m.slot, m.database, m.schema, m."table"
    FROM bemi.find_table("table", database) t;
    RETURN QUERY
    WITH v AS (
        SELECT v.*, (v.change).committed_at AS since, (v.change).primary_key AS key,
            bool_or(asked IN ((v.change).primary_key, (v.change).previous_key)) OVER r AS is_asked,
            lead((v.change).committed_at) OVER (r ORDER BY v.number) AS next_of_row,
            lead((v.change).committed_at) OVER (PARTITION BY (v.change).primary_key ORDER BY v.number)
                AS next_of_key
        FROM bemi.versions_of(m, asked) WITH ORDINALITY v (row_number, change, old, new, missing,
            known_till, number)
        WINDOW r AS (PARTITION BY v.row_number)
    )
    SELECT tstzrange(v.since, CASE WHEN v.till >= v.since OR v.till IS NULL THEN v.till ELSE v.since END),
        (v.change).operation, v.key, v.new,
        CASE WHEN v.old IS NOT NULL THEN bemi.diff(v.old, coalesce(v.new, '{}')) END,
        (v.change).context, v.missing, v.since, (v.change).transaction_id,
        (v.change).commit_position, (v.change).sequence, (v.change).id
    FROM (SELECT v.*, least(v.known_till,
            CASE WHEN v.new IS NULL THEN v.next_of_key ELSE v.next_of_row END) AS till FROM v) v
    WHERE v.is_asked ORDER BY v.number;
END $$;
COMMENT ON FUNCTION bemi.history(text, text, text) IS
    'the versions of the rows that ever had a key, oldest first, followed through changes of key: from when to when each was the row, what changed, and in which context';

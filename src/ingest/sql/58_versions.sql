-- The versions of a row: what it was after each of its records, followed through changes of its key.
--
-- A record that does not say by its key which row it was of (53_unidentified.sql) is told by the columns of its
-- replica identity, which are in the row's image. Where that cannot be, all rows of the table together have to tell, or
-- it is an error: no version may last longer than its row did.

-- A key with those that its row had before or later, and so on; a thousand are enough, the nearest first.
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

-- The records of some keys, and the TRUNCATEs, in order, as far as a slot's stretches have them; and behind the
-- first of them those that do not say by their key which row they were of (unidentified). The stretch of each: its
-- moment, and when it ends, where another follows.
DROP FUNCTION IF EXISTS bemi.records_of_keys(bemi.moment, text[]);
CREATE OR REPLACE FUNCTION bemi._records_of_keys(m bemi.moment, keys text[])
RETURNS TABLE (change @schema@.changes, unidentified boolean, stretch bemi.moment, known_till timestamptz,
    commit_position bigint, sequence bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog SET jit = off AS $$
    -- compiled, it would take ten times as long as it runs
    WITH s AS MATERIALIZED (
        SELECT (m.slot, m.database, m.schema, m."table", t.stored, t.from_position, t.to_position, NULL,
                t.source)::bemi.moment AS stretch, t.from_position, t.to_position, t.source,
            CASE WHEN t.number < count(*) OVER () THEN t.to_time END AS known_till
        FROM bemi.stretches(m.slot, m.database)
            WITH ORDINALITY t (from_position, to_position, from_time, to_time, source, stored, number)
    ), r AS MATERIALIZED (
        SELECT c, s.stretch, s.known_till FROM (
            SELECT c FROM @schema@.changes c
            WHERE c."table" = m."table" AND c.primary_key = ANY (keys) AND c.schema = m.schema
                AND c.database = m.database AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
            UNION ALL
            SELECT c FROM @schema@.changes c
            WHERE c."table" = m."table" AND c.previous_key = ANY (keys) AND c.schema = m.schema
                AND c.database = m.database AND (c.primary_key = ANY (keys)) IS NOT TRUE
            UNION ALL
            SELECT c FROM @schema@.changes c
            WHERE c."table" = m."table" AND c.primary_key IS NULL AND c.schema = m.schema
                AND c.database = m.database AND c.operation = 'TRUNCATE') c, s
        WHERE (c.c).commit_position >= s.from_position AND (c.c).commit_position <= s.to_position
            AND (s.source IS NULL OR bemi.change_source((c.c).id) = s.source)
    ), u AS MATERIALIZED (
        SELECT u, s.stretch, s.known_till
        FROM (SELECT min((r.c).commit_position) AS first FROM r WHERE (r.c).operation <> 'TRUNCATE') f, s, LATERAL
            bemi._unidentified_changes(s.stretch, greatest(f.first, s.from_position), 0, s.to_position) u
        WHERE f.first <= s.to_position
    )
    SELECT r.c, (r.c).id IN (SELECT (u.u).id FROM u), r.stretch, r.known_till, (r.c).commit_position, (r.c).sequence
    FROM r
    UNION ALL
    SELECT u.u, true, u.stretch, u.known_till, (u.u).commit_position, (u.u).sequence
    FROM u WHERE (u.u).id NOT IN (SELECT (r.c).id FROM r)
$$;
COMMENT ON FUNCTION bemi._records_of_keys(bemi.moment, text[]) IS
    'the records of some keys, and the TRUNCATEs, with the stretch of each, and those that do not say which row they were of';

DO $$
BEGIN
    IF to_regtype('bemi._present') IS NULL THEN
        CREATE TYPE bemi._present AS (key text, row_number integer, image jsonb, partition text);
    END IF;
END $$;
COMMENT ON TYPE bemi._present IS 'a row that is there, while the records of some keys are gone through';

-- The columns of an index that is the replica identity, as the last records have them; null where none has.
CREATE OR REPLACE FUNCTION bemi._identity_columns(m bemi.moment)
RETURNS text[] LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT bemi.columns_of(r.before) FROM (SELECT c.before, c.details, c.commit_position
        FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.schema = m.schema AND c.database = m.database
            AND c.commit_position BETWEEN m.since AND m.till AND c.details->>'identity' IN ('index', 'nothing')
        ORDER BY c.commit_position DESC LIMIT 10000) r
    WHERE r.details->>'identity' = 'index' AND r.before <> '{}' ORDER BY r.commit_position DESC LIMIT 1
$$;
COMMENT ON FUNCTION bemi._identity_columns(bemi.moment) IS
    'the columns of an index that is the replica identity, as the last records have them';

-- The values by which a record tells the row that it found: its whole image, or the columns of an index. Null where
-- it has none. `columns`: as bemi._identity_columns() gives them.
CREATE OR REPLACE FUNCTION bemi._identity_of(change @schema@.changes, columns text[])
RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT CASE change.operation WHEN 'CREATE' THEN NULL WHEN 'SNAPSHOT' THEN change.after
        ELSE CASE WHEN change.before <> '{}' THEN change.before
            WHEN change.operation = 'UPDATE' AND change.details->>'identity' = 'index' AND change.after ?& columns
            THEN bemi.only_columns(change.after, columns) END END
$$;
COMMENT ON FUNCTION bemi._identity_of(@schema@.changes, text[]) IS
    'the values by which a record tells the row that it found; null where it has none';

-- Which of the rows that are there a record found; null where it is none of them. Where rows share a key, within
-- a transaction, their images tell.
CREATE OR REPLACE FUNCTION bemi._place_of(present bemi._present[], change @schema@.changes, identity jsonb,
    unidentified boolean)
RETURNS integer LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT n FROM generate_subscripts(present, 1) n
    WHERE change.operation <> 'CREATE' AND CASE
        WHEN unidentified AND identity IS NOT NULL OR (present[n]).key IS NULL THEN (present[n]).image @> identity
        ELSE (present[n]).key = coalesce(change.previous_key, change.primary_key) END
    ORDER BY (present[n]).image::text = change.before::text DESC NULLS LAST,
        (present[n]).image = change.before DESC NULLS LAST, n LIMIT 1
$$;
COMMENT ON FUNCTION bemi._place_of(bemi._present[], @schema@.changes, jsonb, boolean) IS
    'which of the rows that are there a record found; null where it is none of them';

-- Ends with an error where all rows of the table at a position cannot be told apart, or (where `compared`) do not
-- have the rows that are there.
CREATE OR REPLACE FUNCTION bemi._refuse_otherwise(m bemi.moment, at_position bigint, present bemi._present[],
    keys text[], compared boolean)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    there text[];
    found text[] := ARRAY(SELECT p.key FROM unnest(present) p WHERE p.key IS NOT NULL);
BEGIN
    m := bemi.moment_at(bemi.moment_text(m), coalesce(m.slot, m.database), NULL, at_position);
    there := ARRAY(SELECT (r.change).primary_key FROM bemi.rows_of(m) r WHERE (r.change).primary_key = ANY (keys || found));
    IF compared AND NOT (there @> found AND found @> there) THEN
        RAISE EXCEPTION 'rows of % cannot be told apart: its records do not tell what became of the rows of key %',
            bemi.moment_text(m), (SELECT string_agg(DISTINCT k, ', ') FROM unnest(there || found) k
                WHERE k <> ALL (there) OR k <> ALL (found))
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'A primary key and replica identity full (bemi.track) tell rows apart.';
    END IF;
END $$;
COMMENT ON FUNCTION bemi._refuse_otherwise(bemi.moment, bigint, bemi._present[], text[], boolean) IS
    'ends with an error where all rows of the table do not have the rows that are there';

-- Whether a record without values that tell its row may be of any row that is there. Where it has no key either,
-- nothing tells: that is an error.
CREATE OR REPLACE FUNCTION bemi._may_be_any(m bemi.moment, change @schema@.changes, identity jsonb)
RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF identity IS NULL AND change.primary_key IS NULL AND change.operation IN ('UPDATE', 'DELETE') THEN
        PERFORM bemi.refuse_unpaired(m, ARRAY[change]);
    END IF;
    RETURN identity IS NULL;
END $$;
COMMENT ON FUNCTION bemi._may_be_any(bemi.moment, @schema@.changes, jsonb) IS
    'whether a record that does not say by its key which row it was of may be of any';

-- The rows that a TRUNCATE ends, as versions, the one that came last first; and those of other partitions.
CREATE OR REPLACE FUNCTION bemi._truncated_rows(present bemi._present[], change @schema@.changes, till timestamptz)
RETURNS TABLE (row_number integer, "truncate" @schema@.changes, old jsonb, new jsonb, missing jsonb, known_till timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    FOR place IN REVERSE cardinality(present) .. 1 LOOP
        CONTINUE WHEN change.details->>'partition' <> (present[place]).partition;
        row_number := (present[place]).row_number; old := (present[place]).image; known_till := till;
        "truncate" := change; "truncate".primary_key := (present[place]).key;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi._truncated_rows(bemi._present[], @schema@.changes, timestamptz) IS
    'the rows that a TRUNCATE ends, as versions';
CREATE OR REPLACE FUNCTION bemi._rows_beside(present bemi._present[], change @schema@.changes)
RETURNS bemi._present[] LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT ARRAY(SELECT present[n] FROM generate_subscripts(present, 1) n
        WHERE change.details->>'partition' <> (present[n]).partition ORDER BY n)
$$;
COMMENT ON FUNCTION bemi._rows_beside(bemi._present[], @schema@.changes) IS
    'the rows that a TRUNCATE leaves, which are in other partitions';

-- What a record makes of the row that it found (null: of one that is not known). What was not logged again is in
-- the row that was found; where it isn't, the records before tell why.
CREATE OR REPLACE FUNCTION bemi._version_after(m bemi.moment, change @schema@.changes, found bemi._present,
    unidentified boolean, OUT old jsonb, OUT new jsonb, OUT missing jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    lacks text[] := ARRAY(SELECT key FROM jsonb_each_text(change.details->'missing') WHERE value = 'toast');
BEGIN
    old := CASE WHEN found.row_number IS NOT NULL
        THEN CASE WHEN NOT unidentified OR change.before <> '{}' OR change.details->>'identity' = 'index'
            THEN found.image END
        WHEN change.operation IN ('CREATE', 'SNAPSHOT') THEN '{}'
        WHEN NOT coalesce(change.details ? 'identity', false) THEN change.before END;
    IF change.operation <> 'DELETE' THEN
        new := change.after;
        IF lacks <> '{}' AND old ?& lacks THEN
            new := new || bemi.only_columns(old, lacks);
            change.details := jsonb_set(change.details, '{missing}', (change.details->'missing') - lacks);
        END IF;
        IF change.details->'missing' <> '{}' THEN
            change.after := new;
            SELECT f.image, nullif(f.missing, '{}') INTO new, missing
            FROM bemi.whole_image(m, change, false) f;
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION bemi._version_after(bemi.moment, @schema@.changes, bemi._present, boolean) IS
    'what a row was before and after a record';

-- Says that a row's earlier changes may be among those that do not tell which row they were of. `change` is the
-- first that is known of it.
CREATE OR REPLACE FUNCTION bemi._tell_of_earlier(m bemi.moment, change @schema@.changes, unidentified boolean)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF change.operation IN ('UPDATE', 'DELETE') AND (unidentified OR EXISTS (
        SELECT FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.primary_key IS NULL AND c.schema = m.schema AND c.database = m.database
            AND c.commit_position BETWEEN m.since AND change.commit_position
            AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')))
    THEN
        RAISE NOTICE 'earlier changes of row % of % are not told: they do not say which row they were of',
            coalesce(change.primary_key, change.previous_key), bemi.moment_text(m)
            USING DETAIL = format('The first that does is the %s at %s.', change.operation,
                bemi.time_text(change.committed_at));
    END IF;
END $$;
COMMENT ON FUNCTION bemi._tell_of_earlier(bemi.moment, @schema@.changes, boolean) IS
    'says that a row''s earlier changes may be among those that do not tell which row they were of';

-- The records of a key, each with the number of the row that it is of, what that row was before and after it, and
-- what is missing. A TRUNCATE is there for each row. Where a record gives a row a key of which no other record
-- tells, the records of that key come along from there on. `till`: records up to this commit_position.
DROP FUNCTION IF EXISTS bemi.versions_of(bemi.moment, text);
CREATE OR REPLACE FUNCTION bemi.versions_of(m bemi.moment, key text, till bigint DEFAULT 9223372036854775807)
RETURNS TABLE (row_number integer, change @schema@.changes, old jsonb, new jsonb, missing jsonb,
    known_till timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
    asked text := key;
    keys text[] := bemi.related_keys(m, key);
    records refcursor;
    r record;
    present bemi._present[] := '{}';
    place integer;
    rows integer := 0;
    columns text[];
    identity jsonb;
    -- a record may be of one of the rows that are there, and does not tell
    unsure boolean := false;
    ended boolean;
    -- rows that have come without a key
    others bigint := 0;
BEGIN
    IF cardinality(keys) > 1000 THEN
        RAISE NOTICE 'rows of key % have had more than 1000 keys: they are followed through the nearest', asked;
    END IF;
    OPEN records FOR SELECT * FROM bemi._records_of_keys(m, keys) k
        WHERE k.commit_position <= till ORDER BY k.commit_position, k.sequence;
    LOOP
        FETCH records INTO r;
        ended := NOT FOUND;
        IF unsure AND (ended OR r.stretch IS DISTINCT FROM m OR (r.change).operation = 'TRUNCATE') THEN
            PERFORM bemi._refuse_otherwise(m, CASE WHEN r.stretch = m THEN r.commit_position - 1 ELSE least(m.position, till) END,
                present, keys, r.stretch IS DISTINCT FROM m);
            unsure := false;
        END IF;
        EXIT WHEN ended;
        IF r.stretch IS DISTINCT FROM m THEN
            m := r.stretch; columns := bemi._identity_columns(m);
        END IF;
        change := r.change; known_till := r.known_till;
        IF change.operation = 'TRUNCATE' THEN
            RETURN QUERY SELECT * FROM bemi._truncated_rows(present, change, known_till);
            present := bemi._rows_beside(present, change);
            CONTINUE;
        END IF;
        identity := bemi._identity_of(change, columns);
        place := bemi._place_of(present, change, identity, r.unidentified);
        IF r.unidentified THEN
            unsure := unsure OR cardinality(present) > 0 AND bemi._may_be_any(m, change, identity);
            others := others + (place IS NULL AND change.primary_key IS NULL AND change.before = '{}')::integer;
            CONTINUE WHEN place IS NULL AND (change.primary_key = ANY (keys)) IS NOT TRUE;
        END IF;
        CONTINUE WHEN change.operation = 'SNAPSHOT' AND (present[place]).image::text = change.after::text;
        SELECT * INTO old, new, missing FROM bemi._version_after(m, change, present[place], r.unidentified);
        IF place IS NULL THEN
            rows := rows + 1; row_number := rows;
            IF asked IN (change.primary_key, change.previous_key) AND till = 9223372036854775807 THEN
                PERFORM bemi._tell_of_earlier(m, change, r.unidentified);
            END IF;
        ELSE
            row_number := (present[place]).row_number;
            present := present[:place - 1] || present[place + 1:];
        END IF;
        IF new IS NOT NULL THEN
            present := present || ROW(change.primary_key, row_number, new, coalesce(change.details->>'partition', ''))::bemi._present;
        END IF;
        RETURN NEXT;
        IF NOT change.primary_key = ANY (keys) THEN
            keys := keys || bemi.related_keys(m, change.primary_key);
            CLOSE records;
            OPEN records FOR SELECT * FROM bemi._records_of_keys(m, keys) k
                WHERE k.commit_position <= till AND (k.commit_position, k.sequence) > (change.commit_position, change.sequence)
                ORDER BY k.commit_position, k.sequence;
        END IF;
    END LOOP;
    CLOSE records;
    IF others > 0 AND till = 9223372036854775807 THEN
        RAISE NOTICE '% later changes of % have no key: row % may have come again with one of them', others,
            bemi.moment_text(m), asked;
    END IF;
END $$;
COMMENT ON FUNCTION bemi.versions_of(bemi.moment, text, bigint) IS
    'the records of a key with the number of the row of each, and what that row was before and after it';

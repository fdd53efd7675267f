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
    asked := bemi._key_of(m, asked);
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
    IF NOT FOUND THEN
        RAISE NOTICE 'no change of a row % of % is recorded', asked, bemi.moment_text(m);
    END IF;
END $$;
COMMENT ON FUNCTION bemi.history(text, text, text) IS
    'the versions of the rows that ever had a key, oldest first, followed through changes of key: from when to when each was the row, what changed, and in which context';

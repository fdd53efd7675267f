-- Who did what: transactions, and what belongs together by a key of the context.

-- The user that a context names, under the keys that are usual: those of an application first, then
-- the database's own. NULL where there is none.
CREATE OR REPLACE FUNCTION bemi.who(context jsonb)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        context OPERATOR(pg_catalog.->>) 'userId',
        context OPERATOR(pg_catalog.->>) 'user_id',
        context OPERATOR(pg_catalog.#>>) '{user,id}',
        context OPERATOR(pg_catalog.->>) 'user',
        context OPERATOR(pg_catalog.->>) 'actor',
        context OPERATOR(pg_catalog.->>) 'email',
        context OPERATOR(pg_catalog.#>>) '{session,user}')
$$;
COMMENT ON FUNCTION bemi.who(jsonb) IS
    'the user that a context names: its userId, user_id, user.id, user, actor, email or session.user, the first that there is';

CREATE OR REPLACE FUNCTION bemi.first_of(earlier jsonb, later jsonb)
RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT earlier';
COMMENT ON FUNCTION bemi.first_of(jsonb, jsonb) IS 'the first of two; for the aggregate bemi.first';

CREATE OR REPLACE AGGREGATE bemi.first(jsonb) (SFUNC = bemi.first_of, STYPE = jsonb);
COMMENT ON AGGREGATE bemi.first(jsonb) IS 'the first value in the order given that is not null';

-- A time range is found by the index on committed_at; without one, all changes are read. It shows what whoever asks
-- may read of `changes`, by row security too.
CREATE OR REPLACE VIEW bemi.activity WITH (security_invoker = true) AS
SELECT c.committed_at,
    bemi.who(bemi.first(c.context ORDER BY c.sequence)) AS who,
    c.database,
    c.transaction_id,
    pg_catalog.array_agg(DISTINCT pg_catalog.quote_ident(c.schema) || '.'
        || pg_catalog.quote_ident(c."table")) FILTER (WHERE c.operation <> 'MESSAGE') AS tables,
    pg_catalog.count(*) AS changes,
    pg_catalog.count(*) FILTER (WHERE c.operation = 'CREATE') AS creates,
    pg_catalog.count(*) FILTER (WHERE c.operation = 'UPDATE') AS updates,
    pg_catalog.count(*) FILTER (WHERE c.operation = 'DELETE') AS deletes,
    pg_catalog.count(*) FILTER (WHERE c.operation = 'TRUNCATE') AS truncates,
    pg_catalog.count(*) FILTER (WHERE c.operation = 'MESSAGE') AS messages,
    bemi.first(c.context ORDER BY c.sequence) AS context,
    pg_catalog.count(DISTINCT c.context) AS contexts,
    c.commit_position
FROM @schema@.changes c
WHERE c.operation <> 'SNAPSHOT'
GROUP BY c.committed_at, c.database, c.transaction_id, c.commit_position;
COMMENT ON VIEW bemi.activity IS
    'one row per transaction: when, who (bemi.who of its first context), which tables, how many of each operation; context is that of its first change, contexts how many different ones it had';

-- One row for each value that the key of the context has, the latest first.
CREATE OR REPLACE FUNCTION bemi.activity_by(key text,
    since timestamptz DEFAULT '-infinity', till timestamptz DEFAULT 'infinity')
RETURNS TABLE (value text, transactions bigint, changes bigint, tables text[], creates bigint,
    updates bigint, deletes bigint, truncates bigint, first_at timestamptz, last_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
    path text[] := string_to_array(activity_by.key, '.');
BEGIN
    IF activity_by.key IS NULL OR since IS NULL OR till IS NULL THEN
        RAISE EXCEPTION 'key, since and till must not be null' USING ERRCODE = 'null_value_not_allowed';
    ELSIF since >= till THEN
        RAISE EXCEPTION 'no time is both from % on and before %', bemi.time_text(since), bemi.time_text(till)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    SELECT v.value, count(DISTINCT coalesce(c.commit_position, -c.transaction_id)), count(*),
        array_agg(DISTINCT quote_ident(c.schema) || '.' || quote_ident(c."table"))
            FILTER (WHERE c.operation <> 'MESSAGE'),
        count(*) FILTER (WHERE c.operation = 'CREATE'),
        count(*) FILTER (WHERE c.operation = 'UPDATE'),
        count(*) FILTER (WHERE c.operation = 'DELETE'),
        count(*) FILTER (WHERE c.operation = 'TRUNCATE'),
        min(c.committed_at), max(c.committed_at)
    FROM @schema@.changes c,
        LATERAL (SELECT coalesce(c.context->>activity_by.key, c.context#>>path) AS value) v
    WHERE c.committed_at >= since AND c.committed_at < till AND c.operation <> 'SNAPSHOT'
        AND v.value IS NOT NULL
    GROUP BY v.value
    ORDER BY 10 DESC, 1;
    IF NOT FOUND THEN
        RAISE NOTICE 'no context of these changes has a key "%"', activity_by.key;
    END IF;
END $$;
COMMENT ON FUNCTION bemi.activity_by(text, timestamptz, timestamptz) IS
    'what was done under each value of a key of the context, from since until before till, the latest first; the key may be a path such as session.user';

-- Replica identity full, and back: one table, or one partitioned table with all its partitions.

-- The table `changes` of bemi_ingest or a partition of it, where the source is its own destination.
CREATE FUNCTION bemi._is_history(relation regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.oid = coalesce(pg_partition_root(relation), relation)
          AND c.relname = 'changes' AND a.attname = 'commit_position')
$$;
COMMENT ON FUNCTION bemi._is_history(regclass) IS
'internal: whether this is where bemi_ingest stores changes';

-- Why an action on this relation makes no sense, and what does; no row where it does make sense.
-- 'prepare' is to track what is not asked for by name. An unlogged table gets its identity then,
-- which costs nothing as long as nothing is logged: no command tells that it was made a logged one.
CREATE FUNCTION bemi._obstacle(relation regclass, action text, OUT supported_not_for text, OUT hint text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.supported_not_for, o.hint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (VALUES
        (c.relkind IN ('v', 'm'), 'views', 'Name the tables that it reads.'),
        (c.relkind = 'f', 'foreign tables', 'Its changes can be recorded on the server that stores it.'),
        (c.relkind NOT IN ('r', 'p'), 'relations other than tables', 'Name a table.'),
        (n.nspname IN ('pg_catalog', 'information_schema', 'bemi'), format('tables in schema "%s"', n.nspname),
         'What changes in this schema is never emitted.'),
        (action IN ('track', 'prepare') AND bemi._is_history(c.oid), 'the table that bemi_ingest writes',
         'What changes in it is never emitted.'),
        (c.relpersistence = 't' AND action IN ('track', 'prepare'), 'temporary tables',
         'PostgreSQL does not log their changes: use a permanent table.'),
        (c.relpersistence = 'u' AND action = 'track', 'unlogged tables',
         format('Have PostgreSQL log its changes first: ALTER TABLE %s SET LOGGED;', relation))
    ) AS o (applies, supported_not_for, hint)
    WHERE c.oid = relation AND o.applies
    LIMIT 1
$$;
COMMENT ON FUNCTION bemi._obstacle(regclass, text) IS
'internal: why a relation cannot be tracked or untracked';

CREATE FUNCTION bemi._require_table(relation regclass, action text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    obstacle record;
BEGIN
    IF relation IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'relation must not be null';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = relation) THEN
        RAISE undefined_table USING MESSAGE = format('relation with OID %s does not exist', relation::oid);
    END IF;
    SELECT * INTO obstacle FROM bemi._obstacle(relation, action);
    IF FOUND THEN
        RAISE wrong_object_type USING
            MESSAGE = format('cannot %s relation %s', action, relation),
            DETAIL = format('This operation is not supported for %s.', obstacle.supported_not_for),
            HINT = obstacle.hint;
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._require_table(regclass, text) IS
'internal: raises an error where a relation cannot be tracked or untracked';

-- Replica identity full, unless UPDATE and DELETE of the table would fail from then on: why, and the
-- way out. Takes ACCESS EXCLUSIVE, so it leaves alone what is full already.
CREATE FUNCTION bemi._make_full(relation regclass, OUT reason text, OUT fix text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT f.reason, f.fix INTO reason, fix FROM bemi._full_faults(ARRAY[relation], false) f ORDER BY f.reason LIMIT 1;
    IF EXISTS (SELECT FROM pg_class WHERE oid = relation AND relreplident = 'f') THEN
        PERFORM bemi._note_identity(relation);
    ELSIF reason IS NULL THEN
        PERFORM bemi._note_identity(relation);
        EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY FULL', relation);
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._make_full(regclass) IS
'internal: replica identity full for this one table, unless that would make its UPDATE and DELETE fail';

-- The way back, unless only that would make them fail (a publication made since may need the whole row).
CREATE FUNCTION bemi._restore_identity(relation regclass, OUT reason text, OUT fix text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    previous record;
BEGIN
    SELECT * INTO previous FROM bemi._previous_identity(relation);
    IF previous.identity <> 'FULL' THEN
        SELECT f.reason, f.fix INTO reason, fix FROM bemi._key_faults(relation, previous.key) f
        WHERE NOT EXISTS (SELECT FROM bemi._full_faults(ARRAY[relation], false)) ORDER BY f.reason LIMIT 1;
        IF reason IS NOT NULL THEN
            RETURN;
        END IF;
        EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY %s', relation, previous.identity);
    END IF;
    PERFORM bemi._forget_identity(relation);
END
$$;
COMMENT ON FUNCTION bemi._restore_identity(regclass) IS
'internal: gives one table the identity back that it had, unless that would make its UPDATE and DELETE fail';

CREATE FUNCTION bemi._warn_of_fault(message text, identity text, reason text, fix text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE WARNING USING
        MESSAGE = message,
        DETAIL = format('With %s, UPDATE and DELETE fail: %s.', identity, reason),
        HINT = fix;
END
$$;
COMMENT ON FUNCTION bemi._warn_of_fault(text, text, text, text) IS
'internal: says why a table keeps its replica identity';

CREATE FUNCTION bemi._track_member(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fault record;
BEGIN
    SELECT * INTO fault FROM bemi._make_full(relation);
    IF fault.reason IS NOT NULL THEN
        PERFORM bemi._warn_of_fault(
            CASE (SELECT relreplident FROM pg_class WHERE oid = relation)
                WHEN 'f' THEN format('relation %s had replica identity full before', relation)
                ELSE format('relation %s is not tracked', relation) END,
            'replica identity full', fault.reason, fault.fix);
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._track_member(regclass) IS
'internal: tracks one table, or warns of why it is left alone';

-- The relation itself, and all its partitions, parents first.
CREATE FUNCTION bemi._with_partitions(relation regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(t.relid, relation)
    FROM (SELECT) one LEFT JOIN pg_partition_tree(relation) t ON true
    ORDER BY t.level, t.relid
$$;
COMMENT ON FUNCTION bemi._with_partitions(regclass) IS
'internal: a table and its partitions, parents first';

CREATE FUNCTION bemi.track(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member regclass;
    obstacle record;
BEGIN
    PERFORM bemi._require_table(relation, 'track');
    -- The partitioned table first: under its lock nobody attaches a partition that we don't see,
    -- and once it is full, the event trigger takes care of those that come later.
    IF EXISTS (SELECT FROM pg_class WHERE oid = relation AND relkind = 'p') THEN
        PERFORM bemi._make_full(relation);
    END IF;
    FOR member IN SELECT bemi._with_partitions(relation) LOOP
        SELECT * INTO obstacle FROM bemi._obstacle(member, 'track');
        IF FOUND THEN
            RAISE WARNING USING
                MESSAGE = format('partition %s is not tracked', member),
                DETAIL = format('This operation is not supported for %s.', obstacle.supported_not_for),
                HINT = obstacle.hint;
        END IF;
        IF NOT EXISTS (SELECT FROM bemi._obstacle(member, 'prepare')) THEN
            PERFORM bemi._track_member(member);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION bemi.track(regclass) IS
'replica identity full for a table, or for a partitioned table and its partitions, later ones included; a table whose UPDATE or DELETE would fail then is left alone, with a WARNING';

CREATE FUNCTION bemi.untrack(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member regclass;
    fault record;
BEGIN
    PERFORM bemi._require_table(relation, 'untrack');
    FOR member IN
        SELECT c.oid FROM bemi._with_partitions(relation) m JOIN pg_class c ON c.oid = m
        WHERE c.relreplident = 'f'
    LOOP
        SELECT * INTO fault FROM bemi._restore_identity(member);
        IF fault.reason IS NOT NULL THEN
            PERFORM bemi._warn_of_fault(format('relation %s keeps replica identity full', member),
                'its former replica identity', fault.reason, fault.fix);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION bemi.untrack(regclass) IS
'gives a table and its partitions the replica identity back that they had before bemi.track; the default where that is not known';

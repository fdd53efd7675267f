-- Replica identity full, and back: one table, or one partitioned table with all its partitions.

-- What each table had when it was tracked, which untrack gives back: the default (d), the whole row
-- already (f), an index (i) or nothing (n). A table without a row here was not tracked by this
-- extension, or its row is in no dump of the schema alone.
-- Names, not OIDs: they survive a dump, and a table that is left out of it does no harm.
CREATE TABLE bemi.previous_identities (
    table_schema name,
    table_name name,
    identity "char" NOT NULL CHECK (identity IN ('d', 'f', 'i', 'n')),
    index_name name,
    PRIMARY KEY (table_schema, table_name)
);
COMMENT ON TABLE bemi.previous_identities IS
'what bemi.untrack gives back: the identity that tables had when they were tracked, default (d), full (f), an index (i) or nothing (n)';
GRANT SELECT ON bemi.previous_identities TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('bemi.previous_identities', '');

-- SECURITY DEFINER, so that owners of tables need no right to write bemi.previous_identities. These
-- two take no value from their caller: they write down what the catalog says, and only for the
-- table's owner, so that nobody else can hold a lock on the row.
CREATE FUNCTION bemi._note_identity(relation regclass) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM bemi.previous_identities p
    USING pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = relation AND c.relreplident <> 'f'
      AND pg_has_role(session_user, c.relowner, 'MEMBER')
      AND p.table_schema = n.nspname AND p.table_name = c.relname;

    INSERT INTO bemi.previous_identities
    SELECT n.nspname, c.relname, c.relreplident, i.relname
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_index x ON x.indrelid = c.oid AND x.indisreplident AND c.relreplident = 'i'
    LEFT JOIN pg_class i ON i.oid = x.indexrelid
    WHERE c.oid = relation AND pg_has_role(session_user, c.relowner, 'MEMBER')
    ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION bemi._note_identity(regclass) IS
'internal: remembers the replica identity of a table that is about to be tracked';

CREATE FUNCTION bemi._forget_identity(relation regclass) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM bemi.previous_identities p
    USING pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = relation AND pg_has_role(session_user, c.relowner, 'MEMBER')
      AND p.table_schema = n.nspname AND p.table_name = c.relname
$$;
COMMENT ON FUNCTION bemi._forget_identity(regclass) IS
'internal: forgets the replica identity that a table had before it was tracked';

-- The indexes that PostgreSQL takes as a replica identity, and their columns.
CREATE FUNCTION bemi._identity_indexes(relation regclass)
RETURNS TABLE (index_name name, is_primary boolean, key name[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT i.relname, x.indisprimary, k.key
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    CROSS JOIN LATERAL (
        SELECT array_agg(a.attname), bool_and(a.attnotnull IS TRUE AND NOT EXISTS (
            -- Not proven yet of the rows that are there: 18 has such constraints, 19 minds them.
            SELECT FROM pg_constraint n
            WHERE current_setting('server_version_num')::int >= 190000
              AND n.conrelid = x.indrelid AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum] AND NOT n.convalidated))
        FROM generate_series(0, x.indnkeyatts - 1) position
        LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[position]
    ) AS k (key, is_not_null)
    WHERE x.indrelid = relation AND x.indisunique AND x.indimmediate AND x.indisvalid
      AND x.indpred IS NULL AND k.is_not_null
$$;
COMMENT ON FUNCTION bemi._identity_indexes(regclass) IS
'internal: the indexes of a table that can be its replica identity';

-- What goes after REPLICA IDENTITY to undo bemi.track, and the columns that it consists of (null:
-- none). An index that would be refused by now (dropped, no longer unique, a column made nullable)
-- must not keep a table from being untracked.
CREATE FUNCTION bemi._previous_identity(relation regclass, OUT identity text, OUT key name[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        CASE
            WHEN p.identity = 'f' THEN 'FULL'
            WHEN p.identity = 'n' THEN 'NOTHING'
            WHEN i.index_name IS NOT NULL THEN 'USING INDEX ' || quote_ident(i.index_name)
            ELSE 'DEFAULT'
        END,
        CASE WHEN p.identity IN ('f', 'n') THEN NULL ELSE coalesce(i.key, k.key) END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN bemi.previous_identities p ON p.table_schema = n.nspname AND p.table_name = c.relname
    LEFT JOIN bemi._identity_indexes(relation) i ON p.identity = 'i' AND i.index_name = p.index_name
    LEFT JOIN bemi._identity_indexes(relation) k ON k.is_primary
    WHERE c.oid = relation
$$;
COMMENT ON FUNCTION bemi._previous_identity(regclass) IS
'internal: the replica identity that bemi.untrack gives back, and its columns';

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

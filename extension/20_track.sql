-- Replica identity full, and back: one table, or one partitioned table with all its partitions.

-- The rare table that had an identity of its own choice (an index, or none) gets that one back.
-- Names, not OIDs: they survive a dump, and a table that is left out of it does no harm.
CREATE TABLE bemi.previous_identities (
    table_schema name,
    table_name name,
    identity "char" NOT NULL CHECK (identity IN ('i', 'n')),
    index_name name,
    PRIMARY KEY (table_schema, table_name)
);
COMMENT ON TABLE bemi.previous_identities IS
'what bemi.untrack gives back: the identity of tables that had an index (i) or nothing (n) when they were tracked';
GRANT SELECT ON bemi.previous_identities TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('bemi.previous_identities', '');

-- SECURITY DEFINER, so that owners of tables need no right to write bemi.previous_identities. It
-- takes no value from its caller: it writes down what the catalog says, and only for the table's
-- owner, so that nobody else can hold a lock on the row.
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
    LEFT JOIN pg_index x ON x.indrelid = c.oid AND x.indisreplident
    LEFT JOIN pg_class i ON i.oid = x.indexrelid
    WHERE c.oid = relation AND c.relreplident IN ('i', 'n')
      AND pg_has_role(session_user, c.relowner, 'MEMBER')
    ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION bemi._note_identity(regclass) IS
'internal: remembers a replica identity that is an index or nothing';

-- What goes after REPLICA IDENTITY to undo bemi.track. An index that would be refused by now
-- (dropped, no longer unique, a column made nullable) must not keep a table from being untracked.
CREATE FUNCTION bemi._previous_identity(relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce((
        SELECT CASE p.identity WHEN 'n' THEN 'NOTHING' ELSE 'USING INDEX ' || quote_ident(i.relname) END
        FROM bemi.previous_identities p
        JOIN pg_namespace n ON n.nspname = p.table_schema
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.table_name
        LEFT JOIN pg_index x ON x.indrelid = c.oid AND x.indisunique AND x.indimmediate
            AND x.indisvalid AND x.indpred IS NULL
            AND NOT EXISTS (
                SELECT FROM generate_series(0, x.indnkeyatts - 1) k
                LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[k]
                WHERE a.attnotnull IS NOT TRUE)
        LEFT JOIN pg_class i ON i.oid = x.indexrelid
        WHERE c.oid = relation AND (p.identity = 'n' OR i.relname = p.index_name)
        LIMIT 1), 'DEFAULT')
$$;
COMMENT ON FUNCTION bemi._previous_identity(regclass) IS
'internal: the replica identity that bemi.untrack gives back';

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

-- Takes ACCESS EXCLUSIVE, so it leaves alone what is full already.
CREATE FUNCTION bemi._make_full(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_class WHERE oid = relation AND relreplident <> 'f') THEN
        PERFORM bemi._note_identity(relation);
        EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY FULL', relation);
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._make_full(regclass) IS
'internal: replica identity full for this one table';

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
    PERFORM bemi._make_full(relation);
    FOR member IN SELECT bemi._with_partitions(relation) LOOP
        SELECT * INTO obstacle FROM bemi._obstacle(member, 'track');
        IF FOUND THEN
            RAISE WARNING USING
                MESSAGE = format('partition %s is not tracked', member),
                DETAIL = format('This operation is not supported for %s.', obstacle.supported_not_for),
                HINT = obstacle.hint;
        END IF;
        IF NOT EXISTS (SELECT FROM bemi._obstacle(member, 'prepare')) THEN
            PERFORM bemi._make_full(member);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION bemi.track(regclass) IS
'replica identity full for a table, or for a partitioned table and its partitions, later ones included';

CREATE FUNCTION bemi.untrack(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member regclass;
BEGIN
    PERFORM bemi._require_table(relation, 'untrack');
    FOR member IN
        SELECT c.oid FROM bemi._with_partitions(relation) m JOIN pg_class c ON c.oid = m
        WHERE c.relreplident = 'f'
    LOOP
        EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY %s', member, bemi._previous_identity(member));
        PERFORM bemi._note_identity(member);
    END LOOP;
END
$$;
COMMENT ON FUNCTION bemi.untrack(regclass) IS
'gives a table and its partitions the replica identity back that they had before bemi.track';

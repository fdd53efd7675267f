-- The memory of the replica identities that tables had before they were tracked, and what can be one.

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

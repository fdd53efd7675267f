-- What a replica identity does to tables that are published. PostgreSQL refuses each UPDATE and
-- DELETE of a table while a publication could not hand on the old row's identity: under replica
-- identity full a column list is in the way, and from 18 on a generated column that is not
-- published; under any other one, columns of the identity that are not published, row filters on
-- other columns, or no identity at all. So whoever changes an identity looks here first: no
-- statement of an application that worked may fail afterwards. The rules are the server's own
-- (15 to 19); t/043_published_tables.pl holds them against what the server does.

-- What pg_publication_rel and pg_publication_namespace say of these relations and schemas. Columns
-- and tables that only newer servers have are looked up where they are there.
CREATE FUNCTION bemi._publication_entries(relations oid[])
RETURNS TABLE (publication oid, relation oid, excepted boolean, columns int2[], filter pg_node_tree)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('server_version_num')::int < 150000 THEN
        RETURN QUERY SELECT e.prpubid, e.prrelid, false, NULL::int2[], NULL::pg_node_tree
        FROM pg_publication_rel e WHERE e.prrelid = ANY (relations);
        RETURN;
    END IF;
    RETURN QUERY SELECT e.prpubid, e.prrelid, coalesce(to_jsonb(e)->>'prexcept' = 'true', false),
        e.prattrs::int2[], e.prqual
    FROM pg_publication_rel e WHERE e.prrelid = ANY (relations);
    RETURN QUERY SELECT s.pnpubid, c.oid, false, NULL::int2[], NULL::pg_node_tree
    FROM pg_publication_namespace s JOIN pg_class c ON c.relnamespace = s.pnnspid
    WHERE c.oid = ANY (relations);
END
$$;
COMMENT ON FUNCTION bemi._publication_entries(oid[]) IS
'internal: which publications name these relations or their schemas, with column lists and row filters';

-- Each of these tables (logged ones alone), and what it is a partition of, from 0 up.
CREATE FUNCTION bemi._partition_lines(relations regclass[])
RETURNS TABLE (oid oid, ancestor oid, level bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH asked AS (
        SELECT r.oid, r.relispartition FROM pg_class r
        WHERE r.oid = ANY (relations) AND r.relkind = 'r' AND r.relpersistence = 'p'
    )
    SELECT r.oid, r.oid, 0::bigint FROM asked r
    UNION
    SELECT r.oid, a.relid, a.level
    FROM asked r CROSS JOIN pg_partition_ancestors(r.oid) WITH ORDINALITY a (relid, level)
    WHERE r.relispartition AND a.relid <> r.oid
$$;
COMMENT ON FUNCTION bemi._partition_lines(regclass[]) IS
'internal: tables, with what they are partitions of';

CREATE FUNCTION bemi._attribute_names(relation oid, numbers int2[]) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum = ANY (numbers))
$$;
COMMENT ON FUNCTION bemi._attribute_names(oid, int2[]) IS
'internal: the names of attributes';

-- A row for each of the tables and each publication of its UPDATEs or DELETEs. Of a partition that
-- is published as its topmost published ancestor, the ancestor's entry counts; where publishing is
-- by partition, only its own. columns is null where there is no column list; attributes are named,
-- as numbers differ between a table and its partitions.
CREATE FUNCTION bemi._published(relations regclass[])
RETURNS TABLE (relation regclass, publication name, for_all boolean, published_as regclass,
               columns name[], filter text, filter_columns name[], generated text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM pg_publication p WHERE p.pubupdate OR p.pubdelete) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH line AS MATERIALIZED (
        SELECT l.* FROM bemi._partition_lines(relations) l
    ), entry AS MATERIALIZED (
        SELECT e.* FROM bemi._publication_entries(array(SELECT DISTINCT l.ancestor FROM line l)) e
    ), member AS (
        SELECT l.oid, e.publication, max(l.level) AS top, bool_or(e.excepted) AS excepted
        FROM line l JOIN entry e ON e.relation = l.ancestor
        GROUP BY l.oid, e.publication
        UNION ALL
        SELECT l.oid, p.oid, 0, false
        FROM line l CROSS JOIN pg_publication p
        WHERE l.level = 0 AND p.puballtables AND NOT EXISTS (
            SELECT FROM line a JOIN entry e ON e.relation = a.ancestor
            WHERE a.oid = l.oid AND e.publication = p.oid)
    )
    SELECT m.oid::regclass, p.pubname, p.puballtables, l.ancestor::regclass,
        CASE WHEN e.columns IS NOT NULL THEN bemi._attribute_names(l.ancestor, e.columns) END,
        pg_get_expr(e.filter, l.ancestor),
        CASE WHEN e.filter IS NOT NULL THEN bemi._attribute_names(l.ancestor, array(
            SELECT v[1]::int2 FROM regexp_matches(e.filter::text, ':varattno (\d+)', 'g') v)) END,
        to_jsonb(p)->>'pubgencols'
    FROM member m
    JOIN pg_publication p ON p.oid = m.publication AND (p.pubupdate OR p.pubdelete)
    JOIN line l ON l.oid = m.oid AND l.level = CASE WHEN p.pubviaroot THEN m.top ELSE 0 END
    LEFT JOIN entry e ON e.publication = p.oid AND e.relation = l.ancestor
        AND (e.columns IS NOT NULL OR e.filter IS NOT NULL)
    WHERE NOT m.excepted;
END
$$;
COMMENT ON FUNCTION bemi._published(regclass[]) IS
'internal: the publications of these tables'' UPDATEs and DELETEs, and what of the rows they publish';

-- What a subscription writes here is found by the identity's index, or else by the primary key.
CREATE FUNCTION bemi._subscription_faults(relations regclass[])
RETURNS TABLE (relation regclass, reason text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.oid::regclass, 'a subscription finds its rows by the replica identity index, and it has no primary key',
        format('ALTER TABLE %s ADD PRIMARY KEY (...);', c.oid::regclass)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ANY (relations) AND c.relkind = 'r' AND (c.relreplident = 'i' OR EXISTS (
              SELECT FROM bemi.previous_identities p
              WHERE p.table_schema = n.nspname AND p.table_name = c.relname AND p.identity = 'i'))
      AND NOT EXISTS (SELECT FROM pg_index k WHERE k.indrelid = c.oid AND k.indisprimary AND k.indimmediate)
      AND (EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = c.oid)
           OR c.relispartition AND EXISTS (
               SELECT FROM pg_partition_ancestors(c.oid) a JOIN pg_subscription_rel s ON s.srrelid = a.relid))
$$;
COMMENT ON FUNCTION bemi._subscription_faults(regclass[]) IS
'internal: why replica identity full makes a subscription into these tables fail, and the way out';

-- Why replica identity full would make (or makes) UPDATE and DELETE fail, and the way out; no row
-- where it does not. from_18: by the rules of 18 and later, and with publications as an upgrade
-- makes them.
CREATE FUNCTION bemi._full_faults(relations regclass[], from_18 boolean)
RETURNS TABLE (relation regclass, reason text, fix text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    -- Where nothing is published and nothing subscribed to, nothing can be in the way.
    IF NOT EXISTS (SELECT FROM pg_publication) AND NOT EXISTS (SELECT FROM pg_subscription_rel) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT p.relation, f.reason, f.fix
    FROM bemi._published(relations) p
    CROSS JOIN LATERAL (
        SELECT coalesce(bool_or(a.attgenerated = 's'), false), coalesce(bool_or(a.attgenerated = 'v'), false)
        FROM pg_attribute a
        WHERE a.attrelid = p.relation AND a.attnum > 0 AND NOT a.attisdropped
    ) AS has (stored, virtual)
    CROSS JOIN LATERAL (VALUES
        (p.columns IS NOT NULL,
         format('publication "%s" has a column list for it', p.publication),
         format('ALTER PUBLICATION %1$I DROP TABLE %2$s; ALTER PUBLICATION %1$I ADD TABLE %2$s%3$s; '
                '-- subscribers then get all its columns', p.publication, p.published_as, ' WHERE (' || p.filter || ')')),
        (has.stored AND coalesce(p.generated, CASE WHEN from_18 THEN 'n' END) <> 's',
         format('publication "%s" does not publish its generated columns', p.publication),
         format('ALTER PUBLICATION %I SET (publish_generated_columns = stored); '
                '-- subscribers then get these columns, and need ordinary ones for them', p.publication)),
        (has.virtual AND p.generated IS NOT NULL,
         format('publication "%s" publishes it, and cannot publish its virtual columns', p.publication),
         format(CASE WHEN p.for_all
             THEN '-- publication "%s" must leave table %s out: FOR ALL TABLES EXCEPT (TABLE ...), from 19 on, or FOR TABLE with the others'
             ELSE '-- publication "%s" must leave table %s out, or publish neither UPDATE nor DELETE' END,
             p.publication, p.relation))
    ) AS f (applies, reason, fix)
    WHERE f.applies
UNION ALL
    SELECT w.relation, w.reason, w.fix FROM bemi._subscription_faults(relations) w;
END
$$;
COMMENT ON FUNCTION bemi._full_faults(regclass[], boolean) IS
'internal: why replica identity full makes UPDATE and DELETE of these tables fail, and the way out';

-- The same for an identity that consists of these columns; null: there is no identity.
CREATE FUNCTION bemi._key_faults(relation regclass, key name[])
RETURNS TABLE (reason text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.reason, f.fix
    FROM bemi._published(ARRAY[relation]) p
    CROSS JOIN LATERAL (VALUES
        (key IS NULL,
         format('publication "%s" publishes its changes, and it would have no replica identity', p.publication),
         format('ALTER TABLE %s ADD PRIMARY KEY (...);', relation)),
        (NOT p.filter_columns <@ key,
         format('publication "%s" has a row filter for it that reads columns outside of the replica identity', p.publication),
         format('ALTER PUBLICATION %I DROP TABLE %s; -- or give it another row filter', p.publication, p.published_as)),
        (p.columns IS NOT NULL AND NOT key <@ p.columns,
         format('the column list of publication "%s" lacks columns of the replica identity', p.publication),
         format('ALTER PUBLICATION %I DROP TABLE %s; -- or give it another column list', p.publication, p.published_as)),
        (p.columns IS NULL AND p.generated <> 's' AND EXISTS (
             SELECT FROM pg_attribute a
             WHERE a.attrelid = relation AND a.attname = ANY (key) AND a.attgenerated <> ''),
         format('publication "%s" does not publish generated columns, and the replica identity has one', p.publication),
         format('ALTER PUBLICATION %I SET (publish_generated_columns = stored);', p.publication))
    ) AS f (applies, reason, fix)
    WHERE f.applies
$$;
COMMENT ON FUNCTION bemi._key_faults(regclass, name[]) IS
'internal: why UPDATE and DELETE of a table would fail if these columns were its replica identity';

-- Tables whose records are poorer than they could be: why, and what mends it. Functions are
-- qualified and get arguments of their own types: what else is in the schema when the extension is
-- created must not come in between.

CREATE VIEW bemi.untracked AS
WITH emitted AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident,
        k.indimmediate AS key_is_logged,
        EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisreplident) AS has_index,
        -- what primary_key is made of, by the decoder's rule (docs/images.md)
        EXISTS (
            SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indislive AND x.indisvalid AND (x.indisprimary
                OR x.indisunique AND x.indimmediate AND x.indpred IS NULL AND x.indexprs IS NULL
                    AND NOT EXISTS (
                        SELECT FROM pg_catalog.generate_series(0, x.indnkeyatts - 1) AS position
                        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[position]
                        -- 18 and later have constraints that are NOT VALID: there may be nulls
                        WHERE NOT a.attnotnull OR EXISTS (
                            SELECT FROM pg_constraint n WHERE n.conrelid = c.oid AND n.contype = 'n'
                              AND n.conkey = ARRAY[a.attnum] AND NOT n.convalidated))
                    AND (c.relreplident = 'i' AND x.indisreplident OR NOT c.relispartition OR EXISTS (
                        SELECT FROM pg_index root WHERE root.indexrelid = pg_catalog.pg_partition_root(x.indexrelid)
                          AND root.indrelid = pg_catalog.pg_partition_root(c.oid))))
        ) AS has_key
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_index k ON k.indrelid = c.oid AND k.indisprimary
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'bemi')
      -- bemi_ingest's own, where the source is its own destination
      AND NOT ((SELECT r.relname FROM pg_class r WHERE r.oid = coalesce(pg_catalog.pg_partition_root(c.oid), c.oid)) = 'changes' AND EXISTS (
          SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'commit_position'))
), left_alone AS MATERIALIZED (
    SELECT f.relation, pg_catalog.min(f.reason) AS reason, pg_catalog.string_agg(f.fix, E'\n') AS fix
    FROM bemi._full_faults(ARRAY(SELECT e.oid::regclass FROM emitted e WHERE e.relreplident <> 'f'), false) f
    GROUP BY f.relation
)
SELECT e.nspname AS schema, e.relname AS "table", 'replica identity full' AS lacks,
    CASE
        WHEN l.reason IS NOT NULL THEN pg_catalog.format('with it, UPDATE and DELETE would fail: %s', l.reason)
        WHEN e.relkind = 'p' THEN 'partitions made later will not be tracked'
        WHEN e.relreplident = 'd' AND e.key_is_logged THEN 'before holds only the primary key'
        WHEN e.relreplident = 'i' AND e.has_index THEN 'before holds only the columns of the replica identity index'
        ELSE 'before is empty'
    END AS reason,
    pg_catalog.concat_ws(E'\n', l.fix,
        pg_catalog.format('SELECT bemi.track(%L::regclass);', pg_catalog.format('%I.%I', e.nspname, e.relname))) AS fix
FROM emitted e LEFT JOIN left_alone l ON l.relation = e.oid
WHERE e.relreplident <> 'f'
UNION ALL
SELECT e.nspname, e.relname, 'key', 'primary_key is null: no primary key, and no unique index that tells all rows apart',
    pg_catalog.format('ALTER TABLE %I.%I ADD PRIMARY KEY (...);', coalesce(rn.nspname, e.nspname), coalesce(r.relname, e.relname))
FROM emitted e
LEFT JOIN pg_class r ON r.oid = pg_catalog.pg_partition_root(e.oid)
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE e.relkind = 'r' AND NOT e.has_key;

COMMENT ON VIEW bemi.untracked IS
'emitted tables without replica identity full or without a key (a primary key, or a unique index that tells all rows apart): what that costs, and the statement that mends it';
GRANT SELECT ON bemi.untracked TO PUBLIC;

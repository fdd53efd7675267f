-- Reversion. Which changes to undo, or to do again: what revert_sql, replay_sql and revert share.
-- What starts with an underscore is internal.

-- The condition on rows of `changes` (under the alias c) that a selection is. It names only what was
-- asked for, as literals, so that each of them finds its index. Errors: 22023.
CREATE OR REPLACE FUNCTION bemi._selection(context jsonb, transaction_id bigint, change_ids uuid[],
    table_name text, since timestamptz, until timestamptz, of_database text)
RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
    parts text[] := ARRAY(SELECT format(condition, value) FROM (VALUES
        ('c.context @> %L::pg_catalog.jsonb', context::text),
        ('c.transaction_id = %L::pg_catalog.int8', transaction_id::text),
        ('c.id = ANY (%L::pg_catalog.uuid[])', change_ids::text),
        ('c.committed_at >= %L::pg_catalog.timestamptz', since::text),
        ('c.committed_at < %L::pg_catalog.timestamptz', until::text)) p (condition, value)
        WHERE value IS NOT NULL);
    found record;
    beside integer[];
BEGIN
    IF context IN ('{}', '[]') THEN
        RAISE EXCEPTION 'the context % would select every change', context
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF cardinality(parts) = 0 AND table_name IS NULL THEN
        RAISE EXCEPTION 'nothing says which changes are meant'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give one or more of context,'
                ' transaction_id, change_ids, table, since and until.';
    END IF;
    IF table_name IS NOT NULL THEN
        SELECT * INTO found FROM bemi.find_table(table_name, of_database);
        parts := parts || format('c."table" = %L AND c.schema = %L AND c.database = %L',
            found."table", found.schema, found.database);
    ELSIF of_database IS NOT NULL THEN
        -- The name of a slot is as good.
        SELECT p.database, p.slot INTO found FROM bemi.progress p WHERE p.slot = of_database
            AND (p.database = of_database
                OR NOT EXISTS (SELECT FROM bemi.progress d WHERE d.database = of_database));
        parts := parts || format('c.database = %L', coalesce(found.database, of_database));
    END IF;
    IF coalesce(table_name, of_database) IS NOT NULL THEN
        beside := bemi.sources_beside(found.database, found.slot);
        IF beside <> '{}' THEN
            parts := parts || format('bemi.change_source(c.id) <> ALL (%L::pg_catalog.int4[])', beside);
        END IF;
    END IF;
    RETURN array_to_string(parts, ' AND ');
END $$;
COMMENT ON FUNCTION bemi._selection(jsonb, bigint, uuid[], text, timestamptz, timestamptz, text) IS
    'condition on rows c of changes that a selection by context, transaction_id and so on is';

-- The query for the changes of a selection in the order in which they are undone (newest first) or
-- done again: number, change, and `touched`, the last number before it of the same transaction that had
-- to do with the row where the change left it. Rows of tables without a key are known by their images.
CREATE OR REPLACE FUNCTION bemi._selected_sql(selection text, forward boolean)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT format($query$
        WITH selected AS MATERIALIZED (
            SELECT c AS change, c.commit_position, c."table", c.schema, row_number()
                OVER (ORDER BY %2$s) AS number, coalesce(c.primary_key, md5(c.after::text)) AS left_at,
                coalesce(c.previous_key, md5(c.before::text)) AS came_from
            FROM @schema@.changes c WHERE %1$s AND c.operation IN (%3$s)
        ), row_of AS (
            SELECT s.number, s.change, k.left_at, lag(s.number) OVER (PARTITION BY s.commit_position, s."table",
                s.schema, k.key ORDER BY s.number, k.left_at) AS touched
            FROM selected s, LATERAL (SELECT s.left_at, true UNION ALL SELECT s.came_from, false
                WHERE s.came_from IS DISTINCT FROM s.left_at) k (key, left_at)
        )
        SELECT r.number, r.change, r.touched FROM row_of r WHERE r.left_at ORDER BY r.number
    $query$, selection,
        CASE WHEN forward THEN 'c.commit_position, c.sequence'
            ELSE 'c.commit_position DESC, c.sequence DESC' END,
        CASE WHEN forward THEN $$'CREATE', 'UPDATE', 'DELETE', 'TRUNCATE', 'SNAPSHOT'$$
            ELSE $$'CREATE', 'UPDATE', 'DELETE', 'TRUNCATE'$$ END)
$body$;
COMMENT ON FUNCTION bemi._selected_sql(text, boolean) IS
    'query for the changes of a selection, in order: number, change, touched';

-- Text of somebody's making in a comment or a message: as it is where it is harmless, else quoted as
-- JSON quotes, so that it never ends the line.
CREATE OR REPLACE FUNCTION bemi._plain(value text)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT CASE WHEN value ~ '^[[:alnum:]_ .,:+-]{1,100}$' THEN value
        ELSE to_json("left"(value, 100))::text END);
END $$;
COMMENT ON FUNCTION bemi._plain(text) IS
    'text for a comment or a message, on one line';

-- The name of a column in a comment or a message, as SQL has it unless that would end the line.
CREATE OR REPLACE FUNCTION bemi._plain_name(name text)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN name ~ '[[:cntrl:]]' THEN to_json(name)::text ELSE quote_ident(name) END;
END $$;
COMMENT ON FUNCTION bemi._plain_name(text) IS
    'the name of a column for a comment or a message, on one line';

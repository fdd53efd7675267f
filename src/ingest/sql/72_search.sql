-- Changes by what is known of them.

-- The parts of a table's name as SQL writes it: schema (NULL where none is given) and table.
CREATE OR REPLACE FUNCTION bemi.search_name(name text, OUT schema text, OUT "table" text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
DECLARE
    parts text[] := parse_ident(name);
BEGIN
    IF array_length(parts, 1) > 2 THEN
        RAISE EXCEPTION 'name of a table has too many parts: %', name
            USING ERRCODE = 'invalid_name', HINT = 'Write schema.table, or a table''s name alone.';
    END IF;
    "table" := parts[array_length(parts, 1)];
    schema := parts[array_length(parts, 1) - 1];
END $$;
COMMENT ON FUNCTION bemi.search_name(text) IS
    'the parts of the name of a table; schema is null where none is given';

-- Conditions are only made of what is given, so that the planner sees no more than it must, and
-- every one that an index can serve is served: table and key by changes_row and changes_previous,
-- context by changes_context, values by changes_before and changes_after (--indexes full), times by
-- changes_time. A condition that picks few rows out is never left to a scan in the order of ids,
-- which a limit would otherwise tempt the planner to.
CREATE OR REPLACE FUNCTION bemi.search(
    "table" text DEFAULT NULL, primary_key text DEFAULT NULL, operation text DEFAULT NULL,
    since timestamptz DEFAULT NULL, till timestamptz DEFAULT NULL,
    context jsonb DEFAULT NULL, changed text DEFAULT NULL,
    before jsonb DEFAULT NULL, after jsonb DEFAULT NULL, value jsonb DEFAULT NULL,
    database text DEFAULT NULL, max_rows bigint DEFAULT NULL)
RETURNS SETOF @schema@.changes LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    name record := bemi.search_name("table");
    selective boolean := coalesce(primary_key, context::text, before::text, after::text,
        value::text, (till - since)::text) IS NOT NULL;
    conditions text := concat_ws(' AND ', 'true',
        CASE WHEN name."table" IS NOT NULL THEN 'c."table" = $1' END,
        CASE WHEN name.schema IS NOT NULL THEN 'c.schema = $2' END,
        -- under its old key, too: the change that gave it another
        CASE WHEN primary_key IS NOT NULL THEN '(c.primary_key = $3 OR c.previous_key = $3)' END,
        CASE WHEN primary_key IS NOT NULL AND "table" IS NULL
            THEN 'c."table" = ANY (bemi.search_tables())' END,
        CASE WHEN operation IS NOT NULL THEN 'c.operation = $4' END,
        CASE WHEN since IS NOT NULL THEN 'c.committed_at >= $5' END,
        CASE WHEN till IS NOT NULL THEN 'c.committed_at < $6' END,
        CASE WHEN context IS NOT NULL THEN 'c.context @> $7' END,
        CASE WHEN changed IS NOT NULL THEN 'c.operation = ''UPDATE'' AND (c.before ? $8'
            ' AND c.after ? $8 AND (c.before->$8)::text IS DISTINCT FROM (c.after->$8)::text'
            ' OR c.details#>>ARRAY[''missing'', $8] = ''masked, changed'')' END,
        CASE WHEN before IS NOT NULL THEN 'c.before @> $9' END,
        CASE WHEN after IS NOT NULL THEN 'c.after @> $10' END,
        CASE WHEN value IS NOT NULL THEN '(c.before @> $11 OR c.after @> $11)' END,
        CASE WHEN database IS NOT NULL THEN 'c.database = $12' END);
BEGIN
    -- in the index's order: others of this name may fill the table's beginning
    IF name."table" IS NOT NULL AND (SELECT c."table" FROM @schema@.changes c
            WHERE c."table" = name."table" AND (name.schema IS NULL OR c.schema = name.schema)
            ORDER BY c."table", c.primary_key LIMIT 1) IS NULL THEN
        RAISE EXCEPTION 'no change of a table % is recorded', "table"
            USING ERRCODE = 'undefined_table';
    END IF;
    RETURN QUERY EXECUTE $q$SELECT c.* FROM @schema@.changes c WHERE $q$ || conditions
        || CASE WHEN selective OR max_rows IS NULL
            THEN ' ORDER BY c.commit_position DESC NULLS LAST, c.sequence DESC'
            ELSE ' ORDER BY c.id DESC' END
        || ' LIMIT $13'
    USING name."table", name.schema, primary_key, upper(operation), since, till, context, changed,
        before, after, value, database, max_rows;
END $$;
COMMENT ON FUNCTION bemi.search(text, text, text, timestamptz, timestamptz, jsonb, text, jsonb,
    jsonb, jsonb, text, bigint) IS
    'changes, the latest first, that meet all conditions given: the table; the row''s key, new or old; the operation; committed from since until before till; context, before and after contain the given object, value: either image does; changed: an UPDATE whose images show that this column changed';

-- The names of the tables that have changes: one step down the index for each.
CREATE OR REPLACE FUNCTION bemi.search_tables()
RETURNS text[] LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    WITH RECURSIVE name AS (
        (SELECT c."table" FROM @schema@.changes c ORDER BY 1 LIMIT 1)
        UNION ALL
        SELECT (SELECT c."table" FROM @schema@.changes c WHERE c."table" > n."table"
            ORDER BY 1 LIMIT 1) FROM name n WHERE n."table" IS NOT NULL
    )
    SELECT array_agg("table") FROM name WHERE "table" IS NOT NULL
$$;
COMMENT ON FUNCTION bemi.search_tables() IS
    'the names of the tables that have changes';

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

-- Ends with an error where an argument of bemi.search() is none: an answer to it would be empty, and look like one.
CREATE OR REPLACE FUNCTION bemi._check_search(operation text, since timestamptz, till timestamptz, objects jsonb[],
    database text)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    operations text[] := '{CREATE,UPDATE,DELETE,TRUNCATE,SNAPSHOT,MESSAGE}';
    other jsonb := (SELECT o FROM unnest(objects) o WHERE jsonb_typeof(o) <> 'object' LIMIT 1);
BEGIN
    IF upper(operation) <> ALL (operations) AND NOT EXISTS (
        SELECT FROM @schema@.changes c WHERE c.operation = upper(_check_search.operation)) THEN
        RAISE EXCEPTION 'no operation is called "%"', operation USING ERRCODE = 'invalid_parameter_value',
            HINT = format('There are %s.', array_to_string(operations, ', '));
    ELSIF since >= till THEN
        RAISE EXCEPTION 'no time is both from % on and before %', bemi.time_text(since), bemi.time_text(till)
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF other IS NOT NULL THEN
        RAISE EXCEPTION 'not a JSON object: %', left(other::text, 100) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'context, before, after and value are found where they contain an object such as {"userId": 7}.';
    ELSIF database IS NOT NULL
        AND NOT EXISTS (SELECT FROM bemi.progress p WHERE p.database = _check_search.database)
        AND NOT EXISTS (SELECT FROM @schema@.changes c WHERE c.database = _check_search.database) THEN
        RAISE EXCEPTION 'there are no changes of a database "%"', database USING ERRCODE = 'invalid_catalog_name';
    END IF;
END $$;
COMMENT ON FUNCTION bemi._check_search(text, timestamptz, timestamptz, jsonb[], text) IS
    'ends with an error where an argument of bemi.search() is none';

-- Ends with an error where no record of a table (null: of any) has a column of that name.
CREATE OR REPLACE FUNCTION bemi._check_column(of_schema text, of_table text, name text)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM @schema@.changes c
        WHERE (of_table IS NULL OR c."table" = of_table) AND (of_schema IS NULL OR c.schema = of_schema)
            AND (c.before ? name OR c.after ? name OR c.details->'missing' ? name))
    THEN
        RAISE EXCEPTION 'no change of % has a column "%"', coalesce('a table ' || quote_ident(of_table), 'any table'),
            name USING ERRCODE = 'undefined_column';
    END IF;
END $$;
COMMENT ON FUNCTION bemi._check_column(text, text, text) IS
    'ends with an error where no record of a table has a column of that name';

-- The key that is meant, where the name means one table: as its records write it.
CREATE OR REPLACE FUNCTION bemi._search_key(of_schema text, of_table text, of_database text, key text)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    m bemi.moment;
BEGIN
    IF EXISTS (SELECT FROM @schema@.changes c WHERE c."table" = of_table AND c.primary_key = key
            AND (of_schema IS NULL OR c.schema = of_schema))
        OR EXISTS (SELECT FROM @schema@.changes c WHERE c."table" = of_table AND c.previous_key = key
            AND (of_schema IS NULL OR c.schema = of_schema))
        OR (SELECT count(DISTINCT (t.database, t.schema)) FROM bemi.tables_named(of_schema, of_table) t
        WHERE of_database IS NULL OR t.database = of_database) <> 1
    THEN
        RETURN key;
    END IF;
    SELECT t.database, t.schema, t."table" INTO m.database, m.schema, m."table"
    FROM bemi.tables_named(of_schema, of_table) t WHERE of_database IS NULL OR t.database = of_database LIMIT 1;
    RETURN bemi._key_of(m, key);
END $$;
COMMENT ON FUNCTION bemi._search_key(text, text, text, text) IS
    'a key as the records of a table write it, where the name means one table';

-- The conditions of bemi.search() but the operation, with its arguments as $1 to $12. They are only made of what is
-- given, so that the planner sees no more than it must, and every one that an index can serve is served: table and
-- key by changes_row and changes_previous, context by changes_context, values by changes_before and changes_after
-- (--indexes full), times by changes_time.
CREATE OR REPLACE FUNCTION bemi._search_conditions(schema text, "table" text, primary_key text,
    since timestamptz, till timestamptz, context jsonb, changed text, before jsonb, after jsonb, value jsonb,
    database text)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT concat_ws(' AND ', 'true',
        CASE WHEN "table" IS NOT NULL THEN 'c."table" = $1' END,
        CASE WHEN schema IS NOT NULL THEN 'c.schema = $2' END,
        -- under its old key, too: the change that gave it another
        CASE WHEN primary_key IS NOT NULL THEN '(c.primary_key = $3 OR c.previous_key = $3)' END,
        CASE WHEN primary_key IS NOT NULL AND "table" IS NULL
            THEN 'c."table" = ANY (bemi.search_tables())' END,
        CASE WHEN since IS NOT NULL THEN 'c.committed_at >= $5' END,
        CASE WHEN till IS NOT NULL THEN 'c.committed_at < $6' END,
        CASE WHEN context IS NOT NULL THEN 'c.context @> $7' END,
        CASE WHEN changed IS NOT NULL THEN 'c.operation = ''UPDATE'' AND (c.before ? $8'
            ' AND c.after ? $8 AND (c.before->$8)::text IS DISTINCT FROM (c.after->$8)::text'
            ' OR c.details#>>ARRAY[''missing'', $8] = ''masked, changed'')' END,
        CASE WHEN before IS NOT NULL THEN 'c.before @> $9' END,
        CASE WHEN after IS NOT NULL THEN 'c.after @> $10' END,
        CASE WHEN value IS NOT NULL THEN '(c.before @> $11 OR c.after @> $11)' END,
        CASE WHEN database IS NOT NULL THEN 'c.database = $12' END)
$$;
COMMENT ON FUNCTION bemi._search_conditions(text, text, text, timestamptz, timestamptz, jsonb, text, jsonb, jsonb,
    jsonb, text) IS
    'the conditions of bemi.search() but the operation, as SQL';

-- A condition that picks few rows out is never left to a scan in the order of ids, which a limit would otherwise
-- tempt the planner to. A SNAPSHOT is no change: it is found by its operation only; where nothing else was, a notice
-- tells of it. Errors: those of bemi._check_search() and bemi._key_of(), 42P01, 42703.
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
    query text := $q$FROM @schema@.changes c WHERE $q$ || bemi._search_conditions(name.schema, name."table",
        primary_key, since, till, context, changed, before, after, value, database) || ' AND c.operation ';
    key text := primary_key;
    snapshot uuid;
BEGIN
    PERFORM bemi._check_search(operation, since, till, ARRAY[context, before, after, value], database);
    -- in the index's order: others of this name may fill the table's beginning
    IF name."table" IS NOT NULL AND (SELECT c."table" FROM @schema@.changes c
            WHERE c."table" = name."table" AND (name.schema IS NULL OR c.schema = name.schema)
            ORDER BY c."table", c.primary_key LIMIT 1) IS NULL THEN
        RAISE EXCEPTION 'no change of a table % is recorded', "table"
            USING ERRCODE = 'undefined_table';
    ELSIF key IS NOT NULL AND name."table" IS NOT NULL THEN
        key := bemi._search_key(name.schema, name."table", database, key);
    END IF;
    RETURN QUERY EXECUTE 'SELECT c.* ' || query || CASE WHEN operation IS NULL THEN '<> ''SNAPSHOT''' ELSE '= $4' END
        || CASE WHEN selective OR max_rows IS NULL
            THEN ' ORDER BY c.commit_position DESC NULLS LAST, c.sequence DESC'
            ELSE ' ORDER BY c.id DESC' END
        || ' LIMIT $13'
    USING name."table", name.schema, key, upper(operation), since, till, context, changed,
        before, after, value, database, max_rows;
    IF NOT FOUND AND changed IS NOT NULL THEN
        PERFORM bemi._check_column(name.schema, name."table", changed);
    ELSIF NOT FOUND AND operation IS NULL AND max_rows IS DISTINCT FROM 0 THEN
        EXECUTE 'SELECT c.id ' || query || '= ''SNAPSHOT'' LIMIT 1' INTO snapshot
        USING name."table", name.schema, key, NULL, since, till, context, changed, before, after, value, database;
        IF snapshot IS NOT NULL THEN
            RAISE NOTICE 'no change meets these conditions, but a row that a snapshot has stored does'
                USING HINT = 'The argument operation => ''snapshot'' finds it.';
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION bemi.search(text, text, text, timestamptz, timestamptz, jsonb, text, jsonb,
    jsonb, jsonb, text, bigint) IS
    'changes, the latest first, that meet all conditions given: the table; the row''s key, new or old; the operation; committed from since until before till; context, before and after contain the given object, value: either image does; changed: an UPDATE whose images show that this column changed. A SNAPSHOT, which is no change, by its operation only';

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

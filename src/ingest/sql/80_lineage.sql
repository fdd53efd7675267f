-- The records of all rows that ever had a key. What such a row was under other keys is followed, but
-- not who else had those keys before or after it: a life under a key ends with DELETE, with a change
-- to another key, or with TRUNCATE. A row that comes back to the key that is asked for is not followed any further:
-- what it does then has that key. `of_slot` tells databases of the same name apart.
DROP FUNCTION IF EXISTS bemi.lineage(text, text, text, text);
CREATE OR REPLACE FUNCTION bemi.lineage(database text, schema text, table_name text, primary_key text,
    of_slot text DEFAULT NULL)
RETURNS SETOF @schema@.changes LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
#variable_conflict use_variable
DECLARE
    change @schema@.changes;
    beside integer[] := bemi.sources_beside(database, of_slot);
BEGIN
    FOR change IN SELECT c.* FROM @schema@.changes c
        WHERE c."table" = table_name AND c.schema = lineage.schema AND c.database = lineage.database
            AND (c.primary_key = lineage.primary_key OR c.previous_key = lineage.primary_key)
            AND bemi.change_source(c.id) <> ALL (beside)
    LOOP
        RETURN NEXT change;
        IF change.previous_key <> lineage.primary_key THEN
            RETURN QUERY SELECT * FROM bemi.lineage_before(change, lineage.primary_key);
        ELSIF change.primary_key <> lineage.primary_key THEN
            RETURN QUERY SELECT * FROM bemi.lineage_after(change, lineage.primary_key);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.lineage(text, text, text, text, text) IS
    'the records of all rows that ever had a key, also those from before they got it and after they lost it; some may come twice';

-- The change of a key nearest to a given one, before or behind it: of a row that has it, or has left it, or
-- TRUNCATE. Null where there is none. `source`: of this one, or what may be the same database.
CREATE OR REPLACE FUNCTION bemi.nearest_change(change @schema@.changes, key text, source integer, backward boolean)
RETURNS @schema@.changes LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $body$
DECLARE
    nearest @schema@.changes;
    place text := CASE WHEN backward THEN '<' ELSE '>' END;
    in_order text := CASE WHEN backward THEN 'ORDER BY c.commit_position DESC, c.sequence DESC LIMIT 1'
        ELSE 'ORDER BY c.commit_position, c.sequence LIMIT 1' END;
BEGIN
    EXECUTE (SELECT format('SELECT * FROM (%s) c %s', string_agg(format($query$(
        SELECT c.* FROM @schema@.changes c
        WHERE c."table" = ($1)."table" AND %s AND c.schema = ($1).schema AND c.database = ($1).database
            AND (c.commit_position, c.sequence) %s (($1).commit_position, ($1).sequence)
            AND bemi.is_of_database(c.database, $3, bemi.change_source(c.id))
        %s)$query$, condition, place, in_order), ' UNION ALL '), in_order)
    FROM (VALUES ('c.primary_key = $2'), ('c.previous_key = $2'),
        ($$c.primary_key IS NULL AND c.operation = 'TRUNCATE'$$)) v (condition))
    INTO nearest USING change, key, source;
    RETURN nearest;
END $body$;
COMMENT ON FUNCTION bemi.nearest_change(@schema@.changes, text, integer, boolean) IS
    'the change of a key nearest to a given one, before or behind it; null where there is none';

-- From a change that gave a row its key (`asked`), back: what it was before, until it had that key before.
DROP FUNCTION IF EXISTS bemi.lineage_before(@schema@.changes);
CREATE OR REPLACE FUNCTION bemi.lineage_before(change @schema@.changes, asked text)
RETURNS SETOF @schema@.changes LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    key text := change.previous_key;
    source integer := bemi.change_source(change.id);
BEGIN
    LOOP
        change := bemi.nearest_change(change, key, source, true);
        EXIT WHEN change.id IS NULL OR change.operation IN ('DELETE', 'TRUNCATE')
            OR change.previous_key = key;
        RETURN NEXT change;
        EXIT WHEN change.operation = 'CREATE' OR change.previous_key = asked;
        key := coalesce(change.previous_key, key);
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.lineage_before(@schema@.changes, text) IS
    'the records of the row before the given change, which changed its key';

-- From a change that took a row's key (`asked`), on: what became of it, until it has that key again.
DROP FUNCTION IF EXISTS bemi.lineage_after(@schema@.changes);
CREATE OR REPLACE FUNCTION bemi.lineage_after(change @schema@.changes, asked text)
RETURNS SETOF @schema@.changes LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    key text := change.primary_key;
    source integer := bemi.change_source(change.id);
BEGIN
    LOOP
        change := bemi.nearest_change(change, key, source, false);
        EXIT WHEN change.id IS NULL OR change.operation IN ('CREATE', 'TRUNCATE')
            OR change.previous_key <> key;
        RETURN NEXT change;
        EXIT WHEN change.operation = 'DELETE' OR change.primary_key = asked;
        key := change.primary_key;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.lineage_after(@schema@.changes, text) IS
    'the records of the row after the given change, which changed its key';

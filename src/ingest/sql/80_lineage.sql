-- The records of all rows that ever had a key. What such a row was under other keys is followed, but
-- not who else had those keys before or after it: a life under a key ends with DELETE, with a change
-- to another key, or with TRUNCATE. `of_slot` tells databases of the same name apart.
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
            RETURN QUERY SELECT * FROM bemi.lineage_before(change);
        ELSIF change.primary_key <> lineage.primary_key THEN
            RETURN QUERY SELECT * FROM bemi.lineage_after(change);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.lineage(text, text, text, text, text) IS
    'the records of all rows that ever had a key, also those from before they got it and after they lost it; some may come twice';

-- From a change that gave a row its key, back: what it was before.
CREATE OR REPLACE FUNCTION bemi.lineage_before(change @schema@.changes)
RETURNS SETOF @schema@.changes LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    key text := change.previous_key;
    source integer := bemi.change_source(change.id);
BEGIN
    LOOP
        SELECT * INTO change FROM (
            (SELECT c.* FROM @schema@.changes c
             WHERE c."table" = change."table" AND c.primary_key = key AND c.schema = change.schema
                AND c.database = change.database AND (c.commit_position, c.sequence)
                    < (change.commit_position, change.sequence)
                AND bemi.is_of_database(c.database, source, bemi.change_source(c.id))
             ORDER BY c.commit_position DESC, c.sequence DESC LIMIT 1)
            UNION ALL
            (SELECT c.* FROM @schema@.changes c
             WHERE c."table" = change."table" AND c.previous_key = key AND c.schema = change.schema
                AND c.database = change.database AND (c.commit_position, c.sequence)
                    < (change.commit_position, change.sequence)
                AND bemi.is_of_database(c.database, source, bemi.change_source(c.id))
             ORDER BY c.commit_position DESC, c.sequence DESC LIMIT 1)
            UNION ALL
            (SELECT c.* FROM @schema@.changes c
             WHERE c."table" = change."table" AND c.primary_key IS NULL AND c.schema = change.schema
                AND c.database = change.database AND (c.commit_position, c.sequence)
                    < (change.commit_position, change.sequence)
                AND bemi.is_of_database(c.database, source, bemi.change_source(c.id)) AND c.operation = 'TRUNCATE'
             ORDER BY c.commit_position DESC, c.sequence DESC LIMIT 1)) c
        ORDER BY c.commit_position DESC, c.sequence DESC LIMIT 1;
        EXIT WHEN change.id IS NULL OR change.operation IN ('DELETE', 'TRUNCATE')
            OR change.previous_key = key;
        RETURN NEXT change;
        EXIT WHEN change.operation = 'CREATE';
        key := coalesce(change.previous_key, key);
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.lineage_before(@schema@.changes) IS
    'the records of the row before the given change, which changed its key';

-- From a change that took a row's key, on: what became of it.
CREATE OR REPLACE FUNCTION bemi.lineage_after(change @schema@.changes)
RETURNS SETOF @schema@.changes LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    key text := change.primary_key;
    source integer := bemi.change_source(change.id);
BEGIN
    LOOP
        SELECT * INTO change FROM (
            (SELECT c.* FROM @schema@.changes c
             WHERE c."table" = change."table" AND c.primary_key = key AND c.schema = change.schema
                AND c.database = change.database AND (c.commit_position, c.sequence)
                    > (change.commit_position, change.sequence)
                AND bemi.is_of_database(c.database, source, bemi.change_source(c.id))
             ORDER BY c.commit_position, c.sequence LIMIT 1)
            UNION ALL
            (SELECT c.* FROM @schema@.changes c
             WHERE c."table" = change."table" AND c.previous_key = key AND c.schema = change.schema
                AND c.database = change.database AND (c.commit_position, c.sequence)
                    > (change.commit_position, change.sequence)
                AND bemi.is_of_database(c.database, source, bemi.change_source(c.id))
             ORDER BY c.commit_position, c.sequence LIMIT 1)
            UNION ALL
            (SELECT c.* FROM @schema@.changes c
             WHERE c."table" = change."table" AND c.primary_key IS NULL AND c.schema = change.schema
                AND c.database = change.database AND (c.commit_position, c.sequence)
                    > (change.commit_position, change.sequence)
                AND bemi.is_of_database(c.database, source, bemi.change_source(c.id)) AND c.operation = 'TRUNCATE'
             ORDER BY c.commit_position, c.sequence LIMIT 1)) c
        ORDER BY c.commit_position, c.sequence LIMIT 1;
        EXIT WHEN change.id IS NULL OR change.operation IN ('CREATE', 'TRUNCATE')
            OR change.previous_key <> key;
        RETURN NEXT change;
        EXIT WHEN change.operation = 'DELETE';
        key := change.primary_key;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.lineage_after(@schema@.changes) IS
    'the records of the row after the given change, which changed its key';

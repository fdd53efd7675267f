-- Privacy: a row's values go out of the changes, the fact that it was changed stays.
--
-- What is removed is named in details->'missing' as `forgotten`: for time travel such a column is one
-- that is not shown, as a masked one, and a revert finds that the row is not whole.

-- What `missing` is afterwards; null where there is nothing (more) to forget in this change. A value
-- that is not in the images for another reason may be in those before it: it is forgotten as well.
CREATE OR REPLACE FUNCTION bemi.missing_after_forget(change @schema@.changes, columns text[])
RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT coalesce(change.details->'missing', '{}') || jsonb_object_agg(name, 'forgotten')
    FROM (SELECT jsonb_object_keys(change.before)
        UNION SELECT jsonb_object_keys(change.after)
        UNION SELECT key FROM jsonb_each_text(coalesce(change.details->'missing', '{}'))
            WHERE value IN ('toast', 'size', 'error')) n (name)
    WHERE columns IS NULL OR name = ANY (columns)
    HAVING count(*) > 0
$$;
COMMENT ON FUNCTION bemi.missing_after_forget(@schema@.changes, text[]) IS
    'what missing of a change is once its values were forgotten; null where there is nothing to forget';

-- The keys of a context (and context_error) under which it holds one of the texts.
CREATE OR REPLACE FUNCTION bemi.context_keys_with(change @schema@.changes, texts text[])
RETURNS SETOF text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT e.key
    FROM jsonb_each(CASE jsonb_typeof(change.context) WHEN 'object' THEN change.context
            ELSE jsonb_build_object('(the whole context)', change.context) END
        || jsonb_strip_nulls(jsonb_build_object('context_error', change.details->'context_error'))) e
    WHERE EXISTS (SELECT FROM jsonb_path_query(e.value, 'strict $.** ? (@.type() == "string")') v,
        unnest(texts) t WHERE strpos(v#>>'{}', t) > 0)
$$;
COMMENT ON FUNCTION bemi.context_keys_with(@schema@.changes, text[]) IS
    'the keys of a context (and context_error) under which it holds one of the texts';

-- JSON without what is at a path; as it is where the path leads nowhere: an array may stand where another
-- context has an object.
CREATE OR REPLACE FUNCTION bemi.without_path(value jsonb, path text[])
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
BEGIN
    RETURN value #- path;
EXCEPTION WHEN invalid_text_representation THEN
    RETURN value;
END $$;
COMMENT ON FUNCTION bemi.without_path(jsonb, text[]) IS
    'JSON without what is at a path; as it is where the path leads nowhere';

-- Takes the keys (or paths such as params.email) out of the contexts of the transaction of a change,
-- which are stored with each of its changes, also those of other rows.
CREATE OR REPLACE FUNCTION bemi.forget_context(change @schema@.changes, keys text[])
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    sibling @schema@.changes;
    shorter jsonb;
    key text;
    touched bigint := 0;
BEGIN
    FOR sibling IN SELECT c.* FROM @schema@.changes c
        WHERE c.id >= coalesce(bemi.change_id(change.commit_position, 0, 0), change.id)
            AND c.id <= coalesce(bemi.change_id(change.commit_position, 4294967295, 1073741788), change.id)
            AND c.committed_at = change.committed_at AND c.database = change.database
            AND c.transaction_id = change.transaction_id
    LOOP
        shorter := sibling.context;
        IF jsonb_typeof(shorter) = 'object' THEN
            FOREACH key IN ARRAY keys LOOP
                shorter := bemi.without_path(shorter - key, string_to_array(key, '.'));
            END LOOP;
        END IF;
        CONTINUE WHEN shorter = sibling.context
            AND coalesce(sibling.details->>'context_error', 'forgotten') = 'forgotten';
        UPDATE @schema@.changes c SET context = shorter,
            details = CASE WHEN c.details ? 'context_error'
                THEN c.details || '{"context_error": "forgotten"}' ELSE c.details END
        WHERE c.id = sibling.id AND c.committed_at = sibling.committed_at;
        touched := touched + 1;
    END LOOP;
    RETURN touched;
END $$;
COMMENT ON FUNCTION bemi.forget_context(@schema@.changes, text[]) IS
    'takes keys out of the contexts of a changes transaction; gives in how many changes';

-- Errors: 42P01 and 42P09 of the name, 42703 where no change of the row has such a column.
CREATE OR REPLACE FUNCTION bemi.forget("table" text, primary_key text,
    columns text[] DEFAULT NULL, context_keys text[] DEFAULT NULL, database text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog AS $$
#variable_conflict use_variable
DECLARE
    found record := bemi.find_table("table", database);
    change @schema@.changes;
    missing jsonb;
    known text[];
    texts text[];
    forgotten bigint := 0;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'bemi.forget works in isolation level read committed only'
            USING ERRCODE = 'invalid_transaction_state',
                DETAIL = 'It must see what others have stored in the meantime.';
    END IF;
    -- retention writes the last images of rows again
    PERFORM FROM bemi.target FOR UPDATE;
    SELECT array_agg(DISTINCT n.name), array_agg(DISTINCT n.value)
        FILTER (WHERE length(n.value) > 2 AND (columns IS NULL OR n.name = ANY (columns)))
    INTO known, texts
    FROM bemi.lineage(found.database, found.schema, found."table", primary_key, found.slot) l, LATERAL (
        SELECT e.key, v#>>'{}' FROM jsonb_each(l.before) e,
            jsonb_path_query(e.value, 'strict $.** ? (@.type() == "string")') v
        UNION SELECT e.key, v#>>'{}' FROM jsonb_each(l.after) e,
            jsonb_path_query(e.value, 'strict $.** ? (@.type() == "string")') v
        UNION SELECT jsonb_object_keys(l.before || l.after
            || coalesce(l.details->'missing', '{}')), NULL) n (name, value);
    IF known IS NOT NULL AND NOT known @> columns THEN
        RAISE EXCEPTION 'no change of row % of % has a column %', primary_key, "table",
            (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) c WHERE c <> ALL (known))
            USING ERRCODE = 'undefined_column';
    END IF;
    FOR change IN SELECT DISTINCT ON (l.id, l.committed_at) l.* FROM bemi.lineage(
        found.database, found.schema, found."table", primary_key, found.slot) l
    LOOP
        missing := bemi.missing_after_forget(change, columns);
        IF missing IS NOT NULL THEN
            UPDATE @schema@.changes c SET
                before = CASE WHEN columns IS NULL THEN '{}' ELSE c.before - columns END,
                after = CASE WHEN columns IS NULL THEN '{}' ELSE c.after - columns END,
                details = coalesce(c.details, '{}') || jsonb_build_object('missing', missing)
            WHERE c.id = change.id AND c.committed_at = change.committed_at;
            forgotten := forgotten + 1;
        END IF;
        IF context_keys IS NOT NULL THEN
            PERFORM bemi.forget_context(change, context_keys);
        END IF;
    END LOOP;
    PERFORM bemi.warn_of_contexts(found.database, found.schema, found."table", primary_key, texts,
        found.slot);
    RETURN forgotten;
END $$;
COMMENT ON FUNCTION bemi.forget(text, text, text[], text[], text) IS
    'removes the values of a row (of all columns, or those given) from all its changes, and the keys given from the contexts of their transactions; the fact of each change stays. Gives the number of changes that had such values';

-- Says where contexts that stay hold a text that was a value of the row.
DROP FUNCTION IF EXISTS bemi.warn_of_contexts(text, text, text, text, text[]);
CREATE OR REPLACE FUNCTION bemi.warn_of_contexts(database text, schema text, table_name text,
    primary_key text, texts text[], of_slot text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    changes bigint;
    keys text;
BEGIN
    SELECT count(DISTINCT l.id), string_agg(DISTINCT quote_ident(k), ', ') INTO changes, keys
    FROM bemi.lineage(database, schema, table_name, primary_key, of_slot) l,
        bemi.context_keys_with(l, texts) k;
    IF changes > 0 THEN
        RAISE WARNING 'the contexts of % changes still hold values that were forgotten', changes
            USING DETAIL = format('They are under %s.', keys),
                HINT = 'The argument context_keys names the keys to remove from them.';
    END IF;
END $$;
COMMENT ON FUNCTION bemi.warn_of_contexts(text, text, text, text, text[], text) IS
    'warns where contexts that stay hold a text that was a value of a forgotten row';

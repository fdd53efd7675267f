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

-- Ends with an error where names of columns or of keys of contexts are none.
CREATE OR REPLACE FUNCTION bemi._check_names(columns text[], context_keys text[])
RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
BEGIN
    IF columns = '{}' OR context_keys = '{}' OR array_position(columns, NULL) IS NOT NULL
        OR array_position(context_keys, NULL) IS NOT NULL
    THEN
        RAISE EXCEPTION 'columns and context_keys must have names' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'All columns are forgotten where the argument is left out.';
    END IF;
END $$;
COMMENT ON FUNCTION bemi._check_names(text[], text[]) IS
    'ends with an error where names of columns or of keys of contexts are none';

-- Says that changes without a key may hold values of a row, which nobody finds by its key.
CREATE OR REPLACE FUNCTION bemi._warn_of_unidentified(m bemi.moment)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    changes bigint := (SELECT count(*) FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.primary_key IS NULL AND c.schema = m.schema AND c.database = m.database
            AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT') AND (c.before <> '{}' OR c.after <> '{}'));
BEGIN
    IF changes > 0 THEN
        RAISE WARNING '% changes of % have no key: they may hold values of this row', changes, bemi.moment_text(m)
            USING HINT = 'bemi.search(value => ...) finds them by what they hold.';
    END IF;
END $$;
COMMENT ON FUNCTION bemi._warn_of_unidentified(bemi.moment) IS
    'says that changes without a key may hold values of a row';

-- The columns that some changes have or name, and those of their texts, of three characters or more, that are in the
-- columns given.
CREATE OR REPLACE FUNCTION bemi._known_values(ids uuid[], columns text[], OUT known text[], OUT texts text[])
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT array_agg(DISTINCT n.name), array_agg(DISTINCT n.value)
        FILTER (WHERE length(n.value) > 2 AND (columns IS NULL OR n.name = ANY (columns)))
    FROM @schema@.changes l, LATERAL (
        SELECT e.key, v#>>'{}' FROM jsonb_each(l.before) e,
            jsonb_path_query(e.value, 'strict $.** ? (@.type() == "string")') v
        UNION SELECT e.key, v#>>'{}' FROM jsonb_each(l.after) e,
            jsonb_path_query(e.value, 'strict $.** ? (@.type() == "string")') v
        UNION SELECT jsonb_object_keys(l.before || l.after
            || coalesce(l.details->'missing', '{}')), NULL) n (name, value)
    WHERE l.id = ANY (ids)
$$;
COMMENT ON FUNCTION bemi._known_values(uuid[], text[]) IS
    'the columns that some changes have or name, and the texts in those given';

-- Takes values out of some changes, and keys out of the contexts of their transactions, each transaction once.
CREATE OR REPLACE FUNCTION bemi._forget_changes(ids uuid[], columns text[], context_keys text[],
    OUT forgotten bigint, OUT contexts bigint)
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
#variable_conflict use_variable
DECLARE
    change @schema@.changes;
    missing jsonb;
    last_position bigint;
BEGIN
    forgotten := 0; contexts := 0;
    FOR change IN SELECT * FROM @schema@.changes c WHERE c.id = ANY (ids) ORDER BY c.commit_position, c.sequence LOOP
        missing := bemi.missing_after_forget(change, columns);
        IF missing IS NOT NULL THEN
            UPDATE @schema@.changes c SET
                before = CASE WHEN columns IS NULL THEN '{}' ELSE c.before - columns END,
                after = CASE WHEN columns IS NULL THEN '{}' ELSE c.after - columns END,
                details = coalesce(c.details, '{}') || jsonb_build_object('missing', missing)
            WHERE c.id = change.id AND c.committed_at = change.committed_at;
            forgotten := forgotten + 1;
        END IF;
        IF context_keys IS NOT NULL AND (change.commit_position = last_position) IS NOT TRUE THEN
            contexts := contexts + bemi.forget_context(change, context_keys);
            last_position := change.commit_position;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi._forget_changes(uuid[], text[], text[]) IS
    'takes values out of some changes, and keys out of the contexts of their transactions';

-- Errors: those of bemi.find_table(), of bemi._key_of() and of bemi._check_names(), 42703 where no change of the row
-- has such a column. A key that no change has is a notice, as are keys of contexts that none has.
CREATE OR REPLACE FUNCTION bemi.forget("table" text, primary_key text,
    columns text[] DEFAULT NULL, context_keys text[] DEFAULT NULL, database text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog AS $$
#variable_conflict use_variable
DECLARE
    found record := bemi.find_table("table", database);
    m bemi.moment;
    ids uuid[];
    known record;
    done record;
BEGIN
    m.slot := found.slot; m.database := found.database; m.schema := found.schema; m."table" := found."table";
    primary_key := bemi._key_of(m, primary_key);
    PERFORM bemi._check_names(columns, context_keys);
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'bemi.forget works in isolation level read committed only'
            USING ERRCODE = 'invalid_transaction_state',
                DETAIL = 'It must see what others have stored in the meantime.';
    END IF;
    -- retention writes the last images of rows again
    PERFORM FROM bemi.target FOR UPDATE;
    ids := ARRAY(SELECT DISTINCT l.id FROM bemi.lineage(m.database, m.schema, m."table", primary_key, m.slot) l);
    SELECT * INTO known FROM bemi._known_values(ids, columns);
    IF ids = '{}' THEN
        RAISE NOTICE 'no change of a row % of % is recorded: nothing is forgotten', primary_key, bemi.moment_text(m);
        RETURN 0;
    ELSIF NOT known.known @> columns THEN
        RAISE EXCEPTION 'no change of row % of % has a column %', primary_key, "table",
            (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) c WHERE c <> ALL (known.known))
            USING ERRCODE = 'undefined_column';
    END IF;
    SELECT * INTO done FROM bemi._forget_changes(ids, columns, context_keys);
    IF context_keys IS NOT NULL AND done.contexts = 0 THEN
        RAISE NOTICE 'no context of these changes has %', array_to_string(context_keys, ', ');
    END IF;
    PERFORM bemi._warn_of_unidentified(m), bemi._warn_of_contexts(ids, known.texts);
    RETURN done.forgotten;
END $$;
COMMENT ON FUNCTION bemi.forget(text, text, text[], text[], text) IS
    'removes the values of a row (of all columns, or those given) from all its changes, and the keys given from the contexts of their transactions; the fact of each change stays. Gives the number of changes that had such values';

-- Says where contexts that stay hold a text that was a value of the row. A thousand texts are looked for.
DROP FUNCTION IF EXISTS bemi.warn_of_contexts(text, text, text, text, text[]);
DROP FUNCTION IF EXISTS bemi.warn_of_contexts(text, text, text, text, text[], text);
CREATE OR REPLACE FUNCTION bemi._warn_of_contexts(ids uuid[], texts text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    changes bigint;
    keys text;
BEGIN
    SELECT count(DISTINCT l.id), string_agg(DISTINCT quote_ident(k), ', ') INTO changes, keys
    FROM @schema@.changes l, bemi.context_keys_with(l, texts[:1000]) k WHERE l.id = ANY (ids);
    IF changes > 0 THEN
        RAISE WARNING 'the contexts of % changes still hold values that were forgotten', changes
            USING DETAIL = format('They are under %s.', keys),
                HINT = 'The argument context_keys names the keys to remove from them.';
    END IF;
    IF cardinality(texts) > 1000 THEN
        RAISE NOTICE 'contexts were searched for 1000 of the % texts that were forgotten', cardinality(texts);
    END IF;
END $$;
COMMENT ON FUNCTION bemi._warn_of_contexts(uuid[], text[]) IS
    'warns where contexts that stay hold a text that was a value of a forgotten row';

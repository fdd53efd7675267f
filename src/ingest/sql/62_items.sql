-- Reversion. One change, read as the work of taking a row from one image to another: backward to
-- undo it, forward to do it again.

-- Text that json takes and jsonb refuses. Of a column of type json the decoder emits such a value as
-- a string of its text, and nothing tells it from a string that was one.
CREATE OR REPLACE FUNCTION bemi._only_json(value text)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM value::json;
    BEGIN
        PERFORM value::jsonb;
    EXCEPTION WHEN OTHERS THEN
        RETURN true;
    END;
    RETURN false;
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION bemi._only_json(text) IS 'whether json takes a text that jsonb refuses';

-- Why the images of a change don't tell how its row gets from `was` to `becomes`; null where they do.
CREATE OR REPLACE FUNCTION bemi._partial(change @schema@.changes, shape jsonb, forward boolean,
    was jsonb, becomes jsonb)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    identity text := change.details->>'identity';
    missing jsonb := coalesce(change.details->'missing', '{}')
        - ARRAY(SELECT jsonb_array_elements_text(shape->'left_out'));
    lacks text;
BEGIN
    IF change.commit_position IS NULL THEN
        RETURN 'its record is not one of bemi_ingest''s';
    ELSIF identity IS NOT NULL AND change.operation IN ('UPDATE', 'DELETE') THEN
        IF NOT forward THEN
            RETURN format('the row before it is not in its record: the replica identity was %s',
                bemi._plain(identity));
        ELSIF was = '{}' THEN
            RETURN format('nothing tells which row it changed: the replica identity was %s',
                bemi._plain(identity));
        END IF;
    END IF;
    SELECT format('the value of column %s is not in its record (%s)', bemi._plain_name(key), bemi._plain(value)) INTO lacks
    FROM jsonb_each_text(missing)
    WHERE CASE WHEN becomes = '{}' THEN false WHEN was = '{}' THEN NOT becomes ? key
        ELSE value NOT IN ('masked', 'toast') END LIMIT 1;
    RETURN lacks;
END $$;
COMMENT ON FUNCTION bemi._partial(@schema@.changes, jsonb, boolean, jsonb, jsonb) IS
    'why the images of a change don''t tell what to do; null where they do';

-- Why a value of an image is not one that its column (of a shape) would surely read as it was, with %s
-- for the column's name; null where it is.
CREATE OR REPLACE FUNCTION bemi._unreadable(value jsonb, of_column jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE
        WHEN (of_column->'vector')::boolean
        THEN 'the type of column %s does not read back what it writes'
        WHEN (of_column->'json_array')::boolean AND jsonb_path_exists(value,
            'strict $.** ? (@.type() == "array")[*] ? (@.type() == "array")')
        THEN 'the value of column %s can''t be told from an array of more dimensions'
        WHEN (of_column->'json')::boolean AND EXISTS (
            SELECT FROM jsonb_path_query(value, 'strict $.**') part
            WHERE jsonb_typeof(part) = 'string' AND bemi._only_json(part#>>'{}'))
        THEN 'the value of column %s can''t be told from a string of its text' END;
END $$;
COMMENT ON FUNCTION bemi._unreadable(jsonb, jsonb) IS
    'why a value is not surely read as it was; null where it is';

-- Why the table, as it is now, can't take a row of this image, of which these columns would be
-- written; null where it can. `whole`: a row would be inserted.
CREATE OR REPLACE FUNCTION bemi._misfit(shape jsonb, image jsonb, written text[], whole boolean)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT coalesce(
        (SELECT format('the table has no column %s any more', bemi._plain_name(name)) FROM unnest(written) name
            WHERE (shape->>'same')::boolean AND NOT shape->'columns' ? name LIMIT 1),
        (SELECT format('the table''s column %s is not in its record', bemi._plain_name(key))
            FROM jsonb_each(shape->'columns')
            WHERE whole AND (shape->>'same')::boolean AND NOT image ? key
                AND NOT shape->'left_out' ? key LIMIT 1),
        (SELECT format(reason, bemi._plain_name(name))
            FROM unnest(written) name, bemi._unreadable(image->name, shape->'columns'->name) reason
            WHERE shape->'odd' ? name AND reason IS NOT NULL LIMIT 1)));
END $$;
COMMENT ON FUNCTION bemi._misfit(jsonb, jsonb, text[], boolean) IS
    'why a table can''t take a row; null where it can';

-- Why rows of a table can't be written in this way (a kind of an item); null where they can.
CREATE OR REPLACE FUNCTION bemi._ruled(kind text, shape jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    command text := CASE kind WHEN 'update' THEN 'UPDATE' WHEN 'insert' THEN 'INSERT' WHEN 'restore' THEN 'INSERT'
        WHEN 'delete' THEN 'DELETE' WHEN 'clear' THEN 'DELETE' END;
BEGIN
    RETURN CASE WHEN shape->'rules' ? command
        THEN format('the table has a rule on %s, which writes something else instead or as well', command) END;
END $$;
COMMENT ON FUNCTION bemi._ruled(text, jsonb) IS
    'why rows of a table can''t be written in this way; null where they can';

-- The columns of an image that are compared with those of the table, or written to it.
CREATE OR REPLACE FUNCTION bemi._common(image jsonb, shape jsonb)
RETURNS text[] LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY(SELECT k FROM jsonb_object_keys(image) k WHERE NOT shape->'left_out' ? k
        AND (NOT (shape->'same')::boolean OR shape->'columns' ? k) ORDER BY k);
END $$;
COMMENT ON FUNCTION bemi._common(jsonb, jsonb) IS
    'the columns of an image that are compared with those of the table';

-- A partition's name out of a record, quoted anew; null where there is none, or it is no name.
CREATE OR REPLACE FUNCTION bemi._partition_name(change @schema@.changes)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts text[];
BEGIN
    parts := parse_ident(change.details->>'partition');
    RETURN CASE WHEN cardinality(parts) = 2 THEN format('%I.%I', parts[1], parts[2]) END;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION bemi._partition_name(@schema@.changes) IS
    'the partition that a record is of, quoted anew; null where it names none';

-- An item: ids, kind (insert, update, delete, none, clear, restore), table (of the shape), partition,
-- was, becomes, aside (was and becomes of columns that are left out, for a table that is not here), written,
-- compared, checked (columns: those that are set, of was, of becomes), keyed (the key of the row as it was is known),
-- keys (that it has to do with), keyless, cause (foreign keys may have
-- changed other rows because of it), reverted (it was part of a step of bemi.revert), now and
-- before (whether there is a row before it is done, and afterwards), label, moment; and, where the change can't
-- be done, conflict.
CREATE OR REPLACE FUNCTION bemi._item(change @schema@.changes, shape jsonb, forward boolean)
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
DECLARE
    left_out text[] := ARRAY(SELECT jsonb_array_elements_text(shape->'left_out'));
    key_names text[] := ARRAY(SELECT k->>'name' FROM jsonb_array_elements(shape->'key') k);
    was jsonb := CASE WHEN forward THEN change.before ELSE change.after END;
    becomes jsonb := CASE WHEN forward THEN change.after ELSE change.before END;
    kind text := CASE WHEN change.operation = 'TRUNCATE' THEN CASE WHEN forward THEN 'clear' ELSE 'restore' END
        WHEN change.operation = 'UPDATE' THEN 'update'
        WHEN (change.operation IN ('CREATE', 'SNAPSHOT')) = forward THEN 'insert' ELSE 'delete' END;
    moment text := format('transaction %s at %s', change.transaction_id, change.committed_at AT TIME ZONE 'UTC');
    dropped text[] := ARRAY(SELECT jsonb_array_elements_text(shape->'dropped'));
    written text[];
BEGIN
    -- Forward, an UPDATE whose old row was not logged finds its row by the key that it has kept.
    IF kind = 'update' AND forward AND change.details ? 'identity'
        AND change.previous_key IS NULL AND change.primary_key IS NOT NULL
    THEN
        was := was || (SELECT coalesce(jsonb_object_agg(name, becomes->name), '{}')
            FROM unnest(key_names) name WHERE becomes ? name);
    END IF;
    -- An identity that is generated always can't be updated: where it has changed, the server says so.
    written := ARRAY(SELECT k FROM jsonb_object_keys(becomes) k WHERE k <> ALL (left_out)
        AND (kind <> 'update' OR (was->k)::text IS DISTINCT FROM (becomes->k)::text
            AND (was ? k OR NOT coalesce((shape#>>ARRAY['columns', k, 'always'])::boolean, false))) ORDER BY k);
    RETURN bemi._item_fields(change, shape, kind, written) || jsonb_build_object('written', written,
        'kind', CASE WHEN kind = 'update' AND written = '{}' THEN 'none' ELSE kind END,
        'keyed', key_names <> '{}' AND was ?& key_names AND array_position(ARRAY(
            SELECT was->>name FROM unnest(key_names) name), NULL) IS NULL,
        'compared', bemi._common(was, shape), 'checked', bemi._common(becomes, shape),
        'was', was - dropped, 'becomes', becomes - dropped, 'moment', moment,
        'label', format('%s of %s%s, %s', change.operation, bemi._plain(shape->>'name'),
            ' ' || bemi._plain(change.primary_key), moment))
        || jsonb_strip_nulls(jsonb_build_object('conflict', coalesce(
            bemi._partial(change, shape, forward, was, becomes), bemi._ruled(kind, shape),
            bemi._misfit(shape, becomes, written, kind = 'insert'))))
        || CASE WHEN (shape->'same')::boolean OR left_out = '{}' THEN '{}'
            ELSE jsonb_build_object('aside', jsonb_build_array(was, becomes)) END;
END $$;
COMMENT ON FUNCTION bemi._item(@schema@.changes, jsonb, boolean) IS
    'one change as the work of taking its row from one image to another';

-- Those that don't depend on the direction, but for kind.
CREATE OR REPLACE FUNCTION bemi._item_fields(change @schema@.changes, shape jsonb, kind text, written text[])
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN jsonb_build_object('ids', jsonb_build_array(change.id), 'table', shape->'name',
        'keyless', change.primary_key IS NULL, 'operation', change.operation,
        'keys', array_remove(ARRAY[change.primary_key, change.previous_key], NULL),
        -- Of a key that no foreign key leads to, a change has caused no other.
        'cause', change.operation = 'DELETE' OR shape->'columns' = 'null' AND change.previous_key IS NOT NULL
            OR change.operation = 'UPDATE' AND shape->'referenced' ?| written,
        'now', kind <> 'insert', 'before', kind <> 'delete',
        'reverted', change.context#>'{reverts,step}' IS NOT NULL)
        || CASE WHEN change.details ? 'partition' THEN jsonb_build_object(
            'partition', bemi._partition_name(change)) ELSE '{}' END
        || CASE WHEN change.details ? 'partition' AND bemi._partition_name(change) IS NULL
            THEN jsonb_build_object('conflict', 'its record names no partition') ELSE '{}' END;
END $$;
COMMENT ON FUNCTION bemi._item_fields(@schema@.changes, jsonb, text, text[]) IS
    'the fields of an item that don''t depend on the direction, but for its kind';

-- Two items of one row as one, from where the newer finds it to where the older leaves it.
DROP FUNCTION IF EXISTS bemi._merged(jsonb, jsonb);
CREATE OR REPLACE FUNCTION bemi._merged(newer jsonb, older jsonb, shapes jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    WITH net AS (
        SELECT CASE WHEN newer->'now' = older->'before'
            THEN CASE WHEN (newer->'now')::boolean THEN 'update' ELSE 'none' END
            WHEN (newer->'now')::boolean THEN 'delete' ELSE 'insert' END AS kind,
            ARRAY(SELECT key FROM jsonb_each(older->'becomes') WHERE older->'checked' ? key
                AND (NOT (newer->'now')::boolean
                    OR (newer->'was'->key)::text IS DISTINCT FROM value::text) ORDER BY key) AS written
    )
    SELECT newer || jsonb_build_object('becomes', older->'becomes', 'before', older->'before',
        'ids', (newer->'ids') || (older->'ids'), 'keys', (newer->'keys') || (older->'keys'),
        'cause', (newer->'cause')::boolean OR (older->'cause')::boolean, 'written', written,
        'checked', older->'checked',
        'kind', CASE WHEN kind = 'update' AND written = '{}' THEN 'none' ELSE kind END,
        'label', format('%s, and %s before it', newer->>'label', older->>'operation'))
        || CASE WHEN newer ? 'aside' THEN jsonb_build_object('aside',
            jsonb_build_array(newer#>'{aside,0}', older#>'{aside,1}')) ELSE '{}' END
        || CASE WHEN older ? 'conflict' AND NOT newer ? 'conflict'
            THEN jsonb_build_object('conflict', older->'conflict')
            WHEN NOT newer ? 'conflict' THEN jsonb_strip_nulls(jsonb_build_object('conflict',
                bemi._ruled(kind, shapes->(newer->>'table')))) ELSE '{}' END
    FROM net);
END $$;
COMMENT ON FUNCTION bemi._merged(jsonb, jsonb, jsonb) IS
    'two items of one row as one';

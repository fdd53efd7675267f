-- Reversion. Which changes go into one statement. As a rule each is one of its own. But foreign keys
-- with CASCADE or SET NULL made changes to other rows behind the one that caused them: undone
-- newest first, a child would come back before its parent. Foreign keys are checked at the end of a
-- statement, so such changes of a transaction are undone in one. There a row may be written only once:
-- what a transaction did to it is undone as a whole.

-- Items of one transaction, newest first, as steps: together up to the last cause, the others one by one. What
-- bemi.revert did in one step is undone in one. `follows` tells of each item which newer one is of its row:
-- these become one. But where nothing is done together, a value that must be unique goes back as it came,
-- change by change: rows may have exchanged theirs by way of another value.
CREATE OR REPLACE FUNCTION bemi._split(items jsonb[], follows integer[], shapes jsonb)
RETURNS SETOF jsonb[] LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last integer := cardinality(items);
    joined jsonb[] := '{}';
    -- of each item, where in joined its row is
    places integer[] := '{}';
    place integer;
    together integer := 0;
BEGIN
    IF NOT (items[1]->'reverted')::boolean THEN
        SELECT coalesce(max(i), 0) INTO last FROM unnest(items) WITH ORDINALITY u (item, i)
        WHERE (item->'cause')::boolean OR item->>'operation' = 'TRUNCATE';
    END IF;
    FOR n IN 1 .. cardinality(items) LOOP
        place := places[follows[n]];
        IF place IS NULL OR place > together AND n > last AND bemi._stays_apart(joined[place], items[n],
            shapes->(items[n]->>'table')->'unique')
        THEN
            joined := joined || items[n];
            place := cardinality(joined);
        ELSE
            joined[place] := bemi._merged(joined[place], items[n]);
        END IF;
        places := places || place;
        IF n = last THEN
            together := cardinality(joined);
        END IF;
    END LOOP;
    IF together > 0 THEN
        RETURN NEXT joined[1:together];
    END IF;
    RETURN QUERY SELECT ARRAY[item] FROM unnest(joined) WITH ORDINALITY u (item, i)
        WHERE i > together ORDER BY i;
END $$;
COMMENT ON FUNCTION bemi._split(jsonb[], integer[], jsonb) IS
    'items of one transaction as those that go into one statement each';

-- Whether two UPDATEs of a row are undone one after the other: the older changed a column that must be unique
-- (of `of_columns`; null where nobody knows which must).
CREATE OR REPLACE FUNCTION bemi._stays_apart(newer jsonb, older jsonb, of_columns jsonb)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN newer->>'operation' = 'UPDATE' AND older->>'operation' = 'UPDATE' AND (of_columns = 'null'
        OR of_columns ?| ARRAY(SELECT jsonb_array_elements_text(older->'written')));
END $$;
COMMENT ON FUNCTION bemi._stays_apart(jsonb, jsonb, jsonb) IS
    'whether two UPDATEs of a row are undone one after the other';

-- Whether an item may go into one statement with others. Rows that come or go do so together, but each
-- that changes is a statement within the statement: so there is an end to them.
CREATE OR REPLACE FUNCTION bemi._may_join(item jsonb, others jsonb[], statements integer)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT (item->>'operation' = 'TRUNCATE') = (others[1]->>'operation' = 'TRUNCATE')
        AND statements < 200
        AND NOT (item->>'operation' = 'TRUNCATE' AND EXISTS (SELECT FROM unnest(others) o
            WHERE o->'table' = item->'table'
                AND coalesce(o->'partition' = item->'partition', true))));
END $$;
COMMENT ON FUNCTION bemi._may_join(jsonb, jsonb[], integer) IS
    'whether an item may go into one statement with others';

-- Why an item can't be undone because newer changes can't: `blocked` has the keys of their rows, by
-- table, each with the change ('' for all of a table that was truncated). Null where nothing is against it.
CREATE OR REPLACE FUNCTION bemi._blocked(item jsonb, blocked jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT format('a later change of its row can''t be undone: %s', value)
    FROM jsonb_each_text(blocked->(item->>'table')) WHERE key = '' OR item->'keys' ? key
        OR item->>'operation' = 'TRUNCATE' LIMIT 1);
END $$;
COMMENT ON FUNCTION bemi._blocked(jsonb, jsonb) IS
    'why an item can''t be undone because newer changes of its row can''t';

-- `blocked` with a change more.
CREATE OR REPLACE FUNCTION bemi._block(blocked jsonb, item jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT blocked || jsonb_build_object(item->>'table', coalesce(blocked->(item->>'table'), '{}')
        || CASE WHEN item->>'operation' = 'TRUNCATE' THEN jsonb_build_object('', item->'ids'->0)
            ELSE (SELECT coalesce(jsonb_object_agg(key, item->'ids'->0), '{}')
                FROM jsonb_array_elements_text(item->'keys') key) END));
END $$;
COMMENT ON FUNCTION bemi._block(jsonb, jsonb) IS
    'the rows whose older changes can''t be undone, with those of one change more';

-- What of a table has been done again so far: table and partition → the snapshot that its rows are of,
-- else 'changes'. A snapshot has all rows of its table (but those of retention, which are no whole):
-- `clears` tells that what was there before it goes.
CREATE OR REPLACE FUNCTION bemi._follow_snapshots(change @schema@.changes, INOUT seen jsonb,
    OUT clears boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place text := format('%I.%I %s', change.schema, change."table", change.details->>'partition');
    now text := CASE WHEN change.operation = 'SNAPSHOT' AND EXISTS (SELECT FROM bemi.snapshots s
            WHERE s.database = change.database AND s.schema = change.schema
                AND s."table" = change."table"
                AND s.position - '0/0'::pg_lsn - change.commit_position IN (0, 1))
        THEN change.commit_position::text ELSE 'changes' END;
BEGIN
    clears := now <> 'changes' AND seen ? place AND seen->>place <> now;
    IF seen->>place IS DISTINCT FROM now THEN
        seen := seen || jsonb_build_object(place, now);
    END IF;
END $$;
COMMENT ON FUNCTION bemi._follow_snapshots(@schema@.changes, jsonb) IS
    'what of a table has been done again so far, and whether it goes before a snapshot''s row';

-- The items of a selection as steps, in order, with their parts (bemi._parts) and the transaction that
-- they are of. `conflicts`: id → why a change can't be done, as far as that is known. Errors: 22023 where it has changes of several databases.
CREATE OR REPLACE FUNCTION bemi._steps(selection text, forward boolean, except_columns text[],
    conflicts jsonb, OUT items jsonb[], OUT parts jsonb, OUT transaction_id bigint, OUT context jsonb)
RETURNS SETOF record LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    shapes jsonb := '{}';
    name text;
    database text;
    source integer;
    row record;
    gathered jsonb[] := '{}';
    statements integer;
    first bigint;
    -- of each gathered item, the newer one that is of its row
    joins integer[];
    place integer;
    follows boolean;
    seen jsonb := '{}';
    clears boolean := false;
    item jsonb;
    blocked jsonb := '{}';
    reason text;
BEGIN
    FOR row IN EXECUTE bemi._selected_sql(selection, forward) LOOP
        name := format('%I.%I', (row.change).schema, (row.change)."table");
        IF (row.change).database <> database THEN
            RAISE EXCEPTION 'the selection has changes of the databases "%" and "%"', database,
                (row.change).database USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Give one of them as the argument database.';
        ELSIF source <> bemi.change_source((row.change).id)
            AND NOT bemi.is_of_database(database, source, bemi.change_source((row.change).id))
        THEN
            RAISE EXCEPTION 'the selection has changes of several databases that are called "%"', database
                USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Give the slot of one of them as the argument database.';
        ELSIF NOT shapes ? name THEN
            database := (row.change).database;
            source := bemi.change_source((row.change).id);
            shapes := shapes || jsonb_build_object(name, bemi._shape(database,
                (row.change).schema, (row.change)."table", except_columns));
        END IF;
        item := bemi._item(row.change, shapes->name, forward);
        IF item->>'kind' = 'restore' THEN
            item := bemi._restore(item, row.change, shapes->name, selection);
        END IF;
        reason := coalesce(item->>'conflict', conflicts->>(row.change).id::text,
            CASE WHEN NOT forward THEN bemi._blocked(item, blocked) END);
        IF reason IS NOT NULL THEN
            item := item || jsonb_build_object('conflict', reason);
            blocked := bemi._block(blocked, item);
        END IF;
        IF forward THEN
            SELECT * INTO seen, clears FROM bemi._follow_snapshots(row.change, seen);
        END IF;
        place := CASE WHEN row.touched >= first AND (row.change).operation IN ('CREATE', 'UPDATE')
            THEN row.touched - first + 1 END;
        follows := (gathered[place]->'becomes')::text = (item->'was')::text
            AND gathered[place]->'before' = item->'now';
        IF gathered <> '{}' AND (forward OR (row.change).transaction_id <> transaction_id
            OR (row.change).context <> context OR NOT coalesce(follows, true)
            OR follows IS NULL AND NOT bemi._may_join(item, gathered, statements))
        THEN
            FOR items IN SELECT s FROM bemi._split(gathered, joins, shapes) s LOOP
                parts := bemi._parts(items, shapes);
                RETURN NEXT;
            END LOOP;
            gathered := '{}';
            follows := NULL;
        END IF;
        IF clears THEN
            items := ARRAY[item || '{"kind": "clear"}'];
            parts := bemi._parts(items, shapes);
            context := (row.change).context;
            RETURN NEXT;
        END IF;
        IF gathered = '{}' THEN
            first := row.number;
            statements := 0;
            joins := '{}';
        END IF;
        transaction_id := (row.change).transaction_id;
        context := (row.change).context;
        gathered := gathered || item;
        joins := joins || CASE WHEN follows THEN place END;
        IF follows IS NOT TRUE THEN
            statements := statements + (item->>'kind' = 'update' OR item->>'kind' = 'delete'
                AND item->'key' = 'null')::integer;
        END IF;
    END LOOP;
    FOR items IN SELECT s FROM bemi._split(gathered, joins, shapes) s LOOP
        parts := bemi._parts(items, shapes);
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi._steps(text, boolean, text[], jsonb) IS
    'the work of undoing (or doing again) a selection, in steps that are a statement each';

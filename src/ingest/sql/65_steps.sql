-- Reversion. Which changes go into one statement. As a rule each is one of its own. But foreign keys
-- with CASCADE or SET NULL made changes to other rows behind the one that caused them: undone
-- newest first, a child would come back before its parent. Foreign keys are checked at the end of a
-- statement, so such changes of a transaction are undone in one. There a row may be written only once:
-- what a transaction did to it is undone as a whole.

DROP FUNCTION IF EXISTS bemi._split(jsonb[], integer[], jsonb), bemi._blocked(jsonb, jsonb), bemi._block(jsonb, jsonb),
    bemi._steps(text, boolean, text[], jsonb), bemi._parts(jsonb[], jsonb);

-- Items of one transaction, newest first, as steps: together up to the last cause, the others one by one (`apart`). What
-- bemi.revert did in one step is undone in one. `follows` tells of each item which newer one is of its row:
-- these become one. But where nothing is done together, a value that must be unique goes back as it came,
-- change by change: rows may have exchanged theirs by way of another value.
CREATE OR REPLACE FUNCTION bemi._split(items jsonb[], follows integer[], shapes jsonb,
    OUT step jsonb[], OUT apart boolean)
RETURNS SETOF record LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
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
            joined[place] := bemi._merged(joined[place], items[n], shapes);
        END IF;
        places := places || place;
        IF n = last THEN
            together := cardinality(joined);
        END IF;
    END LOOP;
    IF together > 0 THEN
        step := joined[1:together]; apart := false;
        RETURN NEXT;
    END IF;
    IF cardinality(joined) > together THEN
        step := joined[together + 1:]; apart := true;
        RETURN NEXT;
    END IF;
END $$;
COMMENT ON FUNCTION bemi._split(jsonb[], integer[], jsonb) IS
    'items of one transaction as those that are done together, and those that are done one after the other';

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

-- Why an item can't be undone because newer changes can't; null where nothing is against it. `blocked` has the rows whose older
-- changes can't be undone, in 256 objects by hashes of keys, so that many can be added: table and key → the change. One more,
-- of number 0, has tables: table → a change of it, '*' and table → one that truncated it.
CREATE OR REPLACE FUNCTION bemi._blocked(item jsonb, blocked jsonb[])
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_table text := item->>'table';
BEGIN
    IF blocked[0] = '{}' THEN
        RETURN NULL;
    END IF;
    RETURN format('a later change of its row can''t be undone: %s', id) FROM (
        SELECT coalesce(blocked[0]->>('*' || of_table),
            CASE WHEN item->>'operation' = 'TRUNCATE' THEN blocked[0]->>of_table END,
            (SELECT min(blocked[1 + (hashtext(key) & 255)]->>concat(of_table, ' ', key))
                FROM jsonb_array_elements_text(item->'keys') key))) b (id)
    WHERE id IS NOT NULL;
END $$;
COMMENT ON FUNCTION bemi._blocked(jsonb, jsonb[]) IS
    'why an item can''t be undone because newer changes of its row can''t';

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

-- Whether the change that comes is not of the step that has been gathered so far: of another transaction, or
-- what is done in one statement would not be as one by one.
CREATE OR REPLACE FUNCTION bemi._begins_step(gathered jsonb[], item jsonb, forward boolean, follows boolean, statements integer)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN forward THEN cardinality(gathered) >= 1000
        ELSE NOT coalesce(follows, true) OR follows IS NULL AND NOT bemi._may_join(item, gathered, statements) END;
END $$;
COMMENT ON FUNCTION bemi._begins_step(jsonb[], jsonb, boolean, boolean, integer) IS
    'whether the change that comes is not of the step that has been gathered so far';

-- What is known of the table of a change, with those of the tables before it. Errors: 22023 where the selection has changes of
-- several databases; `first` is its first change.
CREATE OR REPLACE FUNCTION bemi._shape_of(INOUT shapes jsonb, change @schema@.changes, first @schema@.changes,
    except_columns text[], OUT name text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source integer := bemi.change_source(first.id);
BEGIN
    name := format('%I.%I', change.schema, change."table");
    IF change.database <> first.database THEN
        RAISE EXCEPTION 'the selection has changes of the databases "%" and "%"', first.database,
            change.database USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give one of them as the argument database.';
    ELSIF source <> bemi.change_source(change.id)
        AND NOT bemi.is_of_database(first.database, source, bemi.change_source(change.id))
    THEN
        RAISE EXCEPTION 'the selection has changes of several databases that are called "%"', first.database
            USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give the slot of one of them as the argument database.';
    ELSIF NOT shapes ? name THEN
        shapes := shapes || jsonb_build_object(name, bemi._shape(change.database,
            change.schema, change."table", except_columns));
    END IF;
END $$;
COMMENT ON FUNCTION bemi._shape_of(jsonb, @schema@.changes, @schema@.changes, text[]) IS
    'what is known of the table of a change';

-- The items of a selection as steps, in order, with their parts and the transaction that they are of: parts that are
-- one statement together, or (`apart`) done one after the other, row by row. `conflicts`: id → why a change
-- can't be done, as far as that is known. Errors: those of bemi._shape_of().
CREATE OR REPLACE FUNCTION bemi._steps(selection text, forward boolean, except_columns text[],
    conflicts jsonb, OUT items jsonb[], OUT parts jsonb, OUT transaction_id bigint, OUT context jsonb, OUT apart boolean)
RETURNS SETOF record LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    shapes jsonb := '{}';
    name text;
    row record;
    first_change @schema@.changes;
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
    blocked jsonb[] := array_fill(jsonb '{}', ARRAY[257], ARRAY[0]);
    key text;
    slot integer;
    reason text;
BEGIN
    FOR row IN EXECUTE bemi._selected_sql(selection, forward) LOOP
        IF first_change.id IS NULL THEN
            first_change := row.change;
        END IF;
        SELECT * INTO shapes, name FROM bemi._shape_of(shapes, row.change, first_change, except_columns);
        item := bemi._item(row.change, shapes->name, forward);
        IF item->>'kind' = 'restore' THEN
            item := bemi._restore(item, row.change, shapes->name, selection);
        END IF;
        reason := coalesce(item->>'conflict', conflicts->>(row.change).id::text,
            CASE WHEN NOT forward THEN bemi._blocked(item, blocked) END);
        IF reason IS NOT NULL THEN
            item := item || jsonb_build_object('conflict', reason);
            blocked[0] := blocked[0] || jsonb_build_object(CASE item->>'operation' WHEN 'TRUNCATE' THEN '*' ELSE '' END
                || (item->>'table'), item->'ids'->0);
            FOR key IN SELECT jsonb_array_elements_text(item->'keys') LOOP
                slot := 1 + (hashtext(key) & 255);
                blocked[slot] := blocked[slot] || jsonb_build_object(concat(item->>'table', ' ', key), item->'ids'->0);
            END LOOP;
        END IF;
        IF forward THEN
            SELECT * INTO seen, clears FROM bemi._follow_snapshots(row.change, seen);
        END IF;
        place := CASE WHEN NOT forward AND row.touched >= first AND (row.change).operation IN ('CREATE', 'UPDATE')
            THEN row.touched - first + 1 END;
        follows := (gathered[place]->'becomes')::text = (item->'was')::text
            AND gathered[place]->'before' = item->'now';
        IF gathered <> '{}' AND (clears OR (row.change).transaction_id <> transaction_id
            OR (row.change).context <> context OR bemi._begins_step(gathered, item, forward, follows, statements))
        THEN
            RETURN QUERY SELECT * FROM bemi._steps_of(gathered, joins, shapes, forward, transaction_id, context);
            gathered := '{}';
            follows := NULL;
        END IF;
        transaction_id := (row.change).transaction_id;
        context := (row.change).context;
        IF clears THEN
            RETURN QUERY SELECT * FROM bemi._steps_of(ARRAY[item || '{"kind": "clear"}'], '{}', shapes, forward,
                transaction_id, context);
        END IF;
        IF gathered = '{}' THEN
            first := row.number;
            statements := 0;
            joins := '{}';
        END IF;
        gathered := gathered || item;
        joins := joins || CASE WHEN follows THEN place END;
        IF follows IS NOT TRUE THEN
            statements := statements + (item->>'kind' = 'update' OR item->>'kind' = 'delete'
                AND NOT (item->'keyed')::boolean)::integer;
        END IF;
    END LOOP;
    RETURN QUERY SELECT * FROM bemi._steps_of(gathered, joins, shapes, forward, transaction_id, context)
        WHERE gathered <> '{}';
END $$;
COMMENT ON FUNCTION bemi._steps(text, boolean, text[], jsonb) IS
    'the work of undoing (or doing again) a selection, in steps';

-- What was gathered as steps.
CREATE OR REPLACE FUNCTION bemi._steps_of(gathered jsonb[], joins integer[], shapes jsonb, forward boolean,
    of_transaction bigint, of_context jsonb)
RETURNS TABLE (items jsonb[], parts jsonb, transaction_id bigint, context jsonb, apart boolean)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT gathered, bemi._parts_apart(gathered, shapes), of_transaction, of_context, true WHERE forward
    UNION ALL
    SELECT s.step, CASE WHEN s.apart THEN bemi._parts_apart(s.step, shapes)
        ELSE bemi._parts_together(s.step, shapes) END, of_transaction, of_context, s.apart
    FROM bemi._split(gathered, joins, shapes) s WHERE NOT forward
$$;
COMMENT ON FUNCTION bemi._steps_of(jsonb[], integer[], jsonb, boolean, bigint, jsonb) IS 'what was gathered as steps';

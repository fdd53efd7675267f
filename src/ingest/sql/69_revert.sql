-- Undoes the selected changes in this database, which is source and destination in one. Only what is
-- left alone by later changes fits: conflicts are listed, and unless `force` nothing is done where there
-- is one. With it, what fits is undone and the rest left as it is. `dry_run` does the same and takes it
-- back. `except_columns`: columns that are neither compared nor written. A change whose reversion makes
-- triggers or foreign keys write further rows does not fit, unless `side_effects`.
--
-- outcome: `reverted`; `fits`, where nothing was done; `conflict`. A conflict without an id is one of a
-- constraint that is checked at the end.
--
-- It has no search_path of its own, so that the triggers of the tables find what they find when the
-- caller writes: every name here is qualified.
CREATE OR REPLACE FUNCTION bemi.revert(context jsonb DEFAULT NULL,
    transaction_id bigint DEFAULT NULL, change_ids uuid[] DEFAULT NULL, "table" text DEFAULT NULL,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    except_columns text[] DEFAULT '{}', side_effects boolean DEFAULT false,
    dry_run boolean DEFAULT false, force boolean DEFAULT false)
RETURNS TABLE (id uuid, table_name text, primary_key text, operation text, outcome text,
    conflict text)
LANGUAGE plpgsql AS $$
DECLARE
    -- What images name without a schema is in pg_catalog.
    caller_path pg_catalog.text := pg_catalog.concat_ws(', ', 'pg_catalog',
        nullif(pg_catalog.current_setting('search_path'), ''));
BEGIN
    RETURN QUERY SELECT * FROM bemi._revert_selected(context, transaction_id, change_ids, "table",
        since, until, except_columns, side_effects, dry_run, force, caller_path);
END $$;
COMMENT ON FUNCTION bemi.revert(jsonb, bigint, uuid[], text, timestamptz, timestamptz, text[], boolean, boolean, boolean) IS
    'undoes the selected changes in this database, all or (with force) what fits; a row for each, with its conflict if it has one';

CREATE OR REPLACE FUNCTION bemi._revert_selected(context jsonb, transaction_id bigint,
    change_ids uuid[], of_table text, since timestamptz, until timestamptz, except_columns text[],
    side_effects boolean, dry_run boolean, force boolean, caller_path text)
RETURNS TABLE (id uuid, table_name text, primary_key text, operation text, outcome text,
    conflict text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Where other clusters have a database of this name, the slot tells whose changes are meant.
    own_slot text := (SELECT min(p.slot) FROM bemi.progress p, pg_control_system() s
        WHERE p.database = current_database() AND p.system_identifier = s.system_identifier
            AND EXISTS (SELECT FROM bemi.progress o WHERE o.database = p.database
                AND o.system_identifier <> s.system_identifier));
    selection text;
    work record;
BEGIN
    IF NOT bemi._is_here(current_database()) THEN
        RAISE EXCEPTION 'the changes of a database "%" are those of another cluster', current_database()
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'bemi.revert_sql() gives the statements, for psql on that database.';
    END IF;
    selection := bemi._selection(context, transaction_id, change_ids, of_table, since, until,
        coalesce(own_slot, current_database()));
    IF NOT side_effects AND NOT current_setting('track_counts')::boolean THEN
        RAISE EXCEPTION 'with track_counts off, what triggers and foreign keys write can''t be seen'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Turn it on, or give side_effects => true.';
    END IF;
    SELECT * INTO work FROM bemi._revert(selection, bemi._selected_by(context, of_table, since,
        until), except_columns, side_effects, dry_run, force,
        caller_path);
    IF work.ids IS NULL THEN
        RAISE NOTICE 'no changes are selected';
    ELSIF NOT work.done AND NOT dry_run THEN
        RAISE WARNING 'nothing was reverted: there are conflicts'
            USING HINT = 'They are the rows with the outcome "conflict"; force => true reverts the others.';
    END IF;
    RETURN QUERY SELECT c.id, format('%I.%I', c.schema, c."table"), c.primary_key, c.operation,
        CASE WHEN work.conflicts ? c.id::text THEN 'conflict'
            WHEN work.done THEN 'reverted' ELSE 'fits' END, work.conflicts->>c.id::text
    FROM unnest(work.ids) WITH ORDINALITY i (id, number)
    JOIN @schema@.changes c ON c.id = i.id ORDER BY i.number;
    RETURN QUERY SELECT NULL::uuid, NULL::text, NULL::text, NULL::text, 'conflict', at_end
    FROM (SELECT work.conflicts->>'') e (at_end) WHERE at_end IS NOT NULL;
END $$;
COMMENT ON FUNCTION bemi._revert_selected(jsonb, bigint, uuid[], text, timestamptz, timestamptz, text[], boolean, boolean, boolean, text) IS
    'bemi.revert, with the search_path of its caller';

-- revert_sql and replay_sql.

-- The steps of a selection as statements. What can't be undone is a statement that fails and says why,
-- so that nobody undoes a half by mistake. `rows`: how many rows the step writes, and `parts`, what
-- they are: both with its first statement.
CREATE OR REPLACE FUNCTION bemi._step_statements(selection text, forward boolean,
    except_columns text[], conflicts jsonb, selected_by jsonb, OUT statement text, OUT rows bigint, OUT context jsonb,
    OUT parts jsonb)
RETURNS SETOF record LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number integer := 0;
    step record;
    item jsonb;
BEGIN
    FOR step IN SELECT * FROM bemi._steps(selection, forward, except_columns, conflicts) LOOP
        number := number + 1;
        context := CASE WHEN forward THEN step.context ELSE bemi._reverting(selected_by,
            step.transaction_id, NOT step.apart AND cardinality(step.items) > 1, number) END;
        rows := 0;
        parts := '[]';
        FOREACH item IN ARRAY step.items LOOP
            IF item ? 'conflict' THEN
                statement := format(E'-- conflict: %s, change %s\n%s', item->>'label', item->'ids'->>0,
                    bemi._do(format('BEGIN %s END', bemi._raise(format('conflict: %s: %s',
                        item->>'label', item->>'conflict')))));
                RETURN NEXT;
            ELSIF item->>'kind' = 'none' THEN
                statement := format('-- nothing to write: %s', item->>'label');
                RETURN NEXT;
            END IF;
        END LOOP;
        rows := (SELECT coalesce(sum((p->>'count')::bigint), 0) FROM jsonb_array_elements(step.parts) p);
        parts := step.parts;
        FOR statement IN SELECT s FROM bemi._step_sql(step.parts, forward, step.apart) s WHERE step.parts <> '[]' LOOP
            RETURN NEXT;
            rows := 0;
            parts := '[]';
        END LOOP;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi._step_statements(text, boolean, text[], jsonb, jsonb) IS
    'the steps of a selection as statements';

-- `except_columns`: columns that are neither compared nor written. `side_effects`: whether triggers and
-- foreign keys may write further rows.
CREATE OR REPLACE FUNCTION bemi.revert_sql(context jsonb DEFAULT NULL,
    transaction_id bigint DEFAULT NULL, change_ids uuid[] DEFAULT NULL, "table" text DEFAULT NULL,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, database text DEFAULT NULL,
    except_columns text[] DEFAULT '{}', side_effects boolean DEFAULT false)
RETURNS SETOF text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    selection text := bemi._selection(context, transaction_id, change_ids, "table", since, until,
        database);
    total bigint;
    said jsonb;
    step record;
    guarded jsonb := '[]';
    guards text[];
BEGIN
    FOR step IN SELECT * FROM bemi._step_statements(selection, false, except_columns,
        bemi._later_conflicts(selection), bemi._selected_by(context, "table", since, until))
    LOOP
        IF total IS NULL THEN
            RETURN QUERY SELECT bemi._script_head();
            RETURN NEXT 'SET CONSTRAINTS ALL DEFERRED;';
            RETURN NEXT format('SELECT pg_catalog.set_config(''bemi.written'', %s::pg_catalog.text, true);',
                bemi._rows_written_sql());
            total := 0;
        END IF;
        total := total + step.rows;
        SELECT * INTO guarded, guards FROM bemi._guards(step.parts, guarded);
        RETURN QUERY SELECT unnest(guards);
        IF step.context IS DISTINCT FROM said THEN
            RETURN NEXT bemi._message_sql(step.context);
            said := step.context;
        END IF;
        RETURN NEXT step.statement;
    END LOOP;
    IF total IS NOT NULL THEN
        RETURN NEXT 'SET CONSTRAINTS ALL IMMEDIATE;';
    END IF;
    IF total IS NOT NULL AND NOT side_effects THEN
        RETURN NEXT E'-- triggers and foreign keys have written nothing else\n' || bemi._do(format(
            E'BEGIN\nIF %s OPERATOR(pg_catalog.<>)
  (pg_catalog.current_setting(''bemi.written'')::pg_catalog.numeric OPERATOR(pg_catalog.+) %s) THEN\n%s END IF;\nEND',
            bemi._rows_written_sql(), total,
            bemi._raise(format('not %s rows were written:'
                ' triggers or foreign keys have written others, or track_counts is off', total))));
    END IF;
    IF total IS NOT NULL THEN
        RETURN QUERY SELECT bemi._sequences_sql(name) FROM bemi._grown(guarded) name;
        RETURN NEXT 'COMMIT;';
    END IF;
END $$;
COMMENT ON FUNCTION bemi.revert_sql(jsonb, bigint, uuid[], text, timestamptz, timestamptz, text, text[], boolean) IS
    'the statements of a transaction that undoes the selected changes, newest first, each only if its row is still as the change left it';

-- Triggers and foreign keys of the database that it runs in don't act, since what they did is among the
-- changes; that takes a superuser there, or the right to set session_replication_role.
CREATE OR REPLACE FUNCTION bemi.replay_sql(context jsonb DEFAULT NULL,
    transaction_id bigint DEFAULT NULL, change_ids uuid[] DEFAULT NULL, "table" text DEFAULT NULL,
    since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, database text DEFAULT NULL,
    except_columns text[] DEFAULT '{}')
RETURNS SETOF text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    selection text := bemi._selection(context, transaction_id, change_ids, "table", since, until,
        database);
    said jsonb;
    step record;
    guarded jsonb := '[]';
    guards text[];
BEGIN
    FOR step IN SELECT * FROM bemi._step_statements(selection, true, except_columns, '{}', '{}')
    LOOP
        IF said IS NULL THEN
            RETURN QUERY SELECT bemi._script_head();
            RETURN NEXT 'SET LOCAL session_replication_role = replica;';
        END IF;
        SELECT * INTO guarded, guards FROM bemi._guards(step.parts, guarded);
        RETURN QUERY SELECT unnest(guards);
        IF step.context IS DISTINCT FROM said THEN
            RETURN NEXT bemi._message_sql(step.context);
            said := step.context;
        END IF;
        RETURN NEXT step.statement;
    END LOOP;
    IF said IS NOT NULL THEN
        RETURN QUERY SELECT bemi._sequences_sql(name) FROM bemi._grown(guarded) name;
        RETURN NEXT 'COMMIT;';
    END IF;
END $$;
COMMENT ON FUNCTION bemi.replay_sql(jsonb, bigint, uuid[], text, timestamptz, timestamptz, text, text[]) IS
    'the statements of a transaction that does the selected changes again, oldest first, each only if its row is as it was before the change';

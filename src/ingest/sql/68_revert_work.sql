-- revert: all or nothing, or what fits. Two of our own errors take back what was done: BM001, something
-- did not fit; BM002, it was only a trial.

-- Says who does what follows, as bemi.set_context() does.
CREATE OR REPLACE FUNCTION bemi._say(context jsonb)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regprocedure('bemi.set_context(jsonb)') IS NOT NULL THEN
        EXECUTE 'SELECT bemi.set_context($1)' USING context;
    ELSE
        PERFORM set_config('bemi.context', context::text, true),
            pg_logical_emit_message(true, '_bemi', context::text);
    END IF;
END $$;
COMMENT ON FUNCTION bemi._say(jsonb) IS
    'says the context of what follows';

-- The context of the session so far; {} where there is none.
CREATE OR REPLACE FUNCTION bemi._said()
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce(nullif(current_setting('bemi.context', true), '')::jsonb, '{}');
EXCEPTION WHEN data_exception THEN
    RETURN '{}';
END $$;
COMMENT ON FUNCTION bemi._said() IS
    'the context of the session so far';

-- Says it unless it was what was said last; gives what was.
CREATE OR REPLACE FUNCTION bemi._say_step(context jsonb, said jsonb)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF context IS DISTINCT FROM said THEN
        PERFORM bemi._say(context);
    END IF;
    RETURN context;
END $$;
COMMENT ON FUNCTION bemi._say_step(jsonb, jsonb) IS
    'says the context of a step, unless it was said last';

-- Steps are [{parts, apart, context}, …], newest first. All of them: whether all fit and (unless `side_effects`) nothing else was written. Otherwise, and where `keep` is
-- false, nothing is left of them.
CREATE OR REPLACE FUNCTION bemi._revert_all(steps jsonb[], caller_path text, side_effects boolean,
    keep boolean)
RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    step jsonb;
    said jsonb;
    before jsonb := bemi._rows_written();
    rows bigint := (SELECT sum((p->>'count')::bigint)
        FROM unnest(steps) s, jsonb_array_elements(s->'parts') p);
BEGIN
    PERFORM bemi._set_constraints('DEFERRED', caller_path);
    FOREACH step IN ARRAY steps LOOP
        said := bemi._say_step(step->'context', said);
        IF (step->'apart')::boolean THEN
            PERFORM bemi._execute(bemi._running_apart_sql(p, false, true), caller_path, false)
            FROM jsonb_array_elements(step->'parts') p;
        ELSIF bemi._run(step->'parts', caller_path) <> '{}' THEN
            RAISE EXCEPTION USING ERRCODE = 'BM001';
        END IF;
    END LOOP;
    PERFORM bemi._set_constraints('IMMEDIATE', caller_path);
    IF NOT side_effects AND bemi._written_besides(before, coalesce(rows, 0)) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'BM001';
    ELSIF NOT keep THEN
        RAISE EXCEPTION USING ERRCODE = 'BM002';
    END IF;
    RETURN true;
EXCEPTION
    WHEN SQLSTATE 'BM002' THEN
        RETURN true;
    WHEN OTHERS THEN
        IF bemi._is_fatal(SQLSTATE) THEN
            RAISE;
        END IF;
        RETURN false;
END $$;
COMMENT ON FUNCTION bemi._revert_all(jsonb[], text, boolean, boolean) IS
    'does all steps, or none';

-- One step, as much of it as fits: id → why a change does not.
CREATE OR REPLACE FUNCTION bemi._attempt(parts jsonb, caller_path text, side_effects boolean)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before jsonb;
    unfit jsonb;
    detail text;
    reason text;
BEGIN
    BEGIN
        before := bemi._rows_written();
        unfit := bemi._run(parts, caller_path);
        IF NOT side_effects AND unfit = '{}' THEN
            reason := bemi._written_besides(before,
                (SELECT sum((p->>'count')::bigint) FROM jsonb_array_elements(parts) p)::bigint);
        END IF;
        IF unfit = '{}' AND reason IS NULL THEN
            RETURN '{}';
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'BM001';
    EXCEPTION
        WHEN SQLSTATE 'BM001' THEN
            NULL;
        WHEN OTHERS THEN
            IF bemi._is_fatal(SQLSTATE) THEN
                RAISE;
            END IF;
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
            unfit := '{}';
            reason := bemi._error_text(SQLERRM, detail);
    END;
    IF (SELECT count(*) FROM jsonb_array_elements(parts) p, jsonb_array_elements(p->'ids')) > 1 THEN
        RETURN bemi._attempt_singly(parts, CASE WHEN (SELECT
            bool_and(jsonb_array_length(parts->(n::integer - 1)->'ids') = 1)
                AND count(*) < jsonb_array_length(parts) FROM jsonb_object_keys(unfit) n)
            THEN unfit ELSE '{}' END, caller_path, side_effects);
    END IF;
    RETURN (SELECT jsonb_object_agg(id, coalesce(reason, unfit->>'1'))
        FROM jsonb_array_elements_text(parts#>'{0,ids,0}') id);
END $$;
COMMENT ON FUNCTION bemi._attempt(jsonb, text, boolean) IS
    'does one step as far as it fits; gives id → why a change does not';

-- The parts of a step that failed: first together without what was unfit; and where that fails too,
-- one by one, again and again as long as one more fits, since one may need another.
CREATE OR REPLACE FUNCTION bemi._attempt_singly(parts jsonb, unfit jsonb, caller_path text,
    side_effects boolean)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    conflicts jsonb := (SELECT coalesce(jsonb_object_agg(id, unfit->>n::text), '{}')
        FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n),
            jsonb_array_elements_text(p#>'{ids,0}') id WHERE unfit ? n::text);
    pending jsonb[];
    later jsonb[];
    failed jsonb;
    part jsonb;
BEGIN
    IF conflicts <> '{}' THEN
        RETURN conflicts || bemi._attempt((SELECT jsonb_agg(p ORDER BY n)
            FROM jsonb_array_elements(parts) WITH ORDINALITY x (p, n) WHERE NOT unfit ? n::text),
            caller_path, side_effects);
    END IF;
    later := ARRAY(SELECT bemi._singly(parts));
    LOOP
        pending := later;
        later := '{}';
        conflicts := '{}';
        FOREACH part IN ARRAY pending LOOP
            failed := bemi._attempt(jsonb_build_array(part), caller_path, side_effects);
            IF failed <> '{}' THEN
                conflicts := conflicts || failed;
                later := later || part;
            END IF;
        END LOOP;
        EXIT WHEN later = '{}' OR cardinality(later) = cardinality(pending);
    END LOOP;
    RETURN conflicts;
END $$;
COMMENT ON FUNCTION bemi._attempt_singly(jsonb, jsonb, text, boolean) IS
    'does the parts of a step that failed as a whole';

-- Rows of a part one after the other, as many as fit: id → why a change does not. First all of them at once, which takes one
-- subtransaction and no more looks at what was written than one.
CREATE OR REPLACE FUNCTION bemi._attempt_apart(part jsonb, caller_path text, side_effects boolean)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before jsonb := bemi._rows_written();
BEGIN
    BEGIN
        PERFORM bemi._execute(bemi._running_apart_sql(part, false, true), caller_path, false);
        IF side_effects OR bemi._written_besides(before, (part->>'count')::bigint) IS NULL THEN
            RETURN '{}';
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'BM001';
    EXCEPTION WHEN OTHERS THEN
        IF bemi._is_fatal(SQLSTATE) THEN
            RAISE;
        END IF;
    END;
    PERFORM bemi._execute(bemi._running_apart_sql(part, true, side_effects), caller_path, false);
    RETURN (SELECT coalesce(jsonb_object_agg(id, u.reason), '{}')
        FROM jsonb_each(current_setting('bemi_revert.unfit')::jsonb) u (number, reason),
            jsonb_array_elements_text(part->'ids'->(u.number::integer - 1)) id);
END $$;
COMMENT ON FUNCTION bemi._attempt_apart(jsonb, text, boolean) IS
    'does the rows of a part one after the other, as many as fit; gives id → why a change does not';

-- All steps, each as far as it fits: id → why a change does not; '' → what failed at the end. `keep`
-- as above, and only where no conflict has turned up and (without `force`) there was none.
CREATE OR REPLACE FUNCTION bemi._revert_each(steps jsonb[], caller_path text, conflicts jsonb,
    side_effects boolean, force boolean, keep boolean)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known jsonb := conflicts;
    step jsonb;
    part jsonb;
    said jsonb;
    before jsonb;
    at_end text;
BEGIN
    PERFORM bemi._set_constraints('DEFERRED', caller_path);
    FOREACH step IN ARRAY steps LOOP
        said := bemi._say_step(step->'context', said);
        IF (step->'apart')::boolean THEN
            FOR part IN SELECT jsonb_array_elements(step->'parts') LOOP
                conflicts := conflicts || bemi._attempt_apart(part, caller_path, side_effects);
            END LOOP;
        ELSE
            conflicts := conflicts || bemi._attempt(step->'parts', caller_path, side_effects);
        END IF;
    END LOOP;
    BEGIN
        before := bemi._rows_written();
        PERFORM bemi._set_constraints('IMMEDIATE', caller_path);
        at_end := CASE WHEN NOT side_effects THEN bemi._written_besides(before, 0) END;
    EXCEPTION WHEN integrity_constraint_violation OR raise_exception THEN
        GET STACKED DIAGNOSTICS at_end = PG_EXCEPTION_DETAIL;
        at_end := concat_ws(': ', SQLERRM, nullif(at_end, ''));
    END;
    IF at_end IS NOT NULL THEN
        conflicts := conflicts || jsonb_build_object('', at_end);
    END IF;
    IF NOT keep OR conflicts <> known OR conflicts <> '{}' AND NOT force THEN
        RAISE EXCEPTION USING ERRCODE = 'BM002';
    END IF;
    RETURN conflicts;
EXCEPTION WHEN SQLSTATE 'BM002' THEN
    RETURN conflicts;
END $$;
COMMENT ON FUNCTION bemi._revert_each(jsonb[], text, jsonb, boolean, boolean, boolean) IS
    'does each step as far as it fits; gives id → why a change does not';

-- The steps of a selection, in the contexts in which they are to be done, ids in order, and id → conflict,
-- of those that are known and of those that the records show.
CREATE OR REPLACE FUNCTION bemi._work(selection text, selected_by jsonb, except_columns text[],
    said jsonb, INOUT conflicts jsonb, OUT steps jsonb[], OUT ids uuid[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    step record;
    number integer := 0;
BEGIN
    steps := '{}';
    FOR step IN SELECT * FROM bemi._steps(selection, false, except_columns, conflicts) LOOP
        number := number + 1;
        ids := ids || ARRAY(SELECT id::uuid FROM unnest(step.items) i,
            jsonb_array_elements_text(i->'ids') id);
        conflicts := conflicts || (SELECT coalesce(jsonb_object_agg(id, i->'conflict'), '{}')
            FROM unnest(step.items) i, jsonb_array_elements_text(i->'ids') id WHERE i ? 'conflict');
        IF step.parts <> '[]' THEN
            steps := steps || jsonb_build_object('parts', step.parts, 'apart', step.apart, 'context',
                CASE jsonb_typeof(said) WHEN 'object' THEN said ELSE '{}' END || bemi._reverting(selected_by,
                    step.transaction_id, NOT step.apart AND cardinality(step.items) > 1, number));
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi._work(text, jsonb, text[], jsonb, jsonb) IS
    'the steps of a selection with their contexts, ids and conflicts';

-- The work of bemi.revert: ids in the order in which they are undone, id → conflict, and whether it
-- was done.
CREATE OR REPLACE FUNCTION bemi._revert(selection text, selected_by jsonb, except_columns text[],
    side_effects boolean, dry_run boolean, force boolean, caller_path text,
    OUT ids uuid[], OUT conflicts jsonb, OUT done boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1
SET lc_monetary = 'C' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET xmloption = 'content' AS $$
DECLARE
    work record;
    guarded jsonb;
    said jsonb := bemi._said();
BEGIN
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        -- What this transaction has changed already is not of this revert.
        PERFORM bemi._say(said);
    END IF;
    conflicts := bemi._later_conflicts(selection);
    LOOP
        SELECT * INTO work FROM bemi._work(selection, selected_by, except_columns, said, conflicts);
        ids := work.ids;
        guarded := bemi._set_guards(work.steps, caller_path);
        done := work.conflicts = '{}' AND bemi._revert_all(work.steps, caller_path, side_effects,
            NOT dry_run);
        EXIT WHEN done;
        conflicts := bemi._revert_each(work.steps, caller_path, work.conflicts, side_effects, force,
            NOT dry_run);
        done := conflicts = work.conflicts AND (force OR conflicts = '{}');
        -- A conflict that turned up may be one for older changes of its row too.
        EXIT WHEN done OR NOT force OR conflicts ? '';
    END LOOP;
    done := done AND NOT dry_run;
    IF done THEN
        PERFORM bemi._execute(bemi._sequences_sql(name), caller_path, false) FROM bemi._grown(guarded) name;
    END IF;
    PERFORM bemi._say(said);
END $$;
COMMENT ON FUNCTION bemi._revert(text, jsonb, text[], boolean, boolean, boolean, text) IS
    'the work of bemi.revert';

-- A table at a position: what every question about the past comes down to.

DO $$
BEGIN
    IF to_regtype('bemi.moment') IS NULL THEN
        CREATE TYPE bemi.moment AS (
            slot     text,
            database text,
            schema   text,
            "table"  text,
            -- changes up to and with this commit_position have been made
            position bigint,
            -- the stretch without a gap that it is in: beyond since, up to and with till
            since    bigint,
            till     bigint,
            -- from this commit_position on all rows of the table are known; null where none is near
            base     bigint,
            -- as bemi.change_source() gives it; null: any
            source   integer
        );
    END IF;
END $$;
COMMENT ON TYPE bemi.moment IS 'a table of changes at a position';

-- A time for messages: UTC, as records have it.
CREATE OR REPLACE FUNCTION bemi.time_text(at timestamptz)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT CASE WHEN isfinite(at) THEN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00')
        ELSE at::text END
$$;
COMMENT ON FUNCTION bemi.time_text(timestamptz) IS
    'a time for messages: UTC, as records have it';

-- Whether a moment's rows are of that system, of any fork of it.
CREATE OR REPLACE FUNCTION bemi.is_of_source(m bemi.moment, system_identifier numeric)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT m.source IS NULL OR m.source IN (SELECT bemi.source_of(system_identifier, fork)
        FROM generate_series(0, (SELECT p.fork FROM bemi._progress_of(m.slot) p)) fork)
$$;
COMMENT ON FUNCTION bemi.is_of_source(bemi.moment, numeric) IS
    'whether the rows of a moment are of that system, of any fork of it';

-- From which position on all rows of a table are known, in a stretch of its slot; and since when.
-- begins: `slot`, `snapshot`, or `retention` where what is older was dropped.
CREATE OR REPLACE FUNCTION bemi.base_of(m bemi.moment, s_from_time timestamptz, first boolean,
    OUT base bigint, OUT from_position bigint, OUT from_time timestamptz, OUT begins text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    horizon timestamptz := (SELECT max(t.horizon) FROM bemi.target t);
BEGIN
    IF first AND NOT EXISTS (SELECT FROM bemi.tables t WHERE t."table" = m."table"
        AND t.schema = m.schema AND t.database = m.database AND t.slot = m.slot AND t.had_rows)
    THEN
        base := m.since; from_time := s_from_time; begins := 'slot';
    ELSE
        SELECT s.position - '0/0'::pg_lsn, s.taken_at, 'snapshot' INTO base, from_time, begins
        FROM bemi.snapshots s
        WHERE s."table" = m."table" AND s.schema = m.schema AND s.database = m.database
            AND s.position - '0/0'::pg_lsn BETWEEN m.since AND m.till
            AND bemi.is_of_source(m, s.system_identifier)
        ORDER BY s.position LIMIT 1;
    END IF;
    from_position := base;
    IF horizon > from_time THEN
        from_time := horizon; begins := 'retention';
        from_position := greatest(base, bemi.last_commit_of_changes(horizon, m.till, m.source));
    END IF;
END $$;
COMMENT ON FUNCTION bemi.base_of(bemi.moment, timestamptz, boolean) IS
    'from which position on all rows of a table are known in a stretch of its slot, and since when';

-- What can be asked of a table: a row for each stretch that is known without a gap, oldest first.
CREATE OR REPLACE FUNCTION bemi.coverage("table" text, database text DEFAULT NULL)
RETURNS TABLE (from_time timestamptz, to_time timestamptz, from_position pg_lsn, to_position pg_lsn,
    begins_with text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    m bemi.moment;
    s record;
    b record;
BEGIN
    SELECT t.slot, t.database, t.schema, t."table" INTO m.slot, m.database, m.schema, m."table"
    FROM bemi.find_table("table", database) t;
    FOR s IN SELECT *, row_number() OVER (ORDER BY t.number) = 1 AS first
        FROM bemi.stretches(m.slot, m.database) WITH ORDINALITY t (from_position, to_position,
            from_time, to_time, source, stored_position, number) ORDER BY t.number
    LOOP
        m.since := s.from_position; m.till := s.to_position; m.source := s.source;
        SELECT * INTO b FROM bemi.base_of(m, s.from_time, s.first);
        CONTINUE WHEN b.base IS NULL OR b.begins = 'retention' AND b.from_time > s.to_time;
        from_time := b.from_time; begins_with := b.begins;
        to_time := greatest(s.to_time, from_time);
        from_position := '0/0'::pg_lsn + (b.from_position + (b.begins = 'slot')::integer)::numeric;
        to_position := '0/0'::pg_lsn + greatest(s.stored_position, b.base)::numeric;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.coverage(text, text) IS
    'from when to when the rows of a table are known, without a gap; begins_with: slot, snapshot or retention';

-- How messages name a table, and a moment that was asked for.
CREATE OR REPLACE FUNCTION bemi.moment_text(m bemi.moment)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT format('%I.%I', m.schema, m."table")
$$;
COMMENT ON FUNCTION bemi.moment_text(bemi.moment) IS
    'how messages name a table';
CREATE OR REPLACE FUNCTION bemi.asked_text(at timestamptz, at_position bigint)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT coalesce(bemi.time_text(at), ('0/0'::pg_lsn + at_position::numeric)::text)
$$;
COMMENT ON FUNCTION bemi.asked_text(timestamptz, bigint) IS
    'how messages name a time or a position that was asked for';

-- Ends with the error that a moment lies in a gap, or behind one that no snapshot has mended.
CREATE OR REPLACE FUNCTION bemi.refuse_gap(m bemi.moment, asked text, gap_from timestamptz,
    gap_to timestamptz, behind boolean)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '% is not known at %: changes from % to % are missing', bemi.moment_text(m),
        asked, bemi.time_text(gap_from), bemi.time_text(gap_to)
        USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = CASE WHEN behind THEN 'No snapshot was taken between this gap and that moment.'
                ELSE 'It lies in this gap.' END,
            HINT = 'See bemi.coverage() and bemi.gaps; "bemi_ingest snapshot" makes a table known'
                ' again, from then on.';
END $$;
COMMENT ON FUNCTION bemi.refuse_gap(bemi.moment, text, timestamptz, timestamptz, boolean) IS
    'ends with the error that a moment lies in a gap, or behind one that no snapshot has mended';

-- The stretch that holds a time or a position, whichever is not null: fills position, since, till and
-- source. `known` are from_time of the stretch and, where it follows a gap, the gap's times.
CREATE OR REPLACE FUNCTION bemi.find_stretch(INOUT m bemi.moment, at timestamptz, at_position bigint,
    OUT since_time timestamptz, OUT gap_from timestamptz, OUT is_first boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    asked text := bemi.asked_text(at, at_position);
    later_from timestamptz;
    s record;
BEGIN
    FOR s IN SELECT *, lag(t.to_time) OVER (ORDER BY t.number) AS gap_from, t.number = 1 AS first
        FROM bemi.stretches(m.slot, m.database) WITH ORDINALITY t (from_position, to_position,
            from_time, to_time, source, stored_position, number) ORDER BY t.number DESC
    LOOP
        m.since := s.from_position; m.till := s.to_position; m.source := s.source;
        since_time := s.from_time; gap_from := s.gap_from; is_first := s.first;
        IF at_position > s.stored_position AND later_from IS NULL THEN
            RAISE EXCEPTION 'changes of % are stored up to %, not up to %', bemi.moment_text(m),
                '0/0'::pg_lsn + s.stored_position::numeric, asked
                USING ERRCODE = 'object_not_in_prerequisite_state';
        ELSIF at_position > s.to_position OR at > s.to_time AND later_from IS NOT NULL THEN
            PERFORM bemi.refuse_gap(m, asked, s.to_time, later_from, false);
        ELSIF at_position >= s.from_position OR at >= s.from_time THEN
            m.position := coalesce(at_position,
                bemi.position_at(at, m.since, m.till, m.source, m.database));
            RETURN;
        ELSIF s.first AND at >= s.from_time - interval '1 minute' THEN
            -- The start is by the destination's clock, changes are by the source's.
            m.position := bemi.position_at(at, m.since, m.till, m.source, m.database);
            IF m.position > m.since THEN
                RETURN;
            END IF;
        END IF;
        later_from := s.from_time;
    END LOOP;
    RAISE EXCEPTION '% is known from % on, not at %', bemi.moment_text(m),
        bemi.time_text(since_time), asked
        USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = 'Slot and table of changes were made then.';
END $$;
COMMENT ON FUNCTION bemi.find_stretch(bemi.moment, timestamptz, bigint) IS
    'a moment with the stretch without a gap that holds a time or a position; an error where none does';

-- The moment of a table by time or by position, whichever is not null. A time beyond what is stored
-- means what is stored. `whole`: all rows must be known; otherwise base may be null, and a single row
-- be known nevertheless. Errors: those of find_table(); 55000 where nothing is known of that moment.
CREATE OR REPLACE FUNCTION bemi.moment_at(name text, of_database text, at timestamptz,
    at_position bigint, whole boolean DEFAULT true)
RETURNS bemi.moment LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    m bemi.moment;
    stretch record;
    b record;
BEGIN
    IF at IS NULL AND at_position IS NULL THEN
        RAISE EXCEPTION 'the moment must not be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT t.slot, t.database, t.schema, t."table" INTO m.slot, m.database, m.schema, m."table"
    FROM bemi.find_table(name, of_database) t;
    SELECT * INTO stretch FROM bemi.find_stretch(m, at, at_position);
    m := stretch.m;
    SELECT * INTO b FROM bemi.base_of(m, stretch.since_time, stretch.is_first);
    IF m.position >= b.from_position AND (b.begins <> 'retention' OR at IS NULL OR at >= b.from_time)
    THEN
        m.base := b.base;
    ELSIF whole OR b.begins = 'retention' THEN
        PERFORM bemi.refuse_moment(m, bemi.asked_text(at, at_position), stretch.gap_from,
            stretch.since_time, b.from_time, b.begins);
    END IF;
    RETURN m;
END $$;
COMMENT ON FUNCTION bemi.moment_at(text, text, timestamptz, bigint, boolean) IS
    'a table at a time or a position, with an error where its rows are not known then';

-- Ends with the error that says from when on a table is known, if it is.
CREATE OR REPLACE FUNCTION bemi.refuse_moment(m bemi.moment, asked text, gap_from timestamptz,
    gap_to timestamptz, known_from timestamptz, begins text)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF gap_from IS NOT NULL AND begins IS DISTINCT FROM 'retention' THEN
        PERFORM bemi.refuse_gap(m, asked, gap_from, gap_to, true);
    ELSIF known_from IS NOT NULL THEN
        RAISE EXCEPTION '% is known from % on, not at %', bemi.moment_text(m),
            bemi.time_text(known_from), asked
            USING ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = CASE begins WHEN 'retention' THEN 'What is older was dropped by retention.'
                    ELSE 'It had rows before, and its first snapshot was taken then.' END;
    END IF;
    RAISE EXCEPTION '% had rows already when the slot was made at %, and no snapshot was taken: not all of them are known at %',
        bemi.moment_text(m), bemi.time_text(gap_to), asked
        USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = '"bemi_ingest snapshot" makes all rows known, from then on.';
END $$;
COMMENT ON FUNCTION bemi.refuse_moment(bemi.moment, text, timestamptz, timestamptz, timestamptz, text) IS
    'ends with the error that says from when on a table is known, if it is';

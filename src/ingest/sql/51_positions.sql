-- Positions are commit_position: they alone say what came before what. A moment is translated into
-- one before anything is looked up, the same for all tables of a source.

-- A moment that is given as text: a position (0/16B3748) or a time. The other is null.
CREATE OR REPLACE FUNCTION bemi.position_of(moment text)
RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT CASE WHEN moment ~ '^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$'
        THEN moment::pg_lsn - '0/0'::pg_lsn END
$$;
COMMENT ON FUNCTION bemi.position_of(text) IS
    'a moment given as text, where it is a position (such as 0/16B3748); null otherwise';
CREATE OR REPLACE FUNCTION bemi.time_of(moment text)
RETURNS timestamptz LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT CASE WHEN bemi.position_of(moment) IS NULL THEN moment::timestamptz END
$$;
COMMENT ON FUNCTION bemi.time_of(text) IS
    'a moment given as text, where it is a time; null otherwise';

-- The source that a row of `changes` is of: the last 30 bits of its id. Operators are qualified rather than the
-- search_path set, so that it is inlined.
CREATE OR REPLACE FUNCTION bemi.change_source(id uuid)
RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ('x' OPERATOR(pg_catalog.||) pg_catalog.right(id::text, 8))::bit(32)::integer
        OPERATOR(pg_catalog.&) 1073741823
$$;
COMMENT ON FUNCTION bemi.change_source(uuid) IS
    'source of a row of changes, as bemi.source_of() gives it: the last bits of its id';

-- The stretches of a slot's history that `changes` has without a gap, oldest first: positions from
-- beyond from_position up to and with to_position, of rows of `source` (null: of any). Times are
-- the source's, but for the first from_time, and for gaps that know none: those are the destination's.
-- A slot that nothing is known about has one stretch, from its first record on. The last stretch is
-- stored up to stored_position; a snapshot may have been taken beyond that.
CREATE OR REPLACE FUNCTION bemi.stretches(of_slot text, of_database text)
RETURNS TABLE (from_position bigint, to_position bigint, from_time timestamptz,
    to_time timestamptz, source integer, stored_position bigint)
LANGUAGE plpgsql STABLE ROWS 5 SET search_path = pg_catalog AS $$
DECLARE
    p bemi.progress := (SELECT p FROM bemi._progress_of(of_slot) p);
    several boolean := (SELECT count(*) > 1 FROM (SELECT g.system_identifier FROM bemi.progress g
        UNION SELECT t.system_identifier FROM bemi.tables t) s);
    fork integer := 0;
    gap bemi.gaps;
BEGIN
    IF p.slot IS NULL THEN
        RETURN QUERY SELECT -1::bigint, 9223372036854775807, (SELECT min(c.committed_at)
            FROM (SELECT c.committed_at FROM @schema@.changes c
                WHERE c.database = of_database AND c.commit_position IS NOT NULL
                ORDER BY c.id LIMIT 1) c), 'infinity'::timestamptz, NULL::integer,
            9223372036854775807;
        RETURN;
    END IF;
    from_position := p.start_position - '0/0'::pg_lsn - 1;
    from_time := p.started_at;
    FOR gap IN SELECT * FROM bemi.gaps g
        WHERE g.slot = of_slot AND g.database = of_database ORDER BY g.id
    LOOP
        stored_position := gap.from_position - '0/0'::pg_lsn - 1;
        to_position := stored_position;
        to_time := coalesce(gap.from_time, gap.accepted_at);
        source := bemi.source_before(p, gap.id, fork);
        RETURN NEXT;
        fork := fork + (gap.reason IN ('timeline', 'behind'))::integer;
        from_position := gap.to_position - '0/0'::pg_lsn - 1;
        from_time := coalesce(gap.to_time, gap.accepted_at);
    END LOOP;
    stored_position := p.position - '0/0'::pg_lsn;
    to_position := greatest(stored_position, (SELECT max(s.position - '0/0'::pg_lsn)
        FROM bemi.snapshots s WHERE s.system_identifier = p.system_identifier
            AND s.database = p.database));
    to_time := greatest(p.committed_at, p.updated_at);
    -- Where there is one source, rows whose id was made otherwise are as good.
    source := CASE WHEN several OR p.fork > 0
        THEN bemi.source_of(p.system_identifier, p.fork) END;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION bemi.stretches(text, text) IS
    'stretches of a slot''s history that changes has without a gap';

-- The source of what was stored before a gap; -1 where the gap is another cluster, and nothing
-- tells which one it was before.
CREATE OR REPLACE FUNCTION bemi.source_before(p bemi.progress, gap_id bigint, fork integer)
RETURNS integer LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT coalesce(bemi.source_of(coalesce(
        (SELECT g.system_identifier FROM bemi.gaps g
            WHERE g.slot = p.slot AND g.id < gap_id ORDER BY g.id DESC LIMIT 1),
        CASE WHEN NOT EXISTS (SELECT FROM bemi.gaps g
            WHERE g.slot = p.slot AND g.id >= gap_id AND g.reason = 'system')
        THEN p.system_identifier END), fork), -1)
$$;
COMMENT ON FUNCTION bemi.source_before(bemi.progress, bigint, integer) IS
    'the source of what was stored before a gap; -1 where nothing tells';

-- Whether a change was committed by that moment. The time of one that was replayed from elsewhere is
-- its origin's, which may be long ago: where that leaves a doubt, the next change of the source's own
-- that is near decides.
CREATE OR REPLACE FUNCTION bemi.committed_by(change @schema@.changes, at timestamptz, of_source integer)
RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF change.committed_at > at OR NOT coalesce(change.details ? 'origin', false) THEN
        RETURN change.committed_at <= at;
    ELSIF change.queued_at <= at THEN
        RETURN true;
    END IF;
    RETURN coalesce((SELECT n.committed_at <= at
        FROM (SELECT * FROM @schema@.changes n
            WHERE n.id > change.id AND (of_source IS NULL OR bemi.change_source(n.id) = of_source)
            ORDER BY n.id LIMIT 1000) n
        WHERE NOT coalesce(n.details ? 'origin', false) ORDER BY n.id LIMIT 1), true);
END $$;
COMMENT ON FUNCTION bemi.committed_by(@schema@.changes, timestamptz, integer) IS
    'whether a change was committed by a moment, also where its time is that of its origin';

-- The greatest commit_position in a table (`changes` or a partition) up to `till` that was committed
-- by a moment; null where there is none. It halves the range of positions again and again, each
-- time with one look into the primary key. Concurrent transactions may have their times in another
-- order than their positions: so it looks on for a second, or 64 transactions.
CREATE OR REPLACE FUNCTION bemi.last_commit(relation regclass, at timestamptz, till bigint,
    of_source integer)
RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $body$
DECLARE
    found bigint;
BEGIN
    EXECUTE format($query$
        WITH RECURSIVE search (step, position) AS (
            SELECT 1::bigint << 59, 0::bigint
            UNION ALL
            SELECT s.step >> 1, CASE WHEN s.position + s.step <= $2 AND (
                SELECT CASE WHEN c.details IS NULL THEN c.committed_at <= $1
                    ELSE bemi.committed_by(c, $1, $3) END
                FROM %1$s c
                WHERE c.id >= bemi.change_id(s.position + s.step, 0, 0)
                    AND ($3 IS NULL OR bemi.change_source(c.id) = $3)
                ORDER BY c.id LIMIT 1) THEN s.position + s.step ELSE s.position END
            FROM search s WHERE s.step > 0
        ), forth (number, position, by_then, after) AS (
            SELECT 0, s.position, s.position > 0, $1 FROM search s WHERE s.step = 0
            UNION ALL
            SELECT f.number + 1, n.commit_position, n.by_then, n.committed_at
            FROM forth f, LATERAL (
                SELECT c.commit_position, c.committed_at, bemi.committed_by(c, $1, $3) AS by_then
                FROM %1$s c
                WHERE c.id >= bemi.change_id(f.position + 1, 0, 0) AND c.commit_position <= $2
                    AND ($3 IS NULL OR bemi.change_source(c.id) = $3)
                ORDER BY c.id LIMIT 1) n
            WHERE f.number < 64 AND f.after <= $1 + interval '1 second'
        )
        SELECT max(position) FROM forth WHERE by_then
    $query$, relation) INTO found USING at, till, of_source;
    RETURN found;
END $body$;
COMMENT ON FUNCTION bemi.last_commit(regclass, timestamptz, bigint, integer) IS
    'the greatest commit_position in a table, up to a limit, that was committed by a moment; null where there is none';

-- The same in all of `changes`. Of partitions, the latest that may hold such a commit and does; all of them
-- where the next commit behind it counts too: one that was replayed late has its time in another partition.
CREATE OR REPLACE FUNCTION bemi.last_commit_of_changes(at timestamptz, till bigint, of_source integer)
RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    part regclass;
    found bigint;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = to_regclass($name$@schema@.changes$name$)) = 'r' THEN
        RETURN bemi.last_commit(to_regclass($name$@schema@.changes$name$), at, till, of_source);
    END IF;
    FOR part IN SELECT p.partition FROM bemi.target t, bemi.partitions(t.schema) p
        WHERE p.since <= at ORDER BY p.since DESC
    LOOP
        found := bemi.last_commit(part, at, till, of_source);
        EXIT WHEN found IS NOT NULL;
    END LOOP;
    IF (SELECT bemi.committed_by(c, at, of_source) FROM @schema@.changes c
        WHERE c.id >= bemi.change_id(found + 1, 0, 0) AND c.commit_position <= till
            AND (of_source IS NULL OR bemi.change_source(c.id) = of_source)
        ORDER BY c.id LIMIT 1)
    THEN
        RETURN bemi.last_commit(to_regclass($name$@schema@.changes$name$), at, till, of_source);
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION bemi.last_commit_of_changes(timestamptz, bigint, integer) IS
    'the greatest commit_position in changes, up to a limit, that was committed by a moment; null where there is none';

-- The position of a moment in a stretch. A snapshot that was taken by then counts as a commit.
CREATE OR REPLACE FUNCTION bemi.position_at(at timestamptz, since bigint, till bigint,
    of_source integer, of_database text)
RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT greatest(since, bemi.last_commit_of_changes(at, till, of_source),
        (SELECT max(s.position - '0/0'::pg_lsn) FROM bemi.snapshots s
         WHERE s.database = of_database AND s.taken_at <= at
            AND s.position - '0/0'::pg_lsn BETWEEN since AND till))
$$;
COMMENT ON FUNCTION bemi.position_at(timestamptz, bigint, bigint, integer, text) IS
    'commit_position of the last transaction that was committed by a moment, in a stretch of a slot''s history';

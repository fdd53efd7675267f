-- Partitions of the table `changes`, by the UTC day or month of committed_at, in schema bemi; or beside the
-- table, where the extension bemi_decoder has schema bemi for itself and its superuser. (A long name of a
-- schema is left out of theirs, which would be cut off.)

CREATE OR REPLACE FUNCTION bemi.partition_name(target_schema text, at timestamptz, unit text)
RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE WHEN target_schema = 'public' OR octet_length(target_schema || '_' || name) > 63 THEN ''
        ELSE target_schema || '_' END || name
    FROM (SELECT 'changes_' || coalesce(pg_catalog.to_char(at AT TIME ZONE 'UTC',
               CASE unit WHEN 'day' THEN 'YYYY_MM_DD' ELSE 'YYYY_MM' END), 'infinity')
        || CASE WHEN at < '0001-01-01 00:00:00+00' THEN '_bc' ELSE '' END) n (name)
$$;
COMMENT ON FUNCTION bemi.partition_name(text, timestamptz, text) IS
    'the name of the partition of changes that holds a moment';

-- Makes the partition that holds a moment, where there is none. It is made apart and attached:
-- that needs no lock that writers or readers of the table would feel.
CREATE OR REPLACE FUNCTION bemi.ensure_partition(target_schema text, at timestamptz)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    unit text := (SELECT partition_by FROM bemi.target t WHERE t.schema = target_schema);
    -- A change may have been replayed with a strange time. What is in the first or last month that a
    -- timestamptz can be in is with the infinities.
    first CONSTANT timestamptz := '4714-12-01 00:00:00+00 BC';
    last CONSTANT timestamptz := '294276-12-01 00:00:00+00';
    moment timestamptz := CASE WHEN at < first THEN '-infinity' WHEN at >= last THEN 'infinity' ELSE at END;
    since timestamp := date_trunc(unit, moment AT TIME ZONE 'UTC');
    till timestamp := since + ('1 ' || unit)::interval;
    name text := bemi.partition_name(target_schema, since AT TIME ZONE 'UTC', unit);
    parent text := format('%I.changes', target_schema);
    home text := CASE WHEN has_schema_privilege('bemi', 'CREATE') THEN 'bemi' ELSE target_schema END;
    bounds text := CASE moment
        WHEN 'infinity' THEN format('FROM (%L) TO (MAXVALUE)', last)
        WHEN '-infinity' THEN format('FROM (MINVALUE) TO (%L)', first)
        ELSE format('FROM (%L) TO (%L)', since AT TIME ZONE 'UTC', till AT TIME ZONE 'UTC') END;
BEGIN
    IF unit IS NULL OR to_regclass(format('bemi.%I', name)) IS NOT NULL OR EXISTS (
        SELECT FROM pg_inherits i
        WHERE i.inhparent = to_regclass(parent) AND i.inhrelid = to_regclass(format('%I.%I', home, name))) THEN
        RETURN;
    END IF;
    -- Whoever makes a partition meanwhile is waited for, and it may have been this one. (The lock is the
    -- one that attaching takes.)
    EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', parent);
    IF to_regclass(format('%I.%I', home, name)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS'
        ' INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)', home, name, parent);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %I.%I FOR VALUES %s', parent, home, name, bounds);
END $$;
COMMENT ON FUNCTION bemi.ensure_partition(text, timestamptz) IS
    'makes the partition of changes that holds a moment, where there is none';

-- Today's partition and those of the next three units.
CREATE OR REPLACE FUNCTION bemi.make_partitions(target_schema text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    unit text := (SELECT partition_by FROM bemi.target t WHERE t.schema = target_schema);
BEGIN
    FOR ahead IN 0 .. 3 LOOP
        PERFORM bemi.ensure_partition(target_schema, now() + ahead * ('1 ' || unit)::interval);
    END LOOP;
END $$;
COMMENT ON FUNCTION bemi.make_partitions(text) IS
    'makes the partition of today and those of the next three units';

-- The bounds of the partitions that there are. Where one is open, it holds that infinity too.
CREATE OR REPLACE FUNCTION bemi.partitions(target_schema text)
RETURNS TABLE (partition regclass, since timestamptz, till timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
    SELECT c.oid::regclass, coalesce(bound[1], '-infinity')::timestamptz,
        coalesce(bound[2], 'infinity')::timestamptz
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid,
    regexp_match(pg_get_expr(c.relpartbound, c.oid),
        $re$FROM \((?:'(.*)'|MINVALUE)\) TO \((?:'(.*)'|MAXVALUE)\)$re$) bound
    WHERE i.inhparent = to_regclass(format('%I.changes', target_schema))
    ORDER BY 2
$$;
COMMENT ON FUNCTION bemi.partitions(text) IS
    'the partitions of changes, with their bounds';

-- Partitions of the table `changes`, by the UTC day or month of committed_at, in schema bemi.

CREATE OR REPLACE FUNCTION bemi.partition_name(target_schema text, at timestamptz, unit text)
RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE WHEN target_schema = 'public' THEN '' ELSE target_schema || '_' END
        || 'changes_' || pg_catalog.to_char(at AT TIME ZONE 'UTC',
               CASE unit WHEN 'day' THEN 'YYYY_MM_DD' ELSE 'YYYY_MM' END)
$$;

-- Makes the partition that holds a moment, where there is none. It is made apart and attached:
-- that needs no lock that writers or readers of the table would feel.
CREATE OR REPLACE FUNCTION bemi.ensure_partition(target_schema text, at timestamptz)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    unit text := (SELECT partition_by FROM bemi.target t WHERE t.schema = target_schema);
    since timestamp := date_trunc(unit, at AT TIME ZONE 'UTC');
    till timestamp := since + ('1 ' || unit)::interval;
    name text := bemi.partition_name(target_schema, since AT TIME ZONE 'UTC', unit);
    parent text := format('%I.changes', target_schema);
BEGIN
    IF unit IS NULL OR to_regclass(format('bemi.%I', name)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE bemi.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS'
        ' INCLUDING STORAGE INCLUDING COMPRESSION)', name, parent);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION bemi.%I FOR VALUES FROM (%L) TO (%L)',
        parent, name, since AT TIME ZONE 'UTC', till AT TIME ZONE 'UTC');
END $$;

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

-- The bounds of the partitions that there are.
CREATE OR REPLACE FUNCTION bemi.partitions(target_schema text)
RETURNS TABLE (partition regclass, since timestamptz, till timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
    SELECT c.oid::regclass, bound[1]::timestamptz, bound[2]::timestamptz
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid,
    regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \('(.*)'\) TO \('(.*)'\)$re$) bound
    WHERE i.inhparent = to_regclass(format('%I.changes', target_schema))
    ORDER BY 2
$$;

-- The oracle: what every change must look like as a record, taken down by triggers, and a judge
-- that holds decoded lines against it. All of its tables are unlogged, so that what it writes is
-- not itself decoded, and vanishes with a subtransaction that rolls back.
--
--   oracle.watch(table)     make or renew the triggers of a table: after CREATE TABLE and any DDL on it
--   oracle.context(text)    write a context that jsonb accepts
--   oracle.attempt(text)    run a statement that may violate a constraint, and go on
--   oracle.judge(lines)     where lines (i, line) differ from what was taken down; no row is good.
--                           `source`: the database that they are from
CREATE SCHEMA oracle;

-- What a table looked like from one call of oracle.watch to the next.
CREATE UNLOGGED TABLE oracle.shapes (
    shape integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation oid NOT NULL,
    "schema" text NOT NULL,
    "table" text NOT NULL,
    partition text,
    identity text NOT NULL,     -- as records name it: default, index, nothing, or full
    key text[],                 -- the primary key's columns, in its order
    logged text[] NOT NULL      -- columns of the old row that PostgreSQL logs
);

CREATE UNLOGGED TABLE oracle.log (
    n bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    session integer NOT NULL DEFAULT pg_catalog.pg_backend_pid(),
    operation text NOT NULL,    -- as records name it; CONTEXT; COUNTED: in the sequence, but no record
    shape integer,
    old jsonb,
    new jsonb,
    key_changed boolean,        -- the logged columns are not the same, byte by byte
    key_large boolean,          -- they may be stored out of line, and are logged then in any case
    unchanged text[],           -- columns that may be missing as toast: large and the same in both
    context jsonb,
    PRIMARY KEY (xid, n)
);

-- The columns of an index, in its order; expressions are none.
CREATE FUNCTION oracle.index_columns(index oid) RETURNS text[]
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place)
    FROM pg_catalog.pg_index i,
         pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k (attnum, place),
         pg_catalog.pg_attribute a
    WHERE i.indexrelid = index AND k.place <= i.indnkeyatts
      AND a.attrelid = i.indrelid AND a.attnum = k.attnum
$$;

-- A json value as the contract has it: the document where jsonb takes it and it is not too deep,
-- else a string of its text.
CREATE FUNCTION oracle.json_image(document json) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = '' AS $$
BEGIN
    IF oracle.depth(document::pg_catalog.text) > 1000 THEN
        RETURN pg_catalog.to_jsonb(document::pg_catalog.text);
    END IF;
    RETURN document::pg_catalog.jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN pg_catalog.to_jsonb(document::pg_catalog.text);
END
$$;

-- How deep the arrays and objects of a valid document nest.
CREATE FUNCTION oracle.depth(document text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = '' AS $$
DECLARE
    brackets text := pg_catalog.regexp_replace(
        pg_catalog.regexp_replace(document, '"(\\.|[^"\\])*"', '', 'g'), '[^][{}]', '', 'g');
    deepest integer := 0;
    level integer := 0;
    bracket text;
BEGIN
    IF pg_catalog.length(brackets) < 50 THEN
        RETURN pg_catalog.length(brackets) / 2;
    END IF;
    FOREACH bracket IN ARRAY pg_catalog.string_to_array(brackets, NULL) LOOP
        level := level + CASE WHEN bracket IN ('[', '{') THEN 1 ELSE -1 END;
        deepest := GREATEST(deepest, level);
    END LOOP;
    RETURN deepest;
END
$$;

-- Does a type's own cast to json, or the type json itself, hide anywhere in a type?
CREATE FUNCTION oracle.is_special(type oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
    t pg_catalog.pg_type;
BEGIN
    SELECT * INTO STRICT t FROM pg_catalog.pg_type WHERE oid = type;
    IF t.typtype = 'd' THEN
        RETURN oracle.is_special(t.typbasetype);
    ELSIF type = 'pg_catalog.json'::pg_catalog.regtype THEN
        RETURN true;
    ELSIF t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A' THEN
        RETURN oracle.is_special(t.typelem);
    ELSIF t.typtype = 'c' THEN
        RETURN EXISTS (SELECT FROM pg_catalog.pg_attribute
                       WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped
                         AND oracle.is_special(atttypid));
    END IF;
    RETURN EXISTS (SELECT FROM pg_catalog.pg_cast
                   WHERE castsource = type AND casttarget = 'pg_catalog.json'::pg_catalog.regtype
                     AND castmethod = 'f' AND type >= 16384);
END
$$;

-- An expression for what the contract makes of a value; arrays of special types must have one dimension.
CREATE FUNCTION oracle.image(type oid, expression text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
    t pg_catalog.pg_type;
    item text;
BEGIN
    IF NOT oracle.is_special(type) THEN
        RETURN pg_catalog.format('pg_catalog.to_jsonb(%s)', expression);
    END IF;
    SELECT * INTO STRICT t FROM pg_catalog.pg_type WHERE oid = type;
    IF t.typtype = 'd' THEN
        RETURN oracle.image(t.typbasetype,
                            pg_catalog.format('(%s)::%s', expression, pg_catalog.format_type(t.typbasetype, -1)));
    ELSIF type = 'pg_catalog.json'::pg_catalog.regtype THEN
        RETURN pg_catalog.format('oracle.json_image(%s)', expression);
    ELSIF t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A' THEN
        -- The subscripts' name must not hide that of an array around this one.
        item := 'e' || pg_catalog.length(expression);
        RETURN pg_catalog.format(
            'CASE WHEN %1$s IS NOT NULL THEN COALESCE((SELECT pg_catalog.jsonb_agg(%2$s ORDER BY %3$s)'
            ' FROM pg_catalog.generate_subscripts(%1$s, 1) AS %3$s), ''[]'') END',
            expression, oracle.image(t.typelem, pg_catalog.format('(%s)[%s]', expression, item)), item);
    ELSIF t.typtype = 'c' THEN
        RETURN (SELECT pg_catalog.format(
                    'CASE WHEN %s IS DISTINCT FROM NULL THEN pg_catalog.jsonb_build_object(%s) END',
                    expression,
                    pg_catalog.string_agg(
                        pg_catalog.format('%L::pg_catalog.text, %s', attname,
                                          oracle.image(atttypid, pg_catalog.format('(%s).%I', expression, attname))),
                        ', ' ORDER BY attnum))
                FROM pg_catalog.pg_attribute
                WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped);
    END IF;
    RETURN pg_catalog.format('pg_catalog.to_jsonb((%s)::pg_catalog.text)', expression);
END
$$;

-- An expression for what the contract makes of a row: to_jsonb of it where that is the same.
CREATE FUNCTION oracle.row_image(relation oid, variable text) RETURNS text
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT CASE WHEN COALESCE(pg_catalog.bool_or(oracle.is_special(atttypid)), false)
           THEN pg_catalog.string_agg(
                    pg_catalog.format('pg_catalog.jsonb_build_object(%L::pg_catalog.text, %s)', attname,
                                      oracle.image(atttypid, pg_catalog.format('%s.%I', variable, attname))),
                    ' || ' ORDER BY attnum)
           ELSE pg_catalog.format('pg_catalog.to_jsonb(%s)', variable) END
    FROM pg_catalog.pg_attribute
    WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
$$;

-- The index that is the key: the primary key's, else the replica identity's, else the best of those unique ones that tell
-- every row apart; of a partition only one that belongs to an index of the topmost table.
CREATE FUNCTION oracle.key_index(relation regclass) RETURNS oid
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT i.indexrelid
    FROM pg_catalog.pg_class t
    JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND i.indisvalid,
    LATERAL (SELECT CASE WHEN t.relispartition THEN pg_catalog.pg_partition_root(i.indexrelid)::oid ELSE i.indexrelid END) d (deciding)
    LEFT JOIN pg_catalog.pg_class n ON n.oid = d.deciding
    LEFT JOIN pg_catalog.pg_index top ON top.indexrelid = d.deciding,
    LATERAL (SELECT i.indisreplident AND t.relreplident = 'i') r (is_identity)
    WHERE t.oid = relation
      AND (i.indisprimary OR r.is_identity
        OR i.indisunique AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
          AND top.indrelid = COALESCE(pg_catalog.pg_partition_root(relation), relation)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.oid AND NOT a.attnotnull
              AND a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1])))
    ORDER BY i.indisprimary DESC, r.is_identity DESC, i.indnkeyatts, n.relname COLLATE "C"
    LIMIT 1
$$;

CREATE FUNCTION oracle.watch(relation regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = '' SET quote_all_identifiers = off SET client_min_messages = warning AS $watch$
DECLARE
    class pg_catalog.pg_class;
    root pg_catalog.regclass := COALESCE(pg_catalog.pg_partition_root(relation), relation);
    primary_key oid;
    identity_index oid;
    shape_id integer;
    columns_logged text[] := '{}';
    identity text;
    large text;      -- expression: may one of the logged columns be out of line?
    differ text;     -- expression: are the logged columns another?
    same text;       -- expression: large columns that are the same
    function_name text := pg_catalog.format('oracle.%I', 'change_of_' || relation::oid);
BEGIN
    SELECT * INTO STRICT class FROM pg_catalog.pg_class WHERE oid = relation;
    primary_key := oracle.key_index(relation);
    SELECT indexrelid INTO identity_index FROM pg_catalog.pg_index
        WHERE indrelid = relation AND indisvalid
          AND CASE class.relreplident WHEN 'd' THEN indisprimary AND indimmediate
                                      WHEN 'i' THEN indisreplident ELSE false END;
    IF class.relreplident = 'f' THEN
        identity := 'full';
        columns_logged := ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute
                                WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped);
    ELSIF identity_index IS NULL THEN
        identity := 'nothing';
    ELSE
        identity := CASE class.relreplident WHEN 'd' THEN 'default' ELSE 'index' END;
        columns_logged := oracle.index_columns(identity_index);
    END IF;
    INSERT INTO oracle.shapes (relation, "schema", "table", partition, identity, key, logged)
        SELECT relation::oid, n.nspname, c.relname,
               CASE WHEN root <> relation
                    THEN pg_catalog.format('%I.%I', (SELECT nspname FROM pg_catalog.pg_namespace WHERE oid = class.relnamespace), class.relname) END,
               identity, oracle.index_columns(primary_key), columns_logged
        FROM pg_catalog.pg_class c, pg_catalog.pg_namespace n
        WHERE c.oid = root AND n.oid = c.relnamespace
        RETURNING shape INTO shape_id;
    SELECT pg_catalog.string_agg(pg_catalog.format('pg_catalog.pg_column_size(OLD.%I) > 20', attname), ' OR ')
               FILTER (WHERE attlen = -1 AND attstorage <> 'p' AND attname = ANY (columns_logged)),
           pg_catalog.format('ROW(%s)::pg_catalog.record OPERATOR(pg_catalog.*<>) ROW(%s)::pg_catalog.record',
               pg_catalog.string_agg(pg_catalog.format('OLD.%I', attname), ', ' ORDER BY attnum)
                   FILTER (WHERE attname = ANY (columns_logged)),
               pg_catalog.string_agg(pg_catalog.format('NEW.%I', attname), ', ' ORDER BY attnum)
                   FILTER (WHERE attname = ANY (columns_logged))),
           pg_catalog.string_agg(
               pg_catalog.format('CASE WHEN pg_catalog.pg_column_size(OLD.%1$I) > 20 AND ROW(OLD.%1$I)::pg_catalog.record OPERATOR(pg_catalog.*=) ROW(NEW.%1$I)::pg_catalog.record THEN %1$L::pg_catalog.text END', attname), ', ')
               FILTER (WHERE attlen = -1 AND attstorage <> 'p' AND attname <> ALL (columns_logged))
        INTO large, differ, same
        FROM pg_catalog.pg_attribute
        WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped;
    IF identity IN ('full', 'nothing') THEN
        large := 'false';
        differ := CASE identity WHEN 'full' THEN 'true' ELSE 'false' END;
    END IF;
    IF identity = 'full' THEN
        same := NULL;
    END IF;
    EXECUTE pg_catalog.format(
        $function$
        CREATE OR REPLACE FUNCTION %1$s() RETURNS trigger LANGUAGE plpgsql
        SET search_path = '' SET TimeZone = 'UTC' SET lc_monetary = 'C' SET DateStyle = 'ISO, MDY'
        SET IntervalStyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1
        SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $change$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                INSERT INTO oracle.log (operation, shape, new) VALUES ('CREATE', %2$s, %3$s);
            ELSIF TG_OP = 'DELETE' THEN
                INSERT INTO oracle.log (operation, shape, old) VALUES ('DELETE', %2$s, %4$s);
            ELSIF TG_OP = 'TRUNCATE' THEN
                INSERT INTO oracle.log (operation, shape) VALUES (%8$L, %2$s);
            ELSE
                INSERT INTO oracle.log (operation, shape, old, new, key_changed, key_large, unchanged)
                VALUES ('UPDATE', %2$s, %4$s, %3$s, %5$s, %6$s,
                        pg_catalog.array_remove(ARRAY[%7$s]::pg_catalog.text[], NULL));
            END IF;
            RETURN NULL;
        END
        $change$
        $function$,
        function_name, shape_id, oracle.row_image(relation, 'NEW'), oracle.row_image(relation, 'OLD'),
        differ, COALESCE(large, 'false'), same,
        -- A partitioned table is truncated beside its partitions, but has no rows to lose.
        CASE class.relkind WHEN 'p' THEN 'COUNTED' ELSE 'TRUNCATE' END);
    EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS zz_oracle ON %s', relation);
    EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS zz_oracle_truncate ON %s', relation);
    IF class.relkind <> 'p' THEN
        EXECUTE pg_catalog.format('CREATE TRIGGER zz_oracle AFTER INSERT OR UPDATE OR DELETE ON %s'
            ' FOR EACH ROW EXECUTE FUNCTION %s()', relation, function_name);
    END IF;
    EXECUTE pg_catalog.format('CREATE TRIGGER zz_oracle_truncate AFTER TRUNCATE ON %s'
        ' FOR EACH STATEMENT EXECUTE FUNCTION %s()', relation, function_name);
END
$watch$;

-- Runs a statement that may meet a row or a limit in its way, as a subtransaction.
CREATE FUNCTION oracle.attempt(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION
    WHEN integrity_constraint_violation OR cardinality_violation OR program_limit_exceeded OR object_in_use THEN
        NULL;
END
$$;

CREATE FUNCTION oracle.context(document text) RETURNS void
LANGUAGE sql SET search_path = '' AS $$
    SELECT pg_catalog.pg_logical_emit_message(true, '_bemi', document);
    INSERT INTO oracle.log (operation, context) VALUES ('CONTEXT', document::pg_catalog.jsonb);
$$;

-- A key as records write it, NULL where a column is missing.
CREATE FUNCTION oracle.key_text(image jsonb, key text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE WHEN NOT image OPERATOR(pg_catalog.?&) key THEN NULL
                WHEN pg_catalog.cardinality(key) = 1 THEN image OPERATOR(pg_catalog.->>) key[1]
                ELSE (SELECT pg_catalog.jsonb_agg(image OPERATOR(pg_catalog.->) k.name ORDER BY k.place)::text
                      FROM pg_catalog.unnest(key) WITH ORDINALITY AS k (name, place)) END
$$;

-- An image without all but some columns.
CREATE FUNCTION oracle.only(image jsonb, columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT COALESCE(pg_catalog.jsonb_object_agg(key, value), '{}')
    FROM pg_catalog.jsonb_each(image) WHERE key = ANY (columns)
$$;

-- The changes with what depends on other rows: their place and their context.
CREATE VIEW oracle.changes AS
    SELECT l.*, s."schema", s."table", s.partition, s.identity, s.key, s.logged,
           pg_catalog.row_number() OVER w AS sequence,
           pg_catalog.max(l.n) FILTER (WHERE l.operation <> 'COUNTED') OVER (PARTITION BY l.xid) AS last_n,
           COALESCE(NULLIF(COALESCE(
               (SELECT c.context FROM oracle.log c WHERE c.xid = l.xid AND c.n < l.n AND c.operation = 'CONTEXT'
                ORDER BY c.n DESC LIMIT 1),
               (SELECT c.context FROM oracle.log c WHERE c.xid = l.xid AND c.n > l.n AND c.operation = 'CONTEXT'
                ORDER BY c.n LIMIT 1)), 'null'), '{}') AS nearest
    FROM oracle.log l JOIN oracle.shapes s USING (shape)
    WINDOW w AS (PARTITION BY l.xid ORDER BY l.n);

-- What differs between two objects, column by column, shortened.
CREATE FUNCTION oracle.differences(expected jsonb, got jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT pg_catalog.string_agg(
        pg_catalog.format(E'\n    %s: expected %s, got %s', COALESCE(e.key, g.key),
            COALESCE(pg_catalog."left"(e.value::text, 400), '(absent)'),
            COALESCE(pg_catalog."left"(g.value::text, 400), '(absent)')), '')
    FROM pg_catalog.jsonb_each(expected) e FULL JOIN pg_catalog.jsonb_each(got) g ON e.key = g.key
    WHERE e.value::text IS DISTINCT FROM g.value::text
$$;

CREATE FUNCTION oracle.judge(lines regclass, source text DEFAULT pg_catalog.current_database())
RETURNS TABLE (subject text, complaint text, expected text, got text)
LANGUAGE plpgsql SET search_path = '' SET TimeZone = 'UTC' SET DateStyle = 'ISO, MDY' AS $judge$
BEGIN
    DROP TABLE IF EXISTS pg_temp.decoded, pg_temp.pairs;
    EXECUTE pg_catalog.format(
        'CREATE TEMPORARY TABLE decoded AS SELECT i, line, line::pg_catalog.jsonb AS record FROM %s ORDER BY i', lines);
    CREATE TEMPORARY TABLE pairs AS
        WITH matched AS (
            SELECT d.i, d.line, d.record, c.*,
                   COALESCE(d.record->'after', '{}') AS got_after,
                   COALESCE(d.record->'before', '{}') AS got_before,
                   ARRAY(SELECT pg_catalog.jsonb_object_keys(d.record->'missing')) AS got_missing
            FROM pg_temp.decoded d
            FULL JOIN (SELECT * FROM oracle.changes WHERE operation <> 'COUNTED') c
              ON (d.record->>'transaction_id')::xid8 = c.xid AND (d.record->>'sequence')::bigint = c.sequence),
        images AS (
            SELECT *,
                   CASE WHEN operation IN ('CREATE', 'UPDATE') THEN new - got_missing ELSE '{}' END AS want_after,
                   CASE WHEN operation = 'DELETE' THEN oracle.only(old, logged)
                        WHEN operation = 'UPDATE' AND (key_changed OR key_large AND got_before <> '{}')
                        THEN oracle.only(old, logged) ELSE '{}' END AS want_before,
                   CASE WHEN operation IN ('UPDATE', 'DELETE') AND identity <> 'full' THEN identity END AS want_identity
            FROM matched),
        keys AS (
            SELECT *,
                   oracle.key_text(CASE operation WHEN 'DELETE' THEN want_before ELSE want_after END, key) AS want_key,
                   CASE WHEN operation = 'UPDATE' THEN oracle.key_text(want_before, key) END AS old_key
            FROM images)
        SELECT *,
               -- A key that is a null of JSON has no text, but may have had one.
               CASE WHEN want_after OPERATOR(pg_catalog.?&) key AND old_key IS DISTINCT FROM want_key
                   THEN old_key END AS want_previous,
               pg_catalog.format('%s.%s %s (%s, key %s), transaction %s, sequence %s, line %s',
                   "schema", "table", operation, identity, key, xid, sequence, i) AS who
        FROM keys;
    ANALYZE pg_temp.pairs;

    RETURN QUERY
        SELECT p.line, 'a record of no change'::text, NULL::text, NULL::text
        FROM pg_temp.pairs p WHERE p.n IS NULL;
    RETURN QUERY
        SELECT p.who, 'a change without a record'::text, COALESCE(p.new, p.old)::text, NULL::text
        FROM pg_temp.pairs p WHERE p.i IS NULL;
    DELETE FROM pg_temp.pairs p WHERE p.i IS NULL OR p.n IS NULL;

    -- Plain members.
    RETURN QUERY
        SELECT p.who, 'the wrong ' || m.name, COALESCE(m.want, '(absent)'), COALESCE(m.found, '(absent)')
        FROM pg_temp.pairs p, LATERAL (VALUES
            ('operation', p.operation, p.record->>'operation'),
            ('database', source, p.record->>'database'),
            ('schema', p."schema", p.record->>'schema'),
            ('table', p."table", p.record->>'table'),
            ('partition', p.partition, p.record->>'partition'),
            ('primary_key', p.want_key, p.record->>'primary_key'),
            ('previous_key', p.want_previous, p.record->>'previous_key'),
            ('identity', p.want_identity, p.record->>'identity'),
            ('context', p.nearest::text, (p.record->'context')::text),
            ('context_error', NULL, p.record->>'context_error'),
            ('last', CASE WHEN p.n = p.last_n THEN 'true' END, p.record->>'last'),
            ('committed_at',
             pg_catalog.to_char(pg_catalog.pg_xact_commit_timestamp(p.xid::xid), 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
             p.record->>'committed_at'),
            ('members and their order', pg_catalog.array_to_string(pg_catalog.array_remove(ARRAY[
                'operation', 'database', 'schema', 'table', CASE WHEN p.partition IS NOT NULL THEN 'partition' END, 'primary_key',
                CASE WHEN p.want_previous IS NOT NULL THEN 'previous_key' END, 'before', 'after',
                CASE WHEN p.want_identity IS NOT NULL THEN 'identity' END,
                CASE WHEN p.record ? 'missing' THEN 'missing' END,
                'committed_at', 'transaction_id', 'position', 'commit_position', 'sequence', 'context',
                CASE WHEN p.n = p.last_n THEN 'last' END], NULL), ' '),
             (SELECT pg_catalog.string_agg(k, ' ') FROM pg_catalog.json_object_keys(p.line::json) k))
        ) AS m (name, want, found)
        WHERE m.want IS DISTINCT FROM m.found;

    -- Images, and that no column is in one twice.
    RETURN QUERY
        SELECT p.who, 'the wrong image ' || m.name, oracle.differences(m.want, m.found), NULL::text
        FROM pg_temp.pairs p, LATERAL (VALUES
            ('before', p.want_before, p.got_before),
            ('after', p.want_after, p.got_after)) AS m (name, want, found)
        WHERE m.want::text IS DISTINCT FROM m.found::text;
    RETURN QUERY
        SELECT p.who, 'a column twice in ' || m.name, NULL::text, (p.line::json->m.name)::text
        FROM pg_temp.pairs p, LATERAL (VALUES ('before'), ('after'), ('missing')) AS m (name)
        WHERE (SELECT pg_catalog.count(*) <> pg_catalog.count(DISTINCT k) FROM pg_catalog.json_object_keys(p.line::json->m.name) k);

    -- What is missing: only toast, only in an UPDATE, only what is large, unchanged and not logged.
    RETURN QUERY
        SELECT p.who, 'missing without need'::text, p.unchanged::text, p.record->>'missing'
        FROM pg_temp.pairs p
        WHERE p.record ? 'missing'
          AND (p.operation <> 'UPDATE' OR p.record->'missing' = '{}'
               OR NOT p.got_missing <@ COALESCE(p.unchanged, '{}')
               OR EXISTS (SELECT FROM pg_catalog.jsonb_each_text(p.record->'missing') m WHERE m.value <> 'toast'));

    -- Numbers are numbers, and the order of everything.
    RETURN QUERY
        SELECT o.who, 'the wrong order'::text, NULL::text, o.line
        FROM (SELECT p.*,
                     (p.record->'position')::bigint AS here, (p.record->'commit_position')::bigint AS commit_here,
                     pg_catalog.lag((p.record->'commit_position')::bigint) OVER w AS commit_before,
                     pg_catalog.lag((p.record->'position')::bigint) OVER w AS before,
                     pg_catalog.lag(p.sequence) OVER w AS sequence_before,
                     pg_catalog.lag(p.xid) OVER w AS xid_before
              FROM pg_temp.pairs p WINDOW w AS (ORDER BY p.i)) o
        WHERE o.here >= o.commit_here
           OR pg_catalog.jsonb_typeof(o.record->'transaction_id') <> 'number'
           OR pg_catalog.jsonb_typeof(o.record->'sequence') <> 'number'
           OR CASE WHEN o.xid_before = o.xid
                   THEN o.commit_here <> o.commit_before OR o.sequence <= o.sequence_before OR o.here < o.before
                   ELSE o.commit_here <= o.commit_before END;
    RETURN QUERY
        SELECT o.who, 'a session''s transactions are not in the order of their commits'::text, NULL::text, o.line
        FROM (SELECT p.*, pg_catalog.lag(p.record->>'committed_at') OVER (PARTITION BY p.session ORDER BY p.i) AS before
              FROM pg_temp.pairs p) o
        WHERE o.before > o.record->>'committed_at';
END
$judge$;

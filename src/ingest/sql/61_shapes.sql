-- Reversion. What is known of a table whose rows are written: from the catalog where the table is
-- in this database, else from its records.

-- The columns of `except_columns` that are of this table: `column`, `table.column` or
-- `schema.table.column`, as SQL has them.
CREATE OR REPLACE FUNCTION bemi._excepted(of_schema text, of_table text, except_columns text[])
RETURNS text[] LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(n[cardinality(n)]), '{}')
    FROM unnest(except_columns) e, LATERAL (SELECT parse_ident(e)) p (n)
    WHERE (cardinality(n) < 2 OR n[cardinality(n) - 1] = of_table)
        AND (cardinality(n) < 3 OR n[cardinality(n) - 2] = of_schema)
        AND cardinality(n) <= 3
$$;
COMMENT ON FUNCTION bemi._excepted(text, text, text[]) IS
    'the columns of a table that a list of column names means';

-- The columns of a primary key as its table's records show it: those whose values the key has, in
-- some recent records. A wrong guess does no harm: conditions on these columns only help an index, and
-- the row is compared as a whole. An empty array where nothing fits.
CREATE OR REPLACE FUNCTION bemi._recorded_key(of_database text, of_schema text, of_table text)
RETURNS text[] LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    names text[];
    sample record;
    fitting text[];
    parts jsonb;
BEGIN
    FOR sample IN
        SELECT c.primary_key AS key, coalesce(nullif(c.after, '{}'), c.before) AS image
        FROM @schema@.changes c WHERE c."table" = of_table AND c.schema = of_schema
            AND c.database = of_database AND c.primary_key IS NOT NULL LIMIT 20
    LOOP
        fitting := ARRAY(SELECT key FROM jsonb_each_text(sample.image) WHERE value = sample.key);
        names := CASE WHEN names IS NULL THEN fitting
            ELSE ARRAY(SELECT unnest(names) INTERSECT SELECT unnest(fitting)) END;
    END LOOP;
    IF names <> '{}' OR names IS NULL THEN
        RETURN coalesce((SELECT ARRAY[n] FROM unnest(names) n ORDER BY n <> 'id', n LIMIT 1), '{}');
    END IF;
    parts := sample.key::jsonb;
    IF jsonb_typeof(parts) <> 'array' THEN
        RETURN '{}';
    END IF;
    names := ARRAY(SELECT (SELECT key FROM jsonb_each(sample.image) WHERE value = part
        ORDER BY key LIMIT 1) FROM jsonb_array_elements(parts) part);
    RETURN CASE WHEN array_position(names, NULL) IS NULL THEN names ELSE '{}' END;
EXCEPTION WHEN invalid_text_representation OR untranslatable_character THEN
    RETURN '{}';
END $$;
COMMENT ON FUNCTION bemi._recorded_key(text, text, text) IS
    'columns of a table''s primary key, as its records show it';

-- Names and operators of a table's primary key, in its order; [] where there is none.
CREATE OR REPLACE FUNCTION bemi._catalog_key(relation oid)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'operator',
        format('OPERATOR(%I.%s)', n.nspname, o.oprname)) ORDER BY k.number), '[]')
    FROM pg_index i, unnest(i.indkey, i.indclass) WITH ORDINALITY AS k (attnum, class, number)
    JOIN pg_opclass c ON c.oid = k.class
    JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amopstrategy = 3
        AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
    JOIN pg_operator o ON o.oid = m.amopopr
    JOIN pg_namespace n ON n.oid = o.oprnamespace, pg_attribute a
    WHERE i.indrelid = relation AND i.indisprimary AND k.number <= i.indnkeyatts
        AND a.attrelid = relation AND a.attnum = k.attnum
$$;
COMMENT ON FUNCTION bemi._catalog_key(oid) IS
    'columns of a table''s primary key, with the operator that compares each';

-- A type and the types that it is made of.
CREATE OR REPLACE FUNCTION bemi._type_parts(type oid)
RETURNS SETOF oid LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE part (type) AS (
        SELECT type
        UNION
        SELECT further.type FROM part p JOIN pg_type t ON t.oid = p.type, LATERAL (
            SELECT t.typbasetype UNION SELECT t.typelem
            UNION SELECT atttypid FROM pg_attribute
                WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped) further (type)
        WHERE further.type <> 0
    )
    SELECT p.type FROM part p
$$;
COMMENT ON FUNCTION bemi._type_parts(oid) IS 'a type and the types that it is made of';

-- Whether to_jsonb can't call code of a type's owner for a value: it makes use of a cast to json where a scalar type
-- that somebody made has one, also as a part of another type, and who owns such a type may make that cast at any time.
DROP FUNCTION IF EXISTS bemi._has_json_cast(oid);
CREATE OR REPLACE FUNCTION bemi._is_plain_type(type oid)
RETURNS boolean LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM bemi._type_parts(type) part JOIN pg_type t ON t.oid = part
        WHERE part >= 16384 AND t.typtype NOT IN ('d', 'c')
            AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = part))
$$;
COMMENT ON FUNCTION bemi._is_plain_type(oid) IS
    'whether to_jsonb uses nothing but the server''s own functions for values of a type';

-- Whether a type is of arrays, or a domain over such a one.
CREATE OR REPLACE FUNCTION bemi._is_array_type(type oid)
RETURNS boolean LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE base (type, of) AS (
        SELECT t.oid, t.typbasetype FROM pg_type t WHERE t.oid = type
        UNION ALL SELECT t.oid, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.of)
    SELECT EXISTS (SELECT FROM base b JOIN pg_type e ON e.typarray = b.type)
$$;
COMMENT ON FUNCTION bemi._is_array_type(oid) IS 'whether a type is of arrays, or a domain over such a one';

-- A column's type for a list of column definitions.
CREATE OR REPLACE FUNCTION bemi._type_sql(type oid, typmod integer, of_collation oid)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format_type(type, typmod) || coalesce((SELECT format(' COLLATE %I.%I', n.nspname, c.collname)
        FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
        WHERE c.oid = of_collation AND of_collation <> 'pg_catalog."default"'::regcollation), '')
$$;
COMMENT ON FUNCTION bemi._type_sql(oid, integer, oid) IS 'a column''s type for a list of column definitions';

-- Whether a type is of arrays of json values, or has such a part.
CREATE OR REPLACE FUNCTION bemi._has_json_array(type oid)
RETURNS boolean LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM bemi._type_parts(type) part JOIN pg_type t ON t.oid = part,
            LATERAL (WITH RECURSIVE base (type, of) AS (
                SELECT e.oid, e.typbasetype FROM pg_type e WHERE e.oid = t.typelem
                UNION ALL SELECT e.oid, e.typbasetype FROM base JOIN pg_type e ON e.oid = base.of)
            SELECT b.type FROM base b) b
        WHERE b.type IN ('json'::regtype, 'jsonb'::regtype))
$$;
COMMENT ON FUNCTION bemi._has_json_array(oid) IS
    'whether a type is of arrays of json values, or has such a part';

-- The columns on which it depends whether a row fits among the others at once; all of them where that
-- depends on expressions.
CREATE OR REPLACE FUNCTION bemi._unique_columns(relation oid)
RETURNS text[] LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY(SELECT a.attname FROM pg_attribute a
        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
            AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND i.indimmediate
                AND (i.indisunique OR i.indisexclusion)
                AND (a.attnum = ANY (i.indkey) OR 0 = ANY (i.indkey) OR i.indpred IS NOT NULL)))
$$;
COMMENT ON FUNCTION bemi._unique_columns(oid) IS
    'the columns on which constraints between the rows of a table depend, but for those that can be deferred';

-- Whether this database is the one that changes of a database of this name are of, as far as that is
-- known: another cluster may have one of the same name.
CREATE OR REPLACE FUNCTION bemi._is_here(of_database text)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT of_database = current_database() AND coalesce(
        (SELECT bool_or(p.system_identifier = s.system_identifier)
            FROM bemi.progress p, pg_control_system() s WHERE p.database = of_database), true)
$$;
COMMENT ON FUNCTION bemi._is_here(text) IS
    'whether this is the database that changes of a database of this name are of';

-- What is known of the columns of a table: name → {type, plain, array, generated, always, json, json_array, vector}.
CREATE OR REPLACE FUNCTION bemi._columns(relation oid)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(attname, jsonb_build_object(
        'type', bemi._type_sql(atttypid, atttypmod, attcollation),
        'plain', bemi._is_plain_type(atttypid), 'array', bemi._is_array_type(atttypid),
        'generated', attgenerated <> '', 'always', attidentity = 'a',
        'json', 'json'::regtype IN (SELECT bemi._type_parts(atttypid)),
        'json_array', bemi._has_json_array(atttypid),
        'vector', EXISTS (SELECT FROM bemi._type_parts(atttypid) part
            WHERE part IN ('int2vector'::regtype, 'oidvector'::regtype)))), '{}')
    FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
$$;
COMMENT ON FUNCTION bemi._columns(oid) IS 'what is known of the columns of a table';

-- The commands that rules of a table rewrite. (Those on SELECT make views.)
CREATE OR REPLACE FUNCTION bemi._rules(relation oid)
RETURNS text[] LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY(SELECT DISTINCT (ARRAY['UPDATE', 'INSERT', 'DELETE'])[ev_type::text::integer - 1]
        FROM pg_rewrite WHERE ev_class = relation AND ev_type <> '1' AND ev_enabled NOT IN ('D', 'R'))
$$;
COMMENT ON FUNCTION bemi._rules(oid) IS 'the commands that rules of a table rewrite';

-- name: in SQL. columns: null where the table is not here. same: the table itself, not another database's of this
-- name. key: [{name, operator}]. left_out: columns that are neither compared nor written; dropped: the same without
-- the key's, which find the row all the same. odd: columns whose values bemi._unreadable() looks at. referenced: columns
-- that foreign keys of other rows lead to. unique: columns on which constraints between rows depend that are checked
-- at once. rules: commands that are rewritten. partitioned, unique: null where nobody knows.
CREATE OR REPLACE FUNCTION bemi._shape(of_database text, of_schema text, of_table text,
    except_columns text[])
RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation oid;
    kind "char";
    columns jsonb;
    key jsonb;
    left_out text[];
BEGIN
    SELECT c.oid, c.relkind INTO relation, kind
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = of_schema AND c.relname = of_table AND c.relkind IN ('r', 'p');
    IF FOUND THEN
        columns := bemi._columns(relation);
        key := bemi._catalog_key(relation);
    ELSE
        SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'operator',
            'OPERATOR(pg_catalog.=)')), '[]') INTO key
        FROM unnest(bemi._recorded_key(of_database, of_schema, of_table)) name;
    END IF;
    left_out := bemi._excepted(of_schema, of_table, except_columns) || ARRAY(
        SELECT c.key FROM jsonb_each(columns) c WHERE (value->'generated')::boolean);
    RETURN jsonb_build_object(
        'name', format('%I.%I', of_schema, of_table), 'columns', columns,
        'same', columns IS NOT NULL AND bemi._is_here(of_database), 'key', key,
        'odd', ARRAY(SELECT c.key FROM jsonb_each(columns) c
            WHERE true IN ((value->'json')::boolean, (value->'json_array')::boolean, (value->'vector')::boolean)),
        'partitioned', kind = 'p', 'rules', bemi._rules(relation),
        'referenced', ARRAY(SELECT DISTINCT a.attname FROM pg_constraint f JOIN pg_attribute a
            ON a.attrelid = f.confrelid AND a.attnum = ANY (f.confkey)
            WHERE f.confrelid = relation OR f.confrelid IN (SELECT relid FROM pg_partition_tree(relation))),
        'unique', CASE WHEN columns IS NOT NULL THEN bemi._unique_columns(relation) END,
        'left_out', left_out, 'dropped', ARRAY(SELECT l FROM unnest(left_out) l
            WHERE l NOT IN (SELECT k->>'name' FROM jsonb_array_elements(key) k)));
END $$;
COMMENT ON FUNCTION bemi._shape(text, text, text, text[]) IS
    'what is known of a table whose rows are to be written';

-- Keys as somebody writes them, and as the records have them. A key is compared as a value: where no record has the
-- text that is given, it is written as the table's other keys are ('[1,2]' as '[1, 2]', '007' as '7', a uuid in
-- lower case). What can be no key of the table is an error, never a row that was not there.

-- Some keys of a table, each with an image of its row: the first of all, by one look into the index each.
CREATE OR REPLACE FUNCTION bemi._some_keys(m bemi.moment)
RETURNS TABLE (key text, image jsonb) LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    WITH RECURSIVE k AS (
        (SELECT c.primary_key, c.before, c.after, 1 AS n FROM @schema@.changes c
            WHERE c."table" = m."table" AND c.primary_key IS NOT NULL
                AND c.schema = m.schema AND c.database = m.database
            ORDER BY c.primary_key LIMIT 1)
        UNION ALL
        SELECT f.*, k.n + 1 FROM k CROSS JOIN LATERAL (
            SELECT c.primary_key, c.before, c.after FROM @schema@.changes c
            WHERE c."table" = m."table" AND c.primary_key > k.primary_key
                AND c.schema = m.schema AND c.database = m.database
            ORDER BY c.primary_key LIMIT 1) f
        WHERE k.n < 20
    )
    SELECT primary_key, CASE WHEN after = '{}' THEN before ELSE after END FROM k
$$;
COMMENT ON FUNCTION bemi._some_keys(bemi.moment) IS
    'some keys of a table, each with an image of its row';

-- Whether a record has exactly this key.
CREATE OR REPLACE FUNCTION bemi._has_key(m bemi.moment, key text)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT EXISTS (SELECT FROM @schema@.changes c WHERE c."table" = m."table" AND c.primary_key = key
            AND c.schema = m.schema AND c.database = m.database)
        OR EXISTS (SELECT FROM @schema@.changes c WHERE c."table" = m."table" AND c.previous_key = key
            AND c.schema = m.schema AND c.database = m.database)
$$;
COMMENT ON FUNCTION bemi._has_key(bemi.moment, text) IS
    'whether a record of a table has exactly this key';

-- What kind of values the only column of a key has, told by some keys and the images of their rows: number, uuid,
-- date, timestamp, timestamptz, boolean, bytea, char (of one length) or text. `several` where it is a JSON array of the values of
-- several columns; null where nothing tells.
CREATE OR REPLACE FUNCTION bemi._kind_of_key(keys text[], images jsonb[])
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    WITH sample AS (
        SELECT k, i FROM unnest(keys, images) s (k, i)
    ), in_columns AS (
        -- columns that have the key's value in each row that has them; forgotten or empty images tell nothing
        SELECT e.key AS name, min(jsonb_typeof(e.value)) AS type, bool_and(e.value #>> '{}' = s.k) AS is_key
        FROM sample s, jsonb_each(s.i) e GROUP BY 1
    ), forms AS (
        SELECT CASE WHEN bool_and(k ~ '^-?\d+(\.\d+)?(e[-+]?\d+)?$') THEN 'number'
                WHEN bool_and(k ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$') THEN 'uuid'
                WHEN bool_and(k ~ '^\d{4,}-\d\d-\d\d$') THEN 'date'
                WHEN bool_and(k ~ '^\d{4,}-\d\d-\d\dT[0-9:.]+$') THEN 'timestamp'
                WHEN bool_and(k ~ '^\d{4,}-\d\d-\d\dT[0-9:.]+\+00:00$') THEN 'timestamptz'
                WHEN bool_and(k IN ('true', 'false')) THEN 'boolean'
                WHEN bool_and(k ~ '^\\x([0-9a-f][0-9a-f])*$') THEN 'bytea'
                WHEN count(DISTINCT length(k)) = 1 AND bool_or(k ~ ' $') THEN 'char' ELSE 'text' END AS form,
            bool_and(k ~ '^\[.*\]$') AS in_brackets
        FROM sample
    )
    SELECT CASE WHEN keys IS NULL THEN NULL
        WHEN EXISTS (SELECT FROM in_columns WHERE is_key) THEN
            CASE WHEN form IN ('number', 'boolean') AND EXISTS (SELECT FROM in_columns
                    WHERE is_key AND type <> form) THEN 'text' ELSE form END
        WHEN in_brackets THEN 'several'
        ELSE NULL END FROM forms
$$;
COMMENT ON FUNCTION bemi._kind_of_key(text[], jsonb[]) IS
    'what kind of values a key has, told by some keys and the images of their rows';

-- The texts that a value of a kind may have in records; null where it is none of that kind.
CREATE OR REPLACE FUNCTION bemi._written_as(key text, kind text, sample text)
RETURNS text[] LANGUAGE plpgsql STABLE SET search_path = pg_catalog SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
    number numeric;
BEGIN
    CASE kind
        WHEN 'number' THEN
            number := trim_scale(key::numeric);
            RETURN ARRAY(SELECT round(number, s)::text FROM generate_series(scale(number), scale(number) + 40) s);
        WHEN 'uuid' THEN RETURN ARRAY[key::uuid::text];
        WHEN 'date' THEN RETURN ARRAY[to_jsonb(key::date) #>> '{}'];
        WHEN 'timestamp' THEN RETURN ARRAY[to_jsonb(key::timestamp) #>> '{}'];
        WHEN 'timestamptz' THEN RETURN ARRAY[to_jsonb(key::timestamptz) #>> '{}'];
        WHEN 'boolean' THEN RETURN ARRAY[key::boolean::text];
        WHEN 'bytea' THEN RETURN ARRAY[to_jsonb(key::bytea) #>> '{}'];
        WHEN 'several' THEN
            RETURN CASE WHEN jsonb_typeof(key::jsonb) = 'array'
                AND jsonb_array_length(key::jsonb) = jsonb_array_length(sample::jsonb)
                THEN ARRAY[bemi._written_like(key::jsonb, sample::jsonb)::text] END;
        WHEN 'char' THEN RETURN ARRAY[rpad(key, greatest(length(key), length(sample)))];
        ELSE RETURN ARRAY[key];
    END CASE;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION bemi._written_as(text, text, text) IS
    'the texts that a value of a kind may have in records; null where it is none of that kind';

-- A key of several columns with the JSON types of another: "7" as 7, 7 as "7".
CREATE OR REPLACE FUNCTION bemi._written_like(key jsonb, sample jsonb)
RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT jsonb_agg(CASE
        WHEN jsonb_typeof(k.value) = 'string' AND jsonb_typeof(s.value) = 'number'
            AND k.value #>> '{}' ~ '^\s*[-+]?\d+(\.\d+)?\s*$' THEN to_jsonb((k.value #>> '{}')::numeric)
        WHEN jsonb_typeof(k.value) = 'number' AND jsonb_typeof(s.value) = 'string' THEN to_jsonb(k.value #>> '{}')
        ELSE k.value END ORDER BY k.n)
    FROM jsonb_array_elements(key) WITH ORDINALITY k (value, n)
    JOIN jsonb_array_elements(sample) WITH ORDINALITY s (value, n) USING (n)
$$;
COMMENT ON FUNCTION bemi._written_like(jsonb, jsonb) IS
    'a key of several columns with the JSON types of another';

-- A key of a table as the records write it. Errors: 22004 null, 22023 what can be no key of that table or is too long, 55000
-- where no record of the table has a key. One that no record has is given back as it would be written.
CREATE OR REPLACE FUNCTION bemi._key_of(m bemi.moment, key text)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    keys text[];
    images jsonb[];
    kind text;
    written text[];
    known text[];
BEGIN
    IF key IS NULL THEN
        RAISE EXCEPTION 'the key must not be null' USING ERRCODE = 'null_value_not_allowed';
    ELSIF octet_length(convert_to(key, 'UTF8')) > 2000 THEN
        RAISE EXCEPTION 'rows are not found by a key of more than 2,000 bytes'
            USING ERRCODE = 'invalid_parameter_value',
                DETAIL = 'No index holds it: changes has it in details, as primary_key.',
                HINT = 'bemi.table_at() and bemi.as_of() have the row.';
    ELSIF bemi._has_key(m, key) THEN
        RETURN key;
    END IF;
    SELECT array_agg(s.key), array_agg(s.image) INTO keys, images FROM bemi._some_keys(m) s;
    IF keys IS NULL THEN
        PERFORM bemi._refuse_keyless(m);
        RETURN key;
    END IF;
    kind := bemi._kind_of_key(keys, images);
    written := CASE WHEN kind IS NULL THEN ARRAY[key] ELSE bemi._written_as(key, kind, keys[1]) END;
    IF written IS NULL THEN
        RAISE EXCEPTION '"%" cannot be a key of %', key, bemi.moment_text(m)
            USING ERRCODE = 'invalid_parameter_value',
                DETAIL = format('A key of that table is, for example, %L.', keys[1]),
                HINT = CASE WHEN kind = 'several' THEN 'A key of several columns is a JSON array of their values,'
                    ' in the order of the key.' ELSE 'Keys are written as changes.primary_key has them.' END;
    END IF;
    known := ARRAY(SELECT DISTINCT w FROM unnest(written) w WHERE bemi._has_key(m, w));
    IF cardinality(known) > 1 THEN
        RAISE EXCEPTION 'the key "%" of % is written in several ways', key, bemi.moment_text(m)
            USING ERRCODE = 'invalid_parameter_value',
                DETAIL = format('There is %s.', array_to_string(known, ', '));
    END IF;
    RETURN coalesce(known[1], written[1]);
END $$;
COMMENT ON FUNCTION bemi._key_of(bemi.moment, text) IS
    'a key of a table as the records write it, with an error where it can be none';

-- Ends with the error that no record of a table has a key; does nothing where there are no rows in the records.
CREATE OR REPLACE FUNCTION bemi._refuse_keyless(m bemi.moment)
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    IF EXISTS (SELECT FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.primary_key IS NULL AND c.schema = m.schema AND c.database = m.database
            AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
            AND NOT coalesce(c.details ? 'primary_key', false))
    THEN
        RAISE EXCEPTION 'no change of % has a key', bemi.moment_text(m)
            USING ERRCODE = 'object_not_in_prerequisite_state',
                DETAIL = 'The table has no primary key, or a column of it is masked or excluded.',
                HINT = 'bemi.table_at(), bemi.as_of() and bemi.search(value => ...) go by values.';
    END IF;
END $$;
COMMENT ON FUNCTION bemi._refuse_keyless(bemi.moment) IS
    'ends with the error that no record of a table has a key';

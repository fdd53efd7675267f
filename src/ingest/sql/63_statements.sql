-- Reversion. The SQL of that work. Values are written as JSON and read by the server, so that each goes
-- through its own type's input; where the table is here, as columns of their types, else as its row type.
-- Rows are compared by what their values are as JSON, both read from the table and read from the image, so that they
-- are the same whatever the session's settings are. What is written never has casts or operators looked up by the type of
-- a column: who owns a type may make some that run with the rights of whoever writes. Aliases are only used
-- with a dot behind them, since a column may have their name.

DROP FUNCTION IF EXISTS bemi._reads_as(text, text, jsonb), bemi._finding(jsonb, jsonb), bemi._update(jsonb, jsonb),
    bemi._delete(jsonb, jsonb), bemi._insert(jsonb, jsonb, jsonb), bemi._delete_all(jsonb, text, jsonb),
    bemi._part_sql(jsonb), bemi._same_key(jsonb);

-- A value for a comparison: itself, where to_jsonb uses nothing of its type's owner, else what the type's output
-- function gives (inside of a record, since an output function is all that a record's uses), of arrays without lower
-- bounds. `of_column` is null where its type is known when the statement runs.
CREATE OR REPLACE FUNCTION bemi._value_sql(value text, of_column jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    as_text text := format('pg_catalog.format(''%%s'', ROW(%s))', value);
    of_array text := format('pg_catalog.regexp_replace(%s, ''(?<=^[(]"?)([[]-?[0-9]+:-?[0-9]+[]])+='', '''')', as_text);
BEGIN
    RETURN CASE WHEN of_column IS NULL
        THEN format('CASE WHEN pg_catalog.pg_typeof(%1$s)::pg_catalog.oid OPERATOR(pg_catalog.<) 16384::pg_catalog.oid'
            ' THEN pg_catalog.to_jsonb(%1$s) ELSE pg_catalog.to_jsonb(%2$s) END', value, of_array)
        WHEN (of_column->'plain')::boolean THEN value
        WHEN (of_column->'array')::boolean THEN of_array ELSE as_text END;
END $$;
COMMENT ON FUNCTION bemi._value_sql(text, jsonb) IS 'a value for a comparison';

-- These columns of a row as text.
CREATE OR REPLACE FUNCTION bemi._row_sql(alias text, columns jsonb, shape jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN format('pg_catalog.to_jsonb(ROW(%s))::pg_catalog.text', (
        SELECT string_agg(bemi._value_sql(format('%s.%I', alias, c),
            CASE WHEN (shape->'same')::boolean THEN shape#>ARRAY['columns', c] END), ', ' ORDER BY n)
        FROM jsonb_array_elements_text(columns) WITH ORDINALITY x (c, n)));
END $$;
COMMENT ON FUNCTION bemi._row_sql(text, jsonb, jsonb) IS 'columns of a row as text, for a comparison';

-- The names of the columns in which two rows differ, '' where they don't.
CREATE OR REPLACE FUNCTION bemi._differing_sql(alias text, other text, columns jsonb, shape jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce((SELECT format('pg_catalog.array_to_string(ARRAY[%s], '', '')', string_agg(format(
            E'CASE WHEN %s OPERATOR(pg_catalog.<>)\n  %s THEN %L END',
            bemi._row_sql(alias, jsonb_build_array(c), shape),
            bemi._row_sql(other, jsonb_build_array(c), shape), bemi._plain_name(c)), E',\n  ' ORDER BY n))
        FROM jsonb_array_elements_text(columns) WITH ORDINALITY x (c, n)), '''''');
END $$;
COMMENT ON FUNCTION bemi._differing_sql(text, text, jsonb, jsonb) IS
    'names of the columns in which two rows differ';

-- An image as a row in FROM, with these columns. Of a table that is not here, the row type tells their types; then the
-- image has to be whole, since a column may be of a domain that takes no null.
CREATE OR REPLACE FUNCTION bemi._image_sql(alias text, image text, columns text[], shape jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN NOT (shape->'same')::boolean
        THEN format('pg_catalog.jsonb_populate_record(NULL::%s, %s) AS %s', shape->>'name', image, alias)
        WHEN columns = '{}' THEN format('(SELECT) AS %s', alias)
        ELSE format('pg_catalog.jsonb_to_record(%s) AS %s (%s)', image, alias, (
            SELECT string_agg(format('%I %s', c, shape#>>ARRAY['columns', c, 'type']), ', ' ORDER BY c)
            FROM unnest(columns) c)) END;
END $$;
COMMENT ON FUNCTION bemi._image_sql(text, text, text[], jsonb) IS 'an image as a row in FROM';

-- A table in FROM: heirs of an ordinary table are tables of their own.
CREATE OR REPLACE FUNCTION bemi._only(item jsonb, shape jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT CASE WHEN coalesce((shape->>'partitioned')::boolean, item ? 'partition') THEN ''
        ELSE 'ONLY ' END || (shape->>'name'));
END $$;
COMMENT ON FUNCTION bemi._only(jsonb, jsonb) IS
    'a table in FROM, without its heirs';

-- A part of a step: rows of one table that are written in one way: kind, shape, relation, written, compared, checked,
-- keyed and keyless, as items have them; rows ([{was, becomes, label}]), ids (of each row, a list), label, count (how many rows it
-- writes; null where nobody knows).

-- "the row of this alias is as the image w has it"
CREATE OR REPLACE FUNCTION bemi._as_it_was_sql(part jsonb, alias text)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN part->'compared' = '[]' THEN 'true' ELSE format(E'%s OPERATOR(pg_catalog.=)\n  %s',
        bemi._row_sql(alias, part->'compared', part->'shape'), bemi._row_sql('w', part->'compared', part->'shape')) END;
END $$;
COMMENT ON FUNCTION bemi._as_it_was_sql(jsonb, text) IS 'the condition that a row is as an image has it';

-- How an UPDATE or DELETE finds the row t as the image w has it. Of a table without a key it is the first such row, f.
CREATE OR REPLACE FUNCTION bemi._finding_sql(part jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN bemi._finds_any(part)
        THEN 't.tableoid OPERATOR(pg_catalog.=) f.relation AND t.ctid OPERATOR(pg_catalog.=) f.tuple'
        ELSE concat_ws(E'\n  AND ', CASE WHEN (part->'keyed')::boolean THEN
            (SELECT string_agg(format('t.%1$I %2$s w.%1$I', k->>'name', k->>'operator'), ' AND ' ORDER BY n)
                FROM jsonb_array_elements(part#>'{shape,key}') WITH ORDINALITY x (k, n)) END,
            bemi._as_it_was_sql(part, 't')) END;
END $$;
COMMENT ON FUNCTION bemi._finding_sql(jsonb) IS
    'the condition that finds the row of a part as it was';

-- Whether any row of its image is as good as another.
CREATE OR REPLACE FUNCTION bemi._finds_any(part jsonb)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (part->'keyless')::boolean AND NOT (part->'keyed')::boolean;
END $$;
COMMENT ON FUNCTION bemi._finds_any(jsonb) IS 'whether any row of its image is as good as another';

-- The image w of a row as it was, in FROM, and f where the row is any of that image.
CREATE OR REPLACE FUNCTION bemi._was_sql(part jsonb, image text)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN bemi._image_sql('w', image, ARRAY(SELECT jsonb_array_elements_text(part->'compared')
        UNION SELECT k->>'name' FROM jsonb_array_elements(part#>'{shape,key}') k WHERE (part->'keyed')::boolean),
        part->'shape') || CASE WHEN bemi._finds_any(part)
        THEN format(E',\n  LATERAL (SELECT x.tableoid AS relation, x.ctid AS tuple FROM %s AS x\n  WHERE %s LIMIT 1 FOR UPDATE) AS f',
            part->>'relation', bemi._as_it_was_sql(part, 'x')) ELSE '' END;
END $$;
COMMENT ON FUNCTION bemi._was_sql(jsonb, text) IS 'the image of a row as it was, in FROM';

-- The image b of a row as it is to be, in FROM.
CREATE OR REPLACE FUNCTION bemi._becomes_sql(part jsonb, image text)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN bemi._image_sql('b', image, ARRAY(SELECT jsonb_array_elements_text(part->'checked')), part->'shape');
END $$;
COMMENT ON FUNCTION bemi._becomes_sql(jsonb, text) IS 'the image of a row as it is to be, in FROM';

-- The statement for one row of a part, with RETURNING the columns in which it is not as it should be; `was` and
-- `becomes` are expressions for its images.
CREATE OR REPLACE FUNCTION bemi._write_sql(part jsonb, was text, becomes text)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    differing text := bemi._differing_sql('t', 'b', part->'checked', part->'shape');
BEGIN
    RETURN CASE part->>'kind'
        WHEN 'update' THEN format(E'UPDATE %s AS t SET %s\nFROM %s,\n  %s\nWHERE %s\nRETURNING %s', part->>'relation',
            (SELECT string_agg(format('%1$I = b.%1$I', c), ', ' ORDER BY c)
                FROM jsonb_array_elements_text(part->'written') c),
            bemi._was_sql(part, was), bemi._becomes_sql(part, becomes), bemi._finding_sql(part), differing)
        WHEN 'delete' THEN format(E'DELETE FROM %s AS t\nUSING %s\nWHERE %s\nRETURNING ''''', part->>'relation',
            bemi._was_sql(part, was), bemi._finding_sql(part))
        WHEN 'clear' THEN format('DELETE FROM ONLY %s AS t', part->>'relation')
        ELSE format(E'%s\nRETURNING %s', bemi._insert_sql(part, bemi._becomes_sql(part, becomes)),
            CASE WHEN part->'checked' = '[]' THEN '''''' ELSE format('(SELECT %s FROM %s)', differing, bemi._becomes_sql(part, becomes)) END)
        END;
END $$;
COMMENT ON FUNCTION bemi._write_sql(jsonb, text, text) IS
    'the statement that writes one row of a part, and gives the columns in which it is not as it should be';

-- An INSERT of the rows b.
CREATE OR REPLACE FUNCTION bemi._insert_sql(part jsonb, images text)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT CASE WHEN part->'written' = '[]' THEN format('INSERT INTO %s AS t DEFAULT VALUES', part#>>'{shape,name}')
        ELSE format(E'INSERT INTO %s AS t (%s) OVERRIDING SYSTEM VALUE\nSELECT %s FROM %s', part#>>'{shape,name}',
            string_agg(quote_ident(c), ', ' ORDER BY c), string_agg('b.' || quote_ident(c), ', ' ORDER BY c), images) END
    FROM jsonb_array_elements_text(part->'written') c);
END $$;
COMMENT ON FUNCTION bemi._insert_sql(jsonb, text) IS
    'the INSERT of rows of a part';

-- A part as WITH queries, of which r<number> gives for each row that it wrote `part` (number) and `differing`: the columns
-- in which it is not as it should be, '?' for all rows of several that come if one is not.
CREATE OR REPLACE FUNCTION bemi._with_sql(part jsonb, number bigint)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    several text := format('i%s AS i, LATERAL ', number);
    image text;
    writes text;
    differing text := 'c.differing';
BEGIN
    IF jsonb_array_length(part->'rows') = 1 THEN
        writes := bemi._write_sql(part, quote_literal(part#>'{rows,0,was}'), quote_literal(part#>'{rows,0,becomes}'))
            || ' AS differing';
    ELSIF part->>'kind' = 'delete' THEN
        writes := format(E'DELETE FROM %s AS t\nUSING %s%s\nWHERE %s\nRETURNING '''' AS differing', part->>'relation', several,
            bemi._was_sql(part, 'i.image OPERATOR(pg_catalog.->) ''was'''), bemi._finding_sql(part));
    ELSE
        image := several || bemi._becomes_sql(part, 'i.image OPERATOR(pg_catalog.->) ''becomes''');
        writes := bemi._insert_sql(part, image) || E'\nRETURNING ' || bemi._row_sql('t', part->'checked', part->'shape')
            || ' AS line';
        differing := format('CASE WHEN EXISTS (SELECT c.line FROM c%s AS c EXCEPT ALL SELECT %s FROM %s)'
            ' THEN ''?'' ELSE '''' END', number, bemi._row_sql('b', part->'checked', part->'shape'), image);
    END IF;
    RETURN CASE WHEN jsonb_array_length(part->'rows') > 1 THEN format(E'i%s AS MATERIALIZED (SELECT j.image FROM'
            ' pg_catalog.jsonb_array_elements(%L) AS j (image)),\n', number, part->'rows') ELSE '' END
        || format(E'c%1$s AS (%2$s),\nr%1$s AS (SELECT %1$s AS part, %3$s AS differing FROM c%1$s AS c)',
            number, writes, differing);
END $$;
COMMENT ON FUNCTION bemi._with_sql(jsonb, bigint) IS
    'a part as WITH queries that tell what they wrote';

-- What a part has of each of its rows.
CREATE OR REPLACE FUNCTION bemi._part_row(item jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN jsonb_build_object('label', item->'label')
        || CASE WHEN item->>'kind' = 'insert' THEN '{}'
            ELSE jsonb_build_object('was', coalesce(item#>'{aside,0}', item->'was')) END
        || CASE WHEN item->>'kind' = 'delete' THEN '{}'
            ELSE jsonb_build_object('becomes', coalesce(item#>'{aside,1}', item->'becomes')) END;
END $$;
COMMENT ON FUNCTION bemi._part_row(jsonb) IS 'what a part has of each of its rows';

-- What items must have in common to be of one part.
CREATE OR REPLACE FUNCTION bemi._part_of(item jsonb, shapes jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    shape jsonb := shapes->(item->>'table');
    kind text := item->>'kind';
BEGIN
    RETURN jsonb_build_object('kind', kind, 'shape', shape,
        'relation', CASE kind WHEN 'clear' THEN coalesce(item->>'partition', shape->>'name') ELSE bemi._only(item, shape) END,
        'written', CASE WHEN kind = 'delete' THEN '[]' ELSE item->'written' END,
        'checked', CASE WHEN kind = 'delete' THEN '[]' ELSE item->'checked' END,
        'compared', CASE WHEN kind = 'insert' THEN '[]' ELSE item->'compared' END,
        'keyed', kind <> 'insert' AND (item->'keyed')::boolean, 'keyless', item->'keyless');
END $$;
COMMENT ON FUNCTION bemi._part_of(jsonb, jsonb) IS 'what items must have in common to be of one part';

-- The parts of the items of one statement, in the order in which unique constraints allow them: rows that
-- go, rows that change, rows that come. The items are of different rows.
CREATE OR REPLACE FUNCTION bemi._parts_together(items jsonb[], shapes jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    WITH item AS (
        SELECT i, n, i->>'kind' AS kind, bemi._part_of(i, shapes) AS part,
            CASE WHEN i->>'kind' = 'insert' AND i->'written' <> '[]' OR i->>'kind' = 'delete' AND (i->'keyed')::boolean
                THEN 0 ELSE n END AS apart
        FROM unnest(items) WITH ORDINALITY u (i, n)
        WHERE NOT i ? 'conflict' AND i->>'kind' IN ('update', 'delete', 'insert', 'clear')
    ), part AS (
        SELECT CASE kind WHEN 'update' THEN 2 WHEN 'insert' THEN 3 ELSE 1 END AS rank, min(n) AS n,
            part || jsonb_build_object('rows', jsonb_agg(bemi._part_row(i) ORDER BY n),
                'ids', jsonb_agg(i->'ids' ORDER BY n), 'count', CASE WHEN kind <> 'clear' THEN count(*) END,
                'label', CASE WHEN count(*) = 1 THEN min(i->>'label')
                    ELSE format('%s rows of %s', count(*), bemi._plain(part#>>'{shape,name}')) END) AS part
        FROM item GROUP BY kind, part, apart
        UNION ALL
        SELECT 3, n, part FROM unnest(items) WITH ORDINALITY u (i, n), jsonb_array_elements(i->'parts') part
        WHERE NOT i ? 'conflict' AND i->>'kind' = 'restore'
    )
    SELECT coalesce(jsonb_agg(part ORDER BY rank, n), '[]') FROM part);
END $$;
COMMENT ON FUNCTION bemi._parts_together(jsonb[], jsonb) IS
    'the parts of items that are written in one statement';

-- The parts of items that are written one after the other: of those that follow each other and are of one kind, up to
-- 1,000 are one part, and no more than about 4 MB.
CREATE OR REPLACE FUNCTION bemi._parts_apart(items jsonb[], shapes jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    WITH item AS MATERIALIZED (
        SELECT i, n, bemi._part_of(i, shapes) AS part FROM unnest(items) WITH ORDINALITY u (i, n)
        WHERE NOT i ? 'conflict' AND i->>'kind' IN ('update', 'delete', 'insert', 'clear')
    ), begun AS (
        SELECT *, (part IS DISTINCT FROM lag(part) OVER (ORDER BY n) OR i->>'kind' = 'clear')::integer AS begins FROM item
    ), run AS (
        SELECT *, sum(begins) OVER (ORDER BY n) AS run FROM begun
    ), sized AS (
        SELECT *, (row_number() OVER in_run - 1) / 1000 + sum(pg_column_size(i)) OVER in_run / 4000000 AS chunk
        FROM run WINDOW in_run AS (PARTITION BY run ORDER BY n)
    ), part AS (
        SELECT min(n) AS n, part || jsonb_build_object('rows', jsonb_agg(bemi._part_row(i) ORDER BY n),
            'ids', jsonb_agg(i->'ids' ORDER BY n), 'count', CASE WHEN part->>'kind' <> 'clear' THEN count(*) END,
            'label', CASE WHEN count(*) = 1 THEN min(i->>'label') ELSE format('%s of %s rows of %s, %s',
                min(i->>'operation'), count(*), bemi._plain(part#>>'{shape,name}'), min(i->>'moment')) END) AS part
        FROM sized GROUP BY run, part, chunk
    )
    SELECT coalesce(jsonb_agg(part ORDER BY n), '[]') FROM part);
END $$;
COMMENT ON FUNCTION bemi._parts_apart(jsonb[], jsonb) IS
    'the parts of items that are written one after the other';

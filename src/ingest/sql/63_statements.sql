-- Reversion. The SQL of that work. Values are written as JSON and read by jsonb_populate_record, so
-- that each goes through its own type's input. Rows are compared by laying the image over the row: when
-- that changes nothing, the row is as the image says, whatever the session's settings are, and
-- columns that the image doesn't have are left out of it. Aliases are only used with a dot behind
-- them, since a column may have their name.

-- "the row t reads as this image". to_jsonb takes a type's own cast to json where it has one, which may
-- say less than the value; so what such columns are as text is compared too.
CREATE OR REPLACE FUNCTION bemi._reads_as(alias text, image text, shape jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT format('pg_catalog.to_jsonb(%1$s.*)::pg_catalog.text OPERATOR(pg_catalog.=) pg_catalog.to_jsonb('
        'pg_catalog.jsonb_populate_record(%1$s.*, %2$s))::pg_catalog.text', alias, image)
        || coalesce((SELECT string_agg(format(E'\n  AND pg_catalog.format(''%%s'', %1$s.%2$I)'
            ' OPERATOR(pg_catalog.=) pg_catalog.format(''%%s'', (pg_catalog.jsonb_populate_record(%1$s.*, %3$s)).%2$I)',
            alias, name, image), '') FROM jsonb_array_elements_text(shape->'cast') name), ''));
END $$;
COMMENT ON FUNCTION bemi._reads_as(text, text, jsonb) IS
    'the condition that a row reads as an image';

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

-- "the key of the row t is that of the row k"
CREATE OR REPLACE FUNCTION bemi._same_key(shape jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT string_agg(format('t.%1$I %2$s k.%1$I', k->>'name', k->>'operator'), ' AND ' ORDER BY n)
    FROM jsonb_array_elements(shape->'key') WITH ORDINALITY x (k, n));
END $$;
COMMENT ON FUNCTION bemi._same_key(jsonb) IS
    'the condition that two rows have the same key';

-- How an UPDATE or DELETE finds its row: {from, where}.
CREATE OR REPLACE FUNCTION bemi._finding(item jsonb, shape jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT CASE
        WHEN item->'key' <> 'null' THEN jsonb_build_object(
            'from', format('pg_catalog.jsonb_populate_record(NULL::%s, %L) AS k',
                shape->>'name', item->'key'),
            'where', bemi._same_key(shape) || E'\n  AND ' || bemi._reads_as('t', quote_literal(item->'was'), shape))
        WHEN (item->'keyless')::boolean THEN jsonb_build_object('where', format(
            E'(t.tableoid, t.ctid) OPERATOR(pg_catalog.=) (SELECT x.tableoid, x.ctid FROM %s AS x\n'
            '    WHERE %s LIMIT 1 FOR UPDATE)',
            bemi._only(item, shape), bemi._reads_as('x', quote_literal(item->'was'), shape)))
        ELSE jsonb_build_object('where', bemi._reads_as('t', quote_literal(item->'was'), shape)) END);
END $$;
COMMENT ON FUNCTION bemi._finding(jsonb, jsonb) IS
    'FROM and WHERE that find the row of an item as it was';

CREATE OR REPLACE FUNCTION bemi._update(item jsonb, shape jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT format(E'UPDATE %s AS t SET %s\nFROM %spg_catalog.jsonb_populate_record(NULL::%s, %L) AS b\nWHERE %s',
        bemi._only(item, shape),
        (SELECT string_agg(format('%1$I = b.%1$I', c), ', ' ORDER BY c)
            FROM jsonb_array_elements_text(item->'written') c),
        (f->>'from') || E',\n  ', shape->>'name',
        (SELECT jsonb_object_agg(c, item->'becomes'->c)
            FROM jsonb_array_elements_text(item->'written') c),
        f->>'where')
    FROM bemi._finding(item, shape) f);
END $$;
COMMENT ON FUNCTION bemi._update(jsonb, jsonb) IS
    'the UPDATE of an item';

CREATE OR REPLACE FUNCTION bemi._delete(item jsonb, shape jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT format(E'DELETE FROM %s AS t%s\nWHERE %s', bemi._only(item, shape),
        E'\nUSING ' || (f->>'from'), f->>'where')
    FROM bemi._finding(item, shape) f);
END $$;
COMMENT ON FUNCTION bemi._delete(jsonb, jsonb) IS
    'the DELETE of an item';

-- Rows of the same columns.
CREATE OR REPLACE FUNCTION bemi._insert(shape jsonb, written jsonb, images jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT CASE WHEN written = '[]' THEN format('INSERT INTO %s AS t DEFAULT VALUES', shape->>'name')
        ELSE format(E'INSERT INTO %1$s AS t (%2$s) OVERRIDING SYSTEM VALUE\n'
            'SELECT %3$s FROM pg_catalog.jsonb_populate_record%4$s(NULL::%1$s, %5$L) AS b',
            shape->>'name',
            (SELECT string_agg(quote_ident(c), ', ' ORDER BY n)
                FROM jsonb_array_elements_text(written) WITH ORDINALITY x (c, n)),
            (SELECT string_agg('b.' || quote_ident(c), ', ' ORDER BY n)
                FROM jsonb_array_elements_text(written) WITH ORDINALITY x (c, n)),
            CASE WHEN jsonb_array_length(images) > 1 THEN 'set' ELSE '' END,
            CASE WHEN jsonb_array_length(images) > 1 THEN images ELSE images->0 END)
        END);
END $$;
COMMENT ON FUNCTION bemi._insert(jsonb, jsonb, jsonb) IS
    'the INSERT of rows of one table';

-- Rows with a key, each only if it reads as its image.
CREATE OR REPLACE FUNCTION bemi._delete_all(shape jsonb, relation text, images jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT format(E'DELETE FROM %s AS t\nUSING pg_catalog.jsonb_array_elements(%L) AS i (image),\n'
        '  LATERAL pg_catalog.jsonb_populate_record(NULL::%s, i.image) AS k\nWHERE %s\n  AND %s',
        relation, images, shape->>'name', bemi._same_key(shape),
        bemi._reads_as('t', 'i.image', shape)));
END $$;
COMMENT ON FUNCTION bemi._delete_all(jsonb, text, jsonb) IS
    'the DELETE of rows of one table';

-- A part of a step, as SQL without RETURNING. A part: kind; sql, or for rows of one table that are
-- inserted or deleted together shape, relation, written (columns) and images; ids (of each row, a
-- list); rows (how many it writes); becomes (what its row should be afterwards); label.
CREATE OR REPLACE FUNCTION bemi._part_sql(part jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    SELECT CASE WHEN part ? 'sql' THEN part->>'sql'
        WHEN part->>'kind' = 'delete'
        THEN bemi._delete_all(part->'shape', part->>'relation', part->'images')
        ELSE bemi._insert(part->'shape', part->'written', part->'images') END);
END $$;
COMMENT ON FUNCTION bemi._part_sql(jsonb) IS
    'a part of a step as SQL';

-- The parts of the items of one step, in the order in which unique constraints allow them: rows that
-- go, rows that change, rows that come. The items are of different rows.
CREATE OR REPLACE FUNCTION bemi._parts(items jsonb[], shapes jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
    WITH item AS (
        SELECT i, i->>'kind' AS kind, shapes->(i->>'table') AS shape, n,
            i->>'kind' = 'insert' OR i->>'kind' = 'delete' AND i->'key' <> 'null'
                AND cardinality(items) > 1 AS joins
        FROM unnest(items) WITH ORDINALITY u (i, n) WHERE NOT i ? 'conflict'
    ), part AS (
        SELECT CASE WHEN kind = 'update' THEN 2 ELSE 1 END AS rank, n,
            jsonb_build_object('kind', kind, 'sql', CASE kind WHEN 'update' THEN bemi._update(i, shape)
                    WHEN 'delete' THEN bemi._delete(i, shape)
                    ELSE format('DELETE FROM ONLY %s AS t',
                        coalesce(i->>'partition', shape->>'name')) END,
                'ids', jsonb_build_array(i->'ids'), 'label', i->'label',
                'rows', CASE WHEN kind <> 'clear' THEN 1 END,
                'becomes', CASE kind WHEN 'update' THEN i->'becomes' END) AS part
        FROM item WHERE kind IN ('update', 'delete', 'clear') AND NOT joins
        UNION ALL
        SELECT CASE kind WHEN 'delete' THEN 1 ELSE 3 END, min(n), jsonb_build_object('kind', kind,
            'shape', shape, 'relation', min(bemi._only(i, shape)), 'written', w.written,
            'images', jsonb_agg(w.image ORDER BY n), 'ids', jsonb_agg(i->'ids' ORDER BY n),
            'rows', count(*),
            'becomes', CASE WHEN kind <> 'delete' AND count(*) = 1 THEN jsonb_agg(w.image)->0 END,
            'label', CASE WHEN count(*) = 1 THEN min(i->>'label')
                ELSE format('%s rows of %s', count(*), bemi._plain(shape->>'name')) END)
        FROM item, LATERAL (SELECT CASE kind WHEN 'delete' THEN i->'was' ELSE i->'becomes' END,
            CASE WHEN kind <> 'delete' THEN i->'written' END) w (image, written)
        WHERE joins GROUP BY kind, shape, w.written
        UNION ALL
        SELECT 3, n, part FROM item, jsonb_array_elements(i->'parts') part WHERE kind = 'restore'
    )
    SELECT coalesce(jsonb_agg(part ORDER BY rank, n), '[]') FROM part);
END $$;
COMMENT ON FUNCTION bemi._parts(jsonb[], jsonb) IS
    'the SQL of the items of one step, part by part';

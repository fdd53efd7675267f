-- bemi.check, the rows of the other files in the order to look at them; and what must not be there when
-- the extension is made.

CREATE FUNCTION bemi.check()
RETURNS TABLE (name text, ok boolean, found text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.name, c.ok, c.found, CASE WHEN c.ok IS NOT TRUE THEN c.fix END
    FROM (
        SELECT 1, * FROM bemi._check_server() WITH ORDINALITY
        UNION ALL SELECT 2, * FROM bemi._check_standby() WITH ORDINALITY
        UNION ALL SELECT 3, * FROM bemi._check_slots() WITH ORDINALITY
        UNION ALL SELECT 4, * FROM bemi._check_transactions() WITH ORDINALITY
        UNION ALL SELECT 5, * FROM bemi._check_tables() WITH ORDINALITY
        UNION ALL SELECT 6, * FROM bemi._check_publications() WITH ORDINALITY
        UNION ALL SELECT 7, * FROM bemi._check_locks() WITH ORDINALITY
        UNION ALL SELECT 8, * FROM bemi._check_schema() WITH ORDINALITY
        UNION ALL SELECT 9, * FROM bemi._check_session() WITH ORDINALITY
    ) AS c (part, name, ok, found, fix, row)
    ORDER BY part, row
$$;
COMMENT ON FUNCTION bemi.check() IS
'what a source needs, a row each: ok is null for what is optional, fix is what to run where ok is not true';

-- A routine beside one of ours that has its name: an untyped call might reach it.
DO $$
DECLARE
    found pg_catalog.text := (
        SELECT pg_catalog.string_agg(o.identity, E'\n') FROM bemi._foreign_objects() o WHERE o.is_look_alike);
BEGIN
    IF found IS NOT NULL THEN
        RAISE duplicate_function USING
            MESSAGE = 'schema "bemi" has routines that look like those of the extension',
            DETAIL = found,
            HINT = 'Look at what they do, and drop them (DROP ROUTINE) or move them to another schema.';
    END IF;
END
$$;

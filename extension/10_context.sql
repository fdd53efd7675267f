\echo Use "CREATE EXTENSION bemi_decoder" to load this file. \quit

-- Conventions of this script. Every function fixes its search_path. What starts with an underscore
-- is internal. Functions run with the rights of whoever calls them, with one exception
-- (bemi._note_identity, which says why). Nothing here replaces what it finds: an object of the same
-- name that is already in the schema is an error, not a way in. Calls of our own functions give
-- arguments of the very types that these take, so that no overloaded one can get in their way.

-- bemi_ingest keeps its tables in this schema too, and may have made it first, under a role of its
-- own. The owner of a schema can rename it and put another in its place; the event trigger would
-- then run that one's functions as whoever creates a table, superusers included. So the schema
-- becomes the superuser's, and the role that had it keeps every right in it.
DO $$
DECLARE
    former_owner pg_catalog.name;
BEGIN
    SELECT r.rolname INTO former_owner
    FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
    WHERE n.nspname = 'bemi'::pg_catalog.name AND NOT r.rolsuper;
    IF FOUND THEN
        EXECUTE pg_catalog.format('ALTER SCHEMA bemi OWNER TO %I', CURRENT_USER);
        EXECUTE pg_catalog.format('GRANT ALL ON SCHEMA bemi TO %I WITH GRANT OPTION', former_owner);
        RAISE NOTICE 'schema "bemi" now belongs to "%"', CURRENT_USER
            USING DETAIL = pg_catalog.format('"%s" owned it, and keeps all privileges on it.', former_owner);
    END IF;
END
$$;

-- Every role that writes may say in which context it does.
GRANT USAGE ON SCHEMA bemi TO PUBLIC;

CREATE FUNCTION bemi.set_context(context jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    content text := coalesce(context, '{}'::jsonb)::text;
BEGIN
    -- The session library takes the blank away, which a setting that nobody has defined keeps: then
    -- it also writes the message, in front of what is changed next.
    IF set_config('bemi.context', ' ' || content, true) = content THEN
        RETURN;
    END IF;
    PERFORM set_config('bemi.context', content, true);
    -- A message costs a transaction id, and a standby has none to give: where nothing can be
    -- changed, there is nothing to say it of.
    IF NOT current_setting('transaction_read_only')::boolean THEN
        PERFORM pg_logical_emit_message(true, '_bemi', content);
    END IF;
END
$$;

COMMENT ON FUNCTION bemi.set_context(jsonb) IS
'sets the context of what this transaction changes from here on; NULL means none';

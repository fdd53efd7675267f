\echo Use "CREATE EXTENSION bemi_decoder" to load this file. \quit

-- Conventions of this script. Every function fixes its search_path. What starts with an underscore
-- is internal. Functions run with the rights of whoever calls them, with two exceptions
-- (bemi._note_identity and bemi._forget_identity, which say why). Nothing here replaces what it finds:
-- an object of the same name that is already in the schema is an error, not a way in. Calls of our own
-- functions give arguments of the very types that these take, so that no overloaded one can get in
-- their way; and the last file refuses to go on where one is there.

-- bemi_ingest keeps its tables in this schema too, and may have made it first, under a role of its
-- own. The owner of a schema can rename it and put another in its place, and whoever may create in it
-- can put functions beside ours that a call with untyped arguments prefers: the event triggers and
-- superusers would then run his code. So the schema becomes the superuser's, and nobody else may
-- create in it. A WARNING, since a script's NOTICEs are shown to nobody.
DO $$
DECLARE
    creator record;
    former_owner pg_catalog.name;
BEGIN
    SELECT r.rolname INTO former_owner
    FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
    WHERE n.nspname = 'bemi'::pg_catalog.name AND NOT r.rolsuper;
    IF FOUND THEN
        EXECUTE pg_catalog.format('ALTER SCHEMA bemi OWNER TO %I', CURRENT_USER);
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA bemi FROM %I CASCADE', former_owner);
        EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA bemi TO %I WITH GRANT OPTION', former_owner);
        RAISE WARNING 'schema "bemi" no longer belongs to role "%"', former_owner
            USING DETAIL = 'It belongs to the superuser who creates the extension. The role keeps what it has in it, and can no longer create in it.',
            HINT = pg_catalog.format('For bemi_ingest init as this role: GRANT CREATE ON SCHEMA bemi TO %1$I; and afterwards REVOKE CREATE ON SCHEMA bemi FROM %1$I;',
                                     former_owner);
    END IF;
    FOR creator IN
        SELECT CASE WHEN r.rolname IS NULL THEN 'everybody' ELSE pg_catalog.format('role %I', r.rolname) END AS who,
            coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC') AS name
        FROM pg_catalog.pg_namespace n CROSS JOIN pg_catalog.aclexplode(n.nspacl) a
        LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
        WHERE n.nspname = 'bemi'::pg_catalog.name AND a.privilege_type = 'CREATE'::pg_catalog.text AND r.rolsuper IS NOT TRUE
        GROUP BY r.rolname
    LOOP
        EXECUTE pg_catalog.format('REVOKE CREATE ON SCHEMA bemi FROM %s CASCADE', creator.name);
        RAISE WARNING '% can no longer create in schema "bemi"', creator.who;
    END LOOP;
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

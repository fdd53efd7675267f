-- What the extension does by itself, in event triggers: tables that are made in a tracked schema, moved
-- there or attached to a tracked table get replica identity full, and commands that let UPDATE and DELETE
-- of tracked tables fail get a WARNING. The functions run with the rights of whoever runs the command,
-- superusers included, and must never make the command fail.

-- Moved: what last wrote the table's row in this transaction also wrote which schema it is in, and
-- did not make the table, whose system columns are as old as it is.
CREATE FUNCTION bemi._is_moved(relation regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM pg_class c
        JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
            AND d.refclassid = 'pg_namespace'::regclass
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tableoid'
        WHERE c.oid = relation AND age(c.xmin) <= 0
          AND d.xmin = c.xmin AND d.cmin = c.cmin AND NOT (a.xmin = c.xmin AND a.cmin = c.cmin));
END
$$;
COMMENT ON FUNCTION bemi._is_moved(regclass) IS
'internal: whether the last that was done to a table, in this transaction, was to move it into its schema';

-- Of one DDL command, the tables that are to be full from now on. Only what the command has just
-- made, moved or attached, and so has locked: we never wait for a lock, and whoever gives a table
-- another identity, with bemi.untrack or without, keeps it.
CREATE FUNCTION bemi._tables_of_command(relation regclass, command_tag text) RETURNS SETOF regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    in_tracked_schema boolean := EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN bemi.tracked_schemas t ON t.schema IN (n.nspname, '')
        WHERE c.oid = relation);
BEGIN
    IF command_tag = 'ALTER TABLE' THEN
        RETURN QUERY SELECT relation WHERE in_tracked_schema AND bemi._is_moved(relation);
        RETURN QUERY
            SELECT bemi._with_partitions(i.inhrelid::regclass)
            FROM pg_class c JOIN pg_inherits i ON i.inhparent = c.oid
            WHERE c.oid = relation AND c.relkind = 'p' AND c.relreplident = 'f' AND age(i.xmin) <= 0;
    ELSE
        RETURN QUERY SELECT relation WHERE in_tracked_schema OR EXISTS (
            SELECT FROM pg_partition_ancestors(relation) a JOIN pg_class c ON c.oid = a.relid
            WHERE c.relreplident = 'f');
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._tables_of_command(regclass, text) IS
'internal: the tables that a DDL command has made, moved or attached and that are to be tracked';

-- Runs with every CREATE TABLE and ALTER TABLE of the database, with the rights of whoever does it.
-- Whatever goes wrong here is a warning: it must not cost anybody their table.
CREATE FUNCTION bemi._track_new_tables() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation regclass;
BEGIN
    FOREACH relation IN ARRAY array(
        SELECT bemi._tables_of_command(objid::regclass, command_tag)
        FROM pg_event_trigger_ddl_commands()
        WHERE object_type = 'table' AND schema_name <> 'pg_temp')
    LOOP
        -- What is full already stays so, and is not noted: while a dump is restored, the notes come later.
        IF EXISTS (SELECT FROM pg_class WHERE oid = relation AND relreplident <> 'f')
            AND NOT EXISTS (SELECT FROM bemi._obstacle(relation, 'prepare'::text)) THEN
            PERFORM bemi._track_member(relation);
        END IF;
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING USING
        MESSAGE = 'a new table could not be tracked: ' || SQLERRM,
        HINT = 'The view bemi.untracked has the tables without replica identity full.';
END
$$;
COMMENT ON FUNCTION bemi._track_new_tables() IS
'internal: the function of the event trigger bemi_track_new_tables';
REVOKE EXECUTE ON FUNCTION bemi._track_new_tables() FROM PUBLIC;

CREATE EVENT TRIGGER bemi_track_new_tables ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE SCHEMA', 'ALTER TABLE')
    EXECUTE FUNCTION bemi._track_new_tables();
COMMENT ON EVENT TRIGGER bemi_track_new_tables IS
'replica identity full for new tables of bemi.tracked_schemas and new partitions of tracked tables';

-- The other way round: a command that lets UPDATE and DELETE of tables with replica identity full fail
-- from then on (a publication that is made or changed, a table that comes into one, a generated column
-- that is added). It is somebody's own command, so it goes on, and he is told.
CREATE FUNCTION bemi._warn_of_refused_writes() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    touched regclass[];
    reasons text[];
BEGIN
    IF tg_tag IN ('CREATE PUBLICATION', 'ALTER PUBLICATION') THEN
        touched := array(SELECT c.oid::regclass FROM pg_class c WHERE c.relkind = 'r' AND c.relreplident = 'f');
    ELSE
        -- One look-up for each: a join would read all of pg_class.
        touched := array(
            SELECT m FROM pg_event_trigger_ddl_commands() d
            CROSS JOIN bemi._with_partitions(d.objid::regclass) m
            WHERE d.object_type = 'table' AND d.schema_name <> 'pg_temp'
              AND (SELECT c.relreplident FROM pg_class c WHERE c.oid = m) = 'f');
    END IF;
    SELECT array_agg(DISTINCT format('%s: %s', f.relation, f.reason)) INTO reasons
    FROM bemi._full_faults(touched, false) f;
    IF reasons IS NOT NULL THEN
        RAISE WARNING USING
            MESSAGE = 'UPDATE and DELETE of tables with replica identity full fail from now on',
            DETAIL = array_to_string(reasons[1:20], E'\n'),
            HINT = 'SELECT * FROM bemi.check() WHERE name = ''publications''; has the way out.';
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING USING MESSAGE = 'what a publication does to tracked tables could not be looked at: ' || SQLERRM;
END
$$;
COMMENT ON FUNCTION bemi._warn_of_refused_writes() IS
'internal: the function of the event trigger bemi_warn_of_refused_writes';
REVOKE EXECUTE ON FUNCTION bemi._warn_of_refused_writes() FROM PUBLIC;

CREATE EVENT TRIGGER bemi_warn_of_refused_writes ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'CREATE PUBLICATION', 'ALTER PUBLICATION')
    EXECUTE FUNCTION bemi._warn_of_refused_writes();
COMMENT ON EVENT TRIGGER bemi_warn_of_refused_writes IS
'warns of a command that makes UPDATE and DELETE of tables with replica identity full fail';

-- The oracle for a workload that knows nothing of it, PostgreSQL's own regression suite: an event trigger gives each
-- ordinary table that appears replica identity full and triggers, which take down every change. It stays out of the
-- suite's way where it can: no sequence (lastval), no subtransaction per row, and rows as json text, which takes what jsonb would refuse.
-- oracle.sql is there too. All tables are unlogged: what is written here is not decoded, and rolls back with the change.
CREATE SCHEMA suite;

-- Rows of one transaction are ordered by cmin, the number of the command that took them down, and then by place.
CREATE UNLOGGED TABLE suite.log (
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    place bigint NOT NULL DEFAULT 0,
    operation text NOT NULL,    -- as records name it
    relation oid NOT NULL,
    name text NOT NULL,         -- schema.table, quoted, as it was called then
    root text,                  -- of a partition: the topmost partitioned table
    depth integer NOT NULL,     -- of triggers: more than 1 is a change that a trigger made
    old text,
    new text
);

CREATE UNLOGGED TABLE suite.watched (relation oid NOT NULL, name text NOT NULL);
-- Tables that the triggers don't see the changes of, or not all of them, and why.
CREATE UNLOGGED TABLE suite.unwatched (relation oid NOT NULL, name text NOT NULL, reason text NOT NULL);

CREATE FUNCTION suite.name_of(relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = '' SET quote_all_identifiers = off AS $$
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = relation
$$;

CREATE FUNCTION suite.take_down() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = '' SET TimeZone = 'UTC' SET lc_monetary = 'C' SET DateStyle = 'ISO, MDY'
SET IntervalStyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1
SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
DECLARE
    root oid := pg_catalog.pg_partition_root(TG_RELID);
    old_row text;
    new_row text;
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') THEN old_row := pg_catalog.row_to_json(OLD); END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN new_row := pg_catalog.row_to_json(NEW); END IF;
    INSERT INTO suite.log (operation, relation, name, root, depth, old, new)
    VALUES (CASE TG_OP WHEN 'INSERT' THEN 'CREATE' ELSE TG_OP END, TG_RELID,
            pg_catalog.format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME),
            CASE WHEN root IS NOT NULL THEN suite.name_of(root) END, pg_catalog.pg_trigger_depth(), old_row, new_row);
    RETURN NULL;
END
$$;

-- The rows that CREATE TABLE AS made before anybody could give their table a trigger.
CREATE FUNCTION suite.take_down_all(relation regclass) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = '' SET TimeZone = 'UTC' SET lc_monetary = 'C' SET DateStyle = 'ISO, MDY'
SET IntervalStyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1
SET xmlbinary = 'base64' SET quote_all_identifiers = off SET enable_indexscan = off AS $$
BEGIN
    EXECUTE pg_catalog.format(
        'INSERT INTO suite.log (place, operation, relation, name, depth, new)'
        ' SELECT pg_catalog.row_number() OVER (), ''CREATE'', %s, %L, pg_catalog.pg_trigger_depth(), pg_catalog.row_to_json(made)'
        ' FROM (SELECT * FROM ONLY %s ORDER BY ctid) AS made',
        relation::oid, suite.name_of(relation), relation);
END
$$;

-- Makes the triggers of a table; they fire for replicas as well.
CREATE FUNCTION suite.watch(relation regclass) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = '' SET client_min_messages = warning AS $$
BEGIN
    INSERT INTO suite.watched VALUES (relation, suite.name_of(relation));
    EXECUTE pg_catalog.format('CREATE TRIGGER "!suite" AFTER INSERT OR UPDATE OR DELETE ON %s'
                              ' FOR EACH ROW EXECUTE FUNCTION suite.take_down()', relation);
    EXECUTE pg_catalog.format('CREATE TRIGGER "!suite truncate" AFTER TRUNCATE ON %s EXECUTE FUNCTION suite.take_down()', relation);
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "!suite", ENABLE ALWAYS TRIGGER "!suite truncate",'
                              ' REPLICA IDENTITY FULL', relation);
END
$$;

CREATE FUNCTION suite.after_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = '' SET client_min_messages = warning AS $$
DECLARE
    command record;
    watched boolean;
BEGIN
    FOR command IN
        SELECT DISTINCT d.command_tag AS tag, c.oid, c.oid::pg_catalog.regclass AS relation, c.relpersistence = 'p' AS logged
        FROM pg_catalog.pg_event_trigger_ddl_commands() d JOIN pg_catalog.pg_class c ON c.oid = d.objid
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind = 'r' AND c.relpersistence <> 't'
    LOOP
        SELECT pg_catalog.bool_and(tgenabled = 'A') INTO watched
            FROM pg_catalog.pg_trigger WHERE tgrelid = command.oid AND tgname LIKE '!suite%';
        IF command.logged AND watched IS NULL THEN
            IF command.tag IN ('CREATE TABLE AS', 'SELECT INTO') THEN
                PERFORM suite.take_down_all(command.relation);
            END IF;
            PERFORM suite.watch(command.relation);
        ELSIF NOT command.logged AND watched IS NOT NULL THEN
            EXECUTE pg_catalog.format('DROP TRIGGER "!suite" ON %s', command.relation);
            EXECUTE pg_catalog.format('DROP TRIGGER "!suite truncate" ON %s', command.relation);
        ELSIF NOT watched THEN
            INSERT INTO suite.unwatched VALUES (command.oid, suite.name_of(command.oid), 'its triggers were disabled');
        END IF;
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    INSERT INTO suite.unwatched VALUES (command.oid, command.relation::text, SQLERRM);
END
$$;

CREATE EVENT TRIGGER suite ON ddl_command_end EXECUTE FUNCTION suite.after_ddl();
ALTER EVENT TRIGGER suite ENABLE ALWAYS;

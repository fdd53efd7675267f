-- All tables of a schema: those that exist by bemi.track_all, those to come by an event trigger.

-- Who writes here decides on tables that others make: nobody but superusers, unless granted.
-- By name, since pg_upgrade gives schemas new OIDs.
CREATE TABLE bemi.tracked_schemas (
    schema name PRIMARY KEY
);
COMMENT ON TABLE bemi.tracked_schemas IS
'schemas whose new tables get replica identity full; CALL bemi.track_all(schema) adds one, DELETE ends it';
GRANT SELECT ON bemi.tracked_schemas TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('bemi.tracked_schemas', '');

CREATE FUNCTION bemi._track_schema(schema name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The transaction is older than the statement: the COMMIT to come would fail with less to say.
    IF transaction_timestamp() < statement_timestamp() THEN
        RAISE active_sql_transaction USING
            MESSAGE = 'CALL bemi.track_all cannot run inside a transaction block',
            DETAIL = 'It commits after each table.',
            HINT = 'Use bemi.track for a table inside a transaction.';
    ELSIF schema IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'schema must not be null';
    ELSIF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = schema) THEN
        RAISE invalid_schema_name USING
            MESSAGE = format('schema "%s" does not exist', schema),
            HINT = 'Write the name as it is stored: it is case-sensitive, and takes no double quotes.';
    ELSIF schema IN ('information_schema', 'bemi') OR starts_with(schema::text, 'pg_') THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('schema "%s" cannot be tracked', schema),
            DETAIL = 'What changes in this schema is never emitted.';
    ELSIF EXISTS (SELECT FROM bemi.tracked_schemas t WHERE t.schema = _track_schema.schema) THEN
        RETURN;
    ELSIF NOT has_table_privilege('bemi.tracked_schemas', 'INSERT') THEN
        RAISE WARNING USING
            MESSAGE = format('tables made later in schema "%s" will not be tracked', schema),
            DETAIL = format('Role "%s" may not insert into bemi.tracked_schemas.', current_user),
            HINT = format('As a superuser: CALL bemi.track_all(%L);', schema);
    ELSE
        INSERT INTO bemi.tracked_schemas VALUES (schema) ON CONFLICT DO NOTHING;
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._track_schema(name) IS
'internal: remembers a schema whose new tables are to be tracked';

-- Partitioned tables come first, so that partitions made meanwhile follow them; partitions come
-- along wherever they live. NULL where nothing is left to do.
CREATE FUNCTION bemi._tables_to_track(schema name) RETURNS regclass[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH root AS (
        SELECT r.oid, r.relkind FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
        WHERE n.nspname = schema
    ), member (oid) AS (
        SELECT oid FROM root WHERE relkind = 'r'
        UNION
        SELECT bemi._with_partitions(oid::regclass) FROM root WHERE relkind = 'p'
    ), not_full AS MATERIALIZED (
        SELECT c.oid, c.relkind FROM member JOIN pg_class c USING (oid) WHERE c.relreplident <> 'f'
    )
    SELECT array_agg(c.oid::regclass ORDER BY c.relkind = 'p' DESC, c.oid)
    FROM not_full c
    WHERE NOT EXISTS (SELECT FROM bemi._obstacle(c.oid::regclass, 'prepare'))
$$;
COMMENT ON FUNCTION bemi._tables_to_track(name) IS
'internal: the tables of a schema without replica identity full';

-- The reason why not, or NULL. While a lock is waited for, everybody else queues up behind it:
-- hence a short time, and shorter than deadlock_timeout.
CREATE FUNCTION bemi._try_to_track(relation regclass) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
AS $$
BEGIN
    PERFORM bemi._make_full(relation);
    RETURN NULL;
EXCEPTION
    WHEN lock_not_available THEN
        RETURN format('%s: another session holds a lock on it', relation);
    WHEN OTHERS THEN
        RETURN format('%s: %s', relation, SQLERRM);
END
$$;
COMMENT ON FUNCTION bemi._try_to_track(regclass) IS
'internal: replica identity full for one table if its lock is soon to be had';

CREATE FUNCTION bemi._report_failures(schema name, failures text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF failures IS NOT NULL THEN
        RAISE WARNING USING
            MESSAGE = format('%s of the tables of schema "%s" could not be tracked', cardinality(failures), schema),
            DETAIL = array_to_string(failures[1:20], E'\n'),
            HINT = format('Run CALL bemi.track_all(%L); again, once the locks are gone or as the owner. '
                          'The view bemi.untracked has what is left.', schema);
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._report_failures(name, text[]) IS
'internal: says which tables bemi.track_all could not get';

-- A procedure that commits cannot have a SET clause. So this one, which runs under the caller's
-- search_path, looks nothing up by it: its names are all qualified, it has no operator, and the
-- functions that do the work set theirs.
CREATE PROCEDURE bemi.track_all(schema name)
LANGUAGE plpgsql
AS $$
DECLARE
    pause pg_catalog.float8;
    relations pg_catalog.regclass[];
    relation pg_catalog.regclass;
    failure pg_catalog.text;
    failures pg_catalog.text[];
BEGIN
    PERFORM bemi._track_schema(schema);
    COMMIT;
    FOREACH pause IN ARRAY ARRAY[0, 0.1, 0.3, 0.6, 1.0]::pg_catalog.float8[] LOOP
        PERFORM pg_catalog.pg_sleep(pause);
        failures := NULL;
        relations := bemi._tables_to_track(schema);
        EXIT WHEN relations IS NULL;
        FOREACH relation IN ARRAY relations LOOP
            failure := bemi._try_to_track(relation);
            IF failure IS NOT NULL THEN
                failures := pg_catalog.array_append(failures, failure);
            END IF;
            COMMIT;
        END LOOP;
        EXIT WHEN failures IS NULL;
    END LOOP;
    PERFORM bemi._report_failures(schema, failures);
END
$$;
COMMENT ON PROCEDURE bemi.track_all(name) IS
'replica identity full for all tables of a schema, those to come included; commits after each table, so not inside a transaction block';

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
        JOIN bemi.tracked_schemas t ON t.schema = n.nspname
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
        IF NOT EXISTS (SELECT FROM bemi._obstacle(relation, 'prepare')) THEN
            PERFORM bemi._make_full(relation);
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

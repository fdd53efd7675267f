-- All tables of a schema: those that exist by bemi.track_all, those to come by an event trigger.

-- Who writes here decides on tables that others make: nobody but superusers, unless granted.
-- By name, since pg_upgrade gives schemas new OIDs. No schema can have the empty name: it stands for
-- all schemas, those to come included.
CREATE TABLE bemi.tracked_schemas (
    schema name PRIMARY KEY
);
COMMENT ON TABLE bemi.tracked_schemas IS
'schemas whose new tables get replica identity full, an empty name for all of them; CALL bemi.track_all(schema) adds one, CALL bemi.untrack_all(schema) or DELETE ends it';
GRANT SELECT ON bemi.tracked_schemas TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('bemi.tracked_schemas', '');

-- What is told of a schema, or of all of them, in messages and calls.
CREATE FUNCTION bemi._scope(schema name, OUT tables text, OUT argument text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN schema = '' THEN 'this database' ELSE format('schema "%s"', schema) END,
        CASE WHEN schema = '' THEN '' ELSE quote_literal(schema) || '::name' END
$$;
COMMENT ON FUNCTION bemi._scope(name) IS
'internal: how to name a schema, or with an empty name all of them';

-- A procedure that commits gets an error of its own kind from COMMIT where it must not. refusal is
-- what COMMIT said to it in a block that catches errors, where it always refuses: the same as to a
-- function means that the call is inside a transaction block. (Statements that come in one message
-- make one, which no clock tells.) Compared, not spelled out: messages are translated.
CREATE FUNCTION bemi._require_commit(procedure text, refusal text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    COMMIT;
EXCEPTION WHEN invalid_transaction_termination THEN
    IF SQLERRM = refusal THEN
        RAISE active_sql_transaction USING
            MESSAGE = format('CALL bemi.%s cannot run inside a transaction block', procedure),
            DETAIL = 'It commits after each table. Statements that are sent together are a transaction block, too.',
            HINT = format('Send each CALL by itself (psql -c ... -c ...). Inside a transaction, use bemi.%s for a table.',
                          replace(procedure, '_all', ''));
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._require_commit(text, text) IS
'internal: raises an error where a procedure that commits was called inside a transaction block';

CREATE FUNCTION bemi._require_schema(schema name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF schema IS NULL THEN
        RAISE null_value_not_allowed USING
            MESSAGE = 'schema must not be null',
            HINT = 'Without an argument, all schemas of the database are meant.';
    ELSIF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = schema) THEN
        RAISE invalid_schema_name USING
            MESSAGE = format('schema "%s" does not exist', schema),
            HINT = 'Write the name as it is stored: it is case-sensitive, and takes no double quotes.';
    ELSIF schema IN ('information_schema', 'bemi') OR starts_with(schema::text, 'pg_') THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('schema "%s" cannot be tracked', schema),
            DETAIL = 'What changes in this schema is never emitted.';
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._require_schema(name) IS
'internal: raises an error where a schema cannot be tracked';

CREATE FUNCTION bemi._remember_schema(schema name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM bemi.tracked_schemas t WHERE t.schema IN (_remember_schema.schema, '')) THEN
        RETURN;
    ELSIF NOT has_table_privilege('bemi.tracked_schemas'::text, 'INSERT'::text) THEN
        RAISE WARNING USING
            MESSAGE = format('tables made later in %s will not be tracked', (bemi._scope(schema)).tables),
            DETAIL = format('Role "%s" may not insert into bemi.tracked_schemas.', current_user),
            HINT = format('As a superuser: CALL bemi.track_all(%s);', (bemi._scope(schema)).argument);
    ELSE
        INSERT INTO bemi.tracked_schemas VALUES (schema) ON CONFLICT DO NOTHING;
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._remember_schema(name) IS
'internal: remembers a schema, or all of them, whose new tables are to be tracked';

CREATE FUNCTION bemi._forget_schema(schema name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM bemi.tracked_schemas t WHERE t.schema = _forget_schema.schema OR _forget_schema.schema = '')
        AND has_table_privilege('bemi.tracked_schemas'::text, 'DELETE'::text) THEN
        DELETE FROM bemi.tracked_schemas t WHERE t.schema = _forget_schema.schema OR _forget_schema.schema = '';
    END IF;
    IF EXISTS (SELECT FROM bemi.tracked_schemas t WHERE t.schema IN (_forget_schema.schema, '') OR _forget_schema.schema = '') THEN
        RAISE WARNING USING
            MESSAGE = format('tables made later in %s will be tracked still', (bemi._scope(schema)).tables),
            DETAIL = 'bemi.tracked_schemas says so: an empty name there stands for all schemas.',
            HINT = 'As a superuser: CALL bemi.untrack_all(); for the whole database, or DELETE FROM bemi.tracked_schemas.';
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._forget_schema(name) IS
'internal: ends the tracking of new tables in a schema, or in all of them';

-- The tables of a schema, or with an empty name of all of them. Partitions come along wherever they live.
CREATE FUNCTION bemi._tables_in(schema name) RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH root AS (
        SELECT r.oid, r.relkind FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
        WHERE n.nspname = schema OR schema = ''
    )
    SELECT oid::regclass FROM root WHERE relkind = 'r'
    UNION
    SELECT bemi._with_partitions(oid::regclass) FROM root WHERE relkind = 'p' AND schema <> ''
    UNION
    SELECT oid::regclass FROM root WHERE relkind = 'p' AND schema = ''
$$;
COMMENT ON FUNCTION bemi._tables_in(name) IS
'internal: the tables of a schema and their partitions, or all tables';

-- Partitioned tables come first, so that partitions made meanwhile follow them. NULL where nothing is
-- left to do. Also those that are full and not remembered: to be remembered as that.
CREATE FUNCTION bemi._tables_to_track(schema name) RETURNS regclass[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH not_done AS MATERIALIZED (
        SELECT c.oid, c.relkind
        FROM bemi._tables_in(schema) t JOIN pg_class c ON c.oid = t
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (c.relreplident <> 'f' OR pg_has_role(session_user, c.relowner, 'MEMBER') AND NOT EXISTS (
              SELECT FROM bemi.previous_identities p WHERE p.table_schema = n.nspname AND p.table_name = c.relname))
          AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'bemi') AND c.relpersistence <> 't'
    ), left_alone AS MATERIALIZED (
        SELECT f.relation
        FROM bemi._full_faults(array(SELECT oid::regclass FROM not_done), false) f
        JOIN pg_class c ON c.oid = f.relation AND c.relreplident <> 'f'
    )
    SELECT array_agg(c.oid::regclass ORDER BY c.relkind = 'p' DESC, c.oid)
    FROM not_done c
    WHERE NOT EXISTS (SELECT FROM left_alone l WHERE l.relation = c.oid)
      AND NOT EXISTS (SELECT FROM bemi._obstacle(c.oid::regclass, 'prepare'::text))
$$;
COMMENT ON FUNCTION bemi._tables_to_track(name) IS
'internal: the tables of a schema, or of all, that bemi.track_all has something to do to';

-- Only what is remembered: who made a table full otherwise may need it so.
CREATE FUNCTION bemi._tables_to_untrack(schema name) RETURNS regclass[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(c.oid::regclass ORDER BY c.relkind = 'p' DESC, c.oid)
    FROM bemi._tables_in(schema) t JOIN pg_class c ON c.oid = t
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN bemi.previous_identities p ON p.table_schema = n.nspname AND p.table_name = c.relname
    WHERE c.relreplident = 'f'
$$;
COMMENT ON FUNCTION bemi._tables_to_untrack(name) IS
'internal: the tables of a schema, or of all, that were tracked';

-- Changes one table if its lock is soon to be had; says why it could not. While a lock is waited
-- for, everybody else queues up behind it: hence a short time, and shorter than deadlock_timeout.
CREATE FUNCTION bemi._try_to(procedure text, relation regclass) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
AS $$
DECLARE
    fault record;
BEGIN
    IF procedure = 'track_all' THEN
        SELECT * INTO fault FROM bemi._make_full(relation);
    ELSE
        SELECT * INTO fault FROM bemi._restore_identity(relation);
    END IF;
    IF fault.reason IS NOT NULL THEN
        RETURN format('%s: UPDATE and DELETE would fail: %s', relation, fault.reason);
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN lock_not_available THEN
        RETURN format('%s: another session holds a lock on it', relation);
    WHEN OTHERS THEN
        RETURN format('%s: %s', relation, SQLERRM);
END
$$;
COMMENT ON FUNCTION bemi._try_to(text, regclass) IS
'internal: tracks or untracks one table if its lock is soon to be had';

CREATE FUNCTION bemi._tables_for(procedure text, schema name) RETURNS regclass[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE procedure WHEN 'track_all' THEN bemi._tables_to_track(schema) ELSE bemi._tables_to_untrack(schema) END
$$;
COMMENT ON FUNCTION bemi._tables_for(text, name) IS
'internal: the tables that bemi.track_all or bemi.untrack_all has something to do to';

CREATE FUNCTION bemi._report_failures(procedure text, schema name, failures text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF failures IS NOT NULL THEN
        RAISE WARNING USING
            MESSAGE = format('%s of the tables of %s could not be %sed', cardinality(failures),
                             (bemi._scope(schema)).tables, replace(procedure, '_all', '')),
            DETAIL = array_to_string(failures[1:20], E'\n'),
            HINT = format('Run CALL bemi.%s(%s); again, once the locks are gone or as the owner. '
                          'The view bemi.untracked has the tables that are not tracked.',
                          procedure, (bemi._scope(schema)).argument);
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._report_failures(text, name, text[]) IS
'internal: says which tables bemi.track_all or bemi.untrack_all could not get';

-- Those that track_all must not touch.
CREATE FUNCTION bemi._report_left_alone(procedure text, schema name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reasons text[] := array(
        SELECT format('%s: %s', f.relation, min(f.reason))
        FROM bemi._full_faults(array(SELECT bemi._tables_in(schema)), false) f
        JOIN pg_class c ON c.oid = f.relation AND c.relreplident <> 'f'
        GROUP BY f.relation ORDER BY f.relation::text COLLATE "C");
BEGIN
    IF procedure = 'track_all' AND reasons <> '{}' THEN
        RAISE WARNING USING
            MESSAGE = format('left alone in %s: %s tables', (bemi._scope(schema)).tables, cardinality(reasons)),
            DETAIL = format(E'With replica identity full, UPDATE and DELETE of these fail:\n%s',
                            array_to_string(reasons[1:20], E'\n')),
            HINT = 'The view bemi.untracked has the way out for each.';
    END IF;
END
$$;
COMMENT ON FUNCTION bemi._report_left_alone(text, name) IS
'internal: says which tables bemi.track_all must not touch, and why';

-- Procedures that commit cannot have a SET clause. So these, which run under the caller's
-- search_path, look nothing up by it: their names are all qualified, they have no operator, and the
-- functions that do the work set theirs.
CREATE PROCEDURE bemi._each_table(procedure text, schema name)
LANGUAGE plpgsql
AS $$
DECLARE
    pause pg_catalog.float8;
    relations pg_catalog.regclass[];
    relation pg_catalog.regclass;
    failure pg_catalog.text;
    failures pg_catalog.text[];
BEGIN
    FOREACH pause IN ARRAY ARRAY[0, 0.1, 0.3, 0.6, 1.0]::pg_catalog.float8[] LOOP
        PERFORM pg_catalog.pg_sleep(pause);
        failures := NULL;
        relations := bemi._tables_for(procedure, schema);
        EXIT WHEN relations IS NULL;
        FOREACH relation IN ARRAY relations LOOP
            failure := bemi._try_to(procedure, relation);
            IF failure IS NOT NULL THEN
                failures := pg_catalog.array_append(failures, failure);
            END IF;
            COMMIT;
        END LOOP;
        EXIT WHEN failures IS NULL;
    END LOOP;
    PERFORM bemi._report_failures(procedure, schema, failures);
    PERFORM bemi._report_left_alone(procedure, schema);
END
$$;
COMMENT ON PROCEDURE bemi._each_table(text, name) IS
'internal: tracks or untracks the tables of a schema, or with an empty name all of them, and commits after each';

CREATE PROCEDURE bemi.track_all(schema name)
LANGUAGE plpgsql
AS $$
BEGIN
    BEGIN
        COMMIT;
    EXCEPTION WHEN invalid_transaction_termination THEN
        PERFORM bemi._require_commit('track_all'::pg_catalog.text, SQLERRM);
    END;
    PERFORM bemi._require_schema(schema);
    PERFORM bemi._remember_schema(schema);
    COMMIT;
    CALL bemi._each_table('track_all'::pg_catalog.text, schema);
END
$$;
COMMENT ON PROCEDURE bemi.track_all(name) IS
'replica identity full for all tables of a schema, those to come included; commits after each table, so not inside a transaction block';

CREATE PROCEDURE bemi.track_all()
LANGUAGE plpgsql
AS $$
BEGIN
    BEGIN
        COMMIT;
    EXCEPTION WHEN invalid_transaction_termination THEN
        PERFORM bemi._require_commit('track_all'::pg_catalog.text, SQLERRM);
    END;
    PERFORM bemi._remember_schema(''::pg_catalog.name);
    COMMIT;
    CALL bemi._each_table('track_all'::pg_catalog.text, ''::pg_catalog.name);
END
$$;
COMMENT ON PROCEDURE bemi.track_all() IS
'replica identity full for all tables of the database, those to come in any schema included; commits after each table, so not inside a transaction block';

CREATE PROCEDURE bemi.untrack_all(schema name)
LANGUAGE plpgsql
AS $$
BEGIN
    BEGIN
        COMMIT;
    EXCEPTION WHEN invalid_transaction_termination THEN
        PERFORM bemi._require_commit('untrack_all'::pg_catalog.text, SQLERRM);
    END;
    PERFORM bemi._require_schema(schema);
    PERFORM bemi._forget_schema(schema);
    COMMIT;
    CALL bemi._each_table('untrack_all'::pg_catalog.text, schema);
END
$$;
COMMENT ON PROCEDURE bemi.untrack_all(name) IS
'gives the tables of a schema the replica identity back that they had before they were tracked; commits after each table, so not inside a transaction block';

CREATE PROCEDURE bemi.untrack_all()
LANGUAGE plpgsql
AS $$
BEGIN
    BEGIN
        COMMIT;
    EXCEPTION WHEN invalid_transaction_termination THEN
        PERFORM bemi._require_commit('untrack_all'::pg_catalog.text, SQLERRM);
    END;
    PERFORM bemi._forget_schema(''::pg_catalog.name);
    COMMIT;
    CALL bemi._each_table('untrack_all'::pg_catalog.text, ''::pg_catalog.name);
END
$$;
COMMENT ON PROCEDURE bemi.untrack_all() IS
'gives all tables the replica identity back that they had before they were tracked; commits after each table, so not inside a transaction block';

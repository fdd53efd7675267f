-- Is this server, and this database, fit to be a source? A row for each requirement; the rows that
-- look at the same thing come from the same function: here those about the server and its slots,
-- in the next files those about tables, the schema bemi and standbys.
--
-- ok is null for what is a choice and not a requirement, so that neither WHERE NOT ok nor
-- bool_and(ok) minds it.
--
-- Everybody may run it, since it runs with the caller's rights: who monitors the server (pg_monitor)
-- sees all of it, others what they may see anyway.

-- Not current_setting(), which raises an error for settings that the caller may not see.
CREATE FUNCTION bemi._setting(name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.setting FROM pg_settings s WHERE s.name = _setting.name
$$;
COMMENT ON FUNCTION bemi._setting(text) IS
'internal: a setting, NULL where there is none or the caller may not see it';

-- As the server reads it: what is in double quotes is one name, commas and all.
CREATE FUNCTION bemi._names_in(list text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(replace(m[1], '""', '"'), m[2])
    FROM regexp_matches(list, '"((?:[^"]|"")+)"|([^[:space:],"]+)', 'g') m
$$;
COMMENT ON FUNCTION bemi._names_in(text) IS
'internal: the names in a setting that is a list';

CREATE FUNCTION bemi._with_name(list text, name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(quote_ident(n), ', ') FROM (SELECT bemi._names_in(list) UNION ALL SELECT name) AS l (n)
$$;
COMMENT ON FUNCTION bemi._with_name(text, text) IS
'internal: a setting that is a list with one name more, as ALTER SYSTEM takes it';

CREATE FUNCTION bemi._own_slots(
    OUT name name, OUT active boolean, OUT wal_status text, OUT kept numeric, OUT behind numeric,
    OUT synced boolean, OUT temporary boolean)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT slot_name, s.active, s.wal_status,
        pg_wal_lsn_diff(now.lsn, restart_lsn), pg_wal_lsn_diff(now.lsn, confirmed_flush_lsn),
        coalesce(to_jsonb(s)->>'synced' = 'true', false), s.temporary
    FROM pg_replication_slots s
    CROSS JOIN LATERAL (
        SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END
    ) AS now (lsn)
    WHERE plugin = 'bemi_decoder' AND database = current_database()
$$;
COMMENT ON FUNCTION bemi._own_slots() IS
'internal: the slots of this database that use the plugin, with the bytes of WAL that they keep and are behind, and whether a standby has them from its primary';

-- The first few of a list, and how many there are.
CREATE FUNCTION bemi._listed(names text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN coalesce(cardinality(names), 0) = 0 THEN 'none'
        ELSE format('%s: %s%s', cardinality(names), array_to_string(names[1:5], ', '),
                    CASE WHEN cardinality(names) > 5 THEN ', ...' END)
    END
$$;
COMMENT ON FUNCTION bemi._listed(text[]) IS
'internal: the first few of a list, and how many there are';

CREATE FUNCTION bemi._check_server()
RETURNS TABLE (name text, ok boolean, found text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Servers with effective_wal_level (19 and later) raise replica to logical when the first logical
    -- slot is made, and a standby follows its primary.
    SELECT 'wal_level',
        CASE WHEN effective IS NULL THEN level = 'logical'
            ELSE effective = 'logical' OR level = 'replica' AND NOT pg_is_in_recovery() END,
        level || CASE WHEN effective <> level THEN format(' (%s in effect)', effective) ELSE '' END,
        CASE
            WHEN effective IS NULL THEN 'ALTER SYSTEM SET wal_level = logical; -- then restart the server'
            WHEN level = 'minimal' THEN 'ALTER SYSTEM SET wal_level = replica; -- then restart the server'
            ELSE '-- on the primary: make a logical slot there, or ALTER SYSTEM SET wal_level = logical; and restart it'
        END
    FROM bemi._setting('wal_level'::text) level, bemi._setting('effective_wal_level'::text) effective
UNION ALL
    SELECT 'output_plugin_libraries',
        list IS NULL OR 'bemi_decoder' IN (SELECT bemi._names_in(list)),
        coalesce(list, 'this server has no such setting, and needs none'),
        format('ALTER SYSTEM SET output_plugin_libraries = %s; -- then: SELECT pg_reload_conf();',
               bemi._with_name(list, 'bemi_decoder'))
    FROM bemi._setting('output_plugin_libraries') list
UNION ALL
    SELECT 'replication_slots',
        used < bemi._setting('max_replication_slots')::int OR EXISTS (SELECT FROM bemi._own_slots()),
        format('%s of %s in use', used, bemi._setting('max_replication_slots')),
        format('ALTER SYSTEM SET max_replication_slots = %s; -- then restart the server', used + 5)
    FROM (SELECT count(*) FROM pg_replication_slots) s (used)
UNION ALL
    SELECT 'wal_senders',
        used < bemi._setting('max_wal_senders')::int OR EXISTS (SELECT FROM bemi._own_slots() WHERE active),
        format('%s of %s in use', used, bemi._setting('max_wal_senders')),
        format('ALTER SYSTEM SET max_wal_senders = %s; -- then restart the server', used + 5)
    FROM (SELECT count(*) FROM pg_stat_replication) s (used)
$$;
COMMENT ON FUNCTION bemi._check_server() IS
'internal: the rows of bemi.check about the server''s settings';

CREATE FUNCTION bemi._check_slots()
RETURNS TABLE (name text, ok boolean, found text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'slots_lost', count(*) = 0,
        bemi._listed(array_agg(format('%s (%s)', s.name, wal_status) ORDER BY s.name)),
        string_agg(CASE wal_status
            WHEN 'lost' THEN format('SELECT pg_drop_replication_slot(%L); -- and make it anew: what it had not sent is gone', s.name)
            ELSE format('-- slot "%s" is lost at the next checkpoint unless its consumer catches up', s.name)
        END, E'\n' ORDER BY s.name)
    FROM bemi._own_slots() s WHERE wal_status IN ('lost', 'unreserved')
UNION ALL
    SELECT 'slots_idle', count(*) = 0,
        bemi._listed(array_agg(format('%s (keeps %s of WAL)', s.name, pg_size_pretty(kept)) ORDER BY s.name)),
        string_agg(format('Start the consumer of slot "%s"; if it has none any more: SELECT pg_drop_replication_slot(%L);', s.name, s.name),
                   E'\n' ORDER BY s.name)
    FROM bemi._own_slots() s WHERE NOT active AND NOT synced AND wal_status <> 'lost'
UNION ALL
    -- Behind by a GB, or by half of what may be kept for it at all.
    SELECT 'slots_lagging', count(*) = 0,
        bemi._listed(array_agg(format('%s (%s behind)', s.name, pg_size_pretty(behind)) ORDER BY s.name)),
        'Find out why the consumer is slower than the changes come: its own log, and SELECT * FROM pg_stat_replication;'
    FROM bemi._own_slots() s
    CROSS JOIN pg_size_bytes(current_setting('max_slot_wal_keep_size')) keep
    WHERE wal_status <> 'lost' AND NOT synced
      AND behind > least(pg_size_bytes('1GB'), CASE WHEN keep >= 0 THEN keep / 2 END)
UNION ALL
    SELECT 'max_slot_wal_keep_size',
        size <> '-1',
        CASE size WHEN '-1' THEN 'no limit' ELSE size END,
        'ALTER SYSTEM SET max_slot_wal_keep_size = ''50GB''; -- then: SELECT pg_reload_conf(); less than '
        'the disk has free: without a limit, a slot whose consumer stands still fills the disk and '
        'stops the server; with one, such a slot is lost, and the changes that it has not sent'
    FROM current_setting('max_slot_wal_keep_size') size
$$;
COMMENT ON FUNCTION bemi._check_slots() IS
'internal: the rows of bemi.check about the plugin''s slots in this database and what they may keep';

-- What has a transaction id and is open for that long, prepared transactions too: a new slot waits for
-- its end, and those that are there keep the WAL from its beginning on.
CREATE FUNCTION bemi._open_transactions(older_than interval, OUT what text, OUT age interval, OUT fix text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('prepared transaction "%s"', gid), date_trunc('second', now() - prepared),
        format('COMMIT PREPARED %L; -- or ROLLBACK PREPARED, in database "%s"', gid, database)
    FROM pg_prepared_xacts WHERE prepared <= now() - older_than
UNION ALL
    SELECT format('session %s', pid), date_trunc('second', now() - xact_start),
        format('SELECT pg_terminate_backend(%s); -- role "%s", database "%s"', pid, usename, datname)
    FROM pg_stat_activity
    WHERE backend_xid IS NOT NULL AND xact_start <= now() - older_than AND pid <> pg_backend_pid()
$$;
COMMENT ON FUNCTION bemi._open_transactions(interval) IS
'internal: transactions that a slot waits for, prepared ones too, and how to end them';

CREATE FUNCTION bemi._check_transactions()
RETURNS TABLE (name text, ok boolean, found text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'open_transactions',
        CASE WHEN count(*) = 0 THEN true WHEN max(age) > interval '1 hour' THEN false END,
        bemi._listed(array_agg(format('%s (%s)', what, age) ORDER BY age DESC)),
        array_to_string((array_agg(t.fix ORDER BY age DESC))[1:5], E'\n')
    FROM bemi._open_transactions(interval '1 minute') t
$$;
COMMENT ON FUNCTION bemi._check_transactions() IS
'internal: the row of bemi.check about transactions that a slot waits for';

-- The library adds ways to give a context; set_context works without it. A server that is told to
-- preload a library which is not installed refuses every connection, hence the warning.
CREATE FUNCTION bemi._check_session()
RETURNS TABLE (name text, ok boolean, found text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'session_library',
        CASE WHEN l.loaded_by IS NOT NULL THEN true END,
        CASE
            WHEN l.loaded_by IS NOT NULL THEN format('loaded by %s', l.loaded_by)
            WHEN s.list IS NULL THEN 'not visible to this role'
            ELSE 'not loaded'
        END,
        format('Optional. Only if bemi_session is installed, or no connection will be accepted: '
               'ALTER SYSTEM SET session_preload_libraries = %s; -- then: SELECT pg_reload_conf();',
               bemi._with_name(s.list, 'bemi_session'))
    FROM bemi._setting('session_preload_libraries') s (list)
    CROSS JOIN (
        SELECT min(setting)
        FROM unnest('{session_preload_libraries,shared_preload_libraries,local_preload_libraries}'::text[]) setting
        CROSS JOIN bemi._names_in(bemi._setting(setting)) library
        WHERE library ~ '^(.*/)?bemi_session([.]so)?$'
    ) AS l (loaded_by)
$$;
COMMENT ON FUNCTION bemi._check_session() IS
'internal: the row of bemi.check about the session library';

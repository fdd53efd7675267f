-- The rows of bemi.check about a standby that is to be a source. There are none on a primary.

-- Whether logical decoding is possible here at all, which on a standby is up to its primary: a slot with
-- an impossible name is asked for, and no slot is made, whatever the answer. Why not; null: it is.
CREATE FUNCTION bemi._decoding_refusal() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_create_logical_replication_slot('!', 'bemi_decoder', true);
    RETURN NULL;
EXCEPTION
    WHEN invalid_name THEN
        RETURN NULL;
    WHEN insufficient_privilege THEN
        RETURN 'not visible to this role';
    WHEN OTHERS THEN
        RETURN SQLERRM;
END
$$;
COMMENT ON FUNCTION bemi._decoding_refusal() IS
'internal: why no logical slot can be made on this server, or null';

CREATE FUNCTION bemi._check_standby()
RETURNS TABLE (name text, ok boolean, found text, fix text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.* FROM (
        SELECT 'standby', version >= 160000,
            format('this is a standby of PostgreSQL %s', version / 10000),
            'Take the primary as the source: standbys have logical slots from PostgreSQL 16 on.'
        FROM current_setting('server_version_num') v, CAST(v AS int) version
    UNION ALL
        SELECT 'primary_wal_level',
            CASE WHEN refusal = 'not visible to this role' THEN NULL ELSE refusal IS NULL END,
            coalesce(refusal, 'logical in effect'),
            '-- on the primary: ALTER SYSTEM SET wal_level = logical; and restart it (its standbys need the setting, too)'
        FROM bemi._decoding_refusal() refusal
        WHERE current_setting('server_version_num')::int >= 160000 AND current_setting('wal_level') = 'logical'
          AND bemi._setting('effective_wal_level'::text) IS NULL
    UNION ALL
        SELECT 'standby_feedback', feedback = 'on' AND slot <> '',
            format('hot_standby_feedback is %s, primary_slot_name is %s', feedback, coalesce(nullif(slot, ''), 'not set')),
            'ALTER SYSTEM SET hot_standby_feedback = on; -- and primary_slot_name to a physical slot of the primary; then: '
            'SELECT pg_reload_conf(); or the primary removes rows that a slot here needs, and the slot is lost'
        FROM bemi._setting('hot_standby_feedback'::text) feedback, bemi._setting('primary_slot_name'::text) slot
    UNION ALL
        SELECT 'slots_failover', count(*) = 0,
            bemi._listed(array_agg(format('%s (not complete)', s.name) ORDER BY s.name)),
            '-- gone after a promotion: let the consumer on the primary go on until this row says none (a change there, and '
            'some seconds; check sync_replication_slots, hot_standby_feedback and the dbname in primary_conninfo here)'
        FROM bemi._own_slots() s WHERE s.synced AND s.temporary
    UNION ALL
        SELECT 'slots_need_primary', NULL, format('%s of this standby', count(*)),
            '-- the slots here are lost when the primary drops its last logical slot: keep one there, or have wal_level = logical there'
        FROM bemi._own_slots() s WHERE NOT s.synced AND bemi._setting('effective_wal_level'::text) IS NOT NULL
        HAVING count(*) > 0
    ) AS c (name, ok, found, fix)
    WHERE pg_is_in_recovery()
$$;
COMMENT ON FUNCTION bemi._check_standby() IS
'internal: the rows of bemi.check about a standby, none on a primary';

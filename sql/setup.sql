-- What the other tests share: a test makes the slot "regress", changes something, and reads the
-- slot with records().

-- What is wrong with a record, whatever it is about; NULL if nothing is. `previous` is the record
-- before it, if there was one, `lsn` and `xid` what the server says of the message it came with,
-- `complete` whether it was the last record of that message.
CREATE FUNCTION complaint(line text, previous json, lsn pg_lsn, xid xid, complete boolean) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    r json := line;
    keys text[] := ARRAY(SELECT json_object_keys(r));
    known text[] := '{operation, database, schema, table, partition, primary_key, previous_key, before, after,
        identity, missing, prefix, content, origin, committed_at, transaction_id, position, commit_position,
        sequence, context, context_error, last}';
    needed text[] := '{operation, database, schema, table, primary_key, before, after, committed_at,
        transaction_id, position, commit_position, sequence, context}';
    needed_of_message text[] := '{operation, database, committed_at, transaction_id, position, commit_position}';
    is_message boolean := r->>'operation' = 'MESSAGE';
    same boolean := previous->>'commit_position' = r->>'commit_position';
    is_last boolean := coalesce(r->>'last' = 'true', false);
BEGIN
    PERFORM line::jsonb;
    RETURN CASE
        WHEN line ~ '[\n\r]' THEN 'a raw line break'
        WHEN keys <> ARRAY(SELECT k FROM unnest(known) WITH ORDINALITY t (k, n) WHERE k = ANY (keys) ORDER BY n)
            THEN 'keys unknown, twice or out of order'
        WHEN NOT keys @> CASE WHEN is_message THEN needed_of_message ELSE needed END THEN 'a key is missing'
        WHEN is_message AND (r->'prefix' IS NULL) <> (r->'missing'->'prefix' IS NOT NULL)
            OR is_message AND (r->'content' IS NULL) <> (r->'missing'->'content' IS NOT NULL)
            THEN 'neither there nor missing'
        WHEN is_message AND keys && '{schema, table, primary_key, before, after, sequence, context}'
            THEN 'a message with keys of a change'
        WHEN r->>'database' <> current_database() THEN 'wrong database'
        WHEN r->>'committed_at' !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$' THEN 'malformed time'
        WHEN r->>'origin' IS NULL AND (r->>'committed_at')::timestamptz
            NOT BETWEEN clock_timestamp() - interval '1 day' AND clock_timestamp() THEN 'wrong time'
        WHEN (r->>'transaction_id')::numeric % 4294967296 <> xid::text::numeric THEN 'wrong transaction_id'
        WHEN pg_xact_status((r->>'transaction_id')::xid8) IS DISTINCT FROM 'committed'
            THEN 'a transaction that did not commit'
        WHEN (r->>'position')::numeric > (r->>'commit_position')::numeric THEN 'position beyond the commit'
        WHEN same AND (r->>'position')::numeric < (previous->>'position')::numeric THEN 'position falls'
        WHEN same AND (r->>'sequence')::bigint <= (previous->>'sequence')::bigint THEN 'sequence does not grow'
        WHEN (r->>'sequence')::bigint < 1 THEN 'sequence below 1'
        WHEN (r->>'commit_position')::numeric < (previous->>'commit_position')::numeric
            THEN 'commit_position falls'
        WHEN NOT same AND previous->>'last' IS NULL THEN 'the record before lacks "last"'
        WHEN same AND previous->>'last' IS NOT NULL THEN 'a record behind the last one'
        WHEN is_last AND NOT complete THEN 'a message that goes on behind the last record'
        WHEN complete AND is_last <> (lsn > '0/0'::pg_lsn + (r->>'commit_position')::numeric)
            THEN 'wrong LSN ' || lsn
    END;
END$$;

-- Reads the slot twice, which has to give the same bytes, and then takes its records. Warns of what
-- is wrong with them. Gives each one's own text, save for the database's name, which depends on who
-- runs the tests, and what differs from run to run: time, transaction id and positions.
CREATE FUNCTION records(VARIADIC options text[] DEFAULT '{}') RETURNS SETOF json
LANGUAGE plpgsql AS $$
DECLARE
    seen text[] := ARRAY(SELECT m::text
                         FROM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC options) m);
    taken text[] := '{}';
    message record;
    lines text[];
    previous json;
    reason text;
BEGIN
    FOR message IN SELECT m.*, m::text AS whole
                   FROM pg_logical_slot_get_changes('regress', NULL, NULL, VARIADIC options) m
    LOOP
        taken := taken || message.whole;
        lines := string_to_array(message.data, E'\n');
        FOR i IN 1 .. cardinality(lines) LOOP
            reason := complaint(lines[i], previous, message.lsn, message.xid, i = cardinality(lines));
            IF reason IS NOT NULL THEN
                RAISE WARNING '%: %', reason, lines[i];
            END IF;
            previous := lines[i];
            RETURN NEXT regexp_replace(regexp_replace(lines[i],
                '^(\{"operation":"[A-Z]+"),"database":"([^"\\]|\\.)*"', '\1'),
                ',"committed_at":"[^"]+","transaction_id":\d+,"position":\d+,"commit_position":\d+', '');
        END LOOP;
    END LOOP;
    IF previous->>'last' IS DISTINCT FROM 'true' AND taken <> '{}' THEN
        RAISE WARNING 'the end lacks "last"';
    END IF;
    IF seen IS DISTINCT FROM taken THEN
        RAISE WARNING 'read twice, the records differ';
    END IF;
END$$;

-- Forgets what is in the slot.
CREATE FUNCTION skip() RETURNS void
LANGUAGE sql AS $$
SELECT pg_replication_slot_advance('regress', pg_current_wal_insert_lsn())
$$;

-- What the slot holds, contexts among it, a line each: "message CONTEXT", or the change, its row's
-- first column, and the context that it got.
CREATE FUNCTION written() RETURNS SETOF text
LANGUAGE sql AS $$
SELECT CASE r->>'operation'
    WHEN 'MESSAGE' THEN '  message ' || (r->>'content')
    WHEN 'TRUNCATE' THEN format('TRUNCATE %s %s', r->>'table', r->'context')
    ELSE format('%s %s %s %s', r->>'operation', r->>'table',
                (SELECT value FROM json_each_text(CASE r->>'operation' WHEN 'DELETE' THEN r->'before' ELSE r->'after' END) LIMIT 1),
                r->'context')
    END
FROM records('messages', '_bemi', 'context_scope', 'preceding') r
$$;

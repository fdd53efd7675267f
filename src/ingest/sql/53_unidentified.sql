-- Changes that don't say by their key which row they were of: those without a key (of a table that has none, or
-- had none then; the DELETE of a row whose replica identity lacks the key), and UPDATEs whose replica identity lacks
-- it, which may have changed it. Where such changes lie between a row's last record and a moment, the row may have
-- gone with one of them: only all rows of the table together tell.
--
-- The index changes_identity has the records of replica identity index and nothing; those without a key are in
-- changes_row.

-- Whether some record says that the index which is its replica identity lacks columns of the key.
CREATE OR REPLACE FUNCTION bemi._identity_lacks_key(m bemi.moment)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT EXISTS (SELECT FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.primary_key IS NULL AND c.schema = m.schema
            AND c.commit_position BETWEEN m.since AND m.till AND c.database = m.database
            AND c.operation IN ('UPDATE', 'DELETE') AND c.details->>'identity' = 'index'
            AND NOT c.details ? 'primary_key')
$$;
COMMENT ON FUNCTION bemi._identity_lacks_key(bemi.moment) IS
    'whether some record says that the index which is its replica identity lacks columns of the key';

-- Whether records whose replica identity is an index have the key of the old row: where none says the contrary,
-- and one of the last has it. Null where they do not tell.
CREATE OR REPLACE FUNCTION bemi._identity_has_key(m bemi.moment)
RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    SELECT CASE WHEN bemi._identity_lacks_key(m) THEN false
        ELSE (SELECT nullif(bool_or(r.operation = 'DELETE' OR r.previous_key IS NOT NULL), false)
            FROM (SELECT c.operation, c.previous_key, c.details FROM @schema@.changes c
                WHERE c."table" = m."table" AND c.schema = m.schema AND c.database = m.database
                    AND c.commit_position BETWEEN m.since AND m.till
                    AND c.details->>'identity' IN ('index', 'nothing')
                ORDER BY c.commit_position DESC LIMIT 1000) r
            WHERE r.details->>'identity' = 'index') END
$$;
COMMENT ON FUNCTION bemi._identity_has_key(bemi.moment) IS
    'whether records whose replica identity is an index have the key of the old row; null where they do not tell';

-- Whether an UPDATE leaves open which key its row had before. `has_key` as _identity_has_key() gives it.
CREATE OR REPLACE FUNCTION bemi._hides_old_key(change @schema@.changes, has_key boolean)
RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT change.operation = 'UPDATE' AND change.previous_key IS NULL AND change.primary_key IS NOT NULL
        AND CASE coalesce(change.details->>'identity', 'full') WHEN 'nothing' THEN true
            WHEN 'index' THEN NOT coalesce(has_key, false) ELSE false END
$$;
COMMENT ON FUNCTION bemi._hides_old_key(@schema@.changes, boolean) IS
    'whether an UPDATE leaves open which key its row had before';

-- The changes behind a record (commit_position, sequence) up to a position that don't say by their key which
-- row they were of, in no order. A key that is too long for the index is in details.
CREATE OR REPLACE FUNCTION bemi._unidentified_changes(m bemi.moment, since bigint, since_sequence bigint, till bigint)
RETURNS SETOF @schema@.changes LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog AS $$
DECLARE
    has_key boolean;
BEGIN
    RETURN QUERY SELECT c.* FROM @schema@.changes c
    WHERE c."table" = m."table" AND c.primary_key IS NULL AND c.schema = m.schema
        AND c.commit_position BETWEEN since AND till AND c.database = m.database
        AND (c.commit_position, c.sequence) > (since, since_sequence)
        AND c.operation IN ('CREATE', 'UPDATE', 'DELETE', 'SNAPSHOT')
        AND NOT coalesce(c.details ? 'primary_key', false)
        AND (m.source IS NULL OR bemi.change_source(c.id) = m.source);
    IF NOT EXISTS (SELECT FROM @schema@.changes c
        WHERE c."table" = m."table" AND c.schema = m.schema AND c.database = m.database
            AND c.commit_position BETWEEN since AND till AND c.details->>'identity' IN ('index', 'nothing'))
    THEN
        RETURN;
    END IF;
    has_key := bemi._identity_has_key(m);
    RETURN QUERY SELECT c.* FROM @schema@.changes c
    WHERE c."table" = m."table" AND c.schema = m.schema AND c.database = m.database
        AND c.commit_position BETWEEN since AND till
        AND (c.commit_position, c.sequence) > (since, since_sequence)
        AND c.details->>'identity' IN ('index', 'nothing')
        AND (c.details->>'identity' = 'nothing' OR has_key IS NOT TRUE)
        AND (m.source IS NULL OR bemi.change_source(c.id) = m.source)
        AND bemi._hides_old_key(c, has_key);
END $$;
COMMENT ON FUNCTION bemi._unidentified_changes(bemi.moment, bigint, bigint, bigint) IS
    'the changes behind a record up to a position that do not say by their key which row they were of';

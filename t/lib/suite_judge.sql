-- Holds the lines of a run, suite.lines (i, line), against what the triggers of suite_oracle.sql took down. Leaves its complaints in
-- suite.complaints, and in suite.counts how much was compared and how much, for which reason, could not be.
SET search_path = pg_catalog;

CREATE UNLOGGED TABLE suite.complaints (subject text, complaint text, expected text, got text);
CREATE UNLOGGED TABLE suite.counts (what text, count bigint);

CREATE FUNCTION suite.accepted(line text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = '' AS $$
BEGIN
    RETURN line::pg_catalog.jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- A row as the contract has it: as it is where jsonb takes it, else with those columns as strings that it refuses.
CREATE FUNCTION suite.image(taken_down text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = '' AS $$
BEGIN
    RETURN COALESCE(taken_down::pg_catalog.jsonb, '{}');
EXCEPTION WHEN OTHERS THEN
    RETURN (SELECT pg_catalog.jsonb_object_agg(key, oracle.json_image(value)) FROM pg_catalog.json_each(taken_down::pg_catalog.json));
END
$$;

-- Is all of it text? A test of the suite stores what is not, through a function in C.
CREATE FUNCTION suite.is_text(written text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = '' AS $$
BEGIN
    RETURN pg_catalog.convert_to(written, 'UTF8') IS NOT NULL;
EXCEPTION WHEN character_not_in_repertoire THEN
    RETURN false;
END
$$;

CREATE UNLOGGED TABLE suite.records AS
    SELECT named.*, row_number() OVER (PARTITION BY xid, name ORDER BY i) AS n
    FROM (SELECT i, line, r, (r->>'transaction_id')::xid8 AS xid, (r->>'sequence')::bigint AS sequence,
                 (r->'commit_position')::bigint AS commit_position,
                 COALESCE(r->>'partition', format('%I.%I', r->>'schema', r->>'table')) AS name,
                 CASE WHEN r ? 'partition' THEN format('%I.%I', r->>'schema', r->>'table') END AS root,
                 r->>'operation' AS operation, r->'before' AS before, r->'after' AS after, r->>'identity' AS identity,
                 ARRAY(SELECT jsonb_object_keys(r->'missing')) AS missing
          FROM (SELECT i, line, suite.accepted(line) AS r FROM suite.lines OFFSET 0) AS parsed) AS named; -- once a line

CREATE UNLOGGED TABLE suite.expected AS
    SELECT xid, name, root, operation, relation, depth, suite.image(old) AS before, suite.image(new) AS after,
           row_number() OVER (PARTITION BY xid, name ORDER BY cmin::text::bigint, place) AS n
    FROM suite.log
    WHERE name NOT LIKE 'pg\_catalog.%'; -- a test moves a table there
ANALYZE suite.records, suite.expected;

CREATE UNLOGGED TABLE suite.pairs AS
    SELECT COALESCE(e.xid, r.xid) AS xid, COALESCE(e.name, r.name) AS name, COALESCE(e.n, r.n) AS n,
           e.n IS NOT NULL AS expected, r.n IS NOT NULL AS found, e.depth, e.relation, r.i, r.sequence,
           r.missing <> '{}' AND NOT suite.is_text(concat(e.before, e.after)) AS no_text,
           concat_ws(' ', e.operation, e.root, (e.before - r.missing)::text, (e.after - r.missing)::text) AS want,
           concat_ws(' ', r.operation, r.root,
                     -- Where the identity is not full, the old row is what was logged of it.
                     (CASE WHEN r.identity IS NOT NULL AND r.before <@ e.before THEN e.before ELSE r.before END - r.missing)::text,
                     (r.after - r.missing)::text) AS got
    FROM suite.expected e FULL JOIN suite.records r ON e.xid = r.xid AND e.name = r.name AND e.n = r.n;
ANALYZE suite.pairs;

-- A transaction's changes of a table, where they do not match one for one.
CREATE UNLOGGED TABLE suite.mismatches AS
    SELECT xid, name,
           CASE WHEN name IN (SELECT u.name FROM suite.unwatched u) THEN 'of tables whose triggers were disabled or could not be made'
                WHEN bool_and(NOT expected) AND name NOT IN (SELECT w.name FROM suite.watched w) THEN 'of tables made without an event (EXPLAIN ANALYZE CREATE TABLE AS)'
                WHEN bool_or(depth > 1) AND array_agg(want ORDER BY want) = array_agg(got ORDER BY got)
                THEN 'in another order, as triggers changed the table that they are of' END AS reason
    FROM suite.pairs
    GROUP BY xid, name
    HAVING bool_or(want IS DISTINCT FROM got);

-- After one that is missing, all that follow differ: the first are told.
INSERT INTO suite.complaints
    SELECT format('%s, transaction %s, change %s, line %s, sequence %s, the first of %s', p.name, p.xid, p.n, p.i, p.sequence, p.differ),
           CASE WHEN NOT expected THEN 'a record of no change' WHEN NOT found THEN 'a change without a record' ELSE 'another record' END,
           CASE WHEN expected THEN p.want END, CASE WHEN found THEN p.got END
    FROM (SELECT *, row_number() OVER (PARTITION BY xid, name ORDER BY n) AS place, count(*) OVER (PARTITION BY xid, name) AS differ
          FROM suite.pairs WHERE want IS DISTINCT FROM got) AS p
         JOIN suite.mismatches m USING (xid, name)
    WHERE m.reason IS NULL AND p.place <= 2
    ORDER BY p.i;

-- What a record says of itself.
INSERT INTO suite.complaints
    SELECT format('line %s', r.i), complaint, NULL, line
    FROM (SELECT *, lag(xid) OVER w AS xid_before, lead(xid) OVER w AS xid_after, lag(sequence) OVER w AS sequence_before,
                 lag(commit_position) OVER w AS commit_before
          FROM suite.records WINDOW w AS (ORDER BY i)) AS r
         LEFT JOIN (SELECT i FROM suite.pairs WHERE no_text) AS no_text USING (i),
         LATERAL (VALUES
            ('jsonb refuses it', r.r IS NULL),
            ('values are missing', no_text.i IS NULL AND (r.missing <> '{}' AND r.identity IS NULL OR (r.r->'missing')::text ~ '"(error|size)')),
            ('the wrong order', CASE WHEN xid = xid_before THEN sequence <= sequence_before OR commit_position <> commit_before
                                     ELSE commit_position <= commit_before END),
            ('the wrong last', (r.r ? 'last') = (xid_after IS NOT DISTINCT FROM xid))) AS c (complaint, wrong)
    WHERE wrong;

INSERT INTO suite.counts
    SELECT 'records', count(*) FROM suite.records
    UNION ALL SELECT 'rows that triggers took down', count(*) FROM suite.expected
    UNION ALL SELECT 'rows in pg_catalog, which is never emitted', count(*) FROM suite.log WHERE name LIKE 'pg\_catalog.%'
    UNION ALL SELECT 'transactions', count(DISTINCT xid) FROM suite.records
    UNION ALL SELECT 'records without values that are no text', count(*) FROM suite.pairs WHERE no_text
    UNION ALL SELECT 'tables', count(DISTINCT relation) FROM suite.watched
    UNION ALL SELECT 'records left out', count(*) FROM suite.pairs p JOIN suite.mismatches m USING (xid, name) WHERE m.reason IS NOT NULL
    UNION ALL SELECT 'records left out ' || reason, count(*) FROM suite.pairs p JOIN suite.mismatches m USING (xid, name)
              WHERE m.reason IS NOT NULL GROUP BY reason;

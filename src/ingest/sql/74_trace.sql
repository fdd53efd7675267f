-- W3C trace context: https://www.w3.org/TR/trace-context/. A traceparent is
-- version-traceid-parentid-flags in hexadecimal digits.

-- The parts of the traceparents in a context, at whatever depth: trace ids, and what stands around
-- them. The index changes_trace has them, so this must give the same for ever, cost little, never
-- fail, and never give a word that is too long for an index: hence the 600 characters, which hold ten
-- traceparents (in arrays five, which jsonpath gives twice). Names are qualified rather than the
-- search_path set, so that it is inlined.
CREATE OR REPLACE FUNCTION bemi.trace_words(context jsonb)
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.string_to_array(pg_catalog."left"(
        pg_catalog.jsonb_path_query_array(context, 'lax $.**.traceparent')::text, 600), '-')
$$;
COMMENT ON FUNCTION bemi.trace_words(jsonb) IS
    'the parts between the hyphens of all values named traceparent in a context, at whatever depth; for the index changes_trace';

CREATE OR REPLACE FUNCTION bemi.trace(trace text)
RETURNS SETOF @schema@.changes LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    trace_id text := lower(trim(CASE WHEN trace LIKE '%-%' THEN split_part(trace, '-', 2)
        ELSE trace END));
BEGIN
    IF trace IS NULL THEN
        RAISE EXCEPTION 'the trace id must not be null' USING ERRCODE = 'null_value_not_allowed';
    ELSIF trace_id !~ '^[0-9a-f]+$' OR length(trace_id) <> 32 THEN
        RAISE EXCEPTION 'not a trace id: %', trace USING ERRCODE = 'invalid_parameter_value',
            HINT = 'A trace id has 32 hexadecimal digits; a whole traceparent will do as well.';
    END IF;
    RETURN QUERY EXECUTE format($query$
        SELECT c.* FROM @schema@.changes c
        WHERE bemi.trace_words(c.context) @> ARRAY[%L]
            AND jsonb_path_exists(c.context, 'lax $.**.traceparent')
            AND jsonb_path_exists(c.context,
                'lax $.**.traceparent ? (@ like_regex "^..-%s-")')
        ORDER BY c.commit_position, c.sequence $query$, trace_id, trace_id);
END $$;
COMMENT ON FUNCTION bemi.trace(text) IS
    'the changes whose context holds a traceparent of this trace, at whatever depth, in order; the argument is the trace id (32 hexadecimal digits) or a traceparent';

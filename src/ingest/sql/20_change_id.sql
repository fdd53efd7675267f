-- The source of changes, in 30 bits. The divisor is the greatest prime below 2^30.
-- Both are without SET search_path, so that the planner can put them into a query and compute them once; so each
-- name and operator is one of pg_catalog.
CREATE OR REPLACE FUNCTION bemi.source_of(system_identifier numeric, fork integer)
RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT pg_catalog.mod(system_identifier OPERATOR(pg_catalog.+) fork::pg_catalog.numeric, 1073741789::pg_catalog.numeric)::pg_catalog.int4
$$;
COMMENT ON FUNCTION bemi.source_of(numeric, integer) IS
    'the source of changes: (system identifier + fork) mod 1073741789';

-- The id of a change: version 8 of RFC 9562. 60 bits of commit_position, 32 of sequence, and 30 of
-- the source.
-- It orders as (commit_position, sequence) does, so that a range of positions is a range of ids.
CREATE OR REPLACE FUNCTION bemi.change_id(
    commit_position bigint, sequence bigint, system_identifier numeric, fork integer DEFAULT 0)
RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (pg_catalog.lpad(pg_catalog.to_hex((commit_position OPERATOR(pg_catalog.>>) 12)
            OPERATOR(pg_catalog.&) 281474976710655::pg_catalog.int8), 12, '0')
        OPERATOR(pg_catalog.||) '8'::pg_catalog.text
        OPERATOR(pg_catalog.||) pg_catalog.lpad(pg_catalog.to_hex(
            commit_position OPERATOR(pg_catalog.&) 4095::pg_catalog.int8), 3, '0')
        OPERATOR(pg_catalog.||) pg_catalog.lpad(pg_catalog.to_hex(x'8000000000000000'::pg_catalog.int8
            OPERATOR(pg_catalog.|) ((sequence OPERATOR(pg_catalog.&) 4294967295::pg_catalog.int8)
                OPERATOR(pg_catalog.<<) 30)
            OPERATOR(pg_catalog.|) bemi.source_of(system_identifier, fork)::pg_catalog.int8), 16, '0')
        )::pg_catalog.uuid
$$;
COMMENT ON FUNCTION bemi.change_id(bigint, bigint, numeric, integer) IS
    'id of a row of changes: its commit_position and sequence, the source''s system identifier and bemi.progress.fork';

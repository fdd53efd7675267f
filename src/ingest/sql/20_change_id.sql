-- The source of changes, in 30 bits. The divisor is the greatest prime below 2^30.
CREATE OR REPLACE FUNCTION bemi.source_of(system_identifier numeric, fork integer)
RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT pg_catalog.mod(system_identifier + fork, 1073741789)::integer
$$;
COMMENT ON FUNCTION bemi.source_of(numeric, integer) IS
    'the source of changes: (system identifier + fork) mod 1073741789';

-- The id of a change: version 8 of RFC 9562. 60 bits of commit_position, 32 of sequence, and 30 of
-- the source.
-- It orders as (commit_position, sequence) does, so that a range of positions is a range of ids.
CREATE OR REPLACE FUNCTION bemi.change_id(
    commit_position bigint, sequence bigint, system_identifier numeric, fork integer DEFAULT 0)
RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((commit_position >> 12) & x'FFFFFFFFFFFF'::bigint), 12, '0')
        || '8' || lpad(to_hex(commit_position & 4095), 3, '0')
        || lpad(to_hex(x'8000000000000000'::bigint
            | ((sequence & 4294967295) << 30)
            | bemi.source_of(system_identifier, fork)), 16, '0'))::uuid
$$;
COMMENT ON FUNCTION bemi.change_id(bigint, bigint, numeric, integer) IS
    'id of a row of changes: its commit_position and sequence, the source''s system identifier and bemi.progress.fork';

-- Whatever session, role and database have set, the records are the same bytes; and what they have
-- set is as it was afterwards.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
SET client_min_messages = warning;
CREATE SCHEMA here;
CREATE ROLE regress_bemi_reader REPLICATION;
CREATE TYPE here.pair AS (at timestamptz, i interval);
CREATE TABLE here.t (
    id int PRIMARY KEY, d date, t time, tz timetz, ts timestamp, tstz timestamptz, i interval, f4 real, f8 float8, b bytea, m money,
    c regclass, p regproc, ty regtype, n numeric, r tstzrange, mr datemultirange, dates date[], pair here.pair, pt point) PARTITION BY RANGE (id);
CREATE TABLE here.part PARTITION OF here.t FOR VALUES FROM (0) TO (10);
CREATE TABLE here.date_key (d date, i interval, PRIMARY KEY (d, i));
ALTER TABLE here.part REPLICA IDENTITY FULL;
INSERT INTO here.t VALUES (1, '2026-01-02', '03:04:05.6', '03:04:05+02', '2026-01-02 03:04:05.678901', '2026-01-02 03:04:05.678901+02', '1 year -2 mons 3 days -04:05:06.7', 0.1, 0.30000000000000004,
    '\x00ff5c', 1234.5, 'here.t', 'now', 'here.pair', 1.50, '[2026-01-02 00:00+00,2026-01-03 00:00+00)', '{[2026-01-02,2026-01-05)}', '{2026-01-02,infinity}', ('2026-01-02 03:04:05+02', '1 day'), '(0.1,1e-7)');
UPDATE here.t SET id = 2, d = '0044-03-15 BC';
INSERT INTO here.date_key VALUES ('2026-01-02', '1 year 2 mons');
DELETE FROM here.t;
-- as the contract has it
SELECT r->'primary_key', r->'before', r->'after' FROM pg_logical_slot_peek_changes('regress', NULL, NULL) m (lsn, xid, data), LATERAL (SELECT m.data::json) d (r);
SELECT md5(string_agg(data, E'\n')) AS bytes FROM pg_logical_slot_peek_changes('regress', NULL, NULL) \gset
-- Reads the slot under one more setting, and tells whether the bytes are the same, and what the
-- reading has left changed of all settings.
CREATE FUNCTION settings() RETURNS text LANGUAGE sql AS $$
    SELECT md5(string_agg(concat_ws(E'\n', name, setting, source, reset_val), E'\n' ORDER BY name)) FROM pg_catalog.pg_settings WHERE name !~ '^bemi'
$$;
CREATE FUNCTION read_under(name text, value text, bytes text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before text;
    result text;
BEGIN
    -- 19 and later have that one for good.
    PERFORM pg_catalog.set_config(name, value, false)
    WHERE name <> 'standard_conforming_strings' OR pg_catalog.current_setting('server_version_num')::int < 190000;
    before := public.settings();
    SELECT CASE md5(string_agg(data, E'\n')) WHEN bytes THEN 'the same' ELSE 'OTHER BYTES' END
    FROM pg_catalog.pg_logical_slot_peek_changes('regress', NULL, NULL) INTO result;
    RETURN format('%s, %s', result, CASE public.settings() WHEN before THEN 'nothing changed' ELSE 'SETTINGS CHANGED' END);
END$$;
SELECT name, value, public.read_under(name, value, :'bytes')
FROM (VALUES ('DateStyle', 'German, DMY'), ('DateStyle', 'SQL, YMD'), ('DateStyle', 'Postgres'), ('IntervalStyle', 'iso_8601'), ('IntervalStyle', 'sql_standard'), ('IntervalStyle', 'postgres_verbose'),
    ('TimeZone', 'Asia/Kathmandu'), ('TimeZone', 'America/St_Johns'), ('TimeZone', '<+99>-99'), ('timezone_abbreviations', 'Australia'), ('bytea_output', 'escape'), ('extra_float_digits', '-15'), ('extra_float_digits', '0'), ('extra_float_digits', '3'),
    ('lc_monetary', 'POSIX'), ('lc_numeric', 'POSIX'), ('lc_time', 'POSIX'), ('xmlbinary', 'hex'), ('xmloption', 'document'), ('quote_all_identifiers', 'on'), ('search_path', 'here, public'), ('search_path', 'pg_temp, here, pg_catalog'), ('search_path', ''),
    ('standard_conforming_strings', 'off'), ('array_nulls', 'off'), ('default_text_search_config', 'simple'), ('row_security', 'off'), ('work_mem', '64kB'), ('logical_decoding_work_mem', '64kB'), ('maintenance_work_mem', '1MB'),
    ('session_replication_role', 'replica'), ('enable_indexscan', 'off'), ('enable_seqscan', 'off'), ('jit_above_cost', '0'), ('default_transaction_isolation', 'serializable'), ('default_transaction_read_only', 'on'), ('idle_in_transaction_session_timeout', '60000'),
    ('default_tablespace', ''), ('bytea_output', 'hex'), ('geqo', 'off')) v (name, value);
-- all of them together, in another session, as somebody who may do less, in a transaction that may not write
SELECT public.read_under('application_name', 'regress', :'bytes');
SET client_encoding = LATIN1;
SELECT public.read_under('application_name', 'regress', :'bytes');
RESET client_encoding;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SET LOCAL ROLE regress_bemi_reader;
SELECT public.read_under('application_name', 'regress', :'bytes');
ROLLBACK;
-- set for the role and the database
SET default_transaction_read_only = off;
SELECT setconfig AS kept FROM pg_db_role_setting WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) \gset
DO $$
DECLARE
    setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY['DateStyle = ''SQL, DMY''', 'IntervalStyle = sql_standard', 'TimeZone = ''Asia/Kathmandu''', 'bytea_output = escape', 'extra_float_digits = -15', 'xmlbinary = hex',
                                   'search_path = here', 'quote_all_identifiers = on', 'default_transaction_read_only = on', 'default_transaction_isolation = serializable'] LOOP
        EXECUTE format('ALTER ROLE regress_bemi_reader IN DATABASE %I SET %s', current_database(), setting);
        EXECUTE format('ALTER DATABASE %I SET %s', current_database(), setting);
    END LOOP;
END$$;
\setenv PGDATESTYLE
\setenv PGTZ
\connect -reuse-previous=on "options='-c application_name=hostile'"
SELECT public.read_under('application_name', 'regress', :'bytes');
SHOW search_path;
BEGIN;
SET LOCAL DateStyle = German;
SAVEPOINT s;
SET LOCAL IntervalStyle = iso_8601;
SELECT public.read_under('application_name', 'regress', :'bytes');
SELECT DATE '2026-01-02', INTERVAL '1 day';
ROLLBACK TO s;
SELECT DATE '2026-01-02', INTERVAL '1 day';
ROLLBACK;
SELECT DATE '2026-01-02', INTERVAL '1 day', 0.1::float8, '\x00'::bytea, TIMESTAMPTZ '2026-01-02 00:00+00';

-- a reading that fails in the middle leaves them as they were too
SET default_transaction_read_only = off;
INSERT INTO here.date_key SELECT '2026-01-02', i * INTERVAL '1 second' FROM generate_series(1, 2000) i;
SELECT public.settings() AS settings \gset
SET work_mem = '64kB';
SET temp_file_limit = 0;
\set VERBOSITY sqlstate
SELECT count(*) FROM pg_logical_slot_get_changes('regress', NULL, NULL);
\set VERBOSITY default
SELECT DATE '2026-01-02', INTERVAL '1 day', 0.1::float8, '\x00'::bytea, TIMESTAMPTZ '2026-01-02 00:00+00';
DO $$BEGIN
    PERFORM * FROM pg_logical_slot_get_changes('regress', NULL, NULL);
EXCEPTION WHEN others THEN
    RAISE INFO '%, %', DATE '2026-01-02', INTERVAL '1 day';
END$$;
RESET work_mem;
RESET temp_file_limit;
SELECT public.settings() = :'settings';
SELECT count(*) FROM pg_logical_slot_get_changes('regress', NULL, NULL);

SELECT pg_drop_replication_slot('regress');
UPDATE pg_db_role_setting SET setconfig = :'kept' WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database());
\connect
DROP OWNED BY regress_bemi_reader;
DROP ROLE regress_bemi_reader;
SET client_min_messages = warning;
DROP SCHEMA here CASCADE;
DROP FUNCTION settings, read_under;

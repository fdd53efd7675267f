-- Databases that are not in UTF-8: everything beyond ASCII is written as \uXXXX.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
\encoding UTF8
SELECT current_database() AS home \gset
CREATE DATABASE regression_bemi_latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';
CREATE DATABASE regression_bemi_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C';

-- LATIN1: names, values, keys and contexts
\connect regression_bemi_latin1
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE SCHEMA "schöma";
CREATE TYPE "schöma"."möod" AS ENUM ('glücklich');
CREATE TYPE "schöma".pair AS ("ä" int, b text);
CREATE TABLE "schöma"."täble" ("kéy" text, n int, "énum" "schöma"."möod", pair "schöma".pair, list text[], j json, jb jsonb, PRIMARY KEY ("kéy", n));
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi', '{"náme": "Zoë", "escaped": "\u00eb"}');
INSERT INTO "schöma"."täble" VALUES ('clé "ÿ" ©', 1, 'glücklich', (1, 'ß'), '{é,"\"",NULL}', '{"ö": "\u00f6 é"}', '{"ö": "é"}');
SELECT FROM pg_logical_emit_message(true, 'prefíx', 'contént');
UPDATE "schöma"."täble" SET "kéy" = 'è';
COMMIT;
SELECT regexp_replace(regexp_replace(data, '"database".*?"schema"', '...'), '"committed_at".*?"commit_position":\d+(?=[,}])', '...')
FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'messages', 'pref?x');
SELECT count(*), bool_and(data ~ '^[ -~]*$') AS ascii, bool_and(data::jsonb IS NOT NULL) AS jsonb, bool_and(data = convert_from(bytes, 'UTF8')) AS same_as_binary
FROM pg_logical_slot_peek_changes('regress', NULL, NULL) a (lsn, xid, data)
JOIN pg_logical_slot_peek_binary_changes('regress', NULL, NULL) b (lsn, xid, bytes) USING (lsn);
-- json may hold what LATIN1 has no character for
BEGIN;
CREATE TABLE other (j json);
SELECT FROM pg_logical_emit_message(true, '_bemi', '"\u20ac \ud83d\ude00"');
INSERT INTO other VALUES ('{"\u20ac": "\ud83d\ude00"}');
COMMIT;
SELECT substring(data FROM '"after":{[^}]*}'), substring(data FROM '"context":[^,}]*') FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'tables', 'other');
-- options are in the encoding of the connection
SELECT data::json->'after'->>'kéy' FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'tables', '"schöma".t?ble');
SELECT data::json->'missing'->>'énum' FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'mask_columns', 'é*', 'tables', 'täble');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'tables', 'téble');
-- every byte but NUL is a character
SELECT FROM pg_replication_slot_advance('regress', pg_current_wal_insert_lsn());
CREATE TABLE bytes (t text);
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi', '"\200\377"'::bytea);
INSERT INTO bytes SELECT convert_from(decode(string_agg(lpad(to_hex(n), 2, '0'), '' ORDER BY n), 'hex'), 'LATIN1') FROM generate_series(126, 255) n;
SELECT FROM pg_logical_emit_message(true, 'm', '\200\377'::bytea);
SELECT FROM pg_logical_emit_message(true, 'm', '\200\000'::bytea);
COMMIT;
SELECT data::json->>'operation', data::json->'after', data::json->'context', data::json->'content' FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'messages', 'm');
SELECT pg_drop_replication_slot('regress');

-- SQL_ASCII: what is UTF-8 is taken as that, the rest as LATIN1
\connect regression_bemi_ascii
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE "täble" ("kéy" text PRIMARY KEY, list text[], j json, jb jsonb);
CREATE FUNCTION bytes(text) RETURNS text LANGUAGE sql AS $$SELECT convert_from(decode($1, 'hex'), 'SQL_ASCII')$$;
BEGIN;
SELECT FROM pg_logical_emit_message(true, '_bemi', '"\303\251 \351"'::bytea);
INSERT INTO "täble" VALUES ('é 😀', '{é}', '"é"', '"é"'), (bytes('e9'), ARRAY[bytes('e9')], to_json(bytes('e9')), to_jsonb(bytes('e9'))), (bytes('c3a9e9c3a9'), NULL, NULL, NULL), (bytes('c3'), NULL, NULL, NULL), (bytes('eda080'), NULL, NULL, NULL), (bytes('f09f9880f09f98'), NULL, NULL, NULL), (bytes('c080'), NULL, NULL, NULL);
SELECT FROM pg_logical_emit_message(true, 'm', '\303\251 \351'::bytea);
COMMIT;
SELECT substring(data FROM '"primary_key":.*"after":{[^}]*}'), substring(data FROM '"(?:context|content)":[^,}]*') FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'messages', 'm', 'tables', 't*ble');
SELECT pg_drop_replication_slot('regress');

\connect :"home"
DROP DATABASE regression_bemi_latin1;
DROP DATABASE regression_bemi_ascii;

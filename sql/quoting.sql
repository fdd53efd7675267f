-- Names that need quotes, in records and in patterns.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE SCHEMA "My ""Schema"".x";
SET search_path = "My ""Schema"".x", public;
CREATE TABLE "Table.with, all 'kinds'" ("Id" int PRIMARY KEY, "a.b" int, "quote"" here" int, "back\slash" int, "line
break" int, "	tab" int, "ünïcode 😀" int, " " int, "*" int, "?" int, "--" int, "select" int, "{}" int);
INSERT INTO "Table.with, all 'kinds'" VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
SELECT records();

-- 63 bytes, and a name that PostgreSQL cuts there
DO $$BEGIN
    EXECUTE format('CREATE TABLE %I (%I int PRIMARY KEY, %I int)', repeat('t', 63), repeat('c', 63), repeat('ü', 40));
    EXECUTE format('INSERT INTO %I VALUES (1, 2)', repeat('t', 63));
END$$;
SELECT records();

-- a partition's name is quoted as SQL needs
CREATE TABLE "Parted" (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE "Part ""1"".a" PARTITION OF "Parted" FOR VALUES FROM (0) TO (10);
CREATE TABLE "line
break" PARTITION OF "Parted" FOR VALUES FROM (10) TO (20);
CREATE TABLE "select" PARTITION OF "Parted" FOR VALUES FROM (20) TO (30);
CREATE TABLE "ünïcode" PARTITION OF "Parted" FOR VALUES FROM (30) TO (40);
CREATE TABLE public.plain PARTITION OF "Parted" FOR VALUES FROM (40) TO (50);
INSERT INTO "Parted" VALUES (1), (11), (21), (31), (41);
SELECT r->'partition', to_regclass(r->>'partition') IS NOT NULL FROM records() r;
SET quote_all_identifiers = on;
INSERT INTO "Parted" VALUES (42);
SELECT r->'partition' FROM records() r;
RESET quote_all_identifiers;

-- Patterns compare names as they are stored, with nothing folded.
CREATE TABLE todo (id int, "Task" text, "a.b" int);
CREATE TABLE "Todo" (id int, task text, "a,b" int);
CREATE TABLE "to.do" (id int, "task*" text, "*" int);
CREATE TABLE "to,do" (id int, "ta?k" text, "?" int);
CREATE TABLE "to*do" (id int, "a b" text, "\" int);
CREATE TABLE "to?do" (id int, "a""b" text, """" int);
CREATE TABLE "to""do" (id int, "übung" text, "." int);
CREATE TABLE "to do" (id int, " " text, "	" int);
CREATE TABLE "tödo" (id int, "Ü" text, """""" int);
INSERT INTO todo DEFAULT VALUES;
INSERT INTO "Todo" DEFAULT VALUES;
INSERT INTO "to.do" DEFAULT VALUES;
INSERT INTO "to,do" DEFAULT VALUES;
INSERT INTO "to*do" DEFAULT VALUES;
INSERT INTO "to?do" DEFAULT VALUES;
INSERT INTO "to""do" DEFAULT VALUES;
INSERT INTO "to do" DEFAULT VALUES;
INSERT INTO "tödo" DEFAULT VALUES;
-- which tables are emitted
CREATE FUNCTION tables(pattern text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(data::json->>'table', ' | '), 'none') FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'tables', pattern)
$$;
SELECT pattern, tables(pattern) FROM unnest(ARRAY['todo', 'Todo', 'TODO', '"todo"', '"Todo"', 'to.do', '"to.do"', 'to"."do', 't"o.d"o', '"to,do"', 'to","do', '"to*do"', 'to*do',
    '"to?do"', 'to?do', 't?do', 't??do', '"to""do"', 'to""""do', '"to do"', 'to" "do', 'tödo', 't*', '*', '**', '?', '*o', '*.*', '*do', '*"*"*', '*"?"*', '*" "*', 'to*""""*', ' todo ', '	todo
', 'todo,Todo', ' todo , Todo ', '"todo" , "to,do"']) pattern;
-- with the schema
SELECT pattern, tables(pattern) FROM unnest(ARRAY['"My ""Schema"".x".todo', '"My ""Schema"".x" . todo', '"My ""Schema"".x".*', 'My*.todo', '*x.T*', 'My.todo', '"My ""Schema"".x"  .  todo', 'public.*', '"My*".todo', '????Schema???.todo', '*"""Sch"*.*']) pattern;
-- which columns are not
CREATE FUNCTION columns(pattern text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(excluded, ' | '), 'none')
    FROM (SELECT format('%s: %s', a->>'table', key) AS excluded
          FROM (SELECT data::json FROM pg_logical_slot_peek_changes('regress', NULL, NULL)) a (a)
          JOIN (SELECT data::json FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'exclude_columns', pattern)) b (b) ON a->>'table' = b->>'table', json_object_keys(a->'after') key
          WHERE NOT (b->'after')::jsonb ? key ORDER BY (a->>'position')::bigint) x
$$;
SELECT pattern, columns(pattern) FROM unnest(ARRAY['Task', 'task', '"a.b"', 'a"."b', 'a.b', '"a,b"', '"*"', '"task*"', 'task*', '"?"', '"ta?k"', 'ta?k', '"\"', '"."', '"a""b"', '""""', '""""""', '" "', '"	"', 'Ü', 'ü*', '?bung',
    'todo.id', 'to*.id', '"to.do".id', '*.todo.id', '"My ""Schema"".x"."to do".id', 'My*."to,do".*', 'todo.*, Todo.task']) pattern;
SELECT skip();

-- types with such names, and what is in them
CREATE TYPE "Mood "" x" AS ENUM ('', 'a "b"', 'line
break');
CREATE TYPE "Pair, "" x" AS ("Left "" x" int, "." "Mood "" x");
CREATE TABLE typed (m "Mood "" x", p "Pair, "" x"[]);
INSERT INTO typed VALUES ('', ARRAY[(1, 'line
break')::"Pair, "" x"]), ('a "b"', '{}');
SELECT r->'after' FROM records() r;

SET client_min_messages = warning;
DROP SCHEMA "My ""Schema"".x" CASCADE;
SELECT pg_drop_replication_slot('regress');

-- a database with such a name
SELECT current_database() AS home \gset
CREATE DATABASE "regress_bemi ""x"" 'ü'.y" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
\connect "regress_bemi ""x"" 'ü'.y"
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE todo (id int);
INSERT INTO todo VALUES (1);
SELECT FROM pg_logical_emit_message(true, 'm', 'text');
SELECT data::json->>'operation', data::json->'database', data::json->>'database' = current_database()
FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'messages', '*');
SELECT pg_drop_replication_slot('regress');
\connect :"home"
DROP DATABASE "regress_bemi ""x"" 'ü'.y";

-- Values: of every type what to_jsonb gives, however the session reads the slot.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
-- The columns of the rows in the slot, as they stand in the record. Warns where they differ from
-- to_jsonb of the row in the table, or do not give that row back.
CREATE FUNCTION after(t regclass) RETURNS TABLE (name text, value json) LANGUAGE plpgsql AS $$
DECLARE
    images json[] := ARRAY(SELECT r->'after' FROM records() r);
    differs text;
BEGIN
    SET LOCAL TimeZone = UTC;
    SET LOCAL DateStyle = ISO;
    SET LOCAL IntervalStyle = postgres;
    SET LOCAL lc_monetary = 'C';
    SET LOCAL search_path = pg_temp;
    EXECUTE format('SELECT string_agg(coalesce(image, to_json(whole_row))::text, E''\n'')
                    FROM (SELECT image, row_number() OVER (ORDER BY image::jsonb) AS n FROM unnest($1) image) r
                    FULL JOIN (SELECT whole_row, row_number() OVER (ORDER BY to_jsonb(whole_row)) AS n
                               FROM %1$s whole_row) t USING (n)
                    WHERE image::jsonb IS DISTINCT FROM to_jsonb(whole_row)
                       OR image::jsonb <> to_jsonb(jsonb_populate_record(NULL::%1$s, image::jsonb))',
                   t::text) INTO differs USING images;
    IF differs IS NOT NULL THEN
        RAISE WARNING 'not what to_jsonb gives: %', differs;
    END IF;
    RETURN QUERY SELECT key, e.value FROM unnest(images) image, json_each(image) e;
END$$;

-- numbers, exact and unquoted, but for what JSON has no number for
CREATE TABLE numbers (
    small smallint, plain int, big bigint, real real, double double precision,
    exact numeric, scaled numeric(20, 5), serial_no serial);
INSERT INTO numbers VALUES
    (1, -1, 0, 1.5, 0.1, 123.4500, 123.45),
    (32767, 2147483647, 9223372036854775807, 3.4028235e38, 1.7976931348623157e308, 1e50, 1e14),
    (-32768, -2147483648, -9223372036854775808, 1e-45, 5e-324, -0.00000000000000000001, -1e-5),
    (NULL, NULL, NULL, 'NaN', 'NaN', 'NaN', 'NaN'),
    (0, 0, 0, 'Infinity', 'Infinity', 'Infinity', 0),
    (0, 0, 0, '-Infinity', '-Infinity', '-Infinity', 0),
    (0, 0, 9007199254740993, 16777216, 1e15, 9007199254740993.000000000000000001, 0),
    (0, 0, 0, 1e15, 123456789012345680, 0.10, 0),
    (0, 0, 0, 1e-5, 0.0001, 1e-20, 0);
SELECT * FROM after('numbers');
CREATE TABLE zeros (double double precision, exact numeric);
INSERT INTO zeros VALUES ('-0', '-0');
SELECT records()->'after';
CREATE TABLE long_numbers (n numeric);
INSERT INTO long_numbers VALUES (('1' || repeat('0', 5000) || '.' || repeat('5', 3000))::numeric);
SELECT length(value::text), value::text = '1' || repeat('0', 5000) || '.' || repeat('5', 3000) FROM after('long_numbers');
CREATE TABLE amounts (price money);
INSERT INTO amounts VALUES (1234567.89), (-0.5);
SELECT * FROM after('amounts');

-- text of all kinds: what JSON has to escape, and what it may leave
CREATE TABLE texts (fixed char(5), one "char", var varchar(40), plain text, ident name);
INSERT INTO texts VALUES
    ('ab', 'x', 'varying', 'plain', 'name'),
    ('', '', '', '', ''),
    (' a ', '"', 'quote " backslash \ slash /', E'\b\f\n\r\t', E'na"\nme'),
    (NULL, '\', E'\u007fé', E'\U0001F600', 'é'),
    ('12345', NULL, '</script>&amp;''', '{"not": "json"}', NULL),
    ('null', NULL, NULL, NULL, 'null');
SELECT * FROM after('texts');
CREATE TABLE characters (t text);
INSERT INTO characters SELECT string_agg(chr(n), '' ORDER BY n) FROM generate_series(1, 31) n;
SELECT * FROM after('characters');
TRUNCATE characters;
SELECT skip();
-- one of each block of Unicode, what is not a character among them
INSERT INTO characters SELECT chr(n) FROM generate_series(32, 1114111, 517) n WHERE n NOT BETWEEN 55296 AND 57343;
INSERT INTO characters VALUES (E'\u0080\u2028\u2029\ufeff\ufffe\uffff\U0010FFFF');
SELECT count(*) FROM after('characters');
-- what is escaped, and what has several bytes, at every distance from both ends
TRUNCATE characters;
SELECT skip();
INSERT INTO characters SELECT repeat('a', before) || E'"\n' || repeat('ü', behind) || '\' || repeat('b', behind)
FROM generate_series(0, 35) before, generate_series(0, 35) behind;
SELECT count(*) FROM after('characters');

-- booleans, dates and times: ISO 8601, in UTC
CREATE TABLE times (b boolean, d date, t time, tz timetz, ts timestamp, tstz timestamptz, i interval, ts0 timestamp(0), i2 interval(2));
INSERT INTO times VALUES
    (true, '2026-01-02', '03:04:05', '03:04:05+02', '2026-01-02 03:04:05', '2026-01-02 03:04:05+02', '1 year 2 mons 3 days 04:05:06.789', '2026-01-02 03:04:05.6', '1.239'),
    (false, '0001-01-01', '00:00', '00:00+15:59:59', '2026-01-02 03:04:05.678901', '2026-01-02 03:04:05.678901 America/New_York', '-1 day +00:00:01', '1999-12-31 23:59:59.5', NULL),
    (NULL, 'infinity', '24:00', '24:00-15:59', 'infinity', 'infinity', '0', 'infinity', '0'),
    (NULL, '-infinity', '23:59:59.999999', '23:59:59.999999+00', '-infinity', '-infinity', '-00:00:00.000001', NULL, NULL),
    (NULL, '4713-11-24 BC', NULL, NULL, '4713-11-24 00:00:00 BC', '4713-11-24 00:00:00+00 BC', '-178000000 years', NULL, NULL),
    (NULL, '5874897-12-31', NULL, NULL, '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '178000000 years', NULL, NULL),
    (NULL, '0001-12-31 BC', '00:00:00.1', '00:00:00.120+05:30', '0001-12-31 23:59:59.1 BC', '0001-12-31 23:59:59.1+00 BC', '1 week -1 hour', NULL, NULL),
    (NULL, '10000-01-01', '00:00:00.000001', NULL, '10000-01-01 00:00:00.000001', '1900-01-01 00:00:00+00', 'P1Y-2M', NULL, NULL),
    (NULL, '1582-10-10', NULL, NULL, '1969-12-31 23:59:59.999999', '1969-12-31 23:59:59.999999+00', NULL, NULL, NULL);
SELECT * FROM after('times');

-- bytes and bits
CREATE TABLE bytes (b bytea, bits bit(5), vbits bit varying, u uuid);
INSERT INTO bytes VALUES
    ('\x00ff5c22', '01010', '1', '00000000-0000-0000-0000-000000000000'),
    ('', '00000', '', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
    (NULL, NULL, NULL, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
SELECT * FROM after('bytes');

-- jsonb and json are embedded, of whatever kind
CREATE TABLE jsons (jb jsonb, j json);
INSERT INTO jsons SELECT v::jsonb, v::json FROM unnest(ARRAY[
    '{"a": {"b": [1, 2.50, true, null, "x"]}, "": []}', '[]', '{}', '"text"', '12345678901234567890.10', '-0.0',
    'false', '[[], {}, [[]], [{}]]', '"\u00e9\ud83d\ude00\t\"\\\/"', '[1e5, 1E+2, -1.5e-3]',
    '{"\"": "\n", "a b": 1}']) v;
INSERT INTO jsons VALUES (NULL, NULL);
SELECT * FROM after('jsons');
-- but for a null in them, which jsonb_populate_record takes for the NULL of SQL
CREATE TABLE nulls (jb jsonb, j json);
INSERT INTO nulls VALUES ('null', 'null');
SELECT records()->'after';
-- json is a text: order, duplicates and numbers stay, white space goes
CREATE TABLE json_texts (j json);
INSERT INTO json_texts VALUES (E'{ "b" : 1,\n"a":[ 1.0 , 1E2,\t-0 ], "b": 2 }'), (' 1e+400 '), ('"\u0041\/\ud83d\ude00"'),
    (('1' || repeat('0', 400))::json), (('1' || repeat('0', 30) || '.' || repeat('0', 30) || '1e-10')::json);
SELECT records()->'after';
-- what jsonb refuses comes as a string of the text; so does what is nested deeply
CREATE TABLE odd_json (j json);
INSERT INTO odd_json VALUES ('"\u0000"'), ('{"\u0000":1}'), ('"\ud800"'), ('"\udc00"'), ('"\ud800\ud800"'), ('[1e131072]'), ('1e-16384'),
    ('[1e131071]'), ('1e-16383'), ('[1e99999999999999999999]'), ('0e99999999999999999999'), (' [ "\u0000" ] ');
CREATE FUNCTION suits_jsonb(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM $1::jsonb;
    RETURN true;
EXCEPTION WHEN others THEN
    RETURN false;
END$$;
SELECT r->'after'->'j', suits_jsonb(CASE json_typeof(r->'after'->'j') WHEN 'string' THEN r->'after'->>'j' ELSE (r->'after'->'j')::text END)
FROM records() r;
INSERT INTO odd_json SELECT (repeat('[', n) || repeat(']', n))::json FROM unnest('{1000, 1001}'::int[]) n;
INSERT INTO odd_json SELECT (repeat('{"a":', n) || '1' || repeat('}', n))::json FROM unnest('{1000, 1001}'::int[]) n;
SELECT json_typeof(r->'after'->'j'), length(r->'after'->>'j') FROM records() r;
-- jsonb is embedded as deep as a server reads it again by default
SET max_stack_depth = '6MB';
CREATE TABLE deep_jsonb (id serial, depth int, j jsonb);
INSERT INTO deep_jsonb (depth, j) SELECT n, (repeat('[', n) || repeat(']', n))::jsonb FROM unnest('{15, 16, 17, 18, 32, 33, 1001, 6000, 6001}'::int[]) n;
INSERT INTO deep_jsonb (depth, j) SELECT 2 * n, (repeat('[1, {"ä": "ö", "a": ', n) || 'null' || repeat('}, true]', n))::jsonb
    FROM unnest('{8, 9, 16, 17, 3000, 3001}'::int[]) n;
SELECT depth, json_typeof(v), (CASE json_typeof(v) WHEN 'string' THEN v #>> '{}' ELSE v::text END)::jsonb = j AS same
FROM records() r, LATERAL (SELECT (r->'after'->>'id')::int, r->'after'->'j') a (i, v), deep_jsonb WHERE id = i ORDER BY id;
RESET max_stack_depth;

-- arrays, of all dimensions; their lower bounds are lost
CREATE TYPE pair AS (a int, b text);
CREATE TYPE mood AS ENUM ('sad', 'so "so"', 'glücklich');
CREATE TABLE arrays (i int[], t text[], b bigint[], n numeric[], f float8[], ts timestamptz[], j jsonb[], jt json[], bytes bytea[], bools boolean[], p pair[], m mood[]);
INSERT INTO arrays VALUES
    ('{1,2,NULL}', '{a,"b c","d\"e",NULL,"NULL",""}', '{9223372036854775807}', '{1.50,NaN}', '{1e300,Infinity}', '{"2026-01-02 03:04:05+00",infinity}',
     ARRAY['{"a": [1]}'::jsonb], ARRAY['{"b":2,"a":1}'::json], ARRAY['\x00'::bytea], '{t,f,NULL}', ARRAY[(1, 'x')::pair, NULL, (NULL, NULL)::pair], '{sad,glücklich}'),
    ('{}', '{}', NULL, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
    ('{{1,2},{3,4}}', '{{{a},{b}},{{c},{NULL}}}', '{{1}}', '{{{{{{1}}}}}}', NULL, NULL, NULL, NULL, NULL, '{{t},{f}}', NULL, NULL);
SELECT * FROM after('arrays');
CREATE TABLE bounds (i int[], vector int2vector, oids oidvector);
INSERT INTO bounds VALUES ('[5:6]={1,2}', '1 2 3', '4 5'), ('[-1:0][7:7]={{1},{2}}', '', '');
SELECT records()->'after';

-- composites, one inside of the other, and domains over everything
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN more_positive AS positive CHECK (VALUE > 1);
CREATE DOMAIN label AS text NOT NULL;
CREATE DOMAIN pairs AS pair[];
CREATE DOMAIN whole_pair AS pair CHECK ((VALUE).a > 0);
CREATE DOMAIN document AS jsonb;
CREATE TYPE outer_pair AS ("left" pair, "right""one" more_positive, list positive[], doc jsonb, at timestamptz);
CREATE TABLE composites (p pair, o outer_pair, pos more_positive, l label, ps pairs, w whole_pair, doc document, m mood, poss positive[]);
INSERT INTO composites VALUES
    ((1, 'x "y"'), ((2, NULL), 3, '{4,5}', '{"k": null}', '2026-01-02 03:04:05+02'), 2, 'l', ARRAY[(1, 'a')::pair], (5, ''), '{"d": [1]}', 'so "so"', '{6}'),
    ((NULL, NULL), (NULL, NULL, '{}', '[]', NULL), 3, '', '{}', NULL, '1', NULL, NULL),
    (NULL, NULL, NULL, 'x', NULL, NULL, NULL, 'sad', '{}');
SELECT * FROM after('composites');
-- a table's row is a composite as well, and so is one whose column went or came
CREATE TABLE stretch (x int, gone text, y int);
CREATE TABLE rows (r stretch, rs stretch[]);
INSERT INTO rows VALUES ((1, 'gone', 2), ARRAY[(3, 'gone', 4)::stretch]);
SELECT * FROM after('rows');
TRUNCATE rows;
ALTER TABLE stretch DROP gone, ADD z float8;
SELECT skip();
INSERT INTO rows VALUES ((1, 2, 0.5), ARRAY[(3, 4, NULL)::stretch, NULL]);
SELECT * FROM after('rows');

-- ranges and multiranges
CREATE TYPE float_range AS RANGE (subtype = float8);
CREATE TABLE ranges (i int4range, b int8range, n numrange, d daterange, ts tsrange, tz tstzrange, f float_range, im int4multirange, tm tstzmultirange, fm float_multirange);
INSERT INTO ranges VALUES
    ('[1,5)', '(,9]', '(1.50,2.5]', '[2026-01-02,2026-01-03]', '[2026-01-02 03:04,)', '[2026-01-02 03:04:05.6+02,infinity)', '[0.1,1e300)',
     '{[1,2),[5,9)}', '{[2026-01-02 03:04+02,2026-01-03 00:00+02)}', '{[1,2],(5,)}'),
    ('empty', NULL, '(,)', '[,]', 'empty', '(-infinity,infinity)', NULL, '{}', NULL, '{}');
SELECT * FROM after('ranges');

-- network addresses, geometry, text search, and the rest
CREATE TABLE others (
    ip inet, net cidr, mac macaddr, mac8 macaddr8,
    pt point, ln line, seg lseg, bx box, pth path, poly polygon, circ circle,
    vec tsvector, query tsquery, jp jsonpath, lsn pg_lsn, x8 xid8, snap pg_snapshot, tid tid, xid xid, cid cid, o oid);
INSERT INTO others VALUES
    ('10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
     '(1.5,-2e300)', '{1,2,3}', '[(0,0),(1,0.1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),5>',
     'a:1A b:2,3 ''quo''''te''', 'a & !b:*', '$.a[*] ? (@ > 1)', '16/B374D848', '18446744073709551615', '10:20:10,14', '(1,2)', '4294967295', '7', '4294967295'),
    ('::1', 'fe80::/10', NULL, NULL, NULL, NULL, NULL, NULL, '((0,0),(1,1))', NULL, NULL, '', NULL, 'strict $', '1/12345678', '0', NULL, NULL, '0', NULL, '0');
SELECT * FROM after('others');
-- xml, if this server was built with it
CREATE TABLE xmls (x xml);
DO $$BEGIN
    INSERT INTO xmls VALUES ('<a b="c">&amp;</a>'), ('text only');
EXCEPTION WHEN feature_not_supported THEN
    INSERT INTO xmls VALUES (NULL), (NULL);
END$$;
SELECT count(*) FROM after('xmls');
-- names of catalog objects depend on the search_path, which is empty for this
CREATE TABLE names (c regclass, p regproc, pd regprocedure, op regoperator, ty regtype, ns regnamespace, col regcollation, cfg regconfig);
INSERT INTO names VALUES
    ('names', 'after', 'after(regclass)', '+(int,int)', 'pair[]', 'public', '"C"', 'simple'),
    ('pg_class', 'now', 'abs(int)', '0', 'timestamptz', 'pg_catalog', '0', '0'),
    (4294967295, 0, 0, 0, 4294967295, 4294967295, 0, 0);
SELECT records()->'after';

-- an extension's own types are their text, also where they have a cast to json
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE TABLE foreign_types (h hstore, c citext, hs hstore[], cs citext[]);
INSERT INTO foreign_types VALUES ('a=>1, "b c"=>NULL', 'MiXed', ARRAY['x=>"y\"z"'::hstore], '{A,b}');
SELECT records()->'after' AS after \gset
SELECT :'after', jsonb_populate_record(NULL::foreign_types, :'after') = t FROM foreign_types t;
CREATE TYPE cased AS (a int);
CREATE FUNCTION cased_json(cased) RETURNS json LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'not to be called'; END$$;
CREATE CAST (cased AS json) WITH FUNCTION cased_json(cased);
CREATE TABLE has_cast (c cased, cs cased[]);
INSERT INTO has_cast VALUES (ROW(1), ARRAY[ROW(2)::cased]);
SELECT records()->'after';

-- a value whose output fails is missing, with the rest of its row there, and the stream goes on
SET client_min_messages = warning;
CREATE TYPE broken;
CREATE FUNCTION broken_in(cstring) RETURNS broken LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION broken_out(broken) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'any_out';
CREATE TYPE broken (INPUT = broken_in, OUTPUT = broken_out, LIKE = text);
CREATE TYPE broken_pair AS (ok int, b broken);
CREATE TABLE broken_values (id int PRIMARY KEY, b broken, between int, bs broken[], bp broken_pair, behind text);
ALTER TABLE broken_values REPLICA IDENTITY FULL;
INSERT INTO broken_values VALUES (1, 'x', 2, ARRAY['y'::broken], (3, 'z'), 'end'), (2, NULL, 2, '{}', (3, NULL), 'end');
UPDATE broken_values SET between = 4 WHERE id = 1;
DELETE FROM broken_values;
SELECT records();
CREATE TABLE broken_keys (b broken, id int);
CREATE FUNCTION broken_cmp(broken, broken) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'byteacmp';
CREATE FUNCTION broken_lt(broken, broken) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'bytealt';
CREATE FUNCTION broken_eq(broken, broken) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'byteaeq';
CREATE OPERATOR < (LEFTARG = broken, RIGHTARG = broken, PROCEDURE = broken_lt);
CREATE OPERATOR = (LEFTARG = broken, RIGHTARG = broken, PROCEDURE = broken_eq);
CREATE OPERATOR CLASS broken_ops DEFAULT FOR TYPE broken USING btree AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 broken_cmp(broken, broken);
ALTER TABLE broken_keys ADD PRIMARY KEY (b, id);
INSERT INTO broken_keys VALUES ('x', 1);
UPDATE broken_keys SET id = 2;
SELECT records();
-- so is an enum's value whose label is gone
CREATE TYPE short_lived AS ENUM ('a', 'b');
CREATE TABLE labels (id int, s short_lived);
INSERT INTO labels VALUES (1, 'a'), (2, 'b');
DELETE FROM pg_enum WHERE enumtypid = 'short_lived'::regtype AND enumlabel = 'b';
UPDATE labels SET id = id + 2;
SELECT r->'after', r->'missing' FROM records() r;

SELECT pg_drop_replication_slot('regress');
DROP TABLE numbers, zeros, long_numbers, amounts, texts, characters, times, bytes, jsons, nulls, json_texts, odd_json, deep_jsonb,
    arrays, bounds, composites, rows, stretch, ranges, others, xmls, names, foreign_types, has_cast, broken_values, broken_keys, labels;
DROP CAST (cased AS json);
DROP FUNCTION cased_json, suits_jsonb, after;
DROP DOMAIN positive, label, pairs, whole_pair, document CASCADE;
DROP TYPE mood, outer_pair, pair, float_range, cased, short_lived, broken_pair, broken CASCADE;
DROP EXTENSION hstore, citext;

-- Types that a database may have beside the built-in ones, each odd in its own way.
CREATE SCHEMA odd;

CREATE TYPE odd.mood AS ENUM
    ('', ' ', 'sad', 'a"b\c', E'new\nline\ttab', 'it''s', 'é', '😀', 'null', 'true', '{}', '1');

CREATE DOMAIN odd.positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN odd.small_positive AS odd.positive CHECK (VALUE < 1000);
CREATE DOMAIN odd.numbers AS integer[];
CREATE DOMAIN odd.short_text AS varchar(12);
CREATE DOMAIN odd.document AS jsonb;
CREATE DOMAIN odd.moment AS timestamptz;
CREATE DOMAIN odd.happy AS odd.mood;

CREATE TYPE odd.pair AS (a integer, "B ""x"" é" text);
CREATE TYPE odd.deep AS (p odd.pair, ps odd.pair[], t timestamptz, n numeric, d odd.positive, j jsonb);
CREATE TYPE odd.mended AS (a integer, gone text, z date);
ALTER TYPE odd.mended DROP ATTRIBUTE gone;
ALTER TYPE odd.mended ADD ATTRIBUTE y odd.mood;
CREATE DOMAIN odd.pair_domain AS odd.pair;
CREATE DOMAIN odd.pairs_domain AS odd.pair[];
CREATE DOMAIN odd.positives AS odd.positive[];

CREATE TABLE odd.row_source (x integer, gone text, y timestamp);
ALTER TABLE odd.row_source DROP COLUMN gone;

CREATE TYPE odd.text_range AS RANGE (subtype = text, collation = "C");
CREATE TYPE odd.float_range AS RANGE (subtype = float8);

-- Base types of the database's own, with the functions of text and of int8.
CREATE TYPE odd.words;
CREATE FUNCTION odd.words_in(cstring) RETURNS odd.words
    LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION odd.words_out(odd.words) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE odd.words (INPUT = odd.words_in, OUTPUT = odd.words_out, LIKE = text);
-- Its cast to json is never used: it reads a table, which decoding must not.
CREATE TABLE odd.lookup (x integer);
CREATE FUNCTION odd.words_json(odd.words) RETURNS json LANGUAGE sql AS
    $$ SELECT pg_catalog.json_build_object('cast', 'used', 'rows', (SELECT pg_catalog.count(*) FROM odd.lookup)) $$;
CREATE CAST (odd.words AS json) WITH FUNCTION odd.words_json(odd.words);

CREATE TYPE odd.count8;
CREATE FUNCTION odd.count8_in(cstring) RETURNS odd.count8
    LANGUAGE internal IMMUTABLE STRICT AS 'int8in';
CREATE FUNCTION odd.count8_out(odd.count8) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT AS 'int8out';
CREATE TYPE odd.count8 (INPUT = odd.count8_in, OUTPUT = odd.count8_out, LIKE = int8);

-- An enum with a cast to json, also not to be used.
CREATE TYPE odd.level AS ENUM ('low', 'high');
CREATE FUNCTION odd.level_json(odd.level) RETURNS json LANGUAGE sql IMMUTABLE AS
    $$ SELECT pg_catalog.to_json(42) $$;
CREATE CAST (odd.level AS json) WITH FUNCTION odd.level_json(odd.level);

CREATE DOMAIN odd.raw_document AS json;
CREATE TYPE odd.json_box AS (a integer, j json, js json[]);
CREATE TYPE odd.words_box AS (w odd.words, ws odd.words[], l odd.level);

-- Names that a search_path may put before the server's own.
CREATE SCHEMA shadow;
CREATE TABLE shadow.pg_class (x integer);
CREATE TABLE shadow.pg_type (x integer);
CREATE DOMAIN shadow.int4 AS text;
CREATE DOMAIN shadow.text AS integer;
CREATE FUNCTION shadow.lower(pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql IMMUTABLE
    AS $$ SELECT 'shadow'::pg_catalog.text $$;
CREATE FUNCTION shadow.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql IMMUTABLE
    AS $$ SELECT '"shadow"'::pg_catalog.jsonb $$;
CREATE FUNCTION shadow.plus(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE
    AS $$ SELECT 0 $$;
CREATE OPERATOR shadow.+ (LEFTARG = integer, RIGHTARG = integer, FUNCTION = shadow.plus);
CREATE COLLATION shadow."C" (LOCALE = 'C');

-- Hostile text in the encoding of the database that this is run in: characters of it, whole and cut off, up to the limits
-- that the plugin has (1,000 characters of an excerpt, 4,000 bytes, the length of a name). What has to come out is noted
-- in `expected`, as bytes of UTF-8 in hexadecimal digits. psql variables: d, the database's number; seed.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT setseed(:seed);
CREATE TABLE characters (w bytea, u bytea);
CREATE TABLE changed (d int, n int PRIMARY KEY, v text);
-- n: of the row; u: the text of it, NULL where it has no counterpart in UTF-8; excerpt: what is in context_error (and where
-- `to_end`, what that ends with), NULL where `context` is {"k": u}; content: of the message, whose bytes are `document` where
-- it is NULL.
CREATE TABLE expected (n int, u text, excerpt text, to_end boolean, content text, document text);

-- The character's own bytes in UTF-8, NULL where there are none; an error where it is no character.
CREATE FUNCTION counterpart(w bytea) RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN
    RETURN convert(w, CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'LATIN1' ELSE getdatabaseencoding() END, 'UTF8');
EXCEPTION WHEN untranslatable_character OR undefined_function THEN
    RETURN NULL;
END $$;

-- Some characters beyond ASCII, found by trying: all lengths that the encoding has, if possible.
CREATE PROCEDURE find_characters(wanted int) LANGUAGE plpgsql AS $$
<<tried>>
DECLARE
    w bytea;
    leads int[] := '{142,143,144,157,195,226,227,240,244}';
    most int := CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 1 ELSE pg_encoding_max_length(pg_char_to_encoding(getdatabaseencoding())) END;
BEGIN
    FOR i IN 1 .. 800 LOOP
        EXIT WHEN most = 1 AND (SELECT count(*) FROM characters) = wanted;
        w := set_byte('\x00', 0, CASE WHEN random() < 0.5 THEN leads[1 + floor(random() * 9)] ELSE 128 + floor(random() * 128)::int END);
        FOR j IN 2 .. 1 + floor(random() * most)::int LOOP
            w := w || set_byte('\x00', 0, CASE WHEN random() < 0.3 AND j = 2 THEN 161 + floor(random() * 7)::int ELSE 128 + floor(random() * 128)::int END);
        END LOOP;
        CONTINUE WHEN (SELECT count(*) FROM characters c WHERE length(c.w) = length(tried.w)) >= wanted;
        BEGIN
            IF length(convert_from(w, getdatabaseencoding())) = 1 THEN
                INSERT INTO characters VALUES (w, counterpart(w));
            END IF;
        EXCEPTION WHEN character_not_in_repertoire THEN
        END;
    END LOOP;
END $$;

CREATE FUNCTION times(w bytea, n int) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$SELECT decode(repeat(encode(w, 'hex'), greatest(n, 0)), 'hex')$$;

-- A document of `before` bytes of ASCII, a character n times, its first `cut` bytes, and something behind: as a context, as
-- the content of a message (whose prefix has the character in it), and its valid part as a value.
CREATE PROCEDURE write_one(d int, number int, w bytea, u bytea, before text, n int, cut int, behind text) LANGUAGE plpgsql AS $$
DECLARE
    shown bytea := coalesce(u, '\xefbfbd');
    room int := 1000 - length(before);
    document bytea := before::bytea || times(w, n) || substr(w, 1, cut) || behind::bytea;
    -- Of more than one byte some may be another character.
    to_end boolean := cut <= 1;
    excerpt bytea := before::bytea || times(shown, least(n, room)) || CASE WHEN to_end
        THEN times('\xefbfbd', least(cut, room - n)) || left(behind, greatest(room - n - cut, 0))::bytea ELSE '' END;
    is_text boolean := cut = 0 AND (u IS NOT NULL OR n = 0);
    prefix text := 'm' || number || convert_from(w, getdatabaseencoding());
BEGIN
    PERFORM pg_logical_emit_message(true, '_bemi', document), pg_logical_emit_message(true, prefix, document);
    INSERT INTO changed VALUES (d, number, convert_from(times(w, n), getdatabaseencoding()));
    INSERT INTO expected VALUES (number, CASE WHEN u IS NOT NULL OR n = 0 THEN encode(coalesce(times(u, n), ''), 'hex') END,
        CASE WHEN NOT is_text OR behind <> '"}' THEN encode(excerpt, 'hex') END, to_end,
        CASE WHEN is_text THEN encode(before::bytea || coalesce(times(u, n), '') || behind::bytea, 'hex') END, encode(document, 'hex'));
END $$;

CREATE PROCEDURE write_all(d int) LANGUAGE plpgsql AS $$
DECLARE
    c characters;
    lead bytea;
    number int := 0;
    n int;
    cut int;
    name text;
BEGIN
    FOR c IN SELECT * FROM characters LOOP
        FOREACH n IN ARRAY ARRAY[0, 1, 993, 994, 999, 1000, 1001, 4000 / length(c.w) - 1, 4000 / length(c.w)] LOOP
            CONTINUE WHEN number > 30 AND random() < 0.5;
            FOR cut IN 0 .. length(c.w) - 1 LOOP
                number := number + 1;
                CALL write_one(d, number, c.w, c.u, CASE number % 3 WHEN 0 THEN '{"k":"' WHEN 1 THEN '' ELSE 'x' END, n, cut,
                    CASE WHEN number % 3 = 0 THEN '"}' WHEN cut = 0 AND n = 0 THEN '?' ELSE '' END);
            END LOOP;
        END LOOP;
        -- a name as long as names can be, which the server cuts
        name := repeat(convert_from(c.w, getdatabaseencoding()), 70);
        EXECUTE format('CREATE TABLE %I (%I text PRIMARY KEY)', name, name);
        EXECUTE format('INSERT INTO %I VALUES (%L)', name, name);
        EXECUTE format('DROP TABLE %I', name);
    END LOOP;
    -- every first byte by itself, and before what ends a string
    FOR byte IN 128 .. 255 LOOP
        lead := set_byte('\x00', 0, byte);
        PERFORM pg_logical_emit_message(true, '_bemi', lead), pg_logical_emit_message(true, 'byte', lead || '"}'::bytea);
        INSERT INTO changed VALUES (d, -byte);
        PERFORM pg_logical_emit_message(true, '_bemi', '{"k":"'::bytea || lead || '"}'::bytea);
        INSERT INTO changed VALUES (d, -byte - 1000);
    END LOOP;
END $$;
CALL find_characters(3);
SELECT FROM pg_create_logical_replication_slot('hostile_' || :d, 'bemi_decoder');
CALL write_all(:d);

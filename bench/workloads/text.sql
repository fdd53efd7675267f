-- A text of 1 kB with letters beyond ASCII, quotes and line breaks in it, inserts.
CREATE TABLE texts (id int PRIMARY KEY, body text);
ALTER TABLE texts REPLICA IDENTITY FULL;
CREATE PROCEDURE load(rows int) LANGUAGE plpgsql AS $$
DECLARE
    paragraph text := repeat('The quick brown fox jumps over the lazy dog, says a "reader". ', 5) || E'\nEr heißt Jürgen. ';
    body text := repeat(paragraph, 3) || '12345';
BEGIN
    FOR t IN 0 .. rows / 1000 - 1 LOOP
        INSERT INTO texts SELECT t * 1000 + g, body || g FROM generate_series(1, 1000) g;
        COMMIT;
    END LOOP;
END $$;

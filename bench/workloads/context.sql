-- A context before every row, the same within a transaction of ten, as the ORM packages write it.
CREATE TABLE narrow (id int PRIMARY KEY, name text, count int, at timestamptz);
ALTER TABLE narrow REPLICA IDENTITY FULL;
CREATE PROCEDURE load(rows int) LANGUAGE plpgsql AS $$
DECLARE
    context text;
BEGIN
    FOR t IN 0 .. rows / 10 - 1 LOOP
        context := format('{"context": {"userId": %s, "endpoint": "/todo/complete", "requestId": "%s", "params": {"id": %s}}, "SQL": "UPDATE"}',
            t % 1000, md5(t::text), t);
        FOR g IN 1 .. 10 LOOP
            PERFORM pg_logical_emit_message(true, '_bemi', context);
            INSERT INTO narrow VALUES (t * 10 + g, 'name ' || g, g % 100, '2026-01-02 03:04:05.678901+00');
        END LOOP;
        COMMIT;
    END LOOP;
END $$;

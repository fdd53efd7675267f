-- One transaction of many rows of 4 columns, with a context at its start.
CREATE TABLE narrow (id int PRIMARY KEY, name text, count int, at timestamptz);
ALTER TABLE narrow REPLICA IDENTITY FULL;
CREATE PROCEDURE load(rows int) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_logical_emit_message(true, '_bemi', '{"userId": 187234, "endpoint": "/import"}');
    INSERT INTO narrow SELECT g, 'name ' || g, g % 100, timestamptz '2026-01-02 03:04:05.678901+00' + g * interval '1 s'
        FROM generate_series(1, rows) g;
END $$;

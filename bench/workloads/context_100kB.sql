-- One transaction with one context of 100 kB, which every record carries.
CREATE TABLE narrow (id int PRIMARY KEY, name text, count int, at timestamptz);
ALTER TABLE narrow REPLICA IDENTITY FULL;
CREATE PROCEDURE load(rows int) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_logical_emit_message(true, '_bemi',
        (SELECT jsonb_build_object('userId', 7, 'trace', jsonb_agg(md5(g::text))) FROM generate_series(1, 2770) g)::text);
    INSERT INTO narrow SELECT g, 'name ' || g, g % 100, timestamptz '2026-01-02 03:04:05.678901+00' + g * interval '1 s'
        FROM generate_series(1, rows) g;
END $$;

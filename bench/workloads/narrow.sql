-- 4 columns, inserts and updates, in transactions of 1,000 and without a context.
CREATE TABLE narrow (id int PRIMARY KEY, name text, count int, at timestamptz);
ALTER TABLE narrow REPLICA IDENTITY FULL;
CREATE PROCEDURE load(rows int) LANGUAGE plpgsql AS $$
BEGIN
    FOR t IN 0 .. rows / 1000 - 1 LOOP
        INSERT INTO narrow SELECT t * 500 + g, 'name ' || g, g % 100, timestamptz '2026-01-02 03:04:05.678901+00' + g * interval '1 s'
            FROM generate_series(1, 500) g;
        UPDATE narrow SET count = count + 1 WHERE id > t * 500;
        COMMIT;
    END LOOP;
END $$;

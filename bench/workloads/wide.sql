-- 50 columns, every second of them null, inserts and updates.
SELECT format('CREATE TABLE wide (id bigint PRIMARY KEY, %s)',
    string_agg(format('column_%s %s', g, (ARRAY['int', 'text', 'numeric', 'bool', 'timestamptz', 'bigint', 'date'])[g / 2 % 7 + 1]), ', '
        ORDER BY g)) FROM generate_series(1, 49) g \gexec
ALTER TABLE wide REPLICA IDENTITY FULL;
CREATE PROCEDURE load(rows int) LANGUAGE plpgsql AS $$
DECLARE
    inserting text := (SELECT format('INSERT INTO wide (id, %s) SELECT $1 * 500 + g, %s FROM generate_series(1, 500) g',
        string_agg('column_' || c, ', ' ORDER BY c),
        string_agg((ARRAY['g * 13', $i$'value ' || g$i$, 'g * 3.25', 'g % 2 = 0', $i$timestamptz '2026-01-02 03:04:05.6789+00' + g * interval '1 s'$i$,
            '1000000000000 + g', $i$date '2026-03-04' + g$i$])[c / 2 % 7 + 1], ', ' ORDER BY c))
        FROM generate_series(1, 49, 2) c);
BEGIN
    FOR t IN 0 .. rows / 1000 - 1 LOOP
        EXECUTE inserting USING t;
        UPDATE wide SET column_1 = column_1 + 1 WHERE id > t * 500;
        COMMIT;
    END LOOP;
END $$;

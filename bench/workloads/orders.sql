-- 13 columns of the common types under replica identity full; of seven changes three are inserts, three updates and
-- one a delete; a context for each transaction of 700.
CREATE TABLE orders (id bigint PRIMARY KEY, customer int, status text, amount numeric(12, 2), paid bool, note text,
    tags text[], details jsonb, reference uuid, created_at timestamptz, shipped_at timestamp, due date, weight float8);
ALTER TABLE orders REPLICA IDENTITY FULL;
CREATE PROCEDURE load(rows int) LANGUAGE plpgsql AS $$
BEGIN
    FOR t IN 0 .. rows / 700 - 1 LOOP
        PERFORM pg_logical_emit_message(true, '_bemi', format('{"userId": %s, "endpoint": "/orders"}', t));
        INSERT INTO orders SELECT t * 300 + g, g * 37 % 10007, 'pending', g * 1234.56 / 7, g % 2 = 0,
            'Please leave the parcel at the door of number ' || g || ', and ring twice; thank you, see you soon',
            ARRAY['gift', 'express', 'batch ' || g % 10],
            jsonb_build_object('source', 'web', 'items', g % 9, 'discount', g * 0.25, 'coupon', null, 'fragile', g % 3 = 0),
            md5(t || ':' || g)::uuid, timestamptz '2026-01-02 03:04:05.678901+00' + g * interval '1.234567 s',
            timestamp '2026-02-03 04:05:06.78' + g * interval '1 min', date '2026-03-04' + g, g * 1.37
            FROM generate_series(1, 300) g;
        UPDATE orders SET status = 'shipped', paid = true, amount = amount + 1 WHERE id > t * 300;
        DELETE FROM orders WHERE id > t * 300 AND id % 3 = 0;
        COMMIT;
    END LOOP;
END $$;

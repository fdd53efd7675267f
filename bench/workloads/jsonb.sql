-- A jsonb of 2 kB, inserts: as large as one can be that is not yet compressed.
CREATE TABLE documents (id int PRIMARY KEY, document jsonb);
ALTER TABLE documents REPLICA IDENTITY FULL;
CREATE PROCEDURE load(rows int) LANGUAGE plpgsql AS $$
DECLARE
    document jsonb := (SELECT jsonb_build_object('kind', 'invoice', 'open', true, 'total', 1234.5, 'lines', jsonb_agg(jsonb_build_object(
        'product', 'product ' || g, 'quantity', g, 'price', g * 9.99, 'taxed', g % 2 = 0, 'note', null,
        'text', 'Delivered to the warehouse at the harbour, checked by two people and put on shelf ' || g
            || ', "fragile"; one box was open when it came, nothing was missing from it, and the carrier has signed for it')))
        FROM generate_series(1, 6) g);
BEGIN
    FOR t IN 0 .. rows / 1000 - 1 LOOP
        INSERT INTO documents SELECT t * 1000 + g, document || jsonb_build_object('number', g) FROM generate_series(1, 1000) g;
        COMMIT;
    END LOOP;
END $$;

-- The workloads of bench/growth: the same rows in other surroundings.
CREATE TABLE narrow (id int PRIMARY KEY, name text, count int, at timestamptz);
ALTER TABLE narrow REPLICA IDENTITY FULL;

-- `rows` rows in transactions of `size`.
CREATE PROCEDURE load_transactions(rows int, size int) LANGUAGE plpgsql AS $$
BEGIN
    FOR t IN 0 .. rows / size - 1 LOOP
        PERFORM pg_logical_emit_message(true, '_bemi', '{"userId": 187234, "endpoint": "/import"}');
        INSERT INTO narrow SELECT t * size + g, 'name ' || g % 1000, g % 100, timestamptz '2026-01-02 03:04:05.678901+00'
            FROM generate_series(1, size) g;
        COMMIT;
    END LOOP;
END $$;

-- Transactions of 1,000 rows with the same context before the row `place`, or behind the last one, or before each row.
CREATE PROCEDURE load_contexts(rows int, place int) LANGUAGE plpgsql AS $$
BEGIN
    FOR t IN 0 .. rows / 1000 - 1 LOOP
        FOR g IN 1 .. 1000 LOOP
            IF g = place OR place = 0 THEN
                PERFORM pg_logical_emit_message(true, '_bemi', '{"userId": 187234, "endpoint": "/import"}');
            END IF;
            INSERT INTO narrow VALUES (t * 1000 + g, 'name ' || g, g % 100, '2026-01-02 03:04:05.678901+00');
        END LOOP;
        IF place > 1000 THEN
            PERFORM pg_logical_emit_message(true, '_bemi', '{"userId": 187234, "endpoint": "/import"}');
        END IF;
        COMMIT;
    END LOOP;
END $$;

CREATE PROCEDURE make_tables(tables int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 0 .. tables - 1 LOOP
        EXECUTE format('CREATE TABLE t%s (LIKE narrow INCLUDING ALL); ALTER TABLE t%s REPLICA IDENTITY FULL', i, i);
        IF i % 100 = 99 THEN COMMIT; END IF;
    END LOOP;
END $$;

-- Transactions of 1,000 rows, each row into the next of so many tables.
CREATE PROCEDURE load_tables(rows int, tables int) LANGUAGE plpgsql AS $$
BEGIN
    FOR t IN 0 .. rows / 1000 - 1 LOOP
        FOR g IN 1 .. 1000 LOOP
            EXECUTE format('INSERT INTO t%s VALUES ($1, $2, $3, $4)', (t * 1000 + g) % tables)
                USING t * 1000 + g, 'name ' || g, g % 100, timestamptz '2026-01-02 03:04:05.678901+00';
        END LOOP;
        COMMIT;
    END LOOP;
END $$;

-- A row into each table, and then so many transactions that make another and fill a third.
CREATE PROCEDURE load_ddl(rows int, tables int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 0 .. tables - 1 LOOP
        EXECUTE format('INSERT INTO t%s VALUES (1)', i);
        IF i % 100 = 99 THEN COMMIT; END IF;
    END LOOP;
    COMMIT;
    FOR i IN 1 .. rows LOOP
        EXECUTE format('CREATE TABLE other%s (id int PRIMARY KEY, name text)', i);
        INSERT INTO narrow VALUES (i, 'name', 1, '2026-01-02 03:04:05.678901+00');
        COMMIT;
    END LOOP;
END $$;

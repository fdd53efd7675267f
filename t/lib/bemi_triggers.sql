-- What the migrations of Bemi's ORM packages leave in a database: a trigger on every table that turns the
-- comment of the statement into a message for each row, and an event trigger that adds it to new tables.
CREATE FUNCTION _bemi_row_trigger_func() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    context text := split_part(split_part(current_query(), '/*Bemi ', 2), ' Bemi*/', 1);
BEGIN
    IF context <> '' THEN
        PERFORM pg_logical_emit_message(true, '_bemi', context);
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;

CREATE PROCEDURE _bemi_create_triggers() LANGUAGE plpgsql AS $$
DECLARE
    relation record;
BEGIN
    FOR relation IN
        SELECT * FROM pg_tables t
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND NOT EXISTS (
            SELECT FROM pg_trigger WHERE tgrelid = format('%I.%I', t.schemaname, t.tablename)::regclass
                AND tgname = '_bemi_row_trigger_' || t.tablename)
    LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %I.%I'
            ' FOR EACH ROW EXECUTE FUNCTION _bemi_row_trigger_func()',
            '_bemi_row_trigger_' || relation.tablename, relation.schemaname, relation.tablename);
    END LOOP;
END
$$;

CREATE FUNCTION _bemi_create_table_trigger_func() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    CALL _bemi_create_triggers();
END
$$;

CREATE EVENT TRIGGER _bemi_create_table_trigger ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
    EXECUTE FUNCTION _bemi_create_table_trigger_func();

CALL _bemi_create_triggers();

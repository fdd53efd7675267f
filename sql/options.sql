-- Options: what is accepted, and what is said of the rest.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE todo (id int PRIMARY KEY, task text);
INSERT INTO todo VALUES (1, 'Sleep');
-- "accepted", or the error in all its parts
CREATE FUNCTION try(VARIADIC options text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    code text;
    message text;
    detail text;
    hint text;
BEGIN
    PERFORM pg_logical_slot_peek_changes('regress', NULL, NULL, VARIADIC options);
    RETURN 'accepted';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' / ', code, message, nullif(detail, ''), nullif(hint, ''));
END$$;
CREATE FUNCTION try_values(option text, VARIADIC "values" text[]) RETURNS TABLE (tried text, result text) LANGUAGE sql AS $$
    SELECT v, try(option, v) FROM unnest("values") v
$$;

-- names: `-` is `_`; case counts; the hint is the nearest
SELECT try('context_scope', 'preceding');
SELECT try('context-scope', 'preceding');
SELECT try('max-record_size', '1MB');
SELECT try('context scope', 'preceding');
SELECT try('Tables', 'todo');
SELECT try('table', 'todo');
SELECT try('exclude-table', 'todo');
SELECT try('ignore_colums', 'todo');
SELECT try('add-tables', 'todo');
SELECT try('include_transaction', 'on');
SELECT try('contextprefix', 'x');
SELECT try('max_size', '1');
SELECT try('', 'x');
SELECT try('_', 'x');
SELECT try('%s %n', 'x');
SELECT try('täbles', 'x');
SELECT left(try(repeat('x', 1000), 'x'), 200);
SELECT left(try(repeat('ü', 1000), 'x'), 200);
-- twice, in either spelling, whatever the values
SELECT try('tables', 'todo', 'tables', 'todo');
SELECT try('batch_size', '1', 'tables', 'todo', 'batch-size', '2');
SELECT try('format_version', '1', 'format-version', '1');
SELECT try('tables', 'todo', 'exclude_tables', 'other');
-- a name without a value, and a value that is null
SELECT try('tables');
SELECT try('tables', NULL);
SELECT try(NULL, 'x');
-- empty values
SELECT option, try(option, '') FROM unnest(ARRAY['tables', 'exclude_tables', 'exclude_columns', 'mask_columns', 'ignore_columns', 'operations', 'messages', 'origin',
    'keys', 'quote_numbers', 'context_prefix', 'context_scope', 'context_hold', 'max_context_size', 'max_record_size', 'batch_size', 'format_version']) option;

-- patterns
SELECT * FROM try_values('tables', 'todo', 'public.todo', '*', '*.*', '"to do"', 'a,b', ' a , b ', '"",a', ',', 'a,', ',a', 'a,,b', ' ', '.', 'a.', '.a', 'a..b', 'a.b.c', '"a', 'a"', 'a"b', '"a"b"', '"', '"a""',
    'a\', '\', 'a\,b', '"a\"', 'to do', 'a b.c', 'a . b', '"a".b c', E'a\tb', E'a\n,b', 'a"', 'public.todo,');
SELECT * FROM try_values('exclude_tables', 'a.b', 'a.b.c', 'a,', '"a', 'a\');
SELECT * FROM try_values('exclude_columns', 'a', 'a.b', 'a.b.c', 'a.b.c.d', 'a.b.', '..', '"a', 'a\', 'a.b c');
SELECT * FROM try_values('mask_columns', 'a.b.c', 'a.b.c.d', '"a', 'a\');
SELECT * FROM try_values('ignore_columns', 'a.b.c', 'a.b.c.d', '"a', 'a\');
SELECT * FROM try_values('messages', '*', 'a.b.c.d', 'a,b', '"a,b"', '"a', 'a b', 'a\', '');
-- a pattern of a thousand stars takes no time
SELECT try('tables', repeat('*', 1000));
SELECT try('tables', repeat('*a', 1000));
SELECT try('tables', repeat('*?', 1000) || '.' || repeat('"*"*', 1000));
SELECT try('tables', repeat('t*,', 10000) || 't');
SELECT left(try('tables', repeat('x', 1000000) || '"'), 60);

-- words
SELECT * FROM try_values('operations', 'create', 'create,update,delete,truncate', ' truncate , create ', 'insert', 'Create', 'create,create', 'create,', ',', 'create update', 'all', '"create"', 'create;drop');
SELECT * FROM try_values('origin', 'any', 'none', ' none ', 'local', 'None', 'any,none', 'none,none', '*');
SELECT * FROM try_values('keys', 'unique', 'primary', 'unique,primary', 'all', 'Unique');
SELECT * FROM try_values('quote_numbers', 'none', 'bigint', 'numeric', 'bigint,numeric', 'numeric, bigint', 'none,bigint', 'bigint,bigint', 'int8', 'all', 'true', 'bigint,');
SELECT * FROM try_values('context_scope', 'transaction', 'preceding', 'session', 'transaction,preceding', 'TRANSACTION');
SELECT * FROM try_values('context_prefix', '_bemi', 'x', ' ', 'a,b', '*', '"', 'ü', repeat('x', 1000));

-- sizes: bytes, or with a unit
SELECT * FROM try_values('context_hold', '0', '1', '16777216', '16MB', '16 MB', '1kB', '100B', ' 1MB ', '1.5MB', '0x10', '256MB', '257MB', '1GB', '1TB', '-1', '-1MB', '1mb', '1KB', '1M', '1 s', 'MB', 'x', '1x', '1 2', '1,000', '1e3', '99999999999999999999', '0.4', '1e400', 'NaN', 'Infinity', '1MB;');
SELECT * FROM try_values('max_context_size', '0', '1', '64MB', '65MB', '-1', '2GB', 'large');
SELECT * FROM try_values('max_record_size', '1kB', '1023', '1024', '64MB', '256MB', '257MB', '0', '-1', 'unlimited');
SELECT * FROM try_values('batch_size', '0', '1', '64kB', '64MB', '65MB', '-1', 'on');
SELECT * FROM try_values('format_version', '1', ' 1 ', '0', '2', '-1', '1.0', '1.5', '01', 'one', '1kB', '99999999999');

-- all of them at once
SELECT r->'after' FROM records('tables', 'public.*', 'exclude-tables', 'x', 'exclude-columns', 'id', 'mask-columns', 'x', 'ignore-columns', 'x', 'operations', 'create', 'messages', 'x', 'origin', 'none',
    'quote-numbers', 'bigint', 'context-prefix', 'x', 'context-scope', 'preceding', 'context-hold', '1MB', 'max-context-size', '1kB', 'max-record-size', '1MB', 'batch-size', '1kB', 'format-version', '1') r;
-- a slot is made without options, and one whose options are bad stays as it is
INSERT INTO todo VALUES (2, 'Eat');
SELECT r FROM records('tables', 'no such', 'operation', 'create') r;
SELECT r->'after' FROM records() r;

SELECT pg_drop_replication_slot('regress');
DROP TABLE todo;
DROP FUNCTION try, try_values;

-- Reversion. Whose code runs when rows are written: triggers, rules, checks, defaults, expressions of indexes run with
-- the rights of whoever writes. A superuser never lends his to the code of a role that has not got them: the
-- guard is a DO block that a script and bemi.revert run before they write to a table, in the database that has it.

-- The relations whose code may run when a table is written: itself, its partitions, and those that foreign keys
-- write to in turn. As a query in a DO block that knows `relation`.
CREATE OR REPLACE FUNCTION bemi._reached_sql()
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT $query$
    WITH RECURSIVE reached (relation) AS (
        SELECT relation
        UNION
        SELECT n.relation FROM reached r, LATERAL (
            SELECT i.inhrelid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
                WHERE i.inhparent = r.relation
            UNION ALL SELECT i.inhparent FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
                WHERE i.inhrelid = r.relation
            UNION ALL SELECT f.conrelid FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid = r.relation
                AND (f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd'))) n (relation)
    )
    SELECT array_agg(DISTINCT r.relation) FROM reached r
    $query$
$body$;
COMMENT ON FUNCTION bemi._reached_sql() IS
    'query for the relations whose code may run when a table is written';

-- What runs there: what it is, whose it is, and its expression (null: a function of theirs). As a query in a DO block that
-- knows `relations`, `relation`, `replica`, and `unwritten`, columns that an INSERT leaves to their defaults. Functions that are
-- SECURITY DEFINER run with their owner's rights.
CREATE OR REPLACE FUNCTION bemi._code_sql()
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT $query$
    WITH RECURSIVE part (type) AS (
        SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = ANY (relations) AND a.attnum > 0 AND NOT a.attisdropped
        UNION
        SELECT f.type FROM part p JOIN pg_type t ON t.oid = p.type, LATERAL (
            SELECT t.typbasetype UNION SELECT t.typelem
            UNION SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = t.oid
            UNION SELECT a.atttypid FROM pg_attribute a
                WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) f (type)
        WHERE f.type <> 0
    )
    SELECT format('trigger %I of %s', t.tgname, t.tgrelid::regclass) AS name, p.proowner AS owner, NULL::text AS expression
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = ANY (relations) AND NOT t.tgisinternal AND NOT p.prosecdef
        AND (t.tgenabled = 'A' OR t.tgenabled = CASE WHEN replica THEN 'R' ELSE 'O' END::"char")
    UNION ALL SELECT format('condition of trigger %I of %s', t.tgname, t.tgrelid::regclass), c.relowner, t.tgqual::text
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE t.tgrelid = ANY (relations) AND t.tgqual IS NOT NULL
        AND (t.tgenabled = 'A' OR t.tgenabled = CASE WHEN replica THEN 'R' ELSE 'O' END::"char")
    UNION ALL SELECT format('constraint %I of %s', k.conname, k.conrelid::regclass), c.relowner, k.conbin::text
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE k.conrelid = ANY (relations) AND k.conbin IS NOT NULL
    UNION ALL SELECT format('constraint %I of type %s', k.conname, format_type(t.oid, NULL)), t.typowner, k.conbin::text
    FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid
    WHERE k.contypid IN (SELECT p.type FROM part p) AND k.conbin IS NOT NULL
    UNION ALL SELECT format('%s of column %I of %s', CASE a.attgenerated WHEN '' THEN 'default' ELSE 'expression' END,
        a.attname, c.oid::regclass), c.relowner, d.adbin::text
    FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.adrelid = ANY (relations) AND (a.attgenerated <> '' OR d.adrelid <> relation OR a.attname = ANY (unwritten))
    UNION ALL SELECT format('index %s', i.indexrelid::regclass), c.relowner, concat(i.indexprs::text, i.indpred::text)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE i.indrelid = ANY (relations) AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
    UNION ALL SELECT format('partition key of %s', c.oid::regclass), c.relowner, p.partexprs::text
    FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
    WHERE p.partrelid = ANY (relations) AND p.partexprs IS NOT NULL
    $query$
$body$;
COMMENT ON FUNCTION bemi._code_sql() IS
    'query for what runs when rows of some relations are written';

-- Whether an expression (under the alias x) may do what its owner may not: it calls a function of a role that is no superuser, or
-- one of the server's own that is not immutable (they can read files and tables), but for a few that are harmless.
CREATE OR REPLACE FUNCTION bemi._is_foreign_sql()
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT $query$
    x.expression IS NULL OR x.expression ~ 'COERCETODOMAIN' OR EXISTS (
        SELECT FROM regexp_matches(x.expression, ':(funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g') m
        JOIN pg_proc p ON p.oid = m[2]::oid
        WHERE NOT EXISTS (SELECT FROM pg_roles o WHERE o.oid = p.proowner AND o.rolsuper)
            OR p.provolatile <> 'i' AND p.proname NOT IN ('now', 'transaction_timestamp', 'statement_timestamp', 'clock_timestamp',
                'gen_random_uuid', 'uuidv4', 'uuidv7', 'random', 'timezone', 'timestamptz', 'timestamp', 'date', 'date_part',
                'extract', 'date_trunc', 'concat', 'concat_ws', 'format', 'to_char'))
        OR EXISTS (SELECT FROM regexp_matches(x.expression, ':opno ([1-9][0-9]*)', 'g') m
        JOIN pg_operator r ON r.oid = m[1]::oid JOIN pg_proc p ON p.oid = r.oprcode
        WHERE NOT EXISTS (SELECT FROM pg_roles o WHERE o.oid = p.proowner AND o.rolsuper))
    $query$
$body$;
COMMENT ON FUNCTION bemi._is_foreign_sql() IS
    'condition that an expression may do what its owner may not';

-- The guard of a table, before rows are written by a command (INSERT, UPDATE, DELETE), as a DO block. Errors: 42501
-- where a superuser would run code of somebody who is none, 55000 where a rule rewrites the command.
-- It holds a lock on the tables, so that nobody adds such code behind it.
CREATE OR REPLACE FUNCTION bemi._guard_sql(name text, command text, written jsonb)
RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $body$
    SELECT bemi._do(format($block$
DECLARE
  caller_path pg_catalog.text := pg_catalog.current_setting('search_path');
  relation pg_catalog.oid; relations pg_catalog.oid[]; code record; replica pg_catalog.bool; unwritten pg_catalog.text[];
BEGIN
PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
relation := %1$L::regclass;
replica := current_setting('session_replication_role') = 'replica';
SELECT r.rulename AS name INTO code FROM pg_rewrite r WHERE r.ev_class = relation
    AND r.ev_type = %2$L AND (r.ev_enabled = 'A' OR r.ev_enabled = CASE WHEN replica THEN 'R' ELSE 'O' END::"char");
IF FOUND THEN
  RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format(
    'the rule %%I of %%s rewrites what would be written', code.name, relation::regclass);
END IF;
IF (SELECT s.rolsuper FROM pg_roles s WHERE s.rolname = current_user) THEN
  %3$s INTO relations;
  FOREACH relation IN ARRAY relations LOOP
    EXECUTE format('LOCK TABLE ONLY %%s IN ROW EXCLUSIVE MODE', relation::regclass);
  END LOOP;
  relation := %1$L::regclass;
  unwritten := ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0
    AND %4$L = 'INSERT' AND a.attname <> ALL (%5$L::text[]));
  SELECT x.name, o.rolname AS owner INTO code FROM (%6$s) x JOIN pg_roles o ON o.oid = x.owner
  WHERE NOT o.rolsuper AND (%7$s) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format(
      'to write to %%s would run code of the role "%%s" with the rights of a superuser', relation::regclass, code.owner),
      DETAIL = format('It is the %%s.', code.name),
      HINT = 'Do it as the owner of the table, or as another role that may write to it and is no superuser: connect as that role, since code can undo SET ROLE.';
  END IF;
END IF;
PERFORM pg_catalog.set_config('search_path', caller_path, true);
END$block$, name, CASE command WHEN 'UPDATE' THEN 2 WHEN 'INSERT' THEN 3 ELSE 4 END::text, bemi._reached_sql(), command,
        ARRAY(SELECT jsonb_array_elements_text(written))::text, bemi._code_sql(), bemi._is_foreign_sql()))
$body$;
COMMENT ON FUNCTION bemi._guard_sql(text, text, jsonb) IS
    'the guard of a table before rows are written: whose code would run';

-- The guards that these parts need beyond those that have been set (a list), and the list with them.
CREATE OR REPLACE FUNCTION bemi._guards(parts jsonb, INOUT guarded jsonb, OUT guards text[])
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH needed AS (
        SELECT DISTINCT jsonb_build_array(p#>>'{shape,name}', c.command,
            CASE c.command WHEN 'INSERT' THEN p->'written' ELSE '[]' END) AS need
        FROM jsonb_array_elements(parts) p, LATERAL (SELECT CASE p->>'kind' WHEN 'update' THEN 'UPDATE'
            WHEN 'insert' THEN 'INSERT' ELSE 'DELETE' END) c (command)
    ), fresh AS (
        SELECT need FROM needed WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(guarded) g WHERE g = need)
    )
    SELECT guarded || coalesce(jsonb_agg(need), '[]'),
        coalesce(array_agg(bemi._guard_sql(need->>0, need->>1, need->2) ORDER BY need), '{}') FROM fresh
$$;
COMMENT ON FUNCTION bemi._guards(jsonb, jsonb) IS
    'the guards that parts need beyond those that have been set';

-- The same for all steps, done; gives the list.
CREATE OR REPLACE FUNCTION bemi._set_guards(steps jsonb[], caller_path text)
RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    needed record;
    guard text;
    message text;
    detail text;
    hint text;
BEGIN
    SELECT * INTO needed FROM bemi._guards((SELECT coalesce(jsonb_agg(DISTINCT p - 'rows' - 'ids' - 'label' - 'count'), '[]')
        FROM unnest(steps) s, jsonb_array_elements(s->'parts') p), '[]');
    FOREACH guard IN ARRAY needed.guards LOOP
        PERFORM bemi._execute(guard, caller_path, false);
    END LOOP;
    RETURN needed.guarded;
EXCEPTION WHEN insufficient_privilege THEN
    -- Raised anew, without the text of the guard, which a client would print as the context.
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RAISE insufficient_privilege USING MESSAGE = message, DETAIL = detail, HINT = hint;
END $$;
COMMENT ON FUNCTION bemi._set_guards(jsonb[], text) IS 'the guards of all steps, done';

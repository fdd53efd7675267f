# Activity and search: who did what, changes by what is known of them, traces. The answers are right,
# and at scale every selective question is answered by an index.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $source = new_node('source');
my $destination = new_destination('destination');
$source->safe_psql('postgres', q{
CREATE TABLE todo (id int PRIMARY KEY, task text, done boolean);
ALTER TABLE todo REPLICA IDENTITY FULL;
CREATE SCHEMA "Odd.one"; CREATE TABLE "Odd.one".todo (id int PRIMARY KEY, task text)});
ingest_ok($source, $destination, 'init', '--schema', 'audit', '--indexes', 'full', '--partition-by', 'month');
my $trace = '4bf92f3577b34da6a3ce929d0e0e4736';
my $other = 'a' x 32;
my @transactions = (
	[ '{"userId": 7, "requestId": "r1", "endpoint": "/todo"}', q{INSERT INTO todo VALUES (1, 'Sleep', false), (2, 'Eat', false)} ],
	[ '{"userId": 8, "requestId": "r2", "tags": {"traceparent": "00-' . $trace . '-00f067aa0ba902b7-01"}}',
		q{UPDATE todo SET done = true WHERE id = 1; INSERT INTO "Odd.one".todo VALUES (1, 'odd')} ],
	[ '{"user": {"id": "ann"}, "spans": [{"traceparent": "00-' . $other . '-00f067aa0ba902b7-00"}, {"traceparent": "00-'
		. $trace . '-00f067aa0ba902b7-01"}]}', q{UPDATE todo SET id = 3, task = 'Move' WHERE id = 2} ],
	[ '{"session": {"user": "dba"}, "traceparent": ["-' . ('x' x 5000) . '-"]}', q{DELETE FROM todo WHERE id = 3} ],
	[ '["no object"]', q{TRUNCATE todo} ],
	[ '{}', q{UPDATE "Odd.one".todo SET task = 'even'} ]);
$source->safe_psql('postgres', in_context(@$_))
  foreach @transactions;
# Two contexts in one transaction.
$source->safe_psql('postgres', q{
BEGIN; SELECT pg_logical_emit_message(true, '_bemi', '{"userId": 1}'); INSERT INTO todo VALUES (10, 'a', false);
SELECT pg_logical_emit_message(true, '_bemi', '{"userId": 2}'); INSERT INTO todo VALUES (11, 'b', false); COMMIT});
drain($source, $destination, '--schema', 'audit');
ingest_ok($source, $destination, 'snapshot', '--schema', 'audit');
my $sql = sub { return rows_of($destination, $_[0]) };

# --- activity

is($sql->(q{SELECT string_agg(concat_ws('|', who, tables::text, changes, creates, updates, deletes, truncates, contexts), E'\n'
	ORDER BY commit_position) FROM bemi.activity}), join("\n",
	'7|{public.todo}|2|2|0|0|0|1',
	'8|{"\"Odd.one\".todo",public.todo}|2|1|1|0|0|1',
	'ann|{public.todo}|1|0|1|0|0|1',
	'dba|{public.todo}|1|0|0|1|0|1',
	'{public.todo}|1|0|0|0|1|1',
	'{"\"Odd.one\".todo"}|1|0|1|0|0|1',
	'1|{public.todo}|2|2|0|0|0|2'), 'one row per transaction; a snapshot is none');
is($sql->(q{SELECT count(*) FROM bemi.activity a JOIN audit.changes c USING (commit_position)
	WHERE c.operation <> 'SNAPSHOT' AND (a.committed_at, a.transaction_id, a.database)
		= (c.committed_at, c.transaction_id, c.database)}), '10', 'when, and which transaction');
is($sql->(q{SELECT string_agg(concat_ws('|', value, transactions, changes, creates, updates), ' ' ORDER BY value)
	FROM bemi.activity_by('requestId')}), 'r1|1|2|2|0 r2|1|2|1|1', 'by a key of the context');
is($sql->(q{SELECT string_agg(value, ' ') FROM bemi.activity_by('session.user')}), 'dba', 'by a path');
is($sql->(q{SELECT string_agg(value, ' ') FROM bemi.activity_by('userId')}), '1 2 8 7', 'the latest first');
is($sql->(q{SELECT string_agg(value, ' ') FROM bemi.activity_by('userId', till => (SELECT first_at
	FROM bemi.activity_by('userId') WHERE value = '8'))}), '7', 'of a time');

# --- search

my $search = sub {
	my ($arguments, $expected, $name) = @_;
	is($sql->("SELECT string_agg(concat_ws('.', \"table\", coalesce(primary_key, '-'), left(operation, 1)), ' ' ORDER BY ordinality)"
			. " FROM bemi.search($arguments) WITH ORDINALITY WHERE operation <> 'SNAPSHOT'"), $expected, $name);
};
$search->(q{'public.todo', '1'}, 'todo.1.U todo.1.C', 'by table and key');
$search->(q{'public.todo', '2'}, 'todo.3.U todo.2.C', 'the change that took the key belongs to it');
$search->(q{primary_key => '1'}, 'todo.1.U todo.1.C todo.1.U todo.1.C', 'by key alone');
$search->(q{'"Odd.one".todo'}, 'todo.1.U todo.1.C', 'a name in quotes');
$search->(q{'todo', operation => 'delete'}, 'todo.3.D', 'by operation');
$search->(q{context => '{"userId": 7}'}, 'todo.2.C todo.1.C', 'by context');
$search->(q{changed => 'task'}, 'todo.3.U', 'by a column that changed, where the images show it');
$search->(q{changed => 'done', "before" => '{"done": false}'}, 'todo.1.U', 'and the value that it had');
$search->(q{"after" => '{"task": "odd"}'}, 'todo.1.C', 'by new value');
$search->(q{value => '{"task": "Eat"}'}, 'todo.3.U todo.2.C', 'by old or new value');
$search->(q{'public.todo', max_rows => 3}, 'todo.11.C todo.10.C todo.-.T', 'the latest')
  if $sql->(q{DELETE FROM audit.changes WHERE operation = 'SNAPSHOT'}) eq '';
$search->(q{'public.todo', till => (SELECT committed_at FROM audit.changes WHERE operation = 'DELETE')},
	'todo.3.U todo.1.U todo.2.C todo.1.C', 'until a time');
$search->(q{since => (SELECT committed_at FROM audit.changes WHERE operation = 'DELETE'), database => 'postgres'},
	'todo.11.C todo.10.C todo.1.U todo.-.T todo.3.D', 'since a time');
is($sql->(q{INSERT INTO bemi.progress SELECT 'other', system_identifier, timeline, fork, 'other', changes, start_position, started_at, position, stored_position FROM bemi.progress LIMIT 1}), '', 'another database');
$search->(q{database => 'other'}, '', 'of which there are no changes');
$sql->(q{DELETE FROM bemi.progress WHERE slot = 'other'});
foreach ([ 'public.toodo', '42P01' ], [ 'a.b.c', '42602' ])
{
	my ($name, $code) = @$_;
	my ($status, undef, $errors) = $destination->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT bemi.search('$name')");
	like($errors, qr/$code/, "$name is an error, not an empty answer");
}

# --- trace

my $traced = sub { return $sql->("SELECT string_agg(concat_ws('.', \"table\", primary_key), ' ' ORDER BY ordinality) FROM bemi.trace('$_[0]') WITH ORDINALITY") };
is($traced->($trace), 'todo.1 todo.1 todo.3', 'a trace, wherever the context holds it, in order');
is($traced->("00-$other-00f067aa0ba902b7-01"), 'todo.3', 'a whole traceparent will do');
is($traced->('00000000000000000000000000f067aa'), '', 'none');
my (undef, undef, $errors) = $destination->psql('postgres', q{SELECT bemi.trace('00f067aa0ba902b7')});
like($errors, qr/not a trace id: 00f067aa0ba902b7/, 'a span is no trace');

# --- at scale: plans

$destination->safe_psql('postgres', 'CREATE DATABASE scale');
my $scale = $destination->connstr('scale');
ingest_ok($source, $scale, 'init', '--slot', 'scale', '--indexes', 'full');
$sql = sub { return $destination->safe_psql('scale', $_[0]) };
$sql->(q{
INSERT INTO changes (id, primary_key, previous_key, before, after, context, database, schema, "table", operation,
	committed_at, queued_at, transaction_id, position, commit_position, sequence)
SELECT bemi.change_id(g * 100, 1, 1), g % 9000, CASE WHEN g % 700 = 7 THEN (g % 9000 - 1)::text END,
	jsonb_build_object('id', g % 9000, 'name', 'name ' || g % 5000), jsonb_build_object('id', g % 9000, 'name', 'name ' || g % 5001),
	jsonb_build_object('userId', g % 5000, 'tags', CASE WHEN g % 10 = 0 THEN
		jsonb_build_object('traceparent', '00-' || md5((g / 50)::text) || '-00f067aa0ba902b7-01') END),
	'postgres', 'public', CASE WHEN g % 50 = 0 THEN 'rare' ELSE 'orders' END, CASE g % 5 WHEN 0 THEN 'CREATE' ELSE 'UPDATE' END,
	now() + g * interval '1 s', now(), g, g * 100, g * 100, 1
FROM generate_series(1, 100000) g});
$sql->('VACUUM ANALYZE changes');
my $plan = sub {
	my ($question, $index, $name) = @_;
	my ($status, $output, $said) = $destination->psql('scale', qq{
LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
SET client_min_messages = log; SELECT count(*) FROM $question});
	like($said, qr/Index.* (?:on|using) $index/, "$name: by an index") or diag($said);
	unlike($said, qr/Seq Scan on changes/, "$name: no table is read from end to end") or diag($said);
	cmp_ok($output, '>', 0, "$name: finds something");
};
my $a_while = q{since => now() + interval '1 hour', till => now() + interval '61 minutes'};
$plan->(q{bemi.search('public.orders', '77')}, 'changes_row', 'table and key');
$plan->(q{bemi.search(primary_key => '77')}, 'changes_row', 'key alone');
$plan->(q{bemi.search(primary_key => '77', max_rows => 1)}, 'changes_row', 'key alone, the last');
$plan->(q{bemi.search('orders', context => '{"userId": 77}', max_rows => 3)}, 'changes_context', 'context');
$plan->(q{bemi.search(context => '{"userId": 77}', changed => 'name')}, 'changes_context', 'context and column');
$plan->(q{bemi.search("before" => '{"name": "name 77"}')}, 'changes_before', 'old value');
$plan->(q{bemi.search("after" => '{"name": "name 77"}', max_rows => 1)}, 'changes_after', 'new value');
$plan->(q{bemi.search(value => '{"name": "name 77"}', max_rows => 1)}, qr/changes_before.*Index.* on changes_after/s, 'either value');
$plan->("bemi.search($a_while)", 'changes_time', 'a time');
$plan->("bemi.search('rare', $a_while, max_rows => 1)", 'changes_time', 'a time and a table');
$plan->('bemi.search(max_rows => 10)', 'changes_pkey', 'the latest');
$plan->(q{bemi.trace(md5('77'))}, 'changes_trace', 'trace');
$plan->(q{bemi.activity WHERE committed_at > now() + interval '1 hour' AND committed_at < now() + interval '61 minutes'},
	'changes_time', 'activity of a time');
$plan->(q{bemi.activity_by('userId', now() + interval '1 hour', now() + interval '61 minutes')}, 'changes_time',
	'activity by a key, of a time');

done_testing();

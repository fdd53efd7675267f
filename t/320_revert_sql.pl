# revert_sql and replay_sql, from a destination that has none of the tables: scripts for the source.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiHistory;
use BemiIngest;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
my $source = new_node('source');
my $destination = new_destination('destination');
my $sql = sub { return $source->safe_psql('postgres', $_[0]) };
$sql->(history_tables());
$sql->(q{
CREATE SCHEMA "od""d";
CREATE TABLE "od""d"."t
\! echo; DROP TABLE parent; --" ("k
ey" text PRIMARY KEY, "$bemi$" text, "select" jsonb, n numeric);
ALTER TABLE "od""d"."t
\! echo; DROP TABLE parent; --" REPLICA IDENTITY FULL;
CREATE TABLE plain (id int PRIMARY KEY, a text, b text);
CREATE TABLE blind (a int);
CREATE TABLE letters (r int, j text, x int, t text, k int);
ALTER TABLE letters REPLICA IDENTITY FULL;
ALTER TABLE blind REPLICA IDENTITY NOTHING;
});
ingest_ok($source, $destination, 'init');

# A script as psql gives it, from a session with those settings.
sub script_of
{
	my ($call, $settings) = @_;
	my $file = temp_file('script.sql');
	my $input = temp_file('call.sql');
	write_text($input, ($settings // '') . "\nSELECT $call;\n");
	run_script($destination, 'postgres', $input, output => $file);
	return $file;
}

sub runs
{
	my ($file, $name, %params) = @_;
	my $errors = run_script($source, $params{database} // 'postgres', $file, go_on => 1);
	is($errors =~ s/.*NOTICE.*\n//gr, '', $name);
	return;
}

sub fails
{
	my ($file, $message, $name) = @_;
	my $before = $sql->(state_sql());
	like(run_script($source, 'postgres', $file, go_on => 1), $message, $name);
	is($sql->(state_sql()), $before, 'and nothing has changed');
	return;
}

# --- hostile names and values, under either reading of backslashes, on either side

my $odd = qq{"od""d"."t\n\\! echo; DROP TABLE parent; --"};
my $odd_state = "SELECT string_agg(t.*::text, '|' ORDER BY t.*::text) FROM $odd t";
my @readings = server_major() < 19 ? qw(on off) : 'on';
foreach my $writer (@readings)
{
	foreach my $reader (@readings)
	{
		$sql->("TRUNCATE $odd; INSERT INTO $odd SELECT v, v, to_jsonb(v), 1.50 FROM unnest(ARRAY[E'it''s\\\\', E'\$bemi\$ \\n\\\\! x', ':x :''x''', E'\\\\''; DROP TABLE parent; --']) v");
		my $state = $sql->($odd_state);
		my $before = $sql->('SELECT clock_timestamp()');
		$sql->("UPDATE $odd SET \"k\ney\" = \"k\ney\" || E'\\\\\\n''', n = n + 1; UPDATE $odd SET \"\$bemi\$\" = NULL; DELETE FROM $odd WHERE n > 0");
		drain($source, $destination);
		my $file = script_of("bemi.revert_sql(since => '$before')", "SET standard_conforming_strings = $writer;");
		my $text = slurp_file($file);
		write_text($file, "SET standard_conforming_strings = $reader;\nSET search_path = pg_catalog;\n$text");
		runs($file, "hostile names and values, written with standard_conforming_strings $writer, read with $reader");
		is($sql->($odd_state), $state, 'all rows are back') or diag($text);
	}
}

# --- guards

$sql->("INSERT INTO parent VALUES (1, 'one', 1), (2, 'two', 2); BEGIN; SELECT pg_logical_emit_message(true, '_bemi', '{\"a\": 1}');"
	  . "UPDATE parent SET name = 'ONE' WHERE id = 1; UPDATE parent SET u = 20 WHERE id = 2; COMMIT");
drain($source, $destination);
my $undo = script_of(q{bemi.revert_sql('{"a": 1}')});
unlike(slurp_file($undo), qr/conflict/, 'a script without a conflict');
$sql->("UPDATE parent SET name = 'Uno' WHERE id = 1");
fails($undo, qr/UPDATE of public.parent 1, .*its row is not as it was left/, 'a row that has changed meanwhile');
drain($source, $destination);
$undo = script_of(q{bemi.revert_sql('{"a": 1}')});
like(slurp_file($undo), qr/^-- conflict: UPDATE of public.parent 1,.*its row was changed later, by the UPDATE [-0-9a-f]+ at .*, which is not selected/ms,
	'once that is recorded, the script has a conflict');
fails($undo, qr/ERROR:  conflict: UPDATE of public.parent 1/, 'with which it fails');

# --- triggers, and what they write

$sql->(q{CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO loose VALUES (99, NULL); RETURN NULL; END';
CREATE TRIGGER more AFTER UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION more();
BEGIN; SELECT pg_logical_emit_message(true, '_bemi', '{"a": 2}'); UPDATE parent SET name = 'zwei' WHERE id = 2; COMMIT});
drain($source, $destination);
fails(script_of(q{bemi.revert_sql('{"a": 2}')}), qr/not 2 rows were written: triggers or foreign keys have written others/, 'a trigger that writes elsewhere');
runs(script_of(q{bemi.revert_sql('{"a": 2}', side_effects => true)}), 'it may, if it is let');
is($sql->('SELECT name FROM parent WHERE id = 2'), 'two', 'then the change is undone');
$sql->('DROP TRIGGER more ON parent');

# --- generated columns, which a destination can't know

$sql->(q{INSERT INTO gen (n) VALUES (5); BEGIN; SELECT pg_logical_emit_message(true, '_bemi', '{"a": 3}'); DELETE FROM gen; COMMIT});
drain($source, $destination);
fails(script_of(q{bemi.revert_sql('{"a": 3}')}), qr/cannot insert a non-DEFAULT value into column "twice"/, 'a generated column');
runs(script_of(q{bemi.revert_sql('{"a": 3}', except_columns => '{gen.twice}')}), 'it can be named');
is($sql->('SELECT n, twice FROM gen'), '5|10', 'then the row is back');

# --- what is no selection

foreach my $case (
	[ '', qr/nothing says which changes are meant/ ], [ q{'{}'}, qr/the context \{\} would select every change/ ],
	[ q{"table" => 'nowhere'}, qr/there are no changes of a table "nowhere"/ ], [ q{"table" => 'a.b.c'}, qr/more parts/ ])
{
	my ($code, $out, $errors) = $destination->psql('postgres', "SELECT bemi.revert_sql($case->[0])");
	like($errors, $case->[1], "revert_sql($case->[0])");
}
is($destination->safe_psql('postgres', q{SELECT count(*) FROM bemi.revert_sql('{"nobody": "did this"}')}), '0', 'nothing selected is no script');

# --- partial records

$sql->(q{INSERT INTO plain VALUES (1, 'a', 'b'); INSERT INTO blind VALUES (1);
BEGIN; SELECT pg_logical_emit_message(true, '_bemi', '{"a": 4}'); UPDATE plain SET a = 'A'; DELETE FROM plain; DELETE FROM blind; COMMIT});
drain($source, $destination);
my $text = slurp_file(script_of(q{bemi.revert_sql('{"a": 4}')}));
my @partial = $text =~ /the row before it is not in its record: the replica identity was (\w+)/g;
is("@partial", 'nothing default default', 'a row whose before is partial is a conflict');

# --- everything again, into an empty copy

$sql->('TRUNCATE blind; ALTER TABLE blind REPLICA IDENTITY FULL');
my $script = temp_file('history.sql');
write_text($script, join '', 'TRUNCATE ' . "parent, child, note, tree, loose, region, gen, \"T\"\"x\";\n", first_transaction(), map { history_transaction($_) } 1 .. (is_long() ? 300 : 60));
my $start = $sql->('SELECT clock_timestamp()');
run_script($source, 'postgres', $script);
$sql->(q{INSERT INTO plain VALUES (7, 'a', repeat(md5('x'), 500)), (8, 'b', NULL); UPDATE plain SET a = 'A', b = b WHERE id = 7; UPDATE plain SET id = 9 WHERE id = 8; DELETE FROM plain WHERE id = 9});
$sql->("INSERT INTO letters VALUES (1, 'j', 2, 't', 3)");
ingest_ok($source, $destination, 'snapshot');
is($destination->safe_psql('postgres', q{SELECT after FROM changes WHERE "table" = 'letters' AND operation = 'SNAPSHOT'}),
	'{"j": "j", "k": 3, "r": 1, "t": "t", "x": 2}', 'columns that are called as aliases are');
$sql->(q{UPDATE plain SET a = 'after the snapshot'});
drain($source, $destination);
$sql->('CREATE DATABASE copy');
my ($schema) = run_command([ $source->installed_command('pg_dump'), '--schema-only', '-d', $source->connstr('postgres') ]);
write_text($script, $schema);
run_script($source, 'copy', $script);
runs(script_of("bemi.replay_sql(since => '$start', except_columns => '{gen.twice}')"), 'all is done again in an empty copy', database => 'copy');
is($source->safe_psql('copy', state_sql() . "; SELECT id, a, md5(b) FROM plain ORDER BY 1"),
	$sql->(state_sql() . "; SELECT id, a, md5(b) FROM plain ORDER BY 1"), 'its tables are as they are');

# --- which indexes

sub plan_of
{
	my ($condition, $of) = @_;
	return $destination->safe_psql('postgres', "SET enable_seqscan = off; SELECT format('EXPLAIN %s', $of) \\gexec\n" =~ s/CONDITION/$condition/r);
}
$destination->safe_psql('postgres', 'ANALYZE changes');
foreach my $case (
	[ q{'{"a": 1}'}, 'changes_context' ], [ 'NULL, 731', 'changes_time' ],
	[ q{NULL, NULL, ARRAY['00000000-0000-8000-8000-000000000000']::uuid[]}, 'changes_pkey' ], [ q{"table" => 'parent'}, 'changes_row' ])
{
	my $arguments = $case->[0] =~ /table/ ? q{NULL, NULL, NULL, 'parent', NULL, NULL, NULL}
	  : join ', ', $case->[0], ('NULL') x (7 - (() = $case->[0] =~ /(?:^|, )(?=NULL|\d|'|ARRAY)/g));
	my $selection = "bemi._selection($arguments)";
	like(plan_of('', "bemi._selected_sql($selection, false)"), qr/$case->[1]/, "$case->[0] is found by $case->[1]");
	like(plan_of('', "bemi._changed_later_sql($selection)"), qr/changes_row.*changes_previous/s, 'and what came later by the indexes of keys');
}
done_testing();

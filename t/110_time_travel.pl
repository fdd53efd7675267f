# Time travel: what a row and a table were, by time and by position; names, coverage and gaps.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $source = new_node('source');
my $destination = new_destination('destination');
my $sql = sub { return rows_of($destination, $_[0]) };

# The source's clock, between what was committed before and what comes.
sub now { return $source->safe_psql('postgres', q{SELECT pg_sleep(0.002); SELECT clock_timestamp()}) =~ s/^\s+//r; }

sub change { my ($text) = @_; $source->safe_psql('postgres', $text); return now(); }

# Tests that a query fails, and what the error says.
sub refused
{
	my ($name, $query, $message) = @_;
	my ($code, $output, $errors) = $destination->psql('postgres', $query);
	ok($code != 0 && $errors =~ $message, $name) or diag("exit $code: $output$errors");
	return;
}

$source->safe_psql('postgres', q{
CREATE TABLE todo (id int PRIMARY KEY, task text, done boolean);
ALTER TABLE todo REPLICA IDENTITY FULL;
CREATE TABLE old (id int PRIMARY KEY, v int, big text);
ALTER TABLE old ALTER big SET STORAGE EXTERNAL;
INSERT INTO old SELECT g, 0, repeat('x', 3000) FROM generate_series(1, 3) g});
ingest_ok($source, $destination, 'init');
my $start = now();
my @times = map { change($_) } (
	q{INSERT INTO todo VALUES (26, 'Sleep', false), (27, 'Eat', false)},
	q{UPDATE todo SET done = true WHERE id = 26},
	q{UPDATE todo SET id = 28 WHERE id = 26},
	q{DELETE FROM todo WHERE id = 27},
	q{INSERT INTO todo VALUES (27, 'Repeat', false)},
	q{TRUNCATE todo},
	q{INSERT INTO todo VALUES (26, 'Dream', true)});
drain($source, $destination);

# --- one row

my %expected = (
	26 => [ 'Sleep false', 'Sleep true', '', '', '', '', 'Dream true' ],
	27 => [ 'Eat false', 'Eat false', 'Eat false', '', 'Repeat false', '', '' ],
	28 => [ '', '', 'Sleep true', 'Sleep true', 'Sleep true', '', '' ]);
foreach my $key (sort keys %expected)
{
	is($sql->("SELECT string_agg(coalesce(concat_ws(' ', r->>'task', r->>'done'), ''), ',' ORDER BY n)
			FROM unnest('{" . join(',', map { "\"$_\"" } @times) . "}'::timestamptz[]) WITH ORDINALITY t (at, n),
			bemi.record_at('public.todo', '$key', at) r"),
		join(',', @{ $expected{$key} }), "row $key at each moment");
}
is($sql->("SELECT bemi.record_at('todo', '26', '$times[1]')"), '{"id": 26, "done": true, "task": "Sleep"}',
	'a time as a constant without a type, a table without its schema');
is($sql->("SELECT bemi.record_at('todo', '26', '$start')"), '', 'before it was there');
is($sql->(q{SELECT string_agg(coalesce(bemi.record_at('todo', '26', p)->>'task', '-'), ',' ORDER BY p)
	FROM (SELECT DISTINCT commit_position FROM changes) c (p)}), 'Sleep,Sleep,-,-,-,-,Dream',
	'by commit_position');
is($sql->(q{SELECT bemi.record_at('todo', '28', '0/0'::pg_lsn + max(commit_position) FILTER (WHERE operation = 'DELETE'))
	FROM changes}), '{"id": 28, "done": true, "task": "Sleep"}', 'by pg_lsn');

# --- the whole table

my $tables = "SELECT string_agg(coalesce(keys, ''), ' ' ORDER BY n) FROM (SELECT n, string_agg(t.primary_key || (t.\"row\"->>'task'),
	',' ORDER BY t.primary_key) AS keys FROM unnest('{" . join(',', map { "\"$_\"" } $start, @times) . "}'::timestamptz[])
	WITH ORDINALITY m (at, n) LEFT JOIN bemi.table_at('public.todo', at) t ON true GROUP BY n) r";
is($sql->($tables), ' 26Sleep,27Eat 26Sleep,27Eat 27Eat,28Sleep 28Sleep 27Repeat,28Sleep  26Dream', 'the table at each moment');

# --- versions

is($sql->(q{SELECT string_agg(concat_ws(' ', operation, key, "row"->>'task', changed), E'\n' ORDER BY commit_position)
	FROM bemi.history('todo', '28')}), join("\n",
	'CREATE 26 Sleep {"id": {"new": 26}, "done": {"new": false}, "task": {"new": "Sleep"}}',
	'UPDATE 26 Sleep {"done": {"new": true, "old": false}}',
	'UPDATE 28 Sleep {"id": {"new": 28, "old": 26}}',
	'TRUNCATE 28 {"id": {"old": 28}, "done": {"old": true}, "task": {"old": "Sleep"}}'),
	'history follows changes of the key');
is($sql->(q{SELECT count(*) FILTER (WHERE upper(validity) = next), count(*) FROM (SELECT validity,
	lead(committed_at) OVER (ORDER BY commit_position) AS next FROM bemi.history('todo', '28')) h}), '3|4',
	'each version holds until the next');
is($sql->(q{SELECT string_agg(operation, ' ' ORDER BY commit_position) FROM bemi.history('todo', '27')}),
	'CREATE DELETE CREATE TRUNCATE', 'a row that came again');
is($sql->(q{SELECT bemi.diff('{"a": 1, "b": 2, "c": 3}', '{"a": 1, "b": null, "d": 4}')}),
	'{"b": {"new": null, "old": 2}, "c": {"old": 3}, "d": {"new": 4}}', 'diff');

# --- rows that were there before the slot, and values that nobody logged

change('UPDATE old SET v = 1 WHERE id = 1; DELETE FROM old WHERE id = 2');
drain($source, $destination);
refused('a table that had rows before', q{SELECT * FROM bemi.table_at('old', now())},
	qr/public.old had rows already when the slot was made at .*no snapshot was taken/);
refused('a row of it that has not changed', q{SELECT bemi.record_at('old', '3', now())}, qr/had rows already/);
refused('a value that is in no record', q{SELECT bemi.record_at('old', '1', now())},
	qr/the value of column big of row 1 of public.old is not in the records.*toast/s);
is($sql->(q{SELECT bemi.record_at('old', '2', now())}), '', 'a row of it that was deleted');
is($sql->(q{SELECT string_agg(h.operation || ' ' || coalesce(h.changed::text, 'unknown'), ' ' ORDER BY h.commit_position, h.sequence)
	FROM unnest('{1,2}'::text[]) k, bemi.history('old', k) h}), 'UPDATE unknown DELETE unknown', 'what has changed of a row that is not known is not known');
ingest_ok($source, $destination, 'snapshot', '--option', 'tables=old');
change('UPDATE old SET v = 2 WHERE id = 1; UPDATE old SET id = 4, v = 4 WHERE id = 1');
drain($source, $destination);
is($sql->(q{SELECT string_agg(primary_key || (t."row"->>'v') || length(t."row"->>'big'), ' ' ORDER BY primary_key)
	FROM bemi.table_at('old', now()) t}), '303000 443000', 'from its snapshot on it is known, values that were not logged again included');

# --- a primary key that was dropped, and added again

my @kinds = ([ 'again', 'FULL' ], [ 'stored', 'FULL' ], [ 'quiet', 'DEFAULT' ]);
my @moments;
my $content = sub { return $source->safe_psql('postgres', "SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM $_[0] t") };
my $step = sub {
	my ($text) = @_;
	foreach (@kinds)
	{
		my ($table, $identity) = @$_;
		(my $statements = $text) =~ s/%t/$table/g;
		# Without a key, what had changed would not be known.
		$source->safe_psql('postgres', $statements) unless $identity eq 'DEFAULT' && $text =~ /-- full/;
	}
	push @moments, [ now(), map { $content->($_->[0]) } @kinds ];
	return;
};
$source->safe_psql('postgres', "CREATE TABLE $_->[0] (id int PRIMARY KEY, v text); ALTER TABLE $_->[0] REPLICA IDENTITY $_->[1]") foreach @kinds;
$step->(q{INSERT INTO %t VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (6, 'f')});
$step->('ALTER TABLE %t DROP CONSTRAINT %t_pkey');
$step->(q{UPDATE %t SET v = v || '1' WHERE id = 1; DELETE FROM %t WHERE id = 2; -- full});
$step->(q{INSERT INTO %t VALUES (5, 'e')});
drain($source, $destination);
ingest_ok($source, $destination, 'snapshot', '--option', 'tables=stored');
$step->('ALTER TABLE %t ADD PRIMARY KEY (id)');
$step->(q{UPDATE %t SET v = v || '2' WHERE id IN (1, 3); -- full});
$step->(q{UPDATE %t SET v = v || '3' WHERE id = 4});
$step->(q{UPDATE %t SET id = 7 WHERE id = 1; INSERT INTO %t VALUES (2, 'again'); DELETE FROM %t WHERE id = 6; -- full});
$step->(q{UPDATE %t SET v = v || '4' WHERE id IN (1, 2, 4); -- full});
$step->(q{DELETE FROM %t WHERE id IN (3, 4)});
drain($source, $destination);
foreach my $n (0 .. $#kinds)
{
	my $table = $kinds[$n][0];
	is($sql->("SELECT string_agg(format('(%s,%s)', t.\"row\"->>'id', t.\"row\"->>'v'), ' ' ORDER BY format('(%s,%s)', t.\"row\"->>'id', t.\"row\"->>'v'))
		FROM bemi.table_at('$table', '$_->[0]') t"), $_->[ $n + 1 ], "table $table at $_->[0]")
	  foreach @moments;
}

# --- names

refused('no such table', q{SELECT bemi.record_at('nothing', '1', now())}, qr/there are no changes of a table "nothing"/);
refused('no such database', q{SELECT bemi.record_at('todo', '1', now(), 'elsewhere')}, qr/"todo" in database "elsewhere"/);
change(q{CREATE SCHEMA "Other"; CREATE TABLE "Other".todo (id int PRIMARY KEY); INSERT INTO "Other".todo VALUES (1)});
drain($source, $destination);
refused('a name in two schemas', q{SELECT * FROM bemi.table_at('todo', now())},
	qr/the name "todo" is ambiguous.*"Other".todo in database postgres of slot bemi, and public.todo in database postgres/s);
is($sql->(q{SELECT primary_key FROM bemi.table_at('"Other".todo', now())}), '1', 'a quoted name');

$source->safe_psql('postgres', 'CREATE DATABASE other');
$source->safe_psql('other', 'CREATE TABLE todo (id int PRIMARY KEY, task text)');
my $other = $source->connstr('other');
ingest_ok($other, $destination, 'init', '--slot', 'second');
$source->safe_psql('other', q{INSERT INTO todo VALUES (26, 'elsewhere')});
drain($other, $destination, '--slot', 'second');
refused('a name in two databases', q{SELECT bemi.record_at('public.todo', '26', now())},
	qr/is ambiguous.*public.todo in database other of slot second, and public.todo in database postgres/s);
is($sql->(qq{SELECT bemi.record_at('public.todo', '26', now(), d)->>'task' FROM unnest('{other,second,postgres,bemi}'::text[]) d}),
	"elsewhere\nelsewhere\nDream\nDream", 'the database or the slot tells them apart');
ingest_ok($other, $destination, 'drop', '--yes', '--slot', 'second');

# --- before the beginning, and gaps

my $time = qr/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00/;
refused('before the slot was made', q{SELECT bemi.record_at('public.todo', '26', '2020-01-01')},
	qr/public.todo is known from $time on, not at 2020-01-01 00:00:00/);
my $before = now();
change(q{INSERT INTO todo VALUES (1, 'lost')});
$source->safe_psql('postgres', q{SELECT count(*) FROM pg_logical_slot_get_changes('bemi', NULL, NULL)});
my $within = now();
change(q{INSERT INTO todo VALUES (2, 'found')});
drain($source, $destination, '--accept-gap');
my $missing = qr/changes from $time to $time are missing/;
is($sql->("SELECT count(*) FROM bemi.table_at('public.todo', '$times[6]')"), '1', 'before the gap');
refused('in the gap', "SELECT * FROM bemi.table_at('public.todo', '$within')", $missing);
refused('behind it', q{SELECT * FROM bemi.table_at('public.todo', now())}, $missing);
refused('a row that was changed before it, behind it', q{SELECT bemi.record_at('public.todo', '26', now())}, $missing);
is($sql->(q{SELECT bemi.record_at('public.todo', '2', now())->>'task'}), 'found', 'a row that was changed behind it');
ingest_ok($source, $destination, 'snapshot');
is($sql->(q{SELECT string_agg(primary_key, ',' ORDER BY primary_key) FROM bemi.table_at('public.todo', now())}), '1,2,26',
	'a snapshot makes all rows known again');
is($sql->(q{SELECT string_agg(begins_with || (from_time <= to_time)::text, ',') FROM bemi.coverage('public.todo')}),
	'slottrue,snapshottrue', 'bemi.coverage has both stretches');

# --- without the slot

my $known = $sql->(q{SELECT * FROM bemi.coverage('public.todo', 'postgres')});
ingest_ok($source, $destination, 'drop', '--yes');
is($sql->(q{SELECT * FROM bemi.coverage('public.todo', 'postgres')}), $known, 'what is known stays known when the slot is dropped, and nothing else');
refused('in the gap', "SELECT * FROM bemi.table_at('public.todo', '$within', 'postgres')", $missing);
refused('beyond what was stored', q{SELECT bemi.record_at('public.todo', '26', 'FF/0'::pg_lsn, 'postgres')}, qr/are stored up to .*, not up to FF\/0/);

done_testing();

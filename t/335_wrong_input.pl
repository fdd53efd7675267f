# What somebody writes wrongly into a question to the past, or into forget, is an error or a notice, never an empty
# answer that looks like one; and a key is found as a value, however it is written.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $source = new_node('source', "timezone = 'UTC'\n");
$source->safe_psql('postgres', 'CREATE DATABASE told');
my $told = $source->connstr('told');
$source->safe_psql('postgres', q{
CREATE TABLE todo (id int PRIMARY KEY, task text);
CREATE TABLE pair (a int, b text, v int, PRIMARY KEY (b, a));
CREATE TABLE prices (n numeric PRIMARY KEY, v int);
CREATE TABLE things (id uuid PRIMARY KEY, v int);
CREATE TABLE hours (at timestamptz PRIMARY KEY, v int);
CREATE TABLE codes (code text PRIMARY KEY, n int);
CREATE TABLE flags (f char(4) PRIMARY KEY, v int);
CREATE TABLE keyless (v text);
CREATE TABLE emptied (id int PRIMARY KEY);
CREATE TABLE stored (id int PRIMARY KEY, v text);
INSERT INTO stored VALUES (1, 'old');
ALTER TABLE keyless REPLICA IDENTITY FULL});
ingest_ok($source, $told, 'init');
ingest_ok($source, $told, 'snapshot');
$source->safe_psql('postgres', $_) foreach
	in_context('{"userId": 7}', q{INSERT INTO todo VALUES (1, 'Eat'), (10, 'Sleep')}),
	q{INSERT INTO pair VALUES (3402, 'eu', 1), (7, '1', 2); INSERT INTO prices VALUES (1.50, 1), (20, 2)},
	q{INSERT INTO things VALUES ('0a0b0c0d-0000-4000-8000-00000000abcd', 1); INSERT INTO hours VALUES ('2026-01-02 03:04:05+00', 1)},
	q{INSERT INTO codes VALUES ('7', 7), ('08', 8); INSERT INTO flags VALUES ('eu', 1), ('us', 2)},
	q{INSERT INTO keyless VALUES ('x'), ('y'); UPDATE todo SET task = 'Run' WHERE id = 1};
drain($source, $told);

# What a statement gives: rows by '|', or the SQLSTATE of its error; with a notice, " NOTICE" behind it.
sub outcome
{
	my ($statement) = @_;
	my ($code, $output, $errors) = $source->psql('told', "\\set VERBOSITY verbose\n$statement");
	return $1 if $code != 0 && $errors =~ /ERROR:\s+(\w{5}):/;
	return $output . ($errors =~ /(NOTICE|WARNING):/ ? " $1" : '');
}

# Arguments and the outcome of each function: of one with a wrong argument, and of those that are right but odd.
my @cases = (
	# --- names and moments, the same for all
	(map { my $call = $_; my $on = sub { my ($name, @rest) = @_; return sprintf $call, join ', ', $name, @rest };
		([ $on->(q{'nothing'}), '42P01' ], [ $on->(q{'other.todo'}), '42P01' ], [ $on->(q{'Todo."x'}), '22023' ],
		 [ $on->(q{NULL}), '22004' ], [ $on->(q{'a.b.todo'}), '42602' ]) }
		q{SELECT * FROM bemi.coverage(%s)}, q{SELECT * FROM bemi.table_at(%s, now())}, q{SELECT bemi.record_at(%s, '1', now())},
		q{SELECT * FROM bemi.history(%s, '1')}, q{SELECT bemi.forget(%s, '1')}),
	(map { my $call = $_; ([ sprintf($call, q{'nowhere'}), '42P01' ]) }
		q{SELECT * FROM bemi.coverage('todo', %s)}, q{SELECT * FROM bemi.table_at('todo', now(), %s)}, q{SELECT bemi.record_at('todo', '1', now(), %s)},
		q{SELECT * FROM bemi.history('todo', '1', %s)}, q{SELECT bemi.forget('todo', '1', database => %s)}, q{SELECT * FROM bemi.as_of(NULL::todo, now(), %s)}),
	(map { my $call = $_; ([ sprintf($call, 'NULL::timestamptz'), '22004' ], [ sprintf($call, 'NULL::pg_lsn'), '22004' ], [ sprintf($call, 'NULL::text'), '22004' ],
		[ sprintf($call, q{'yesterdat'}), '22007' ], [ sprintf($call, q{'1999-01-01'}), '55000' ], [ sprintf($call, q{'FFFF/0'}), '55000' ], [ sprintf($call, '5'), '55000' ]) }
		q{SELECT * FROM bemi.table_at('todo', %s)}, q{SELECT bemi.record_at('todo', '1', %s)}, q{SELECT * FROM bemi.as_of(NULL::todo, %s)}),
	# --- keys
	(map { my $call = $_; my $at = $call =~ /record_at/ ? sub { $_[0] } : sub { $_[1] };
		([ sprintf($call, 'todo', 'NULL'), '22004' ], [ sprintf($call, 'todo', q{'one'}), '22023' ], [ sprintf($call, 'todo', q{'[1]'}), '22023' ],
		 [ sprintf($call, 'todo', q{'9'}), $at->('', 'NOTICE') ],
		 [ sprintf($call, 'pair', q{'eu'}), '22023' ], [ sprintf($call, 'pair', q{'[1, 2, 3]'}), '22023' ], [ sprintf($call, 'pair', q{'{"a": 1}'}), '22023' ],
		 [ sprintf($call, 'pair', q{'["us", 1]'}), $at->('', 'NOTICE') ],
		 [ sprintf($call, 'things', q{'7'}), '22023' ], [ sprintf($call, 'hours', q{'later'}), '22023' ],
		 [ sprintf($call, 'prices', q{'cheap'}), '22023' ], [ sprintf($call, 'keyless', q{'1'}), '55000' ],
		 [ sprintf($call, 'codes', q{'007'}), $at->('', 'NOTICE') ]) }
		q{SELECT bemi.record_at('%s', %s, now())}, q{SELECT * FROM bemi.history('%s', %s)}),
	[ q{SELECT bemi.forget('todo', NULL)}, '22004' ], [ q{SELECT bemi.forget('todo', 'one')}, '22023' ], [ q{SELECT bemi.forget('todo', '9')}, '0 NOTICE' ],
	[ q{SELECT bemi.forget('pair', 'eu')}, '22023' ], [ q{SELECT bemi.forget('keyless', '1')}, '55000' ],
	[ q{SELECT bemi.forget('todo', '1', '{}')}, '22023' ], [ q{SELECT bemi.forget('todo', '1', '{task,NULL}')}, '22023' ],
	[ q{SELECT bemi.forget('todo', '1', '{tusk}')}, '42703' ], [ q{SELECT bemi.forget('todo', '1', NULL, '{}')}, '22023' ],
	[ q{BEGIN; SELECT bemi.forget('todo', '1', '{task}', '{userID}'); ROLLBACK}, '2 NOTICE' ],
	[ q{BEGIN; SELECT bemi.forget('todo', '01'); ROLLBACK}, '2' ],
	# --- keys that are right
	(map { [ "SELECT bemi.record_at('$_->[0]', '$_->[1]', now())->>'v'", $_->[2] ] }
		[ 'pair', '["eu",3402]', '1' ], [ 'pair', '["eu", "3402"]', '1' ], [ 'pair', ' [ "eu" , 3402 ] ', '1' ], [ 'pair', '["1",7]', '2' ], [ 'pair', '[1, 7]', '2' ],
		[ 'prices', '1.5', '1' ], [ 'prices', '1.500', '1' ], [ 'prices', '20.00', '2' ], [ 'prices', '2e1', '2' ],
		[ 'things', '0A0B0C0D-0000-4000-8000-00000000ABCD', '1' ], [ 'things', '{0a0b0c0d00004000800000000000abcd}', '1' ],
		[ 'hours', '2026-01-02 03:04:05+00', '1' ], [ 'hours', '2026-01-02 04:04:05+01', '1' ], [ 'flags', 'eu', '1' ]),
	[ q{SELECT bemi.record_at('todo', '01', now())->>'task'}, 'Run' ], [ q{SELECT bemi.record_at('codes', '08', now())->>'n'}, '8' ],
	[ q{SELECT count(*) FROM bemi.history('pair', '["eu",3402]')}, '1' ], [ q{SELECT count(*) FROM bemi.search('pair', '["eu",3402]')}, '1' ],
	# --- as_of
	[ q{SELECT * FROM bemi.as_of(1, now())}, '42809' ], [ q{SELECT * FROM bemi.as_of(NULL::unheard, now())}, '42P01' ],
	[ q{SELECT * FROM bemi.as_of(NULL::todo, now(), "table" => 'nothing')}, '42P01' ],
	# A table that never had a row is known where a snapshot has seen it.
	[ q{SELECT count(*) FROM bemi.table_at('emptied', now())}, '0' ],
	# --- search
	[ q{SELECT * FROM bemi.search('nothing')}, '42P01' ], [ q{SELECT * FROM bemi.search('todo', 'one')}, '22023' ],
	[ q{SELECT * FROM bemi.search(operation => 'UPDAT')}, '22023' ], [ q{SELECT count(*) FROM bemi.search(operation => 'update')}, '1' ],
	[ q{SELECT * FROM bemi.search(since => now(), till => now() - interval '1 day')}, '22023' ],
	[ q{SELECT * FROM bemi.search(context => '7')}, '22023' ], [ q{SELECT * FROM bemi.search(context => '["userId"]')}, '22023' ],
	[ q{SELECT * FROM bemi.search(value => '"Eat"')}, '22023' ], [ q{SELECT * FROM bemi.search(before => 'null')}, '22023' ],
	[ q{SELECT * FROM bemi.search(context => 'userId')}, '22P02' ],
	[ q{SELECT * FROM bemi.search('todo', changed => 'tusk')}, '42703' ], [ q{SELECT count(*) FROM bemi.search('pair', changed => 'v')}, '0' ],
	[ q{SELECT * FROM bemi.search(database => 'nowhere')}, '3D000' ], [ q{SELECT * FROM bemi.search(max_rows => -1)}, '2201W' ],
	[ q{SELECT * FROM bemi.search(since => 'yesterdat')}, '22007' ],
	[ q{SELECT count(*) FROM bemi.search('stored', since => now() - interval '1 day')}, '0 NOTICE' ],
	[ q{SELECT count(*) FROM bemi.search('stored', operation => 'snapshot')}, '1' ],
	# --- activity, trace, diff
	[ q{SELECT * FROM bemi.activity_by(NULL)}, '22004' ], [ q{SELECT * FROM bemi.activity_by('userID')}, ' NOTICE' ],
	[ q{SELECT * FROM bemi.activity_by('userId', now(), now() - interval '1 day')}, '22023' ],
	[ q{SELECT changes FROM bemi.activity_by('userId')}, '2' ],
	[ q{SELECT * FROM bemi.trace(NULL)}, '22004' ], [ q{SELECT * FROM bemi.trace('xyz')}, '22023' ],
	[ q{SELECT bemi.diff('[1]', '{}')}, '22023' ]);

$source->safe_psql('told', 'CREATE TABLE todo (id int, task text); CREATE TABLE unheard (id int)');
foreach (@cases)
{
	my ($statement, $expected) = @$_;
	my $got = outcome($statement);
	$expected =~ s/^NOTICE$/ NOTICE/;
	is($got, $expected, $statement);
}

# What is said helps.
foreach ([ q{SELECT bemi.record_at('pair', 'eu', now())}, qr/"eu" cannot be a key of public\.pair.*for example, '\["1", 7\]'.*JSON array/s ],
	[ q{SELECT * FROM bemi.history('keyless', '1')}, qr/no change of public\.keyless has a key/ ],
	[ q{SELECT * FROM bemi.as_of(NULL::unheard, now())}, qr/no changes of a table "unheard".*had no rows since.*left out/s ],
	[ q{SELECT * FROM bemi.history('todo', '9')}, qr/NOTICE:  no change of a row 9 of public\.todo is recorded/ ])
{
	my (undef, undef, $errors) = $source->psql('told', $_->[0]);
	like($errors, $_->[1], "what is said of $_->[0]");
}

# Without a slot the records are what they were: no argument is taken for a wrong one.
my $found = q{SELECT count(*), count(DISTINCT "table") FROM bemi.search()};
my $before = $source->safe_psql('told', $found);
ingest_ok($source, $told, 'drop', '--yes');
is(outcome($found), $before, 'search finds the same after drop');
is(outcome(q{SELECT * FROM bemi.search(database => 'nowhere')}), '3D000', 'and still knows what is wrong');

done_testing();

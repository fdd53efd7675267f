# What newer servers do differently: columns that are computed when they are read (18), and calls of
# the plugin for transactions that were rolled back before they were decoded (18). The latter are
# tried on all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiStream;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('node', "logical_decoding_work_mem = 64kB\n");
sub sql { my (@statements) = @_; return $node->safe_psql('postgres', join ";\n", @statements); }

# --- large transactions that are rolled back, wholly or in part, long before they are decoded

sql('CREATE TABLE t (id int, v text)', 'ALTER TABLE t REPLICA IDENTITY FULL');
create_slot($node, 'postgres', $_) foreach qw(slot streamed);
my $rows = q{INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(%d, %d) g};
my $many = sub { return sprintf $rows, $_[0], $_[0] + 999 };
$node->psql('postgres', join ";\n", @$_) foreach (
	# This is what stops a slot of 18 whose plugin has no stream_abort: a subtransaction of little, and a lot beside it.
	[ 'BEGIN', 'SAVEPOINT a', "INSERT INTO t VALUES (0, 'little')", 'RELEASE a', $many->(1000), 'ROLLBACK' ],
	[ 'BEGIN', $many->(1000), 'SAVEPOINT a', $many->(2000), 'SAVEPOINT b', $many->(3000), 'ROLLBACK' ],
	[ 'BEGIN', $many->(1000), 'SAVEPOINT a', $many->(2000), 'ROLLBACK TO a', 'SAVEPOINT b', $many->(3000), 'ROLLBACK TO a', 'COMMIT' ],
	[ 'BEGIN', (map { ("SAVEPOINT s$_", sprintf($rows, 10 * $_, 10 * $_ + 9), 'INSERT INTO t VALUES (0, NULL)') } 1 .. 60), 'ROLLBACK' ],
	[ 'BEGIN', 'SAVEPOINT a', $many->(4000), 'RELEASE a', 'SAVEPOINT b', $many->(5000), 'ROLLBACK TO b', 'COMMIT' ],
	[ 'BEGIN', $many->(6000), 'SAVEPOINT a', $many->(7000), "PREPARE TRANSACTION 'p'" ],
	["ROLLBACK PREPARED 'p'"]);
# A session that ends in the midst of one.
my $cut = $node->background_psql('postgres', on_error_stop => 0);
$cut->query('BEGIN');
$cut->query($many->(8000));
$cut->query('SAVEPOINT a');
$cut->query($many->(9000));
my $in_vain = $node->safe_psql('postgres', q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE state = 'idle in transaction'});
is($in_vain, '1', 'a session that is cut off');
eval { $cut->quit };
ok($node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'idle in transaction')}), 'is gone');
sql(q{INSERT INTO t VALUES (1, 'last')});

my ($by_sql, $by_stream) = map { temp_file($_) } 'by_sql', 'by_stream';
decode_sql($node, 'postgres', 'slot', $by_sql, peek => 1);
decode_stream($node, 'postgres', 'streamed', $by_stream, current_lsn($node));
same_files($by_stream, $by_sql, 'a stream and a session give the same');
my @ids = map { /"after":\{"id":(\d+)/ ? $1 : "?" } read_lines($by_sql);
is_deeply(\@ids, [ 1000 .. 1999, 4000 .. 4999, 1 ], 'what was rolled back was never there, and the rest is');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_logical_slot_get_changes('slot', NULL, NULL, 'context_hold', '0')}), scalar @ids,
	'also where nothing is held');

# --- virtual generated columns

SKIP:
{
	skip 'virtual generated columns are from 18 on', 9 if server_major() < 18;
	my $destination = new_destination('destination');
	sql('CREATE TABLE g (id int PRIMARY KEY, a int, virtual int GENERATED ALWAYS AS (a * 2) VIRTUAL, stored int GENERATED ALWAYS AS (a * 3) STORED, b text)',
		'ALTER TABLE g REPLICA IDENTITY FULL');
	ingest_ok($node, $destination, 'init');
	create_slot($node, 'postgres', 'virtual');
	sql(q{INSERT INTO g (id, a, b) VALUES (1, 5, 'x')}, q{UPDATE g SET a = 6}, q{UPDATE g SET b = 'y'},
		'ALTER TABLE g ADD later text GENERATED ALWAYS AS (upper(b)) VIRTUAL', q{INSERT INTO g (id, a, b) VALUES (2, NULL, 'z')},
		'ALTER TABLE g DROP virtual', 'ALTER TABLE g ADD plain int DEFAULT 9', q{DELETE FROM g WHERE id = 1});
	my $file = temp_file('virtual');
	decode_sql($node, 'postgres', 'virtual', $file, peek => 1);
	is_deeply(
		[ map { [ $_->{operation}, $_->{before}, $_->{after}, $_->{missing} ] } records($file) ],
		[
			[ 'CREATE', {}, { id => 1, a => 5, stored => 15, b => 'x' }, undef ],
			[ 'UPDATE', { id => 1, a => 5, stored => 15, b => 'x' }, { id => 1, a => 6, stored => 18, b => 'x' }, undef ],
			[ 'UPDATE', { id => 1, a => 6, stored => 18, b => 'x' }, { id => 1, a => 6, stored => 18, b => 'y' }, undef ],
			[ 'CREATE', {}, { id => 2, a => undef, stored => undef, b => 'z' }, undef ],
			[ 'DELETE', { id => 1, a => 6, stored => 18, b => 'y', plain => 9 }, {}, undef ]
		],
		'what is computed when it is read is in no record, and what is stored is');
	my $masked = temp_file('masked');
	decode_sql($node, 'postgres', 'virtual', $masked, peek => 1, options => { mask_columns => 'later, virtual', ignore_columns => 'a, stored' });
	is((records($masked))[2]{missing}, undef, 'nor can it be masked');
	is(scalar(() = slurp_file($masked) =~ /"operation":"UPDATE"/g), 1, 'columns beside one are ignored as usual')
	  or diag(slurp_file($masked));
	is($node->safe_psql('postgres', q{SELECT jsonb_populate_record(NULL::g, '{"id": 1, "a": 6, "stored": 18, "b": "y"}')}), '(1,6,18,y,,)', 'an image is read back without it');

	# bemi_ingest's own views of a row.
	ingest_ok($node, $destination, 'run', '--until-current');
	ingest_ok($node, $destination, 'snapshot');
	is(rows_of($destination, q{SELECT after FROM changes WHERE operation = 'SNAPSHOT' AND "table" = 'g'}),
		'{"a": null, "b": "z", "id": 2, "plain": 9, "stored": null}', 'a snapshot has the same columns');
	my ($code, $output, $errors) = ingest($node, $destination, 'verify', '--table', 'public.g');
	ok($code == 0, 'and verify compares them') or diag("$code: $output$errors");
}

# --- a constraint that says nothing yet of the rows that are there

SKIP:
{
	skip 'NOT NULL constraints that are NOT VALID are from 18 on', 5 if server_major() < 18;
	my $destination = new_destination('not_valid');
	sql('CREATE TABLE v (a int, b int, c int)', 'CREATE UNIQUE INDEX v_key ON v (a, b)', 'INSERT INTO v VALUES (NULL, 1, 1), (NULL, 1, 2), (7, 8, 9)',
		'ALTER TABLE v ADD CONSTRAINT a NOT NULL a NOT VALID', 'ALTER TABLE v ADD CONSTRAINT b NOT NULL b');
	ingest_ok($node, $destination, 'init');
	ingest_ok($node, $destination, 'run', '--until-current');
	ingest_ok($node, $destination, 'snapshot');
	sql('ALTER TABLE v REPLICA IDENTITY FULL', 'DELETE FROM v WHERE c < 3', 'UPDATE v SET c = 10', 'ALTER TABLE v VALIDATE CONSTRAINT a', 'UPDATE v SET c = 11');
	ingest_ok($node, $destination, 'run', '--until-current');
	is(rows_of($destination, q{SELECT operation, primary_key FROM changes WHERE "table" = 'v' ORDER BY commit_position, sequence}),
		join("\n", ('CREATE|') x 3, ('SNAPSHOT|') x 3, ('DELETE|') x 2, 'UPDATE|', 'UPDATE|[7, 8]'), 'two rows with nulls are not one by their key');
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal|streaming requires/, 'nothing bad in the log');
done_testing();

# A TOAST value that is damaged is named in "missing". Memory that is exhausted makes decoding fail, and it succeeds when
# it is tried again with more: at no limit does it give anything but the same bytes or an error, and no process dies.
# And the ways that docs/operations.md names out of what still stops a slot.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiFailing;
use BemiStream;
use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = failing_library() or plan skip_all => 'no compiler';
my $node = new_node('faults', "wal_sender_timeout = 60s\n");
$node->safe_psql('postgres', "
CREATE FUNCTION broken_compression(int, int, int) RETURNS text LANGUAGE c AS '$folder/failing_type';
CREATE FUNCTION stray_chunk(regclass) RETURNS void LANGUAGE c AS '$folder/failing_type';
" . q{
CREATE TABLE item (id int PRIMARY KEY, n int, t text);
ALTER TABLE item REPLICA IDENTITY FULL;
CREATE TABLE lean (id int PRIMARY KEY, n int, t text);
});
create_slot($node, 'postgres', 'slot');

sub sql { my (@statements) = @_; return $node->safe_psql('postgres', join ";\n", @statements); }
my $rounds = 0;
sub decode
{
	my ($slot, %params) = @_;
	my $file = temp_file('records_' . ++$rounds);
	decode_sql($node, 'postgres', $slot, $file, %params);
	return $file;
}

# --- a damaged TOAST value -----------------------------------------------------------------------

# Kept outside of the row as it is, and found to be damaged when it is needed.
foreach my $method (0, 1)
{
	foreach my $table (qw(item lean))
	{
		sql("INSERT INTO $table VALUES ($method, 1, broken_compression(100000, 20000, $method))",
			"UPDATE $table SET n = 2 WHERE id = $method", "UPDATE $table SET t = 'whole' WHERE id = $method");
	}
}
is(sql(q{SELECT count(*) FROM pg_class WHERE relname IN ('item', 'lean') AND pg_relation_size(reltoastrelid) > 40000}),
	2, 'values are kept in TOAST tables');
my $whole = decode('slot', peek => 1);
my $stream = temp_file('stream');
decode_stream($node, 'postgres', 'slot', $stream, current_lsn($node));
same_files($stream, $whole, 'a walsender writes the same');
is_deeply(
	[ map { [ @$_{qw(table operation missing before after)} ] } records($whole) ],
	[
		map {
			my $id = $_;
			(
				[ 'item', 'CREATE', { t => 'error' }, {}, { id => $id, n => 1 } ],
				[ 'item', 'UPDATE', { t => 'error' }, { id => $id, n => 1 }, { id => $id, n => 2 } ],
				[ 'item', 'UPDATE', { t => 'error' }, { id => $id, n => 2 }, { id => $id, n => 2, t => 'whole' } ],
				[ 'lean', 'CREATE', { t => 'error' }, {}, { id => $id, n => 1 } ],
				[ 'lean', 'UPDATE', { t => 'toast' }, {}, { id => $id, n => 2 } ],
				[ 'lean', 'UPDATE', undef, {}, { id => $id, n => 2, t => 'whole' } ])
		} 0, 1
	],
	'a damaged value is missing, and the rest of its row is there');
like(slurp_file($node->logfile), qr/LOG:  could not write value of column "t" of table public\.item in transaction \d+\n.*corrupt/,
	'with a line in the log that says why');

# --- what stops a slot ----------------------------------------------------------------------------

# Chunks that do not fit together are an error of the server's own, before the plugin sees anything. One transaction at a
# time up to it, then past its COMMIT: nothing else is lost.
sql("INSERT INTO item VALUES (10, 0, 'before')");
sql('BEGIN', "INSERT INTO item VALUES (11, 0, 'lost')", "SELECT stray_chunk('item')", 'COMMIT');
sql("INSERT INTO item VALUES (12, 0, 'after')");
my (@ids, $code, $output, $errors);
sub read_one
{
	($code, $output, $errors) = $node->psql('postgres', "SELECT data FROM pg_logical_slot_get_changes('slot', NULL, 1)");
	push @ids, $output =~ /"primary_key":"(\d+)"/g;
	return $code == 0 && $output ne '';
}
1 while read_one();
like($errors, qr/ERROR:  got sequence entry 5 for toast chunk 1 instead of seq 0/, 'chunks that do not fit together stop a slot');
is("@ids", '10', 'what comes before can be read');
my $commit;
foreach my $try (1 .. 20)
{
	my $confirmed = sql(q{SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'slot'});
	my $wal = '';
	IPC::Run::run([ $node->installed_command('pg_waldump'), '--path', $node->data_dir . '/pg_wal', '--rmgr=Transaction', "--start=$confirmed" ],
		'>', \$wal, '2>', \my $ignored);
	($commit) = $wal =~ m{lsn: ([0-9A-F]+/[0-9A-F]+),.*desc: COMMIT} or last;
	sql("SELECT pg_replication_slot_advance('slot', pg_lsn '$commit' + 1)");
	1 while read_one();
	last if $code == 0;
}
is($code, 0, 'pg_replication_slot_advance gets past it');
is("@ids", '10 12', 'and loses that transaction alone');

# --- memory that is exhausted ---------------------------------------------------------------------

sub size_of_backend { return sql(q{SELECT substring(pg_read_file('/proc/self/status') FROM 'VmSize:\s+(\d+) kB')}); }

# The beginning of a session: it has loaded the library, and psql knows its backend.
my $session = q{
\set VERBOSITY sqlstate
LOAD 'bemi_decoder';
SELECT pg_backend_pid() AS pid \gset
\setenv BACKEND :pid
};

# What leaves that backend so many kB of room.
sub limit
{
	my ($room) = @_;
	return q{\! prlimit --pid $BACKEND --as=$(( ($(sed -n "s/VmSize:[^0-9]*\([0-9]*\) kB/\1/p" /proc/$BACKEND/status) + } . $room . ") * 1024 )):\n";
}

SKIP:
{
	skip 'no prlimit, or a server that is given memory in another way', 9
	  if !-e "/proc/$$/status" || size_of_backend() > 4_000_000 || !eval { IPC::Run::run([ 'prlimit', '--version' ], '>', \my $said, '2>&1') };

	# In WAL it is small.
	sql(q{CREATE TABLE big (id int PRIMARY KEY, t text, j json, jb jsonb, b bytea, i int[], n text DEFAULT 'stays')});
	sql(q{ALTER TABLE big REPLICA IDENTITY FULL},
		q{INSERT INTO big (id, t) VALUES (1, repeat('x', 5000000))},
		q{INSERT INTO big (id, j) VALUES (2, ('[' || repeat('{"a": [1]},', 100000) || '1]')::json)},
		q{INSERT INTO big (id, jb) VALUES (3, to_jsonb(array_fill('word'::text, ARRAY[100000])))},
		q{INSERT INTO big (id, b) VALUES (4, decode(repeat('00', 3000000), 'hex'))},
		q{INSERT INTO big (id, i) VALUES (5, array_fill(7, ARRAY[300000]))},
		q{UPDATE big SET t = t || 'y' WHERE id = 1}, q{DELETE FROM big WHERE id > 2});
	my $sum = "SELECT 'read ' || count(*) || ' ' || sum(length(data)) || ' ' || sum(hashtextextended(data, 0)) FROM pg_logical_slot_peek_changes('slot', NULL, NULL, 'batch_size', '1MB');\n";
	my $expected = sql($sum);
	like($expected, qr/^read \d \d{8} /, "without a limit: $expected");

	# A new backend each time, and one that is used again and again. In the first 4 MB it starts to decode at all.
	my @rooms = ((map { 64 * $_ } 0 .. (is_long() ? 63 : 15)), map { int(1024 * 1.4**$_) } 0 .. 17);
	foreach my $sessions ([ map { [$_] } @rooms ], [ [ reverse(@rooms), @rooms ] ])
	{
		my ($read, $failed, @others) = (0, 0);
		foreach my $tries (@$sessions)
		{
			my ($ended, $said, $errors) = $node->psql('postgres', $session . join('', map { limit($_) . $sum } @$tries), on_error_stop => 0);
			foreach (split /\n/, "$said\n$errors")
			{
				if ($_ eq $expected) { $read++; }
				elsif (/ERROR:  53200$/) { $failed++; }
				elsif (/\S/) { push @others, $_; }
			}
		}
		is("@others", '', "nothing but the same records, $read times, or a lack of memory, $failed times");
		ok($read > 1 && $failed > 3, 'both have happened') or diag("$read read, $failed failed");
	}

	# A stream: it ends, and the next one gets all. Without the value there is memory enough.
	sql(q{SELECT pg_replication_slot_advance('slot', pg_current_wal_lsn())});
	my $starved = BemiStream->new($node, 'postgres', 'slot');
	my $sender = $starved->sender;
	my ($size) = slurp_file("/proc/$sender/status") =~ /VmSize:\s+(\d+) kB/;
	IPC::Run::run([ 'prlimit', "--pid=$sender", '--as=' . 1024 * ($size + 8192) ]) or die 'prlimit';
	sql(q{INSERT INTO big (id, t) VALUES (6, repeat('z', 30000000))}, q{INSERT INTO big (id) VALUES (7)});
	$starved->reap;
	like($starved->errors, qr/out of memory/, 'a stream that lacks memory ends');
	BemiStream::wait_for_slot($node, 'slot');
	# The server gathers a value in its full size; the plugin takes as much again, and more, unless it is excluded.
	foreach ([ '', qr/53200/ ], [ q{, 'exclude_columns', 'big.t'}, qr/^2$/ ])
	{
		my ($options, $pattern) = @$_;
		my ($ended, @said) = $node->psql('postgres',
			$session . limit(48 * 1024) . "SELECT count(*) FROM pg_logical_slot_peek_changes('slot', NULL, NULL$options)", on_error_stop => 0);
		like(join('', @said), $pattern, "with memory for the value once$options");
	}
	my $again = temp_file('again');
	decode_stream($node, 'postgres', 'slot', $again, current_lsn($node));
	is(join(' ', map { /"primary_key":"(\d)".*"after":\{"id":\d,"t":(?:null|"(z*)")/ ? ($1, length($2 // '')) : '?' } read_lines($again)), '6 30000000 7 0',
		'and the next stream gets all');
}

$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP|was terminated by signal|server process/, 'no process died');

done_testing();

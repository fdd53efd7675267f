# Memory does not grow with a transaction: one of 2 GB of changes (100 MB unless BEMI_TEST_LONG=1),
# with records up to 1 MB in it, without a context, with one at its start and with one at its end,
# takes the walsender's memory at most 64 MB beyond what test_decoding takes on the same WAL.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiStream;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no /proc to read memory from' unless -e "/proc/$$/status";
plan skip_all => 'an instrument takes memory of its own' if is_instrumented();

my $megabytes = is_long() ? 2048 : 100;
my $allowed = 64;
# What the server itself gathers in memory before a transaction's changes reach the plugin is the
# same for both, and would hide what the plugin takes.
my $node = new_node('memory', "logical_decoding_work_mem = 1MB\nmax_wal_size = 8GB\n");
plan skip_all => 'no test_decoding to compare with'
  if $node->psql('postgres', q{SELECT FROM pg_create_logical_replication_slot('probe', 'test_decoding')}) != 0;

# A third of the bytes is in rows of some 100, a third in records of 1 MB of all kinds of columns,
# and a third in updates with both images.
$node->safe_psql('postgres', q{
SELECT FROM pg_drop_replication_slot('probe');
CREATE TABLE small (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, note text, at timestamptz DEFAULT now(), n numeric);
CREATE TABLE large (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, t text, b bytea, j jsonb, a int[]);
ALTER TABLE large REPLICA IDENTITY FULL;
ALTER TABLE large ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL, ALTER j SET STORAGE EXTERNAL, ALTER a SET STORAGE EXTERNAL;
CREATE PROCEDURE fill(megabytes int) LANGUAGE plpgsql AS $$
DECLARE
	n int := megabytes / 15;
BEGIN
	INSERT INTO small (note, n) SELECT repeat('note ', 20), i * 1.25 FROM generate_series(1, megabytes * 1900) i;
	INSERT INTO large (t) SELECT repeat('0123456789', 100000) FROM generate_series(1, n) i;
	INSERT INTO large (b) SELECT decode(repeat('00ff7f', 150000), 'hex') FROM generate_series(1, n) i;
	INSERT INTO large (t) SELECT repeat(E'\n"', 240000) FROM generate_series(1, n) i;
	INSERT INTO large (j) SELECT to_jsonb(array_fill('a "word"'::text, ARRAY[80000])) FROM generate_series(1, n) i;
	INSERT INTO large (a) SELECT array_fill(1234567, ARRAY[120000]) FROM generate_series(1, n) i;
	INSERT INTO large (t) SELECT repeat('x', 450000) FROM generate_series(1, n) i;
	FOR i IN 1 .. megabytes / 3 LOOP
		UPDATE large SET t = upper(t) || 'x' WHERE id = currval('large_id_seq') - i % n;
	END LOOP;
END $$;
});

# kB of a process, by their name in /proc.
sub memory
{
	my ($pid, $name) = @_;
	my ($size) = slurp_file("/proc/$pid/status") =~ /^$name:\s+(\d+) kB/m;
	return $size;
}

# The most memory that the walsender ever had, after it has decoded all there is.
sub peak
{
	my ($slot, %params) = @_;
	my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	my $stream = BemiStream->new($node, 'postgres', $slot, %params, file => '/dev/null');
	my $pid = $stream->sender;
	$node->poll_query_until('postgres',
		"SELECT sent_lsn >= '$end' FROM pg_stat_replication WHERE pid = $pid")
	  or die 'decoding does not end: ' . $stream->errors;
	my ($peak, $anonymous) = (memory($pid, 'VmHWM'), memory($pid, 'RssAnon'));
	$stream->stop;
	note(sprintf '%s: at most %.1f MB, %.1f MB of its own at the end', $slot, $peak / 1024, $anonymous / 1024);
	return $peak;
}

my $context = "SELECT FROM pg_logical_emit_message(true, '_bemi', '{\"userId\": 187234}')";
my %variants = (
	'no context' => [ '', '' ],
	'a context at its start' => [ $context, '' ],
	'a context at its end' => [ '', $context ]);
foreach my $name (sort keys %variants)
{
	my ($before, $after) = @{ $variants{$name} };
	$node->safe_psql('postgres',
		"SELECT pg_create_logical_replication_slot('$_', '$_')") foreach qw(test_decoding bemi_decoder);
	copy_slot($node, 'postgres', 'bemi_decoder', 'batches');
	my $start = current_lsn($node);
	$node->safe_psql('postgres', "BEGIN; $before; CALL fill($megabytes); $after; COMMIT");
	my $changes = $node->safe_psql('postgres', "SELECT trunc((pg_current_wal_insert_lsn() - '$start') / 1048576)");
	cmp_ok($changes, '>', 0.9 * $megabytes, "$name: a transaction of $changes MB of WAL");

	my $theirs = peak('test_decoding');
	my $ours = peak('bemi_decoder');
	cmp_ok(($ours - $theirs) / 1024, '<=', $allowed,
		sprintf '%s: %.1f MB are at most %d more than %.1f', $name, $ours / 1024, $allowed, $theirs / 1024);
	if ($before eq '')
	{
		my $batches = peak('batches', options => { batch_size => '1MB' });
		cmp_ok(($batches - $theirs) / 1024, '<=', $allowed,
			sprintf '%s, in batches: %.1f MB are at most %d more than %.1f', $name, $batches / 1024, $allowed, $theirs / 1024);
	}
	$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('$_')") foreach qw(test_decoding bemi_decoder batches);
	$node->safe_psql('postgres', 'TRUNCATE small, large');
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|WARNING|was terminated by signal/, 'nothing bad in the log');

done_testing();

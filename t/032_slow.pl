# A transaction that takes longer than wal_sender_timeout to decode, of which the consumer sees
# nothing for all that time, does not cut its connection: up to 15 the plugin itself has to have
# the server ask the consumer whether it is still there (StayAlive in callbacks.cpp, without which
# the connection is cut). To be slow without being large, the transaction updates rows with a
# compressed value whose old and new bytes have to be compared.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiStream;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $timeout = 2;
my $slow = (is_long() ? 15 : 2) * $timeout;
my $node = new_node('slow', "wal_sender_timeout = ${timeout}s\nlogical_decoding_work_mem = 256MB\n");
$node->safe_psql('postgres', q{
CREATE TABLE item (id int, stamp int NOT NULL DEFAULT 0, big text);
ALTER TABLE item REPLICA IDENTITY FULL;
CREATE TABLE pulse (id int PRIMARY KEY);
INSERT INTO item VALUES (0, 0, repeat('0123456789', 15000));
CREATE DATABASE elsewhere;
});

sub cut_connections
{
	return scalar(() = slurp_file($node->logfile) =~ /terminating walsender process due to replication timeout/g);
}

# --- nothing is to be sent for a long time -------------------------------------------------------

my %options = (mask_columns => 'big', ignore_columns => 'stamp', context_hold => '256MB');
create_slot($node, 'postgres', $_) foreach qw(busy probe);
create_slot($node, 'elsewhere', 'idle');

# How many rows take so long depends on the machine.
sub add_rows
{
	my ($from, $to) = @_;
	$node->safe_psql('postgres', "INSERT INTO item SELECT i, 0, big FROM item, generate_series($from, $to) i WHERE id = 0");
	return;
}

sub rows_for
{
	my ($probe, $update, $name) = @_;
	$node->safe_psql('postgres', "SELECT pg_replication_slot_advance('probe', pg_current_wal_insert_lsn()); $update");
	my $start = time;
	decode_sql($node, 'postgres', 'probe', temp_file('probe'), options => \%options);
	my $rows = int($probe * 1.2 * $slow / (time - $start));
	note(sprintf '%d rows that are %s take %.1f seconds', $rows, $name, 1.2 * $slow);
	return $rows;
}
add_rows(1, 500);
my $ignored = rows_for(500, 'UPDATE item SET stamp = 1 WHERE id > 0', 'ignored');
is(-s temp_file('probe'), 0, 'changes of ignored columns only are not emitted');
my $held = rows_for(500, 'UPDATE item SET id = id + 1 WHERE id > 0', 'held');
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('probe'); DELETE FROM item WHERE id > 0");
add_rows(1, $ignored > $held ? $ignored : $held);
$node->safe_psql('postgres',
	"SELECT pg_replication_slot_advance('busy', pg_current_wal_insert_lsn()); INSERT INTO pulse VALUES (1)");

my @arguments = (arguments => [ '--status-interval' => 60 ]);
my $busy = BemiStream->new($node, 'postgres', 'busy', options => \%options, @arguments);
my $idle = BemiStream->new($node, 'elsewhere', 'idle', @arguments);
my @senders = map { $_->sender } $busy, $idle;
$busy->read_lines_until(1);
is(scalar $busy->lines, 1, 'the consumer is up to date');

# A machine that has become faster since it was measured is given more to do. The context at the end is what records are
# held for: where the server has a whole transaction in memory, the plugin knows whether there is one.
my ($seen, $took) = (1, 0);
for (my $number = 2; $number <= 6 && $took <= 1.5 * $timeout; $number++)
{
	if ($number > 2)
	{
		add_rows(1 + ($ignored > $held ? $ignored : $held), 2 * ($ignored > $held ? $ignored : $held));
		($ignored, $held) = (2 * $ignored, 2 * $held);
		$busy->read_lines_until($seen += $ignored > $held ? $ignored / 2 : $held / 2);
	}
	$node->safe_psql('postgres', "BEGIN;
		UPDATE item SET id = -id WHERE abs(id) BETWEEN 1 AND $held;
		UPDATE item SET stamp = stamp + 1 WHERE abs(id) BETWEEN 1 AND $ignored;
		SELECT FROM pg_logical_emit_message(true, '_bemi', 'null');
		COMMIT");
	my $committed = time;
	$node->safe_psql('postgres', "INSERT INTO pulse VALUES ($number)");
	$busy->read_lines_until($seen + 1);
	$took = time - $committed;
	note(sprintf 'after %.1f seconds the first records come, with a timeout of %d', $took, $timeout);
	$busy->read_lines_until($seen += $held + 1);
}
cmp_ok($took, '>', 1.5 * $timeout, 'for longer than the timeout nothing comes');
ok($busy->is_running, 'the connection is not cut');
my @lines = $busy->lines;
is(scalar @lines, $seen, 'nothing is lost');
like($lines[-2], qr/"sequence":$held,"context":\{\},"last":true\}$/, 'up to the last record that was held');
like($lines[-1], qr/"id":\d+\}/, 'and beyond');
ok($idle->is_running, 'a consumer that idles is not cut');
is(scalar $idle->lines, 0, 'and gets nothing');
is( $node->safe_psql('postgres',
		"SELECT string_agg(active_pid::text, ' ' ORDER BY slot_name) FROM pg_replication_slots"),
	"@senders", 'the same connections all the time');
is(cut_connections(), 0, 'the server has cut none');
$_->stop foreach $busy, $idle;

# --- the slot moves on without a record ----------------------------------------------------------

create_slot($node, 'postgres', 'quiet');
my $quiet = BemiStream->new($node, 'postgres', 'quiet',
	options => { operations => 'update,delete' },
	arguments => [ '--status-interval' => 1 ]);
$node->safe_psql('postgres', 'INSERT INTO pulse SELECT generate_series(10, 20)');
my $end = current_lsn($node);
ok( $node->poll_query_until('postgres',
		"SELECT confirmed_flush_lsn >= '$end' FROM pg_replication_slots WHERE slot_name = 'quiet'"),
	'transactions that emit nothing let the slot advance');
is(scalar $quiet->lines, 0, 'and send nothing');
$quiet->stop;

# --- a consumer that does not answer ---------------------------------------------------------------

create_slot($node, 'postgres', 'stalled');
$node->safe_psql('postgres', "INSERT INTO item SELECT i + 10000000, 0, repeat('x', 200) FROM generate_series(1, 10000) i");
my $whole = temp_file('expected');
decode_sql($node, 'postgres', 'stalled', $whole, peek => 1);
my $stalled = BemiStream->new($node, 'postgres', 'stalled', arguments => [ '--status-interval' => 1, '--fsync-interval' => 1 ]);
$stalled->read_lines_until(10);
kill 'STOP', $stalled->{pid};
$stalled->{node}->poll_query_until('postgres', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'stalled'")
  or die 'the connection is not cut';
pass('a consumer that does not answer is cut');
kill 'CONT', $stalled->{pid};
1 while $stalled->read_some(1 << 16, 10);
$stalled->reap;
my $again = temp_file('again');
decode_stream($node, 'postgres', 'stalled', $again, current_lsn($node));
same_files($again, $whole, 'when it comes back it gets the whole transaction');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|WARNING|was terminated by signal/, 'nothing bad in the log');

done_testing();

# Everything at once, for as long as one likes: pgbench, tables that change their shape, contexts of which one in a
# hundred is malformed, COPY, savepoints; consumers that come, go and are killed; servers that are shut down at once and
# start again. At the end the tables are what their records say, no slot is stuck, and nothing has grown.
#
# BEMI_SOAK_MINUTES says how long: half a minute, with BEMI_TEST_LONG=1 ten. In the last third nobody is killed, so
# that what streams can grow old.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiLoad;
use BemiShapes;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

seed_random();
my $minutes = $ENV{BEMI_SOAK_MINUTES} || (is_long() ? 10 : 0.5);

my $source = new_node('source', "max_slot_wal_keep_size = -1\nlogical_decoding_work_mem = 1MB\n");
my $destination = new_destination('destination');
$source->safe_psql('postgres', BemiLoad::tables() . BemiShapes::setup());
ingest_ok($source, $destination, 'init');
second_slot($source);
copy_slot($source, 'postgres', 'untouched', 'peeked');

my $load = BemiLoad->new($source, rate => 50);
my $run = start_ingest($source, $destination);
my %count = map { $_ => 0 } qw(transactions failures kills stops deaths peeks);
my @strange; # ends of the command that nobody asked for

# The time of this round and of the one before.
my $now = time;
my $before = $now;
sub next_round { sleep 0.1; ($before, $now) = ($now, time); return; }
# True about once in so many seconds.
sub every { my ($seconds) = @_; return chance(($now - $before) / $seconds); }

# Memory of a process that is its own, in kB; 0 where it has gone.
sub memory
{
	my ($pid) = @_;
	open my $status, '<', "/proc/$pid/status" or return 0;
	my ($anonymous) = join('', <$status>) =~ /^RssAnon:\s+(\d+) kB/m;
	return $anonymous // 0;
}

# Several transactions at a time, so that their locks and their changes of the catalogs meet; `meanwhile` is done while
# they are at it. What fails is for the server to say: a type that does not fit, a deadlock, a server that is away.
sub write_something
{
	my ($meanwhile) = @_;
	my @running;
	foreach my $number (1 .. 3)
	{
		my $file = temp_file("shapes_$number.sql");
		write_text($file, BemiShapes::transaction());
		push @running, [ start_script($source, 'postgres', $file, go_on => 1) ];
	}
	$meanwhile->() if $meanwhile;
	foreach (@running)
	{
		my ($handle, $errors) = @$_;
		$handle->finish;
		$count{transactions}++;
		$count{failures} += () = $$errors =~ /ERROR|FATAL|PANIC|connection to server/g;
	}
	return;
}

sub restart_command
{
	my ($signal) = @_;
	ingest_said_until($run, qr/\S/); # it hears signals
	my $code = end_ingest($run, $signal);
	push @strange, "exit $code instead of the end by $signal: " . ingest_said($run) if $code != ($signal eq 'KILL' ? -9 : 5);
	$run = start_ingest($source, $destination);
	$count{ $signal eq 'KILL' ? 'kills' : 'stops' }++;
	return;
}

sub restart_server
{
	my ($node) = @_;
	$node->stop('immediate');
	$node->start;
	$count{deaths}++;
	return;
}

# The process that sends to the command, if it began after a time.
sub walsender
{
	my ($since) = @_;
	return $source->safe_psql('postgres', "SELECT coalesce(max(pid), 0) FROM pg_replication_slots JOIN pg_stat_activity ON pid = active_pid
		WHERE slot_name = 'bemi' AND backend_start > '$since'");
}

# The slot that is looked at must not keep an hour's WAL.
sub use_other_slot
{
	if (every(10))
	{
		$source->safe_psql('postgres', q{SELECT count(*) FROM pg_logical_slot_peek_changes('peeked', NULL, 500, 'batch_size', '64kB')});
		$count{peeks}++;
	}
	$source->safe_psql('postgres', q{SELECT pg_replication_slot_advance('peeked', pg_current_wal_lsn())}) if every(20);
	return;
}

# --- the storm ---------------------------------------------------------------------------------

my $calm = $now + 40 * $minutes;
my $end = $now + 60 * $minutes;
while (time < $calm)
{
	next_round();
	write_something(every(60) ? sub { restart_server(pick($source, $destination)) } : undef);
	restart_command('TERM') if every(20);
	restart_command('KILL') if every(20);
	use_other_slot();
}
# Each of them at least once, while there is something to lose.
my $since;
write_something(
	sub {
		restart_server($source);
		restart_server($destination);
		restart_command('TERM');
		$since = $source->safe_psql('postgres', 'SELECT clock_timestamp()');
		restart_command('KILL');
	});

# --- the calm ----------------------------------------------------------------------------------

ok(wait_until(sub { walsender($since) != 0 }), 'the command streams again');
my ($pid, @command, @walsender) = (walsender($since));
while (time < $end)
{
	next_round();
	write_something();
	push @command, memory($run->{pid});
	push @walsender, memory($pid);
	use_other_slot();
}
is(walsender($since), $pid, 'for a third of the time the same process sends');
$load->stop;
note(join ', ', map { "$count{$_} $_" } sort keys %count);
cmp_ok($count{transactions}, '>', 20 * $minutes, 'transactions were written');
$source->safe_psql('postgres', BemiShapes::touch());
is(end_ingest($run), 5, 'the command stops when told to') or diag(ingest_said($run));
is(join("\n", @strange), '', 'and has never stopped otherwise');

# --- what came of it ---------------------------------------------------------------------------

# It grows with the time.
$PostgreSQL::Test::Utils::timeout_default += 60 * $minutes;
drain($source, $destination);
note(sprintf '%d records', same_rows($source, $destination, 'the rows are those of a slot that nobody touched'));
my ($code, $output, $errors) = ingest($source, $destination, 'verify');
is($code, 0, 'every table is what its records say') or diag("$output$errors");
note($output);

is($source->safe_psql('postgres', q{SELECT string_agg(slot_name, ', ' ORDER BY slot_name) FROM pg_replication_slots WHERE wal_status IN ('reserved', 'extended')}),
	'bemi, peeked, untouched', 'no slot is lost');
sub get_all { return $source->safe_psql('postgres', q{SELECT count(*) FROM pg_logical_slot_get_changes('peeked', NULL, NULL)}); }
get_all();
is(get_all(), 0, 'nor stuck');

# One backend, a thousand readings: its memory after a tenth of them is its memory after all.
foreach (1, 2) { $source->safe_psql('postgres', 'CHECKPOINT'); get_all(); } # the slot's WAL begins near its end
write_something() foreach 1 .. 3;
my $readings = $source->safe_psql('postgres', q{
CREATE TEMP TABLE memory (reading int, pages bigint);
CREATE PROCEDURE read_often() LANGUAGE plpgsql AS $$BEGIN
	FOR i IN 1 .. 1000 LOOP
		PERFORM count(*) FROM pg_logical_slot_peek_changes('peeked', NULL, NULL);
		IF i % 100 = 0 THEN
			INSERT INTO memory SELECT i, (string_to_array(pg_read_file('/proc/self/statm'), ' '))[2]::bigint - (string_to_array(pg_read_file('/proc/self/statm'), ' '))[3]::bigint;
		END IF;
		COMMIT;
	END LOOP;
END$$;
CALL read_often();
SELECT string_agg(pages::text, ' ' ORDER BY reading) FROM memory});
my @pages = split / /, $readings;
note("pages after each hundred readings: $readings");
cmp_ok($pages[-1], '<=', $pages[0] + 1024, 'a thousand readings leave a backend as large as a hundred do');

# The greatest of the second half is no more than the greatest of the first, and a little.
foreach ([ 'the command', @command ], [ 'its walsender', @walsender ])
{
	my ($name, @samples) = @$_;
	my @first = splice @samples, 0, @samples / 2;
	SKIP:
	{
		skip "too few looks at $name", 1 if @first < 5;
		my ($early, $late) = map { (sort { $b <=> $a } @$_)[0] } \@first, \@samples;
		note("$name: at most $early kB in the first half of the calm, $late kB in the second");
		cmp_ok($late, '<=', $early + 16 * 1024, "$name does not grow");
	}
}

$source->stop;
unlike(slurp_file($source->logfile), qr/PANIC|TRAP|was terminated by signal|could not write value/, 'nothing bad in the log');

done_testing();

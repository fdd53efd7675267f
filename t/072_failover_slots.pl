# Failover slots (17 and later): what `init --failover` makes follows to a standby, and bemi_ingest
# goes on there after a promotion, with each change once; a slot that is made again after it was lost
# is one as well. A standby that synchronized_standby_slots names has all that is stored.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiStandby;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $destination = new_destination('destination');
if (server_major() < 17)
{
	my $source = new_node('source');
	ingest_fails('an older server is told apart', 3, qr/--failover: the source is of PostgreSQL \d+, and standbys follow slots from 17 on/,
		$source, $destination, 'init', '--failover');
	is($source->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '0', 'and no slot is made');
	done_testing();
	exit;
}

my $primary = new_node('primary', "max_wal_senders = 15\n");
my $standby = new_standby($primary, 'standby');
my $connection = $primary->connstr('postgres') =~ s/'/''/gr;
$standby->append_conf('postgresql.conf', "primary_conninfo = '$connection application_name=standby'\nsync_replication_slots = on\n");
$standby->restart;
$primary->append_conf('postgresql.conf', "synchronized_standby_slots = 'standby'\n");
$primary->reload;

my $number = 0;
sub add { $_[0]->safe_psql('postgres', 'INSERT INTO t (v) VALUES (' . ++$number . ')'); return; }
sub stored { return rows_of($destination, q{SELECT string_agg(after->>'v', ' ' ORDER BY commit_position, sequence) FROM changes}); }
sub numbers { return join ' ', 1 .. $number; }

my $failover = q{SELECT failover FROM pg_replication_slots WHERE slot_name = 'bemi'};
my $synced = q{SELECT synced AND NOT temporary FROM pg_replication_slots WHERE slot_name = 'bemi'};

$primary->safe_psql('postgres', 'CREATE TABLE t (id serial PRIMARY KEY, v int)');
ingest_ok($primary, $destination, 'init');
is($primary->safe_psql('postgres', $failover), 'f', 'as a rule standbys know nothing of a slot');
ingest_ok($primary, $destination, 'init', '--failover');
is($primary->safe_psql('postgres', $failover), 't', 'init --failover has them follow one that is there');
ingest_ok($primary, $destination, 'drop', '--yes');
ingest_ok($primary, $destination, 'init', '--failover');
is($primary->safe_psql('postgres', $failover), 't', 'or makes one that they follow');
drain($primary, $destination, '--accept-gap');
add($primary);
drain($primary, $destination);
my $gaps = rows_of($destination, 'SELECT count(*) FROM bemi.gaps');

# --- the slot follows

ok(wait_until(sub {
	add($primary);
	drain($primary, $destination);
	return $standby->safe_psql('postgres', $synced) eq 't';
}), 'the standby has the slot');
ingest_fails('and does not let it be read yet', 3, qr/cannot use replication slot "bemi" for logical decoding: This replication slot is being synchronized/,
	$standby, $destination, 'run', '--until-current');

# What a standby lacks that has to have everything, nobody is given.
$standby->stop;
my $run = start_ingest($primary, $destination);
my $before = stored();
add($primary);
ok(wait_until(sub { slurp_file($primary->logfile) =~ /replication slot "standby" specified in parameter "synchronized_standby_slots" does not have active_pid/ }),
	'the primary waits for the standby');
is(stored(), $before, 'and what that lacks is not stored');
$standby->start;
ok(wait_until(sub { stored() eq numbers() }), 'when it is back, it is stored');
is(end_ingest($run), 5, 'bemi_ingest has been there all the time');

# --- a promotion

# Stored behind what the standby knows of the slot; and not stored at all.
add($primary);
drain($primary, $destination);
add($primary);
caught_up($primary, $standby);
$primary->stop('immediate');
$standby->promote;
add($standby);
my $either = sprintf 'host=%s,%s port=%s,%s dbname=postgres target_session_attrs=read-write',
  map { my $member = $_; map { $_->$member } $primary, $standby } qw(host port);
my ($code, $output, $errors) = ingest($either, $destination, 'run', '--until-current');
ok($code == 0 && $errors =~ /timeline 2 now; nothing is missing/, 'the promoted standby is found, and followed')
  or diag("exit $code: $output$errors");
is(stored(), numbers(), 'each change is there once');
is(rows_of($destination, 'SELECT count(*) FROM bemi.gaps'), $gaps, 'and no gap');
$standby->append_conf('postgresql.conf', "primary_conninfo = ''\nsynchronized_standby_slots = ''\n");

# --- a slot that is lost

$standby->append_conf('postgresql.conf', "max_slot_wal_keep_size = 1MB\nmin_wal_size = 32MB\nmax_wal_size = 32MB\n"
	  . "idle_replication_slot_timeout = 0\n" x (server_major() >= 18));
$standby->reload;
$standby->psql('postgres', q{SELECT pg_drop_replication_slot('standby')});
foreach (1 .. 5)
{
	$standby->safe_psql('postgres', 'INSERT INTO t (v) VALUES (0)');
	$standby->safe_psql('postgres', 'SELECT pg_switch_wal()');
	$standby->safe_psql('postgres', 'CHECKPOINT');
}
ingest_fails('a slot that is lost is a gap', 4, qr/gap \(lost\): the slot is lost: the source has removed WAL/, $standby, $destination, 'run', '--until-current');
ingest_ok($standby, $destination, 'run', '--until-current', '--accept-gap');
is($standby->safe_psql('postgres', $failover), 't', 'standbys follow the one that is made in its place');
$standby->append_conf('postgresql.conf', "max_slot_wal_keep_size = -1\n");
$standby->reload;

# 18 and later give up slots that nobody has read for long.
if (server_major() >= 18)
{
	$standby->append_conf('postgresql.conf', "idle_replication_slot_timeout = 1s\n");
	$standby->reload;
	ok(wait_until(sub {
		$standby->safe_psql('postgres', 'CHECKPOINT');
		return $standby->safe_psql('postgres', q{SELECT invalidation_reason FROM pg_replication_slots WHERE slot_name = 'bemi'}) eq 'idle_timeout';
	}), 'a slot that nobody reads for too long is given up');
	ingest_fails('and run says why', 4, qr/gap \(lost\): the slot is lost: the source has invalidated it \(idle_timeout\)/,
		$standby, $destination, 'run', '--until-current');
	like(ingest_fails('so does check', 3, qr/the slot has the WAL that it needs/, $standby, $destination, 'check'), qr/wal_status is lost, idle_timeout/,
		'with the reason');
	ingest_ok($standby, $destination, 'run', '--until-current', '--accept-gap');
}

done_testing();

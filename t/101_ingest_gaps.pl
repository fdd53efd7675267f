# What is missing is known: every way to a gap is noticed, told with both positions and times, and
# recorded once somebody accepts it. A failover that loses nothing is none.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $source = new_node('source', "wal_keep_size = 1GB\n");
my $destination = new_destination('destination');
my $lsn = qr/[0-9A-F]+\/[0-9A-F]+/;
my $time = qr/20\d\d-\d\d-\d\dT[\d:]+Z/;

sub add
{
	my ($node, $text) = @_;
	$node->safe_psql('postgres', "INSERT INTO t (v) VALUES ('$text')");
	return;
}

sub stored { return rows_of($_[0] // $destination, q{SELECT string_agg(after->>'v', ' '
	ORDER BY commit_position, sequence) FROM changes}); }

# Stops at the gap of that reason, both times known or not; goes on when told to.
sub gap_is_noticed
{
	my ($name, $reason, $next, $from, $to, @flags) = @_;
	ingest_fails("$name: run stops", 4,
		qr/gap \($reason\).*stored up to $lsn, last commit $time.*goes on from $lsn, next commit $next.*--accept-gap/s,
		$from, $to, 'run', '--until-current');
	ingest_fails("$name: so it stays", 4, qr/gap \($reason\)/, $from, $to, 'run', '--until-current');
	ingest_fails("$name: check has it", 3, qr/FAILS both: the slot goes on/, $from, $to, 'check');
	ingest_fails("$name: status fails for a monitor", 1, qr/GAP +run will stop: $reason/,
		$from, $to, 'status', '--fail-lag', '10GB');
	my ($code, $output, $errors) = ingest($from, $to, 'run', '--until-current', '--accept-gap');
	ok($code == 0 && $errors =~ /gap accepted \($reason\): $lsn to $lsn/, "$name: accepted")
	  or diag("exit $code: $output$errors");
	is(rows_of($to, q{SELECT reason, from_position < to_position OR reason IN ('timeline', 'behind'),
		from_time IS NOT NULL FROM bemi.gaps ORDER BY id DESC LIMIT 1}), "$reason|t|t",
		"$name: recorded");
	return;
}

$source->safe_psql('postgres', 'CREATE TABLE t (id serial PRIMARY KEY, v text)');
ingest_ok($source, $destination, 'init');
add($source, 'a');
drain($source, $destination);

# --- somebody else reads the slot

add($source, 'lost1');
$source->safe_psql('postgres', q{SELECT count(*) FROM pg_logical_slot_get_changes('bemi', NULL, NULL)});
add($source, 'b');
gap_is_noticed('somebody else read the slot', 'ahead', $time, $source, $destination);
is(stored(), 'a b', 'what follows the gap is stored');

# --- the slot is dropped and made again

$source->safe_psql('postgres', q{SELECT pg_drop_replication_slot('bemi')});
add($source, 'lost2');
ingest_fails('without the slot run refuses', 3, qr/no such slot.*fix: bemi_ingest init/s,
	$source, $destination, 'run');
like(ingest_ok($source, $destination, 'init'), qr/run will stop at this gap/, 'init says what comes');
gap_is_noticed('the slot was made again', 'ahead', 'unknown', $source, $destination);
add($source, 'c');
drain($source, $destination);
is(stored(), 'a b c', 'and it goes on');

# --- the destination is restored from a backup

$destination->stop;
$destination->backup_fs_cold('cold');
$destination->start;
add($source, 'd');
drain($source, $destination);
my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($destination, 'cold');
$restored->start;
add($source, 'e');
gap_is_noticed('a destination out of a backup', 'ahead', $time, $source, $restored);
is(stored($restored), 'a b c e', 'what it lacks is in bemi.gaps');
like(ingest_ok($source, $restored, 'status'), qr/^gaps +3\n/m, 'status shows all gaps');
like(ingest_ok($source, $restored, 'status', '--prometheus'), qr/^bemi_ingest_gaps_total\{.*\} 3$/m,
	'so does the monitor');
$restored->stop;

# --- the slot is lost

# The other destination is behind now; it accepts that, so that the next gap stands alone.
ingest($source, $destination, 'run', '--until-current', '--accept-gap');
$source->append_conf('postgresql.conf', "wal_keep_size = 0\nmax_slot_wal_keep_size = 1MB\n"
	. "min_wal_size = 32MB\nmax_wal_size = 32MB\n");
$source->reload;
foreach (1 .. 5)
{
	add($source, 'lost3');
	$source->safe_psql('postgres', 'SELECT pg_switch_wal()');
	$source->safe_psql('postgres', 'CHECKPOINT');
}
is($source->safe_psql('postgres', 'SELECT wal_status FROM pg_replication_slots'), 'lost',
	'the slot is lost');
gap_is_noticed('a lost slot', 'lost', 'unknown', $source, $destination);
add($source, 'f');
drain($source, $destination);
like(stored(), qr/f$/, 'a fresh slot goes on');
is($source->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '1',
	'there is one slot, as before');
$source->append_conf('postgresql.conf', "max_slot_wal_keep_size = -1\nwal_keep_size = 1GB\n");
$source->reload;

# --- a promoted standby that has everything, and the slot

$source->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($source, 'base', has_streaming => 1);
$standby->start;
add($source, 'g');
$source->safe_psql('postgres', 'CHECKPOINT');
drain($source, $destination);
$source->safe_psql('postgres', 'CHECKPOINT');
add($source, 'h');
drain($source, $destination);
# What the slots need is younger than the standby now.
second_slot($source);
add($source, 'i');
drain($source, $destination);
add($source, 'j');
$source->wait_for_catchup($standby, 'replay', $source->lsn('flush'));
$source->stop('fast');
$standby->stop;
foreach my $slot ('bemi', 'untouched')
{
	system('cp', '-r', $source->data_dir . "/pg_replslot/$slot", $standby->data_dir . '/pg_replslot/')
	  == 0 or die;
}
$standby->start;
$standby->promote;
add($standby, 'k');
my ($code, $output, $errors) = ingest($standby, $destination, 'run', '--until-current');
ok($code == 0 && $errors =~ /timeline 2 now; nothing is missing/, 'a promoted standby is followed')
  or diag("exit $code: $output$errors");
like(stored(), qr/ f g h i j k$/, 'and nothing is missing');
$standby->append_conf('postgresql.conf', "primary_conninfo = ''\n");
my $start = rows_of($destination, q{SELECT min(commit_position) FROM changes WHERE after->>'v' = 'i'});
same_rows($standby, $destination, 'across the promotion', from => "commit_position >= $start");

# --- a promoted standby that lacks what is stored

$standby->backup('second');
my $late = PostgreSQL::Test::Cluster->new('late');
$late->init_from_backup($standby, 'second', has_streaming => 1);
$late->start;
add($standby, 'l');
$standby->wait_for_catchup($late, 'replay', $standby->lsn('flush'));
drain($standby, $destination);
$late->stop;
add($standby, 'foreign');
drain($standby, $destination);
$standby->stop('immediate');
$late->start;
$late->promote;
add($late, 'other');
ingest_ok($late, $destination, 'init');
gap_is_noticed('a standby that had not received all', 'timeline', 'unknown', $late, $destination);
add($late, 'm');
drain($late, $destination);
like(stored(), qr/ l foreign m$/, 'it goes on, and what is foreign stays');
is(rows_of($destination, q{SELECT fork FROM bemi.progress}), '1',
	'ids differ from now on from those of the changes that are foreign');

# --- the primary that was given up comes back

my $stored_once = sub { rows_of($destination, "SELECT count(*) FROM changes WHERE after->>'v' = '$_[0]'") };
$late->stop;
$source->start;
add($source, 'n');
gap_is_noticed('a primary of another history', 'timeline', "(?:$time|unknown)", $source, $destination);
add($source, 'o');
drain($source, $destination);
is($stored_once->('o'), '1', 'it goes on with what that one has');
is(rows_of($destination, q{SELECT fork FROM bemi.progress}), '2', 'under ids of its own');

# --- the source is restored from a copy of its files, slots and all

$source->stop;
$source->backup_fs_cold('files');
$source->start;
add($source, 'gone' . 'x' x 50) foreach 1 .. 5;
$source->safe_psql('postgres', q{INSERT INTO t (v) SELECT repeat('gone', 50) FROM generate_series(1, 500)});
drain($source, $destination);
$source->stop;
my $rewound = PostgreSQL::Test::Cluster->new('rewound');
$rewound->init_from_backup($source, 'files');
$rewound->start;
gap_is_noticed('a source out of a backup', 'behind', "(?:$time|unknown)", $rewound, $destination);
add($rewound, 'p');
drain($rewound, $destination);
is($stored_once->('p'), '1', 'it goes on from there');
is(rows_of($destination, q{SELECT fork FROM bemi.progress}), '3', 'under ids of its own');
is(rows_of($destination, q{SELECT count(*) FROM changes WHERE after->>'v' LIKE 'gone%'}), '505', 'and what is gone stays stored');

# --- another cluster

ingest_fails('another cluster under the same slot', 4, qr/gap \(system\): the source is another cluster/,
	do { my $n = new_node('another'); create_slot($n, 'postgres', 'bemi'); $n },
	$destination, 'run', '--until-current');

done_testing();

# check on a standby: what its primary lacks is said, with statements for the server that they are for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiStandby;
use BemiTest;
use Test::More;

plan skip_all => 'standbys have slots from 16 on' if server_major() < 16;

my $primary = new_node('primary', "wal_level = replica\nmax_wal_senders = 15\n");
my $standby = new_standby($primary, 'standby', "wal_level = logical\n");
my $destination = new_destination('destination');
$primary->safe_psql('postgres', 'CREATE TABLE t (id serial PRIMARY KEY, v int)');
caught_up($primary, $standby);

# --- the primary's wal_level

my $level = server_major() >= 19 ? qr/FAILS source: the primary's WAL is logical -- replica/
  : qr/ok    source: wal_level of the standby is logical.*FAILS source: the primary's wal_level is logical -- [^\n]*/s;
my $said = ingest_fails('a primary without wal_level logical fails', 3, qr/$level\n +fix: on the primary: ALTER SYSTEM SET wal_level = 'logical'; -- then restart/, $standby, $destination, 'check');
like($said, qr/source: the primary's WAL stays logical.*\n +fix: on the primary: /, 'on 19, that a slot here lives as long as one there') if server_major() >= 19;
unlike($said, qr/fix: (?!on the primary)[^\n]*(?:wal_level|REPLICA IDENTITY|track_all)/, 'no fix is for the wrong server');
like($said, qr/fix: on the primary: ALTER TABLE public\.t REPLICA IDENTITY FULL/, 'tables are altered there too');
ingest_fails('init says the same', 3, qr/primary's (?:wal_level|WAL) is logical/, $standby, $destination, 'init');

$primary->append_conf('postgresql.conf', "wal_level = logical\n");
$primary->restart;
wait_until(sub { $standby->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_wal_receiver') == 1 });
caught_up($primary, $standby);
$said = while_primary_tells($primary, sub { return (ingest($standby, $destination, 'check'))[1] });
unlike($said, qr/FAILS source: (?!slot )/, 'then nothing of the source fails but the slot that is not there yet');

# --- two snapshots at one position: nothing has been written between them

while_primary_tells($primary, sub { ingest_ok($standby, $destination, 'init') });
$primary->safe_psql('postgres', 'INSERT INTO t (v) SELECT g FROM generate_series(1, 3) g; CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)');
caught_up($primary, $standby);
while_primary_tells($primary, sub { ingest_ok($standby, $destination, 'snapshot', '--table', 't') });
my $at = rows_of($destination, 'SELECT position FROM bemi.snapshots');
# A slot that is made again where no WAL came finds the same position, as long as the primary's last word is younger than both.
foreach my $table ('t', 'u')
{
	my ($code, undef, $errors) = while_primary_tells($primary, sub { ingest($standby, $destination, 'snapshot', '--table', $table) });
	is($code, 0, "another snapshot, of $table") or diag($errors);
}
is(rows_of($destination, q{SELECT count(*) = count(DISTINCT id) FROM changes}), 't', 'no two rows have one id');

# --- a slot of the primary that the standby has not caught up with

SKIP:
{
	skip 'standbys follow slots from 17 on', 2 if server_major() < 17;
	ingest_ok($primary, $destination, 'init', '--slot', 'followed', '--failover');
	# Its catalog_xmin is older than what the standby can still keep.
	$primary->safe_psql('postgres', 'SELECT txid_current()') foreach 1 .. 3;
	my $connection = $primary->connstr('postgres') =~ s/'/''/gr;
	$standby->append_conf('postgresql.conf', "primary_conninfo = '$connection application_name=standby'\nsync_replication_slots = on\n");
	$standby->restart;
	my $state = sub { $standby->safe_psql('postgres', q{SELECT temporary FROM pg_replication_slots WHERE slot_name = 'followed'}) };
	ok(wait_until(sub { $state->() ne '' }), 'the standby has begun to follow it');
	$said = (ingest($standby, $destination, 'check', '--slot', 'followed'))[1];
	if ($state->() eq 't')
	{
		like($said, qr/FAILS source: the slot stays -- the standby has not caught up with it yet: after a promotion it would be gone\n/, 'a slot that would be gone after a promotion is no good');
	}
	else
	{
		like($said, qr/note  source: the slot can be read here -- it follows that of the primary, until this standby is promoted/, 'a slot that follows is noted');
	}
}

done_testing();

# bemi.check on a standby: what is up to its primary, and which server a fix is for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiStandby;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', "fsync = off\nmax_wal_senders = 5\n");
$primary->safe_psql('postgres', 'CREATE EXTENSION bemi_decoder; CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE app');
is($primary->safe_psql('postgres', 'SELECT count(*) FROM bemi._check_standby()'), '0', 'a primary has no such rows');
my $standby = new_standby($primary, 'standby', "hot_standby_feedback = off\n");
caught_up($primary, $standby);

sub row { return $standby->safe_psql('postgres', "SELECT ok, found, fix FROM bemi.check() WHERE name = '$_[0]'"); }
sub restart_with { my ($node, @lines) = @_; $node->append_conf('postgresql.conf', join "\n", @lines, ''); $node->restart; return; }

is(row('tables_identity'), qq{f|1: public.t|-- on the primary:\nCALL bemi.track_all('public'::name);}, 'what a standby cannot do is said to be for the primary');
if (server_major() < 16)
{
	like(row('standby'), qr/^f\|this is a standby of PostgreSQL \d+\|Take the primary as the source: /, 'an older standby is no source');
	is(row('primary_wal_level'), '', 'so there is nothing to say of its primary');
	$standby->stop;
	$primary->stop;
	done_testing();
	exit;
}
like(row('standby'), qr/^t\|this is a standby of PostgreSQL \d+\|$/, 'a standby may be a source');
like(row('standby_feedback'), qr/^f\|hot_standby_feedback is off, primary_slot_name is standby\|ALTER SYSTEM SET hot_standby_feedback = on;/, 'without feedback its slots get lost');
restart_with($standby, 'hot_standby_feedback = on');
is(row('standby_feedback'), 't|hot_standby_feedback is on, primary_slot_name is standby|', 'with it they do not');

# --- the level of the primary, and the standby's own

if (server_major() < 19)
{
	is(row('primary_wal_level'), 't|logical in effect|', 'the primary logs enough');
	is($standby->safe_psql('postgres', q{SET ROLE app; SELECT ok IS NULL, found FROM bemi.check() WHERE name = 'primary_wal_level'}),
		't|not visible to this role', 'a role without rights is not told');
	is($standby->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '0', 'asking makes no slot');
	restart_with($primary, 'wal_level = replica');
	ok(wait_until(sub { row('primary_wal_level') =~ /^f\|.*\|-- on the primary: ALTER SYSTEM SET wal_level = logical; and restart it/ }), 'the primary logs too little, and the fix is for it');
	like(row('wal_level'), qr/^t\|logical\|$/, 'the standby is set right');
	restart_with($standby, 'wal_level = replica');
	is(row('wal_level'), 'f|replica|ALTER SYSTEM SET wal_level = logical; -- then restart the server', 'and then it is not, and the fix is for it');
	restart_with($standby, 'wal_level = logical');
	restart_with($primary, 'wal_level = logical');
	ok(wait_until(sub { row('primary_wal_level') eq 't|logical in effect|' }), 'with both it is as it should be');
}
else
{
	restart_with($primary, 'wal_level = replica');
	ok(wait_until(sub { row('wal_level') =~ /^f\|logical \(replica in effect\)\|-- on the primary: make a logical slot there/ }), 'no logical slot on the primary, no logical decoding here');
	create_slot($primary, 'postgres', 'keeps');
	ok(wait_until(sub { row('wal_level') =~ /^t/ }), 'with one there is');
	while_primary_tells($primary, sub { create_slot($standby, 'postgres', 'here') });
	like(row('slots_need_primary'), qr/^\|1 of this standby\|-- the slots here are lost when the primary drops its last logical slot/, 'which a note says');
	$primary->safe_psql('postgres', q{SELECT pg_drop_replication_slot('keeps')});
	ok(wait_until(sub { row('slots_lost') eq q{f|1: here (lost)|SELECT pg_drop_replication_slot('here'); -- and make it anew: what it had not sent is gone} }), 'as it is');
	$standby->safe_psql('postgres', q{SELECT pg_drop_replication_slot('here')});
	restart_with($primary, 'wal_level = logical');
}

# --- slots that follow

SKIP:
{
	skip 'standbys follow slots from 17 on', 4 if server_major() < 17;
	my $connection = $primary->connstr('postgres') =~ s/'/''/gr;
	# One that is behind what the standby has already is temporary there until it has moved on.
	$primary->safe_psql('postgres', q{SELECT FROM pg_create_logical_replication_slot('bemi', 'bemi_decoder', failover => true)});
	$primary->safe_psql('postgres', "INSERT INTO t VALUES ($_)") foreach 1 .. 3;
	$primary->safe_psql('postgres', 'SELECT pg_switch_wal(); CHECKPOINT');
	caught_up($primary, $standby);
	restart_with($standby, "primary_conninfo = '$connection application_name=standby'", 'sync_replication_slots = on');
	ok(wait_until(sub { row('slots_failover') =~ /^f\|1: bemi \(not complete\)\|-- gone after a promotion: / }), 'a failover slot that a promotion would lose is told of')
	  or diag(row('slots_failover'));
	ok(wait_until(sub {
		$primary->safe_psql('postgres', q{INSERT INTO t SELECT max(id) + 1 FROM t; SELECT pg_log_standby_snapshot(); SELECT count(*) FROM pg_logical_slot_get_changes('bemi', NULL, NULL)});
		return row('slots_failover') eq 't|none|';
	}), 'until its consumer has gone on');
	is(row('slots_idle'), 't|none|', 'nobody is asked to read it here');
	is(row('slots_lagging'), 't|none|', 'nor to be quick');
}

$standby->stop;
$primary->stop;
done_testing();

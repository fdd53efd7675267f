# bemi.check against a server with one fault after the other; each fix mends what it is for. And
# the context of bemi.set_context, as it arrives in the records.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

# Small segments, so that a slot is soon behind; one slot and one sender, so that they soon run out.
my $node = new_node('extension_check', q{
fsync = off
max_replication_slots = 1
max_wal_senders = 1
},
	initdb => [ '--encoding=UTF8', '--locale=C', '--wal-segsize=1' ]);
$node->safe_psql('postgres', 'CREATE EXTENSION bemi_decoder');

# A requirement's row: whether it is met, and what was found.
sub row
{
	my ($name) = @_;
	return $node->safe_psql('postgres', "SELECT ok, found FROM bemi.check() WHERE name = '$name'");
}

sub fix
{
	my ($name) = @_;
	return $node->safe_psql('postgres', "SELECT fix FROM bemi.check() WHERE name = '$name'");
}

# Does as the row says, and as the comment in it says.
sub mend
{
	my ($name) = @_;
	my $fix = fix($name);
	$node->safe_psql('postgres', $fix);
	$fix =~ /restart the server/ ? $node->restart : $node->reload;
	return;
}

sub emit_wal
{
	my ($megabytes) = @_;
	$node->safe_psql('postgres',
		"SELECT count(pg_logical_emit_message(false, 'filler', repeat('x', 1024 * 1024))) FROM generate_series(1, $megabytes)");
	return;
}

# Streams a slot until it is told to stop.
sub start_consumer
{
	my ($slot) = @_;
	local %ENV = $node->_get_env();
	my $handle = IPC::Run::start(
		[ $node->installed_command('pg_recvlogical'), '-d', $node->connstr('postgres'), '-S', $slot, '--start', '-f', '-' ],
		'>', File::Spec->devnull, '2>', File::Spec->devnull);
	$node->poll_query_until('postgres', "SELECT active FROM pg_replication_slots WHERE slot_name = '$slot'")
	  or die "no consumer of $slot";
	return $handle;
}

sub stop_consumer
{
	my ($handle, $slot) = @_;
	$handle->signal('INT');
	$handle->finish;
	$node->poll_query_until('postgres', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = '$slot'")
	  or die "$slot has a consumer still";
	return;
}

is(row('wal_level'), 't|logical', 'the level of the WAL');
is(row('output_plugin_libraries'),
	't|' . (server_knows('output_plugin_libraries') ? 'pgoutput, test_decoding, bemi_decoder' : 'this server has no such setting, and needs none'),
	'the plugin may be used');
is(row($_), 't|none', "$_: none") foreach qw(slots_lost slots_idle slots_lagging);

# Somebody else has the only slot, then also the only sender.
is(row('replication_slots'), 't|0 of 1 in use', 'a slot is left');
$node->safe_psql('postgres', q{SELECT FROM pg_create_logical_replication_slot('other', 'test_decoding')});
is(row('replication_slots'), 'f|1 of 1 in use', 'no slot is left');
is(row('slots_idle'), 't|none', "somebody else's slot is not ours to judge");
my $consumer = start_consumer('other');
is(row('wal_senders'), 'f|1 of 1 in use', 'no sender is left');
stop_consumer($consumer, 'other');
is(row('wal_senders'), 't|0 of 1 in use', 'a sender is left');
$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('other')});

# We have them ourselves.
create_slot($node, 'postgres', 'bemi');
is(row('replication_slots'), 't|1 of 1 in use', 'the only slot is ours');
like(row('slots_idle'), qr/^f[|]1: bemi \(keeps [0-9]+ (bytes|kB) of WAL\)$/, 'nobody reads it');
is(fix('slots_idle'), q{Start the consumer of slot "bemi"; if it has none any more: SELECT pg_drop_replication_slot('bemi');}, 'its fix');
$consumer = start_consumer('bemi');
is(row('slots_idle'), 't|none', 'somebody reads it');
is(row('wal_senders'), 't|1 of 1 in use', 'the only sender is ours');
stop_consumer($consumer, 'bemi');

# What set_context says arrives in the records, from that point on.
$node->safe_psql('postgres', q{
CREATE TABLE todo (id int PRIMARY KEY);
BEGIN;
INSERT INTO todo VALUES (1);
SELECT bemi.set_context('{"userId": 7}');
INSERT INTO todo VALUES (2);
SAVEPOINT s;
SELECT bemi.set_context('"undone"');
ROLLBACK TO s;
INSERT INTO todo VALUES (3);
SELECT bemi.set_context(NULL);
INSERT INTO todo VALUES (4);
COMMIT;
INSERT INTO todo VALUES (5);
});
is($node->safe_psql('postgres', q{
SELECT string_agg(data::jsonb->>'primary_key' || (data::jsonb->>'context'), ' ')
FROM pg_logical_slot_get_changes('bemi', NULL, NULL)}),
	'1{"userId": 7} 2{"userId": 7} 3{"userId": 7} 4{} 5{}', 'contexts in the records');

# It falls behind: by half of what may be kept, by all of it, and is lost.
is(row('max_slot_wal_keep_size'), 'f|no limit', 'a slot may fill the disk');
mend('max_slot_wal_keep_size');
is(row('max_slot_wal_keep_size'), 't|50GB', 'a slot may no longer fill the disk');
is(fix('max_slot_wal_keep_size'), '', 'and there is nothing to mend');
$node->safe_psql('postgres', q{ALTER SYSTEM SET max_slot_wal_keep_size = '8MB'});
$node->reload;
is(row('slots_lagging'), 't|none', 'the slot is not behind');
emit_wal(5);
like(row('slots_lagging'), qr/^f[|]1: bemi \([0-9]+ [kM]B behind\)$/, 'the slot is behind');
is(row('slots_lost'), 't|none', 'but it is not lost');
emit_wal(6);
is(row('slots_lost'), 'f|1: bemi (unreserved)', 'the slot will be lost');
is(fix('slots_lost'), '-- slot "bemi" is lost at the next checkpoint unless its consumer catches up', 'how to save it');
$node->safe_psql('postgres', 'CHECKPOINT');
is(row('slots_lost'), 'f|1: bemi (lost)', 'the slot is lost');
is(row($_), 't|none', "$_: a lost slot is not told of twice") foreach qw(slots_idle slots_lagging);
mend('slots_lost');
is(row($_), 't|none', "$_: none, once the lost one is dropped") foreach qw(slots_lost slots_idle slots_lagging);

# A server that isn't set up for it. From 19 on, replica is enough: the first slot raises it.
$node->append_conf('postgresql.conf', 'wal_level = replica');
$node->restart;
my $raises_itself = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name = 'effective_wal_level'});
is(row('wal_level'), $raises_itself ? 't|replica' : 'f|replica', 'the level of the WAL is too low');
SKIP:
{
	skip 'this server raises the level by itself', 1 if $raises_itself;
	mend('wal_level');
	is(row('wal_level'), 't|logical', 'the level of the WAL is mended');
}

SKIP:
{
	skip 'this server lets everybody choose a plugin', 3 unless server_knows('output_plugin_libraries');
	$node->safe_psql('postgres', 'ALTER SYSTEM SET output_plugin_libraries = pgoutput');
	$node->reload;
	is(row('output_plugin_libraries'), 'f|pgoutput', 'the plugin may not be used');
	mend('output_plugin_libraries');
	is(row('output_plugin_libraries'), 't|pgoutput, bemi_decoder', 'the plugin may be used again');
	create_slot($node, 'postgres', 'bemi');
	is(row('replication_slots'), 't|1 of 1 in use', 'and is used');
}

# Optional, so neither met nor unmet without.
is(row('session_library'), '|not loaded', 'the session library is a choice');
is($node->safe_psql('postgres', q{SET session_preload_libraries = other, bemi_session; SELECT ok, found, fix FROM bemi.check() WHERE name = 'session_library'}),
	't|loaded by session_preload_libraries|', 'the session library is chosen');

$node->stop;
done_testing();

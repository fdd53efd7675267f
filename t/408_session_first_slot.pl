# From PostgreSQL 19 on, wal_level = replica is enough, and decoding begins with the first slot: a statement that runs while
# the slot is made has its context too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiSession;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'before 19, decoding needs wal_level = logical' if server_major() < 19;

my $node = new_node('first_slot', "session_preload_libraries = 'bemi_session'\nbemi.include = 'application_name'\nwal_level = replica\n");
$node->safe_psql('postgres', 'CREATE TABLE t (n int PRIMARY KEY, v text)');
is($node->safe_psql('postgres', 'SHOW effective_wal_level'), 'replica', 'nothing is decoded yet');
# Before there is a slot, nothing is written but what the statement itself writes.
$node->safe_psql('postgres', q{INSERT INTO t VALUES (0) /*by='nobody'*/});

# Its plan is made, and waits for its first row until the slot is there.
my $script = temp_file('long.sql');
write_text($script, <<'SQL');
SET application_name = 'long';
INSERT INTO t SELECT n FROM (SELECT pg_advisory_lock(1) OFFSET 0) l, generate_series(1, 3) n /*by='long'*/;
SQL
my ($in, $out) = ("SELECT pg_advisory_lock(1);\n\\echo locked\n", '');
local %ENV = $node->_get_env;
my $holder = IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('postgres'), '-f', '-' ],
	'<', \$in, '>', \$out, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
$holder->pump until $out =~ /locked/;
my ($handle, $errors) = start_script($node, 'postgres', $script);
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'long' AND wait_event = 'advisory'}) or die 'it does not wait';
create_slot($node, 'postgres', 'slot');
$in .= "SELECT pg_advisory_unlock(1);\n\\q\n";
$holder->finish;
$handle->finish;
is($$errors, '', 'the statement has run');
$node->safe_psql('postgres', q{INSERT INTO t VALUES (4) /*by='after'*/});
my %got = contexts_in($node, 'postgres', 'slot');
is_deeply([ map { $got{$_} =~ /"by":"(\w+)","session":/ } sort keys %got ], [qw(long long long after)], 'every row has its context');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'nothing bad in the log');
done_testing();

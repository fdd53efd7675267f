# The session library behind pgbouncer: many clients take turns on few connections, and none gets the context of another.
# Each row says in its column `want` which context it should have.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiPooler;
use BemiSession;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $version = pooler_version();
plan skip_all => 'there is no pgbouncer' unless defined $version;
note("pgbouncer $version");

my $node = new_node('poolers', "session_preload_libraries = 'bemi_session'\nbemi.include = 'user, application_name'\n");
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
$node->safe_psql('postgres', q{
CREATE EXTENSION bemi_decoder;
CREATE TABLE t (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, want jsonb);
CREATE ROLE one LOGIN;
CREATE ROLE two LOGIN;
GRANT ALL ON t TO PUBLIC;
});
create_slot($node, 'postgres', 'slot');
my $json = JSON::PP->new->canonical;

# Takes what the slot holds: each row has the context that it wants, and what the server knows of its session.
sub check_rows
{
	my ($name, $least) = @_;
	my $file = temp_file('records');
	decode_sql($node, 'postgres', 'slot', $file, options => { context_scope => 'preceding' });
	my @records = records($file);
	my @wrong = grep { $json->encode($_->{context}) ne $json->encode($_->{after}{want}) } @records;
	is(scalar @wrong, 0, "$name: every row has its own context") or diag(map { $json->encode($_) . "\n" } @wrong[ 0 .. ($#wrong < 3 ? $#wrong : 3) ]);
	cmp_ok(scalar @records, '>=', $least, 'there were enough of them');
	return;
}

# A transaction of a client in each way to have a context, or none; :session is what the server says of the client.
my %way = (
	local => q{BEGIN; SET LOCAL bemi.context = '{"by": "local"}'; INSERT INTO t (want) VALUES (:session || '{"by": "local"}'); COMMIT;},
	call => q{BEGIN; SELECT FROM bemi.set_context('{"by": "call"}'); INSERT INTO t (want) VALUES (:session || '{"by": "call"}'); COMMIT;},
	comment => q{INSERT INTO t (want) VALUES (:session || '{"by": "comment"}') /*Bemi {"by": "comment"} Bemi*/;},
	tags => q{BEGIN; INSERT INTO t (want) VALUES (:session || '{"by": "tags"}') /*by='tags'*/; INSERT INTO t (want) VALUES (:session); COMMIT;},
	gone => q{BEGIN; SET LOCAL bemi.context = '{"by": "gone"}'; INSERT INTO t (want) VALUES (:session) /*by='gone'*/; ROLLBACK;},
	settings => q{BEGIN; SET LOCAL bemi.comments = ''; INSERT INTO t (want) VALUES (:session) /*by='nobody'*/; COMMIT;},
	none => q{INSERT INTO t (want) VALUES (:session);},
	both => q{BEGIN; INSERT INTO t (want) VALUES (:session); INSERT INTO t (want) VALUES (:session); COMMIT;});
my $number = 0;
my $script = temp_file('ways.sql');
write_text($script, join "\n", '\set way random(0, ' . (keys(%way) - 1) . ')',
	(map { ($number == 0 ? '\if' : '\elif') . ' :way = ' . $number++, $way{$_} =~ s/; /;\n/gr } sort keys %way), '\endif', '');

# pgbench has one application name; two of them run at a time, and one of each role. Each client has a thread of its own: a
# thread waits where it prepares a statement, and what it waits for may be another client's transaction.
sub run_clients
{
	my ($pooler, $protocol) = @_;
	my $transactions = is_long() ? 1000 : 60;
	my @running;
	foreach my $client ([ 'one', 'first' ], [ 'one', 'second' ], [ 'two', 'first' ])
	{
		my ($role, $name) = @$client;
		local %ENV = (%ENV, PGHOST => $pooler->{folder}, PGPORT => 6432, PGUSER => $role, PGAPPNAME => $name);
		my $said = '';
		my $session = qq{'{"session": {"user": "$role", "application_name": "$name"}}'::jsonb};
		my $own = temp_file("ways_${role}_$name.sql");
		write_text($own, slurp_file($script) =~ s/:session/$session/gr);
		push @running, [ \$said, IPC::Run::start([ $node->installed_command('pgbench'), '-n', '-M', $protocol, '-c', 4, '-j', 4, '-t', $transactions,
				'-f', $own, 'postgres' ], '<', \undef, '>&', \$said) ];
	}
	foreach my $run (@running)
	{
		my ($said, $handle) = @$run;
		ok($handle->finish, "pgbench in the $protocol protocol") or diag($$said);
	}
	return 3 * 4 * $transactions / 2;
}

# --- a connection of the server for each transaction ---------------------------------------------------------------

my $pooler = start_pooler($node, 'pool_mode = transaction', 'one', 'two');
check_rows('transaction pooling', run_clients($pooler, 'simple'));
stop_pooler($pooler);

SKIP:
{
	skip 'this pgbouncer has no prepared statements in transaction pooling', 5 if $version < 1021;
	$pooler = start_pooler($node, "pool_mode = transaction\nmax_prepared_statements = 100", 'one', 'two');
	check_rows('prepared statements', run_clients($pooler, 'prepared'));
	stop_pooler($pooler);
}

# Two clients on one connection, whom neither knows of: what the first leaves behind there.
my @psql = ($node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1');
my $want = sub { my ($context) = @_; return qq{'{"session": {"user": "one", "application_name": "psql"}$context}'} };
my $leave = q{SET bemi.context = '{"by": "first"}'};
my $leave_more = q{SET bemi.comments = 'bemi'};

sub in_turn
{
	my ($settings, $second) = @_;
	$pooler = start_pooler($node, $settings, 'one');
	local $ENV{PGAPPNAME} = 'psql';
	my $first = through_pooler($pooler, 'one', 'postgres', @psql, '-c', $leave, '-c', $leave_more, '-c', 'SELECT pg_backend_pid()');
	my $then = through_pooler($pooler, 'one', 'postgres', @psql, map { ('-c', $_) } @$second, 'SELECT pg_backend_pid()');
	is($then, $first, 'on the same connection of the server');
	stop_pooler($pooler);
	return;
}

my @second = ('INSERT INTO t (want) VALUES (' . $want->('') . ')', 'INSERT INTO t (want) VALUES (' . $want->(', "by": "second"') . ") /*by='second'*/");
in_turn('pool_mode = session', \@second);
check_rows('session pooling', 2);
in_turn("pool_mode = session\nserver_reset_query = RESET ALL", \@second);
check_rows('session pooling with RESET ALL', 2);
in_turn("pool_mode = transaction\nserver_reset_query_always = 1", \@second);
check_rows('transaction pooling with a reset always', 2);
# Else SET is for whoever comes next, as any setting is, and as docs/contexts.md warns.
in_turn('pool_mode = transaction', [ 'INSERT INTO t (want) VALUES (' . $want->(', "by": "first"') . ')' ]);
check_rows('SET in transaction pooling', 1);

# A client that is cut off in the midst of its transaction.
$pooler = start_pooler($node, 'pool_mode = transaction', 'one');
{
	local %ENV = (%ENV, PGHOST => $pooler->{folder}, PGPORT => 6432, PGUSER => 'one', PGAPPNAME => 'psql');
	my ($in, $out, $errors) = (q{BEGIN; SET LOCAL bemi.context = '{"by": "dead"}'; INSERT INTO t (want) VALUES ('{}') /*by='dead'*/; SELECT 'written';} . "\n", '', '');
	my $dying = IPC::Run::start([ @psql, '-f', '-', 'postgres' ], '<', \$in, '>', \$out, '2>', \$errors, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$dying->pump until $out =~ /written/;
	$dying->signal('KILL');
	$dying->finish;
	through_pooler($pooler, 'one', 'postgres', @psql, '-c', $second[0]);
}
check_rows('after a client has died', 1);
stop_pooler($pooler);

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'nothing bad in the log');
done_testing();

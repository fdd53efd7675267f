# bemi_session as an administrator installs it: for all sessions, and so that no role evades what bemi.include says of
# it; in servers and processes where there is nothing to write a context for, it stays out of the way.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiSession;
use BemiTest;
use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('session', q{
session_preload_libraries = 'bemi_session'
bemi.include = 'user, application_name'
max_wal_senders = 5
});
$node->safe_psql('postgres', q{
CREATE ROLE writer LOGIN REPLICATION;
CREATE ROLE owner LOGIN;
CREATE DATABASE app OWNER owner;
});
$node->safe_psql('app', q{
CREATE EXTENSION bemi_decoder;
CREATE TABLE t (n int PRIMARY KEY, v text);
GRANT ALL ON t TO PUBLIC;
-- What a superuser has left is no way for others either.
CREATE FUNCTION lent(n int) RETURNS void LANGUAGE sql SET bemi.include = '' AS 'INSERT INTO t VALUES (n)';
CREATE FUNCTION plain() RETURNS void LANGUAGE sql AS '';
GRANT CREATE ON SCHEMA public TO writer, owner;
ALTER FUNCTION plain() OWNER TO writer;
});
create_slot($node, 'app', 'slot');
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');

my $number = 0;
my %expected;

# Runs SQL as a role, each line a query of its own, %d in it being a new number; expects the new row to have that context (undef: no row).
sub as_role
{
	my ($role, $sql, $context, %params) = @_;
	$number++;
	$expected{$number} = $context if defined $context;
	my ($output, $errors) = ('', '');
	local %ENV = $node->_get_env(PGUSER => $role, PGOPTIONS => $params{pgoptions} // '', PGAPPNAME => 'tests');
	my $database = $params{replication} ? $node->connstr('app') . ' replication=database' : $node->connstr('app');
	IPC::Run::run([ $node->installed_command('psql'), '-XAtq', '-d', $database, map { ('-c', $_) } split /\n/, sprintf($sql, $number) ], '<', \undef, '>', \$output, '2>', \$errors);
	chomp $output;
	return ($output, $errors);
}

# What the server says to a client that sends a parameter in its startup packet.
sub startup_refused
{
	my ($role, $database, @parameter) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port) or die "socket: $!";
	my $packet = pack('N', 196608) . join('', map { "$_\0" } 'user', $role, 'database', $database, @parameter) . "\0";
	print $socket pack('N', 4 + length $packet) . $packet;
	my $said = '';
	# The server ends the connection; one that it lets in gets a query, to end it too.
	while (sysread $socket, my $some, 8192)
	{
		$said .= $some;
		last if substr($said, -6) eq "Z\0\0\0\x05I";
	}
	return $said;
}

sub session { my ($user) = @_; return qq{"session":{"application_name":"tests","user":"$user"}}; }

my ($output, $errors) = as_role('writer', 'INSERT INTO t VALUES (%d)', '{' . session('writer') . '}');
is($errors, '', 'every session has the library');
as_role('owner', q{INSERT INTO t VALUES (%d) /*Bemi {"userId": 7} Bemi*/}, '{' . session('owner') . ',"userId":7}');

# --- what a role tries -----------------------------------------------------------------------------------

foreach my $try (
	"SET bemi.include = ''",
	"SET bemi.include = 'application_name'",
	'RESET bemi.include',
	'SET bemi.include TO DEFAULT',
	"SELECT set_config('bemi.include', '', false)",
	"SELECT set_config('bemi.include', '', true)",
	"ALTER ROLE CURRENT_USER SET bemi.include = ''",
	"ALTER ROLE writer IN DATABASE app SET bemi.include = ''",
	"ALTER DATABASE app SET bemi.include = ''",
	"ALTER SYSTEM SET bemi.include = ''",
	"UPDATE pg_settings SET setting = '' WHERE name = 'bemi.include'",
	"CREATE FUNCTION evade() RETURNS void LANGUAGE sql SET bemi.include = '' AS ''",
	"ALTER FUNCTION plain() SET bemi.include = ''",
	"DO 'BEGIN SET LOCAL bemi.include = ''''; END'",
	"GRANT SET ON PARAMETER bemi.include TO CURRENT_USER",
	"SELECT lent(%d)",
	qq{SET SESSION AUTHORIZATION "$superuser"},
	"ALTER ROLE CURRENT_USER SET session_preload_libraries = ''",
	"SET session_preload_libraries = ''")
{
	foreach my $role (qw(writer owner))
	{
		($output, $errors) = as_role($role, $try);
		like($errors, qr/ERROR:  (?:permission denied|must be|parameter .* cannot be (?:set|changed))/, "$try is refused to $role");
	}
	as_role('owner', 'INSERT INTO t VALUES (%d)', '{' . session('owner') . '}');
}
as_role('writer', "$_\nINSERT INTO t VALUES (%d)", '{' . session('writer') . '}')
  foreach 'RESET ALL', 'DISCARD ALL', 'SET ROLE NONE', 'RESET SESSION AUTHORIZATION';
foreach my $options ('-c bemi.include=', '--bemi.include=', '-c Bemi.Include=application_name', '-c session_preload_libraries=')
{
	($output, $errors) = as_role('writer', 'INSERT INTO t VALUES (%d)', undef, pgoptions => $options);
	like($errors, qr/permission denied to set parameter/, "nobody connects with $options");
}
# A parameter of the startup packet, which libpq has no way to send.
like(startup_refused('writer', 'app', 'bemi.include', ''), qr/permission denied to set parameter/, 'nor with a parameter of its own');
as_role('writer', q{SET bemi.context = '{"session": {"user": "forged"}}'; INSERT INTO t VALUES (%d) /*session='forged'*/}, '{' . session('writer') . '}');
as_role('writer', q{SELECT bemi.set_context('{"session": "forged", "userId": 8}'); INSERT INTO t VALUES (%d)}, '{' . session('writer') . ',"userId":8}');
# Into the comment of an application, by way of a value.
as_role('writer', q{INSERT INTO t VALUES (%d, '/*Bemi {"userId": 666} Bemi*/') /*Bemi {"userId": 9} Bemi*/}, '{' . session('writer') . ',"userId":9}');
as_role('writer', q{SET bemi.comments = ''; INSERT INTO t VALUES (%d) /*Bemi {"userId": 9} Bemi*/}, '{' . session('writer') . '}');
# Without the right to write messages, contexts come through, and no forged one does.
$node->safe_psql('app', 'REVOKE EXECUTE ON FUNCTION ' . $node->safe_psql('app', q{SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc WHERE proname = 'pg_logical_emit_message'}) . ' FROM PUBLIC');
as_role('writer', q{SELECT bemi.set_context('{"userId": 8}'); INSERT INTO t VALUES (%d) /*tag='1'*/}, '{' . session('writer') . ',"tag":"1","userId":8}');
($output, $errors) = as_role('writer', q{INSERT INTO t SELECT %d FROM pg_logical_emit_message(true, '_bemi', '{"session": "forged"}')});
like($errors, qr/permission denied for function/, 'no message of its own');
# A superuser may.
as_role($superuser, q{SET bemi.include = 'user'; INSERT INTO t VALUES (%d)}, qq{{"session":{"user":"$superuser"}}});
as_role($superuser, q{INSERT INTO t VALUES (%d)}, qq{{}}, pgoptions => '-c bemi.include=');
is_deeply({ contexts_in($node, 'app', 'slot') }, \%expected, 'every row has the context that it should');

# --- the text of queries ---------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', qq{bemi.include = 'user, query'\nbemi.mask_columns = 'secret'});
$node->reload;
$node->poll_query_until('postgres', 'SHOW bemi.mask_columns', 'secret') or die;
%expected = ();
as_role('writer', 'INSERT INTO t VALUES (%d)', '{"session":{"user":"writer"}}');
as_role('writer', 'INSERT INTO t VALUES (%d)', '{"session":{"user":"writer"}}', pgoptions => '-c bemi.mask_columns=');
as_role('writer', "SET bemi.mask_columns = ''; INSERT INTO t VALUES (%d)", '{"session":{"user":"writer"}}');
$node->append_conf('postgresql.conf', 'bemi.mask_columns = \'\'');
$node->reload;
$node->poll_query_until('postgres', 'SHOW bemi.mask_columns', '') or die;
as_role('writer', 'INSERT INTO t VALUES (%d)', undef);
$expected{$number} = qq{{"session":{"query":"INSERT INTO t VALUES ($number)","user":"writer"}}};
is_deeply({ contexts_in($node, 'app', 'slot') }, \%expected, 'no query is shown while a mask is set, whatever the role does');
$node->append_conf('postgresql.conf', "bemi.include = ''");
$node->reload;
$node->poll_query_until('postgres', 'SHOW bemi.include', '') or die;

# --- where there is nothing to write ------------------------------------------------------------------------

my $comment = '/*Bemi {"userId": 10} Bemi*/';
%expected = ();
($output, $errors) = as_role('writer', "INSERT INTO t VALUES (%d) $comment", '{}', replication => 1);
is($errors, '', 'a walsender runs SQL');
is_deeply({ contexts_in($node, 'app', 'slot') }, \%expected, 'and writes no context');
is($node->safe_psql('app', q{SELECT ok, found FROM bemi.check() WHERE name = 'session_library'}), 't|loaded by session_preload_libraries', 'bemi.check sees the library');

# A standby, and a server with another wal_level.
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my ($status, $said, $error) = $standby->psql('app', "SET bemi.context = '{\"userId\": 7}'; SELECT count(*) > 0 FROM t $comment; SELECT bemi.set_context('{}'); INSERT INTO t VALUES (0) $comment");
like($error, qr/cannot execute INSERT in a read-only transaction/, 'in a standby, the error is the usual one');
is($said, "t\n", 'and all else works');
$standby->stop;
$node->safe_psql('app', "SELECT pg_drop_replication_slot('slot')");
$node->append_conf('postgresql.conf', "wal_level = replica");
$node->stop;    # (A restart would not come back as what runs the server now, an instrument perhaps.)
$node->start;
is($node->safe_psql('app', "BEGIN; UPDATE t SET v = v $comment; SELECT count(*) FROM t WHERE v = 'none'; COMMIT"), '0', 'wal_level replica');

# --- for the whole server ------------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', qq{
wal_level = logical
session_preload_libraries = ''
shared_preload_libraries = 'bemi_session'
bemi.include = 'user'
bemi.context = '{"server": "ü"}'
});
$node->stop;
$node->start;
create_slot($node, 'app', 'slot');
%expected = ();
as_role('writer', "INSERT INTO t VALUES (%d) $comment", qq({"server":"\xfc","session":{"user":"writer"},"userId":10}));
($output, $errors) = as_role('writer', 'INSERT INTO t VALUES (%d)', undef, pgoptions => '-c bemi.include=');
like($errors, qr/permission denied to set parameter/, 'shared_preload_libraries refuses the same');
as_role('writer', q{SET bemi.context = ''; INSERT INTO t VALUES (%d)}, '{"session":{"user":"writer"}}');
is_deeply({ contexts_in($node, 'app', 'slot') }, \%expected, 'shared_preload_libraries');

# --- a background worker that writes -----------------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->safe_psql($_, 'CREATE TABLE copied (n int PRIMARY KEY, v text)') foreach qw(app copy);
$node->safe_psql('app', "CREATE PUBLICATION pub FOR TABLE copied; SELECT FROM pg_create_logical_replication_slot('sub', 'pgoutput')");
create_slot($node, 'copy', 'slot_of_copy');
$node->safe_psql('copy', q{CREATE SUBSCRIPTION sub CONNECTION 'dbname=app host=} . $node->host . q{ port=} . $node->port . q{' PUBLICATION pub WITH (create_slot = false, slot_name = 'sub', copy_data = false, synchronous_commit = on)});
$node->safe_psql('app', "INSERT INTO copied VALUES (1, 'x') $comment");
$node->poll_query_until('copy', 'SELECT count(*) = 1 FROM copied') or die 'the subscription does not work';
is_deeply({ contexts_in($node, 'copy', 'slot_of_copy') }, { 1 => '{}' }, 'a background worker has no context, not even that of the configuration');
is_deeply([ (contexts_in($node, 'app', 'slot'))[1] ], [ qq({"server":"\xfc","session":{"user":"$superuser"},"userId":10}) ], 'and the session that it copies from has');
$node->safe_psql('copy', 'DROP SUBSCRIPTION sub');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'nothing bad in the log');
done_testing();

# bemi.track_all among others who hold locks, and the event trigger, which never waits for one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('extension_track', q{
fsync = off
});
$node->safe_psql('postgres', q{
CREATE EXTENSION bemi_decoder;
CREATE SCHEMA app;
CREATE TABLE app.free (id int PRIMARY KEY);
CREATE TABLE app.held (id int PRIMARY KEY);
CREATE TABLE app.parted (id int) PARTITION BY LIST (id);
CREATE TABLE app.parted_1 PARTITION OF app.parted FOR VALUES IN (1);
});

# A session that reads a table and stays in its transaction until the condition holds, and for
# some seconds more.
sub hold
{
	my ($table, $condition, $seconds) = @_;
	my $script = temp_file('hold.sql');
	write_text($script, qq{
BEGIN;
LOCK TABLE $table IN ACCESS SHARE MODE;
DO \$\$BEGIN WHILE NOT EXISTS ($condition) LOOP PERFORM pg_sleep(0.01); END LOOP; END\$\$;
SELECT pg_sleep($seconds);
COMMIT;
});
	my ($handle) = start_script($node, 'postgres', $script);
	$node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM pg_locks WHERE relation = '$table'::regclass AND granted)")
	  or die "no lock on $table";
	return $handle;
}

sub release
{
	my ($handle) = @_;
	$node->safe_psql('postgres', 'CREATE TABLE public.over ()');
	$handle->finish;
	$node->safe_psql('postgres', 'DROP TABLE public.over');
	return;
}

# The tables of the schema that are not full.
sub untracked
{
	my ($schema) = @_;
	return $node->safe_psql('postgres', qq{
SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
WHERE relnamespace = '$schema'::regnamespace AND relkind IN ('r', 'p') AND relreplident <> 'f'});
}

my $over = q{SELECT FROM pg_class WHERE relname = 'over'};
my ($status, $output, $errors);

# A table that others hold for long is passed over, told of, and had the next time.
my $holder = hold('app.held', $over, 0);
($status, $output, $errors) = $node->psql('postgres', q{CALL bemi.track_all('app')});
is($status, 0, 'track_all ends well though a table is locked');
like($errors, qr/WARNING:  1 of the tables of schema "app" could not be tracked\n.*app[.]held: another session holds a lock on it\n.*HINT:  Run CALL bemi[.]track_all\('app'::name\); again/,
	'and says which, why, and how to go on');
is(untracked('app'), 'held', 'all others are tracked');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_locks WHERE NOT granted'), '0', 'nobody is left waiting');

# The event trigger leaves a locked table alone: a command with a weaker lock doesn't wait.
($status, $output, $errors) = $node->psql('postgres', q{
SET lock_timeout = '10s';
ALTER TABLE app.held ALTER id SET STATISTICS 10});
is("$status$errors", '0', 'a command that only needs a weak lock is not held up in a tracked schema');
release($holder);
($status, $output, $errors) = $node->psql('postgres', q{CALL bemi.track_all('app')});
is("$status$errors", '0', 'once the lock is gone, nothing is left to tell');
is(untracked('app'), '', 'and the table is tracked');

# A lock that goes away while track_all tries again; a quarter of a second outlasts one try.
$node->safe_psql('postgres', q{SELECT bemi.untrack('app.held'), bemi.untrack('app.parted')});
$holder = hold('app.held', q{SELECT FROM pg_locks WHERE relation = 'app.held'::regclass AND NOT granted}, 0.25);
($status, $output, $errors) = $node->psql('postgres', q{CALL bemi.track_all('app')});
$holder->finish;
is("$status$errors", '0', 'a lock that goes away in time is nothing to tell of');
is(untracked('app'), '', 'the table is had at a later try');

# The same schema twice at a time, while tables are made and dropped in it.
$node->safe_psql('postgres', q{
CREATE SCHEMA busy;
DO $$BEGIN
    FOR i IN 1..60 LOOP EXECUTE format('CREATE TABLE busy.t%s (id int PRIMARY KEY)', i); END LOOP;
END$$});
my $call = temp_file('call.sql');
write_text($call, "CALL bemi.track_all('busy');\n");
my $churn = temp_file('churn.sql');
write_text($churn, join '', map { "CREATE TABLE busy.new$_ (id int);\nDROP TABLE busy.t$_;\n" } 41 .. 60);
my @sessions = map { [ start_script($node, 'postgres', $_) ] } $call, $call, $churn;
foreach my $session (@sessions)
{
	my ($handle, $said) = @$session;
	ok($handle->finish, 'a session among others ends well') or diag($$said);
}
($status, $output, $errors) = $node->psql('postgres', q{CALL bemi.track_all('busy')});
is(untracked('busy'), '', 'all tables are tracked, those made meanwhile as well');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'busy'::regnamespace AND relkind = 'r'}),
	'60', 'and no table was lost');

# An owner who is no superuser, with the right to have later tables tracked.
$node->safe_psql('postgres', q{
CREATE ROLE owner LOGIN;
CREATE SCHEMA owned AUTHORIZATION owner;
GRANT INSERT ON bemi.tracked_schemas TO owner});
($status, $output, $errors) = $node->psql('postgres', $_, extra_params => [ '-U', 'owner' ], on_error_die => 1)
  foreach 'CREATE TABLE owned.early (id int)', q{CALL bemi.track_all('owned')}, 'CREATE TABLE owned.late (id int)',
  'CREATE TABLE owned.elsewhere () INHERITS (owned.early)';
is(untracked('owned'), '', "an owner's tables are tracked, early and late");
is($node->safe_psql('postgres', 'SELECT string_agg(schema, $$ $$ ORDER BY schema) FROM bemi.tracked_schemas'),
	'app busy owned', 'all schemas are remembered');

$node->stop;
done_testing();

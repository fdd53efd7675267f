# What a command counts on is dropped while it is at work: it ends with a sentence and an exit code.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $source = new_node('source');
my $destination = new_destination('destination');
my $sql = sub { return rows_of($destination, $_[0]) };
$source->safe_psql('postgres', 'CREATE TABLE t (id serial PRIMARY KEY, v text); ALTER TABLE t REPLICA IDENTITY FULL');
ingest_ok($source, $destination, 'init');
$sql->('CREATE TABLE kept AS SELECT * FROM bemi.progress');
my $back = sub { $sql->('INSERT INTO bemi.progress SELECT * FROM kept ON CONFLICT DO NOTHING') };

# --- verify waits for a `run` that has the lock, and the slot is dropped

my $holder = $destination->background_psql('postgres');
$holder->query_safe(q{SELECT pg_advisory_lock(hashtextextended('bemi_ingest bemi', 0))});
$source->safe_psql('postgres', 'INSERT INTO t DEFAULT VALUES');
# The command is `verify`, and start_ingest starts `run`: the flags come behind.
my $log = temp_file('verify.log');
my $pid = fork // die;
if ($pid == 0)
{
	%ENV = BemiIngest::environment();
	open STDOUT, '>', $log or die;
	open STDERR, '>&', \*STDOUT or die;
	exec(BemiIngest::program(), 'verify', BemiIngest::ends($source, $destination)) or POSIX::_exit(127);
}
ok(wait_until(sub { $sql->(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bemi_ingest' AND query LIKE '%pg_try_advisory_lock%' OR query LIKE '%pg_has_role%'}) > 0 }), 'verify waits');
$sql->('DELETE FROM bemi.progress');
waitpid $pid, 0;
is(exit_code(), 3, 'the slot is dropped meanwhile: exit code 3');
like(PostgreSQL::Test::Utils::slurp_file($log), qr/^bemi_ingest: the destination knows no slot bemi\n +fix: bemi_ingest init/m, 'and why');
$holder->quit;
$back->();

# --- between two looks: a view that shows the row only so often

foreach my $command ([ 'status', 3 ], [ 'run', 3, '--until-current' ], [ 'verify', 3 ], [ 'snapshot', 3 ], [ 'check', 3 ], [ 'drop', '0|3', '--yes' ])
{
	my ($name, $expected, @arguments) = @$command;
	foreach my $looks (1 .. 4)
	{
		my $database = "${name}_$looks";
		$destination->safe_psql('postgres', "CREATE DATABASE $database");
		my $to = $destination->connstr($database);
		ingest_ok($source, $to, 'init', '--slot', $database) or next;
		$destination->safe_psql($database, qq{CREATE SEQUENCE bemi.looks;
ALTER TABLE bemi.progress RENAME TO progress_kept;
CREATE FUNCTION bemi.seen() RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT nextval(''bemi.looks'') <= $looks';
CREATE VIEW bemi.progress AS SELECT * FROM bemi.progress_kept WHERE bemi.seen()});
		my ($code, $output, $errors) = ingest($source, $to, $name, '--slot', $database, @arguments);
		my $ended = "$output$errors" =~ /knows no slot|had no answer|somebody else has moved|knows slot|requirements/ || $code == 0;
		ok($code <= 4 && $ended, "$name, with the row seen $looks times: exit $code") or diag("$output$errors");
		$source->psql('postgres', "SELECT pg_drop_replication_slot('$database')");
	}
}

# --- all of schema bemi, under a run

my $run = start_ingest($source, $destination);
ok(ingest_said_until($run, qr/storing from/), 'a run');
$sql->('ALTER SCHEMA bemi RENAME TO gone');
$source->safe_psql('postgres', 'INSERT INTO t DEFAULT VALUES');
is(BemiIngest::reap($run), 3, 'ends when schema bemi goes');
like(ingest_said($run), qr/fix: bemi_ingest init/, 'and says what to do');

done_testing();

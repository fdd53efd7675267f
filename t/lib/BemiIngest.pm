# What the tests of bemi_ingest share: the command in foreground and background, and the comparison
# of `changes` with the records that a second slot gives.
package BemiIngest;

use strict;
use warnings;

use Exporter 'import';
use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
  ingest ingest_told ingest_ok ingest_fails start_ingest signal_ingest end_ingest ingest_said ingest_said_until
  new_destination second_slot same_rows rows_of wait_until drain
);

# A server that is nobody's source.
sub new_destination
{
	my ($name, $extra_conf) = @_;
	return new_node($name, "wal_level = replica\nmax_wal_senders = 0\n" . ($extra_conf // ''));
}

# The flags that name both ends. An end is a node (database postgres) or a connection string.
sub ends
{
	my ($source, $destination) = @_;
	return ('--source', ref $source ? $source->connstr('postgres') : $source,
		'--destination', ref $destination ? $destination->connstr('postgres') : $destination);
}

# In the folder of the servers' own programs, which the tests' surroundings put first.
sub program
{
	IPC::Run::run([ 'pg_config', '--bindir' ], '>', \my $folder) or die 'pg_config failed';
	chomp $folder;
	return "$folder/bemi_ingest";
}

sub environment
{
	my %environment = %ENV;
	delete @environment{ grep { /^PG(?!_)/ || /^BEMI_(?:SOURCE|DESTINATION)$/ } keys %environment };
	return %environment;
}

# Runs the command to its end: (exit code, stdout, stderr).
sub ingest { return ingest_told(undef, @_); }

# The same, with an input. The exit code of one that a signal ended is minus the signal.
sub ingest_told
{
	my ($input, $source, $destination, $command, @arguments) = @_;
	my ($output, $errors) = ('', '');
	local %ENV = environment();
	IPC::Run::run([ program(), $command, ends($source, $destination), @arguments ],
		'<', \$input, '>', \$output, '2>', \$errors,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return (exit_code(), $output, $errors);
}

# The same, as a test that it ends well; gives stdout.
sub ingest_ok
{
	my ($source, $destination, $command, @arguments) = @_;
	my ($code, $output, $errors) = ingest($source, $destination, $command, @arguments);
	is($code, 0, "$command @arguments") or diag("exit $code\n$output$errors");
	return $output;
}

# The same, as a test of exit code and of what it says (stdout and stderr); gives what it said.
sub ingest_fails
{
	my ($name, $expected_code, $message, $source, $destination, $command, @arguments) = @_;
	my ($code, $output, $errors) = ingest($source, $destination, $command, @arguments);
	ok($code == $expected_code && "$output$errors" =~ $message, $name)
	  or diag("exit $code, expected $expected_code and $message:\n$output$errors");
	return "$output$errors";
}

my $started = 0;
my %running;

# Starts `run` in the background; gives its process.
sub start_ingest
{
	my ($source, $destination, @arguments) = @_;
	my $log = temp_file('ingest_' . ++$started . '.log');
	my @command = (program(), 'run', ends($source, $destination), @arguments);
	my %environment = environment();
	write_text($log, '');
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		%ENV = %environment;
		open STDIN, '<', File::Spec->devnull or die;
		open STDOUT, '>', $log or die;
		open STDERR, '>&', \*STDOUT or die;
		exec @command or POSIX::_exit(127);
	}
	$running{$pid} = 1;
	return { pid => $pid, log => $log };
}

# Sends a signal and waits for the end: the exit code, or minus the signal that ended it.
sub end_ingest
{
	my ($process, $signal) = @_;
	kill $signal // 'TERM', $process->{pid};
	return reap($process);
}

sub reap
{
	my ($process) = @_;
	waitpid $process->{pid}, 0;
	delete $running{ $process->{pid} };
	return exit_code();
}

sub ingest_said { my ($process) = @_; return slurp_file($process->{log}); }

sub ingest_said_until
{
	my ($process, $message) = @_;
	return wait_until(sub { ingest_said($process) =~ $message })
	  || diag('it said: ' . ingest_said($process)) && 0;
}

# Looks several times a second, for the usual time of a test, or `seconds`.
sub wait_until
{
	my ($condition, $seconds) = @_;
	my $end = time + ($seconds // $PostgreSQL::Test::Utils::timeout_default);
	until ($condition->())
	{
		return 0 if time > $end;
		sleep 0.05;
	}
	return 1;
}

# A slot beside that of `init`, at the same position: nobody touches it until same_rows.
sub second_slot
{
	my ($source) = @_;
	copy_slot($source, 'postgres', 'bemi', 'untouched');
	return;
}

# Stores all that there is.
sub drain
{
	my ($source, $destination, @arguments) = @_;
	my ($code, $output, $errors) =
	  ingest($source, $destination, 'run', '--until-current', @arguments);
	die "run --until-current: exit $code\n$output$errors" if $code != 0;
	return;
}

sub rows_of
{
	my ($destination, $sql) = @_;
	return $destination->safe_psql('postgres', $sql);
}

my $compared = 0;

# Tests that `changes` holds what the second slot gives, one for one and in order. Reads the slot.
sub same_rows
{
	my ($source, $destination, $name, %params) = @_;
	my $file = temp_file('expected_' . ++$compared);
	decode_sql($source, 'postgres', 'untouched', $file, options => $params{options});
	$destination->safe_psql('postgres', 'DROP TABLE IF EXISTS expected_lines');
	load_lines($destination, 'postgres', 'expected_lines', $file);
	my $from = $params{from} // 'true';
	my $difference = $destination->safe_psql('postgres', qq{
WITH expected AS (
    SELECT row_number() OVER (ORDER BY i) AS n, jsonb_build_array(
        r->'operation', r->'database', r->'schema', r->'table', r->'primary_key',
        coalesce(r->'previous_key', 'null'), r->'before', r->'after', r->'context',
        extract(epoch FROM (r->>'committed_at')::timestamptz), r->'transaction_id', r->'position',
        r->'commit_position', r->'sequence', nullif(r - '{operation,database,schema,table,primary_key,
            previous_key,before,after,context,committed_at,transaction_id,position,commit_position,
            sequence,last}'::text[], '{}')) AS row
    FROM (SELECT i, line::jsonb AS r FROM expected_lines) l
), stored AS (
    SELECT row_number() OVER (ORDER BY commit_position, sequence) AS n, jsonb_build_array(
        operation, database, schema, "table", primary_key, previous_key, before, after, context,
        extract(epoch FROM committed_at), transaction_id, position, commit_position, sequence,
        details) AS row
    FROM changes WHERE operation <> 'SNAPSHOT' AND $from
)
SELECT n, e.row, s.row FROM expected e FULL JOIN stored s USING (n)
WHERE e.row IS DISTINCT FROM s.row ORDER BY n LIMIT 2});
	is($difference, '', $name);
	my $count = $destination->safe_psql('postgres', 'SELECT count(*) FROM expected_lines');
	my $ids = $destination->safe_psql('postgres', q{
SELECT count(*) FILTER (WHERE id <> bemi.change_id(commit_position, sequence,
    (SELECT system_identifier FROM bemi.progress))),
    count(*) FILTER (WHERE id < previous) FROM (SELECT *, lag(id) OVER (
    ORDER BY commit_position, sequence) AS previous FROM changes) c});
	is($ids, '0|0', "$name: ids are those of bemi.change_id() and sort as the records do");
	return $count;
}

END
{
	my $status = $?;
	kill 'KILL', keys %running if %running;
	$? = $status;
}

1;

# scripts/quickstart from a build folder that doesn't exist to the table of changes; again, in less time; and interrupted.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest qw(exit_code);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $json = JSON::PP->new->utf8->canonical;
my $root = abs_path(dirname(__FILE__) . '/..');
my $temp = PostgreSQL::Test::Utils::tempdir_short;
chomp(my $bindir = `pg_config --bindir`);

# The server under test, and surroundings that must not matter.
local %ENV = (
	%ENV,
	PG_CONFIG => "$bindir/pg_config",
	TMPDIR => $temp,
	XDG_CACHE_HOME => "$temp/cache",
	PGHOST => 'nowhere.invalid',
	PGOPTIONS => '-c no_such_setting=1',
	PGDATABASE => 'none');

sub quickstart
{
	my (@arguments) = @_;
	my ($output, $errors) = ('', '');
	my $start = time;
	IPC::Run::run([ "$root/scripts/quickstart", @arguments ], '<', \undef, '>', \$output, '2>', \$errors);
	return { status => exit_code(), output => $output, errors => $errors, seconds => time - $start };
}

# What a run has left: its folder, or processes that work in it.
sub leftovers
{
	my @folders = glob "$temp/bemi.*";
	my @processes = grep { (readlink($_) // '') =~ /^\Q$temp\E/ } glob '/proc/[0-9]*/cwd /proc/[0-9]*/exe';
	return join ' ', @folders, @processes;
}

sub records_of
{
	my ($run) = @_;
	return map { JSON::PP->new->utf8->decode($_) } grep { /^\{/ } split /\n/, $run->{output};
}

# The rows of the table that psql prints, the heading first; what it broke into lines is joined again, and JSON
# written as records have it.
sub rows_of_table
{
	my ($output) = @_;
	my @rows;
	foreach my $line (grep { /^\| / } split /\n/, $output)
	{
		my @cells = map { s/^ +| *\+?$//gr } (split /\|/, $line)[ 1 .. 7 ];
		if ($cells[0] ne '') { push @rows, \@cells; next; }
		$rows[-1][$_] .= $cells[$_] foreach 0 .. $#cells;
	}
	foreach my $row (@rows[ 1 .. $#rows ])
	{
		$_ = $json->encode($json->decode($_)) foreach @$row[ 3 .. 5 ];
	}
	return @rows;
}

my $first = quickstart('--yes');
is($first->{status}, 0, 'it works') or diag("$first->{output}\n$first->{errors}");
is($first->{errors}, '', 'without a word of complaint');
my @records = records_of($first);
is_deeply([ map { "$_->{operation} $_->{primary_key} $_->{context}{endpoint}" } @records ],
	[ 'CREATE 26 /todo', 'CREATE 27 /todo', 'CREATE 28 /todo', 'UPDATE 26 /todo/complete', 'DELETE 27 /todo/27' ],
	'it prints the five records');
like($first->{output}, qr/^ +pg_recvlogical .*--start/m, 'and how any consumer gets them');
like($first->{output}, qr/^ +bemi_ingest $_ .*--source .* --destination /m, "bemi_ingest $_ follows")
  foreach 'init', 'run --until-current';
my $query = 'SELECT primary_key, "table", operation, before, after, context, committed_at FROM changes';
like($first->{output}, qr/psql .*\Q$query\E/, 'the question to the table');
my @columns = qw(primary_key table operation before after context committed_at);
my @rows = rows_of_table($first->{output});
is_deeply(shift @rows, \@columns, 'and its answer');
is_deeply([ map { [ @$_[ 0 .. 5 ] ] } @rows ],
	[ map { my $record = $_; [ map { ref $record->{$_} ? $json->encode($record->{$_}) : $record->{$_} } @columns[ 0 .. 5 ] ] }
	  @records ], 'which has the same five changes, one row each');
like($first->{output}, qr/\|\n\+[-+]+\+\n\n==> Done/, 'with nothing behind it');
is(leftovers(), '', 'and leaves nothing behind');

my $second = quickstart();
is($second->{status}, 0, 'it works again, and needs no --yes where nothing is missing') or diag($second->{errors});
like($second->{output}, qr/up to date/, 'without building');
cmp_ok($second->{seconds}, '<', $first->{seconds}, 'in less time');

my $bad = quickstart('--no-such-flag');
is($bad->{status}, 2, 'an unknown flag is bad usage');
like(quickstart('--help')->{output}, qr/Exit codes/, '--help tells more');

# Stopped at some steps: at each, nothing is left.
my %codes = (INT => 130, TERM => 143, HUP => 129);
foreach my $case ([ 'TERM', '2/6' ], [ 'INT', '3/6' ], [ 'HUP', '3/6' ], [ 'TERM', '4/6' ])
{
	my ($signal, $step) = @$case;
	my ($output, $errors) = ('', '');
	my $run = IPC::Run::start([ "$root/scripts/quickstart" ], '<', \undef, '>', \$output, '2>', \$errors,
		IPC::Run::timeout(60));
	$run->pump until $output =~ m{\Q$step\E};
	sleep(rand 0.5);
	$run->signal($signal);
	$run->finish;
	# A run that was faster than the signal is no failure.
	ok(exit_code() == $codes{$signal} || ($? == 0 && $output =~ /Done/), "$signal at step $step ends it")
	  or diag("status $?\n$output\n$errors");
	is(leftovers(), '', 'and leaves nothing');
}

done_testing();

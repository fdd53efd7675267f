# scripts/quickstart from a build folder that doesn't exist to the records; again, in less time; and interrupted.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

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
	return { status => $? >> 8, output => $output, errors => $errors, seconds => time - $start };
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

my $first = quickstart('--yes');
is($first->{status}, 0, 'it works') or diag("$first->{output}\n$first->{errors}");
is($first->{errors}, '', 'without a word of complaint');
my @records = records_of($first);
is_deeply([ map { "$_->{operation} $_->{primary_key} $_->{context}{endpoint}" } @records ],
	[ 'CREATE 26 /todo', 'CREATE 27 /todo', 'CREATE 28 /todo', 'UPDATE 26 /todo/complete', 'DELETE 27 /todo/27' ],
	'it prints the five records');
my @columns = qw(primary_key table operation before after context committed_at);
my $heading = join '\s*\|\s*', @columns;
like($first->{output}, qr/$heading/, 'and a table');
my @rows = grep { /^\| \d+ +\| todo / } split /\n/, $first->{output};
is(scalar @rows, 5, 'of five rows');
is(leftovers(), '', 'and leaves nothing behind');

my $second = quickstart();
is($second->{status}, 0, 'it works again, and needs no --yes where nothing is missing') or diag($second->{errors});
like($second->{output}, qr/up to date/, 'without building');
cmp_ok($second->{seconds}, '<', 20, 'in seconds');

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
	ok($? >> 8 == $codes{$signal} || ($? == 0 && $output =~ /Done/), "$signal at step $step ends it")
	  or diag("status $?\n$output\n$errors");
	is(leftovers(), '', 'and leaves nothing');
}

done_testing();

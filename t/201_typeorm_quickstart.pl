# scripts/quickstart --app: the example application, five requests over HTTP, five rows; again without any
# registry; and interrupted.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest qw(exit_code);
use BemiWorkspace;
use Cwd qw(abs_path);
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $reason = node_is_missing();
plan skip_all => $reason if $reason;

my $root = "$FindBin::RealBin/..";
my $temp = PostgreSQL::Test::Utils::tempdir_short;
chomp(my $bindir = `pg_config --bindir`);
local %ENV = (%ENV, node_environment(), PG_CONFIG => "$bindir/pg_config", TMPDIR => $temp);

sub leftovers
{
	my @folders = glob "$temp/bemi.*";
	my @processes = grep { (readlink($_) // '') =~ /^\Q$temp\E/ } glob '/proc/[0-9]*/cwd /proc/[0-9]*/exe';
	return join ' ', @folders, @processes, running_apps();
}

# The application runs out of build/.
sub running_apps
{
	my $app = abs_path($root) . '/build/app/';
	return grep { (eval { slurp_file($_) } // '') =~ /^node\0\Q$app\E/ } glob '/proc/[0-9]*/cmdline';
}

sub quickstart
{
	my ($output, $errors) = ('', '');
	# It may have to build everything, on a machine with other things to do.
	IPC::Run::run([ "$root/scripts/quickstart", '--app', @_ ], '<', \undef, '>', \$output, '2>', \$errors);
	return { status => exit_code(), output => $output, errors => $errors };
}

sub shows_five
{
	my ($run, $name) = @_;
	is($run->{status}, 0, $name) or diag("$run->{output}\n$run->{errors}");
	is($run->{errors}, '', 'without a word of complaint');
	my @answers = $run->{output} =~ /^ +((?:POST|PUT|DELETE) \S+ .*?: \d+)/mg;
	is_deeply(
		\@answers,
		[
			'POST /todo {"task":"Sleep","isCompleted":false}: 201', 'POST /todo {"task":"Eat","isCompleted":false}: 201',
			'POST /todo {"task":"Repeat","isCompleted":false}: 201', 'PUT /todo/complete {"id":26}: 200',
			'DELETE /todo/27 {"id":27}: 204'
		],
		'five requests and their answers');
	my @rows = map { s/\s*\|\s*/|/gr } $run->{output} =~ /^(\| \d+ +\| todo +\| \w+ +\|)/mg;
	is_deeply(\@rows, [ map { "|$_|" } '26|todo|CREATE', '27|todo|CREATE', '28|todo|CREATE', '26|todo|UPDATE', '27|todo|DELETE' ],
		'and five rows');
	my @endpoints = $run->{output} =~ /"endpoint": "([^"]+)"/g;
	is_deeply(\@endpoints, [ ('/todo') x 3, '/todo/complete', '/todo/27' ], 'each with the endpoint of its request');
	is(() = $run->{output} =~ /"userId": 187234,/g, 5, 'and the user');
	is(leftovers(), '', 'nothing is left behind');
	return;
}

shows_five(quickstart('--yes'), 'it works');

# The registry leads nowhere: what is needed is there.
{
	local %ENV = (%ENV, npm_config_registry => 'http://127.0.0.1:9/', npm_config_fetch_retries => 0);
	my $second = quickstart();
	shows_five($second, 'again, without a registry');
	is(() = $second->{output} =~ /up to date in/g, 2, 'and without building');
}

foreach my $case ([ 'TERM', '4/6', 143 ], [ 'INT', '5/6', 130 ])
{
	my ($signal, $step, $code) = @$case;
	my ($output, $errors) = ('', '');
	my $run = IPC::Run::start([ "$root/scripts/quickstart", '--app' ], '<', \undef, '>', \$output, '2>', \$errors,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$run->pump until $output =~ m{\Q$step\E};
	sleep(rand 0.7);
	$run->signal($signal);
	$run->finish;
	# A run that was faster than the signal is no failure.
	ok(exit_code() == $code || ($? == 0 && $output =~ /Done/), "$signal at step $step ends it")
	  or diag("status $?\n$output\n$errors");
	is(leftovers(), '', 'and leaves nothing');
}

done_testing();

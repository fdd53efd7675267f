# The packages of this checkout in tests: built in a folder that is thrown away, with the results of node's own
# test runner among ours.
package BemiWorkspace;

use strict;
use warnings;

use BemiNode;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(node_is_missing install_packages run_npm run_node_tests node_environment);

my $oldest = 18;
my $root = abs_path(dirname(__FILE__) . '/../..');

# Why the tests can't run here, or nothing.
sub node_is_missing
{
	foreach my $program ('node', 'npm')
	{
		return "$program is missing" unless works($program, '--version');
	}
	my ($major) = `node --version` =~ /^v(\d+)/;
	return "node is older than $oldest" unless defined $major && $major >= $oldest;
	return '';
}

# npm's downloads are kept for the other tests of this run, and nothing of the user's is read or written.
sub node_environment
{
	my $home = "${PostgreSQL::Test::Utils::tmp_check}/npm";
	make_path($home);
	return (HOME => $home, npm_config_cache => "$home/cache", npm_config_update_notifier => 'false', NODE_ENV => 'test');
}

# A folder with copies of these parts of the checkout, and all that they need.
sub install_packages
{
	my (@parts) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir . '/packages';
	make_path($folder);
	foreach my $file ('package.json', '.npmrc') { copy("$root/$file", "$folder/$file") or die "$file: $!"; }
	foreach my $part (@parts)
	{
		make_path("$folder/" . dirname($part));
		system('cp', '-r', "$root/$part", "$folder/$part") == 0 or die "cp of $part failed";
		system('rm', '-rf', map { "$folder/$part/$_" } 'node_modules', 'dist', 'build') == 0 or die;
	}
	run_npm($folder, 'install', '--prefer-offline', '--no-audit', '--no-fund');
	return $folder;
}

# Runs npm, and gives what it printed; dies with all of it where it fails.
sub run_npm
{
	my ($folder, @arguments) = @_;
	my $said = '';
	local %ENV = (%ENV, node_environment());
	IPC::Run::run([ 'npm', @arguments ], '<', \undef, '>', \$said, '2>&1',
		init => sub { chdir $folder or die "$folder: $!" },
		IPC::Run::timeout(3 * $PostgreSQL::Test::Utils::timeout_default))
	  or die "npm @arguments failed:\n$said";
	return $said;
}

# Runs all tests of a folder: each of theirs is one of ours.
sub run_node_tests
{
	my ($folder, $tests, %environment) = @_;
	my $said = '';
	local %ENV = (%ENV, node_environment(), %environment);
	my $ok = IPC::Run::run(
		[ 'node', '--test', '--test-reporter=tap', sort glob("$folder/$tests/*.test.js") ],
		'<', \undef, '>', \$said, '2>&1', IPC::Run::timeout(3 * $PostgreSQL::Test::Utils::timeout_default));
	my $count = 0;
	my @lines = split /\n/, $said;
	foreach my $i (0 .. $#lines)
	{
		my ($failed, $name) = $lines[$i] =~ /^\s*(not )?ok \d+ - (.*?)(?: # (?:SKIP|time).*)?$/ or next;
		next if !$failed && grep { /^\s*type: 'suite'/ } @lines[ $i + 1 .. ($i + 4 < $#lines ? $i + 4 : $#lines) ];
		ok(!$failed, $name =~ s/\Q$folder\E\///r);
		$count++;
		diag(join "\n", grep { defined } @lines[ $i + 1 .. $i + 30 ]) if $failed;
	}
	ok($ok && $count > 0, "all tests of $tests have run") or diag(substr $said, -3000);
	return;
}

1;

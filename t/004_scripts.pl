# What the scripts share, in surroundings that a user may have: a TMPDIR that make can't read, a checkout that is
# read-only, a second run at the same time.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest qw(exit_code);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $temp = PostgreSQL::Test::Utils::tempdir_short;

# shell CODE, LIBRARY...: what the code says behind these files of scripts/lib.
sub shell
{
	my ($code, $checkout, @libraries) = @_;
	my $output = '';
	my $sources = join '', map { ". '$checkout/scripts/lib/$_.sh'; " } @libraries;
	IPC::Run::run([ 'bash', '-c', "set -euo pipefail; $sources$code" ], '<', \undef, '>', \$output, '2>&1');
	return (exit_code(), $output);
}

foreach my $name ('with space', 'with$dollar', 'with#hash', 'with%percent', 'with:colon', "with'quote")
{
	mkdir "$temp/$name" or die "$temp/$name: $!";
	local $ENV{TMPDIR} = "$temp/$name";
	my ($status, $output) = shell('make_temp_folder 1; echo "$TEMP"', $root, 'common');
	ok($status == 0 && $output =~ m{^(/var)?/tmp/bemi\.\w+$}, "nothing is built in a folder $name") or diag($output);
	is_deeply([ glob qq("$temp/$name/*") ], [], 'and nothing left there');
}
{
	mkdir "$temp/plain-1.2_x+y" or die $!;
	local $ENV{TMPDIR} = "$temp/plain-1.2_x+y";
	my ($status, $output) = shell('make_temp_folder 1; echo "$TEMP"', $root, 'common');
	like($output, qr{^\Q$ENV{TMPDIR}\E/bemi\.\w+$}, 'in a plain one it is');
}

# Whoever may write everything would see nothing of this: root. The tests' servers are run by somebody else.
SKIP:
{
	skip 'root may write what is read-only', 2 if $> == 0;
	mkdir "$temp/$_" or die "$temp/$_: $!" foreach 'checkout', 'copy';
	system("cp -r '$root/scripts' '$temp/checkout' && chmod -R a-w '$temp/checkout'") == 0 or die;
	my ($status, $output) = shell("copy_sources '$temp/copy'", "$temp/checkout", 'common', 'roots');
	system("chmod -R u+w '$temp/checkout'") == 0 or die;
	ok($status == 0 && -x "$temp/copy/scripts/test", 'a read-only checkout is copied') or diag($output);
	is(system("rm -r '$temp/copy' </dev/null"), 0, 'and the copy can be removed');
}

# A run that has built what another one has put into the build folder meanwhile, and is installing from there. Its own
# build is a stub, during which the other one's appears.
foreach my $case ([ 'same', "theirs\n", 'is left alone where it is the same' ], [ 'other', '', 'is replaced where it is not' ])
{
	my ($print, $expected, $name) = @$case;
	mkdir "$temp/$print-$_" or die $! foreach 'build', 'temp';
	my ($status, $output) = shell(qq{
BUILD=$temp/$print-build TEMP=$temp/$print-temp PRIVATE_CONFIG=none
fingerprint() { echo same; }
source_files() { echo Makefile; }
must() {
    mkdir "\$BUILD/plugin"
    touch "\$BUILD/plugin/theirs"
    echo $print >"\$BUILD/plugin/.fingerprint"
}
build_plugin
cat "\$BUILD/plugin/.fingerprint"
ls "\$BUILD/plugin" | grep theirs || true}, $root, 'common', 'server');
	is("$status $output", "0 same\n$expected", "the build of a simultaneous run $name");
}

done_testing();

# The checks of the sources find what they are there for: each is run on a copy of the sources in which one rule
# is broken.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest qw(exit_code);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = abs_path(dirname(__FILE__) . '/..');
my $copy = PostgreSQL::Test::Utils::tempdir . '/sources';

sub run_check
{
	my (@command) = @_;
	my $output = '';
	IPC::Run::run(\@command, '<', \undef, '>', \$output, '2>&1');
	return (exit_code(), $output);
}

sub fresh_copy
{
	system('rm', '-rf', $copy) == 0 or die;
	make_path($copy);
	system("cp -r '$root'/*.cpp '$root'/src '$root'/include '$copy'") == 0 or die;
	return;
}

# change FILE, CODE: CODE changes the file's text, which it finds in $_.
sub change
{
	my ($file, $code) = @_;
	my $text = slurp_file("$copy/$file");
	my $before = $text;
	$code->() for $text;
	die "$file is as it was" if $text eq $before;
	open my $handle, '>', "$copy/$file" or die "$file: $!";
	print $handle $text;
	close $handle or die;
	return;
}

# includes_found NAME, FILE, CODE, REGEX: the broken rule is reported, for that file or the one named last.
sub includes_found
{
	my ($name, $file, $code, $message, $reported) = @_;
	fresh_copy();
	change($file, $code);
	$file = $reported // $file;
	my ($status, $output) = run_check("$root/scripts/check-includes", $copy);
	ok($status == 1 && $output =~ /^\Q$file\E:\d+: .*$message/m, $name) or diag("exit $status:\n$output");
	return;
}

my $after_comment = qr/^(#pragma once\n|(?=#include))/m;
includes_found('a room may not include one above it', 'include/bemi/value.hpp',
	sub { s/$after_comment/$1#include "bemi\/record.hpp"\n/ }, qr/record\.hpp is not below value/);
includes_found('nor does another file of that room', 'src/decoder/value_scalars.cpp',
	sub { s/$after_comment/$1#include "bemi\/tuple.hpp"\n/ }, qr/tuple\.hpp is not below value/);
includes_found('only the gate includes server headers', 'src/decoder/filter.cpp',
	sub { s/\z/#include "utils\/rel.h"\n/ }, qr/only include\/bemi\/pg\.hpp may include/);
includes_found('in whatever brackets', 'src/decoder/filter.cpp',
	sub { s/\z/#  include <postgres.h>\n/ }, qr/only include\/bemi\/pg\.hpp may include/);
includes_found('only the gate includes rapidjson', 'src/decoder/record.cpp',
	sub { s/$after_comment/$1#include <rapidjson\/document.h>\n/ }, qr/only include\/bemi\/json\.hpp may include/);
includes_found('only the gate knows versions', 'src/decoder/record.cpp',
	sub { s/\z/#if PG_VERSION_NUM >= 160000\n#endif\n/ }, qr/PG_VERSION_NUM/);
includes_found('wire.hpp is for other programs too', 'include/bemi/wire.hpp',
	sub { s/$after_comment/$1#include "bemi\/json.hpp"\n/ }, qr/wire\.hpp is shared/);
includes_found('the standard comes first in a file', 'src/decoder/record.cpp',
	sub { s/\z/#include <array>\n/ }, qr/array \(the C\+\+ standard\) comes after/);
includes_found('nor may a header bring it after the server', 'include/bemi/record.hpp',
	sub { s/$after_comment/$1#include <valarray>\n/ }, qr/brings <valarray>/, 'src/decoder/record.cpp');

fresh_copy();
my ($clean_status, $clean) = run_check("$root/scripts/check-includes", $copy);
change('src/decoder/record.cpp', sub { s/\z/\/\/ #include "postgres.h"\n\/* PG_VERSION_NUM\n#include <postgres.h> *\/\n/ });
my ($status, $output) = run_check("$root/scripts/check-includes", $copy);
is($output, $clean, 'comments may say what they like');

fresh_copy();
system("echo '#include <cstddef>' > '$copy/src/decoder/attic.cpp'") == 0 or die;
($status, $output) = run_check("$root/scripts/check-includes", $copy);
ok($status == 1 && $output =~ /attic\.cpp:1: 'attic' has no place/, 'a new file must be put on a floor') or diag($output);

# Small libraries, each with one thing that a plugin may not have.
my $folder = PostgreSQL::Test::Utils::tempdir;

sub symbols_of
{
	my ($source, @flags) = @_;
	open my $handle, '>', "$folder/x.cpp" or die;
	print $handle qq{extern "C" __attribute__((visibility("default"))) void _PG_init();\n$source\n};
	close $handle or die;
	system('g++', '-std=c++17', '-fPIC', '-shared', '-O0', '-nostartfiles', '-o', "$folder/x.so", "$folder/x.cpp", @flags) == 0
	  or die 'the compiler failed';
	return run_check("$root/scripts/check-symbols", "$folder/x.so");
}

my %planted = (
	'a throw' => [ '__cxa_throw', 'void _PG_init() { throw 1; }' ],
	'a std::string' => [ 'std::', "#include <string>\nvoid _PG_init() { static char c; std::string s(&c); c = s[0]; }" ],
	'operator new' => [ 'operator new', 'void _PG_init() { int* volatile p = new int; (void)p; }' ],
	'operator delete' => [ 'operator delete', 'int* p; void _PG_init() { delete p; }' ],
	'a global with a destructor' => [
		'__cxa_atexit',
		'extern "C" { __attribute__((visibility("hidden"))) void* __dso_handle; }'
		  . 'struct S { ~S(); } s; S::~S() {} void _PG_init() {}'
	]);
foreach my $name (sort keys %planted)
{
	my ($symbol, $source) = @{ $planted{$name} };
	($status, $output) = symbols_of($source);
	ok($status == 1 && $output =~ /^ +U \Q$symbol\E/m, "$name is found") or diag("exit $status:\n$output");
}
($status, $output) = symbols_of('void _PG_init() {}', '-Wl,--no-as-needed', '-lstdc++');
ok($status == 1 && $output =~ /libstdc\+\+/, 'a library that is linked for nothing is found') or diag($output);
($status, $output) = symbols_of('void _PG_init() {}', '-nodefaultlibs', '-lc');
is($status, 0, 'a plain library passes') or diag($output);
($status, $output) = run_check("$root/scripts/check-symbols", "$folder/none.so");
is($status, 2, 'a file that is not there is no success');

done_testing();

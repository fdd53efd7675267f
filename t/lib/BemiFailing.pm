# failing_type.c, compiled for the server that the tests run on.
package BemiFailing;

use strict;
use warnings;

use Exporter 'import';
use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(failing_library make_failing_type);

# The folder with the library "failing_type"; nothing where there is no compiler.
sub failing_library
{
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my ($pgxs, $said) = ('', '');
	IPC::Run::run([ 'pg_config', '--pgxs' ], '>', \$pgxs) or die 'no pg_config';
	chomp $pgxs;
	return unless eval { IPC::Run::run([ 'cc', '--version' ], '>', \$said, '2>&1') };
	system('cp', library_file('failing_type.c'), $folder) == 0 or die;
	# The make that runs the tests has flags of its own.
	delete local @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};
	IPC::Run::run(
		[ 'make', '-C', $folder, '-f', $pgxs, "PGXS=$pgxs", 'MODULES=failing_type', 'with_llvm=no', 'PG_CONFIG=pg_config', 'all' ],
		'<', \undef, '>&', \$said)
	  or BAIL_OUT("failing_type.c does not compile: $said");
	return $folder;
}

# Makes its type, "failing", in the database postgres.
sub make_failing_type
{
	my ($node, $folder) = @_;
	$node->safe_psql('postgres', "
CREATE TYPE failing;
CREATE FUNCTION failing_in(cstring) RETURNS failing LANGUAGE c IMMUTABLE STRICT AS '$folder/failing_type';
CREATE FUNCTION failing_out(failing) RETURNS cstring LANGUAGE c IMMUTABLE STRICT AS '$folder/failing_type';
CREATE TYPE failing (INPUT = failing_in, OUTPUT = failing_out, LIKE = text, COLLATABLE = true);
CREATE CAST (failing AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS failing) WITHOUT FUNCTION;");
	return;
}

1;

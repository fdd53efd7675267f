# The oracle of oracle.sql: how it gets into a database, and what it says.
package BemiOracle;

use strict;
use warnings;

use Exporter 'import';
use BemiTest;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(sane_session install_oracle move_oracle judge count_kinds);

# The environment of a session in which SQL means what it says, whatever its database has set.
sub sane_session
{
	return {
		PGOPTIONS => join(' ',
			map { "-c $_" } 'search_path=pg_catalog', 'timezone=UTC', 'datestyle=iso', 'intervalstyle=postgres',
			'lc_monetary=C', 'bytea_output=hex', 'extra_float_digits=1', 'quote_all_identifiers=off',
			'standard_conforming_strings=on', 'array_nulls=on', 'transform_null_equals=off', 'client_min_messages=warning'),
		PGCLIENTENCODING => 'UTF8'
	};
}

# The server needs track_commit_timestamp = on.
sub install_oracle
{
	my ($node, $database) = @_;
	run_script($node, $database, library_file('oracle.sql'), environment => sane_session());
	return;
}

# Takes what was seen in one database to another, in UTF-8, which has an oracle that saw nothing.
sub move_oracle
{
	my ($node, $from, $to) = @_;
	foreach my $table (qw(shapes log))
	{
		my ($file, $script) = map { temp_file($_) } "moved_$table", 'move.sql';
		foreach my $step ([ $from, 'TO' ], [ $to, 'FROM' ])
		{
			write_text($script, "\\copy oracle.$table $step->[1] '$file'\n");
			run_script($node, $step->[0], $script, environment => sane_session());
		}
	}
	return;
}

# What is wrong with a table of lines, a paragraph each. `source`: the name of the database that
# they are from, the same one unless told.
sub judge
{
	my ($node, $database, $table, $source) = @_;
	my ($script, $verdict) = (temp_file('judge.sql'), temp_file("verdict_of_$table"));
	my $origin = defined $source ? sql_literal($source) : 'current_database()::text';
	write_text($script, <<"SQL");
SELECT concat_ws(E'\\n  ', subject, complaint, 'expected: ' || "left"(expected, 3000), 'got: ' || "left"(got, 3000)) || E'\\f'
FROM oracle.judge('$table', $origin);
SQL
	run_script($node, $database, $script, output => $verdict, environment => sane_session());
	return grep { /\S/ } split /\f\n?/, slurp_file($verdict);
}

# How many complaints there are of each kind.
sub count_kinds
{
	my %counts;
	$counts{$_}++ foreach map { /\n  ((?:a|the wrong|missing) [a-z_ ]+?)(?: and their order)?(?:\n|$)/ ? $1 : () } @_;
	return %counts;
}

1;

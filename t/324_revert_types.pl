# Values of every type, as time travel gives them and as a reversion brings them back: to the bit, whatever the
# settings of the session.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use BemiValues;
use PostgreSQL::Test::Utils;
use Test::More;

seed_random();
my $node = new_node('types');
my $connection = $node->connstr('postgres');
install_types($node, 'postgres');
ingest_ok($node, $node, 'init');

my @types = type_names();
@types = grep { is_long() || chance(0.35) } @types;

# What images don't tell, as docs/record.md says: -0, lower bounds of arrays, a null in a json.
sub as_told
{
	my ($row) = @_;
	$row =~ s/(?:\[-?\d+:-?\d+\])+=//g;
	$row =~ s/-0(?![.\d])/0/g;
	$row =~ s/\bnull\b//g;
	return $row;
}

my $script = temp_file('types.sql');
my $text = "SET search_path = pg_catalog;\nSET client_encoding = UTF8;\n"
  . "CREATE TABLE public.kept (type text, id int, row text, image jsonb);\n";
my $number = 0;
my %table_of;
foreach my $type (@types)
{
	my $table = 'public.' . sql_name('type ' . ++$number);
	$table_of{$table} = $type;
	$text .= "CREATE TABLE $table (id int PRIMARY KEY, v " . type_sql($type) . ");\nALTER TABLE $table REPLICA IDENTITY FULL;\n";
	my $id = 0;
	foreach my $value ((grep { length $_ < 2000 } type_edges($type)), map { value($type, small => 1) } 1 .. (is_long() ? 20 : 3))
	{
		$id++;
		$text .= "INSERT INTO $table VALUES ($id, $value);\n";
	}
}
write_text($script, $text);
my $said = run_script($node, 'postgres', $script, go_on => 1, environment => { PGOPTIONS => '-c search_path=pg_catalog' });
note($said);
pass('rows of ' . @types . ' types');

# The rows as they are, and then every one of them changed and taken away.
$node->safe_psql('postgres', join "\n", map { "INSERT INTO kept SELECT '$_', id, t.*::text, NULL FROM $_ t;" } sort keys %table_of);
my $mark = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
foreach my $table (sort keys %table_of)
{
	$node->safe_psql('postgres', "UPDATE $table SET v = (SELECT o.v FROM $table o WHERE o.id <> $table.id ORDER BY o.id DESC LIMIT 1);"
		  . "UPDATE $table SET id = -id; DELETE FROM $table WHERE id % 2 = 0;");
}
drain($node, $node);
my $hostile = "SET timezone = 'Asia/Kathmandu'; SET datestyle = 'German, DMY'; SET intervalstyle = 'sql_standard';"
  . " SET bytea_output = escape; SET extra_float_digits = 0; SET xmloption = document;"
  . (server_major() < 19 ? ' SET standard_conforming_strings = off;' : '')
  . " SET search_path = shadow, pg_catalog, public; SET quote_all_identifiers = on;";

# Where the rows of some tables (under `prefix`) are not those that were kept.
sub differences
{
	my ($prefix, @tables) = @_;
	my $wrong = '';
	foreach my $table (@tables)
	{
		my $there = $table =~ s/^public\."/$prefix/r;
		my $rows = $node->safe_psql('postgres', "SELECT encode(convert_to(k.row, 'UTF8'), 'hex'), encode(convert_to(t.*::text, 'UTF8'), 'hex')"
			  . " FROM (SELECT * FROM kept WHERE type = '$table') k FULL JOIN $there t ON t.id = k.id WHERE k.row IS DISTINCT FROM t.*::text");
		foreach (split /\n/, $rows)
		{
			my ($before, $after) = map { pack 'H*', $_ } split /\|/, $_, -1;
			$wrong .= "$table_of{$table}: $before|$after\n" if as_told($before) ne as_told($after);
		}
	}
	return $wrong;
}

# (White space in a json, and the order of its keys, are not told either: those are compared as jsonb
# where they are reverted.)
my @exact = grep { $table_of{$_} !~ /json|document|vector/ } sort keys %table_of;
write_text($script, join "\n", $hostile, 'CREATE SCHEMA past;', map {
	'CREATE TABLE ' . s/^public/past/r . " AS SELECT * FROM bemi.as_of(NULL::$_, '$mark', NULL, NULL);" } @exact);
run_script($node, 'postgres', $script);
is(differences('past."', @exact), '', scalar(@exact) . ' types are in the past as they were');

write_text($script, join "\n", $hostile, map {
	"SELECT DISTINCT '$table_of{$_}', outcome, conflict FROM bemi.revert(\"table\" => '$_', since => '$mark');" } sort keys %table_of);
my $output = temp_file('outcomes');
run_script($node, 'postgres', $script, output => $output);
my (%reverted, %conflicts);
foreach (split /\n(?=\S[^|\n]*\|(?:reverted|fits|conflict)\|)/, slurp_file($output))
{
	my ($type, $outcome, $conflict) = split /\|/, $_, 3;
	$reverted{$type} = 1 if $outcome eq 'reverted';
	$conflicts{$type} .= $conflict if $outcome eq 'conflict';
}
note("$_: $conflicts{$_}") foreach sort keys %conflicts;
is(join(', ', grep { !/json|document|vector/ } sort keys %conflicts), '',
	'conflicts are of json that jsonb refuses, and of types that do not read what they write');
is(differences('public."', grep { $reverted{ $table_of{$_} } } @exact), '', scalar(keys %reverted) . ' types are as they were');
done_testing();

# Names and keys are in a record as JSON strings, and in `changes` as texts: whatever characters they have, in whatever encoding
# the source's database has them. What the destination's own parser of JSON makes of the images is the oracle.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $seed = seed_random();
my $source = new_node('source', '', initdb => [ '--locale=C', '--encoding=UTF8' ]);
my $destination = new_destination('destination');

# Code points that a database of an encoding can hold, beside those of ASCII.
my %beyond = (
	UTF8 => [ 0x80, 0xE9, 0x7FF, 0x800, 0x20AC, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF ],
	LATIN1 => [ 0xA0 .. 0xFF ],
	LATIN9 => [ 0x20AC, 0x160, 0xE9 ],
	WIN1251 => [ 0x410 .. 0x44F, 0x20AC, 0x2116 ],
	EUC_JP => [ 0x3042 .. 0x3093, 0x65E5, 0x672C ],
	SQL_ASCII => [ 0xE9, 0x20AC, 0x1F600, 0x10FFFF ]);

sub text
{
	my ($encoding, $longest) = @_;
	my @plain = (0x20 .. 0x7E);
	return join '', map { chr(chance(0.4) ? pick(@{ $beyond{$encoding} }) : chance(0.4) ? pick(1 .. 0x1F, 0x22, 0x27, 0x2F, 0x5C, 0x7F) : pick(@plain)) }
		1 .. between(1, $longest);
}

# As SQL that has only ASCII: chr() gives characters of the database; SQL_ASCII has bytes.
sub literal
{
	my ($encoding, $text) = @_;
	return "'" . ($text =~ s/'/''/gr) . "'" if $encoding eq 'name';
	my $bytes = $text;
	utf8::encode($bytes);
	return sprintf q{convert_from('\x%s'::bytea, '%s')}, unpack('H*', $bytes), $encoding eq 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8';
}

my $rows = is_long() ? 3000 : 150;
foreach my $encoding (sort keys %beyond)
{
	my $database = lc $encoding;
	$source->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'");
	$destination->safe_psql('postgres', "CREATE DATABASE $database");
	my ($from, $to) = ($source->connstr($database), $destination->connstr($database));
	ingest_ok($from, $to, 'init', '--slot', $database);
	my $sql = "SET standard_conforming_strings = on;\n";
	foreach my $table (1 .. 6)
	{
		my ($schema, $name) = map { literal($encoding, text($encoding, 12)) } 1 .. 2;
		$sql .= qq{SELECT format('CREATE SCHEMA IF NOT EXISTS %I', $schema) \\gexec
SELECT format('CREATE TABLE %I.%I (k text PRIMARY KEY, s text, t text)', $schema, $name) \\gexec\n};
		$sql .= sprintf "SELECT format('INSERT INTO %%I.%%I VALUES (%%L, %%L, %%L) ON CONFLICT DO NOTHING', $schema, $name, %s, $schema, $name) \\gexec\n",
			literal($encoding, text($encoding, 20)) foreach 1 .. $rows / 6;
		$sql .= "SELECT format('UPDATE %I.%I SET k = k || chr(34) || chr(92)', $schema, $name) \\gexec\n";
	}
	my $file = temp_file("$database.sql");
	write_text($file, $sql);
	run_script($source, $database, $file);
	ingest_ok($from, $to, 'run', '--slot', $database, '--until-current');
	cmp_ok($destination->safe_psql($database, 'SELECT count(*) FROM changes'), '>', $rows, "$encoding: rows");
	is($destination->safe_psql($database, q{SELECT count(*), min(id::text) FROM changes
		WHERE primary_key IS DISTINCT FROM after->>'k' OR schema IS DISTINCT FROM after->>'s' OR "table" IS DISTINCT FROM after->>'t'
			OR operation = 'UPDATE' AND previous_key || '"\\' IS DISTINCT FROM after->>'k'}), '0|', "$encoding: keys and names are texts (seed $seed)");
	is($destination->safe_psql($database, q{SELECT count(DISTINCT (c.schema, c."table")) FROM changes c
		WHERE NOT EXISTS (SELECT FROM bemi.tables t WHERE t.schema = c.schema AND t."table" = c."table")}), '0', "$encoding: the tables are known by their names");
}
done_testing();

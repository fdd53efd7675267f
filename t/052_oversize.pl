# No value stops the stream: what is too large for a record, or for jsonb, is left out and named in
# "missing", the largest values first, and the rest of the row stays. Rows near the server's own
# limits; sql/oversize.sql tests the rule itself at smaller sizes. BEMI_TEST_LONG=1 adds what takes
# gigabytes.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiStream;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('oversize', "max_wal_size = 8GB\nwal_sender_timeout = 600s\nstatement_timeout = 600s\n");
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$node->safe_psql('postgres', q{
CREATE TABLE item (id int PRIMARY KEY, t text, u text, j json, jb jsonb, b bytea, i int[], f bool[], ts text[], v bit varying, n text DEFAULT 'stays');
CREATE TABLE plain (id int PRIMARY KEY, a text, b text, c text, n text DEFAULT 'stays');
ALTER TABLE plain REPLICA IDENTITY FULL;
ALTER TABLE plain ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL, ALTER c SET STORAGE EXTERNAL;
CREATE FUNCTION ones(int) RETURNS text LANGUAGE sql AS $$ SELECT '[' || repeat('1,', $1 - 1) || '1]' $$;
});
create_slot($node, 'postgres', 'slot');

sub sql { my (@statements) = @_; return $node->safe_psql('postgres', join ";\n", @statements); }

# --- values of every kind -----------------------------------------------------------------------------

my $million = 1_000_000;
# What is stored in a row, and what is expected to be missing of it.
my @values = (
	[ { t => "repeat(E'\\x01', 60 * $million)" }, 't' ],
	[ { t => "repeat(E'\\x01', 12 * $million)" }, 't' ],
	[ { t => "repeat(E'\\x01', 3 * $million)" }, '' ],
	[ { t => "repeat('x', 70 * $million)", u => "repeat(E'\\n', 2 * $million)" }, 't' ],
	[ { j => "ones(24 * $million)::json" }, 'j' ],
	[ { j => "ones(2 * $million)::json" }, '' ],
	[ { j => "('{\"a\":[' || repeat('{},', 18 * $million) || '0]}')::json" }, 'j' ],
	[ { jb => "to_jsonb(repeat('x', 70 * $million))" }, 'jb' ],
	[ { jb => "ones(2 * $million)::jsonb" }, '' ],
	[ { b => "decode(repeat('00', 40 * $million), 'hex')" }, 'b' ],
	[ { b => "decode(repeat('00', 3 * $million), 'hex')" }, '' ],
	[ { i => "array_fill(1, ARRAY[24 * $million])" }, 'i' ],
	[ { i => "array_fill(1234567890, ARRAY[8 * $million])" }, 'i' ],
	[ { i => "array_fill(1, ARRAY[2, 1 * $million])" }, '' ],
	[ { f => "array_fill(NULL::bool, ARRAY[100 * $million])" }, 'f' ],
	[ { f => "array_fill(true, ARRAY[20 * $million])" }, 'f' ],
	[ { ts => "array_fill(repeat('x', 30 * $million), ARRAY[3])" }, 'ts' ],
	[ { ts => "array_fill(repeat('\"', 15 * $million), ARRAY[3])" }, 'ts' ],
	[ { v => "repeat('1', 70 * $million)::bit varying" }, 'v' ]);
my @large = (
	[ { t => "repeat(E'\\x01', 200 * $million)" }, 't' ],
	[ { t => "repeat(E'\\x01', 500 * $million)" }, 't' ],
	[ { j => "ones(16777216)::json" }, '' ],
	[ { j => "ones(16777217)::json" }, 'j' ],
	[ { j => "to_json(repeat('x', 300 * $million))" }, 'j' ],
	[ { j => "('{\"a\":\"' || repeat('\\n', 400 * $million) || '\"}')::json" }, 'j' ],
	[ { jb => "to_jsonb(repeat('x', 250 * $million))" }, 'jb' ],
	[ { b => "decode(repeat('00', 200 * $million), 'hex')" }, 'b' ],
	[ { b => "decode(repeat('00', 400 * $million), 'hex')" }, 'b' ],
	[ { i => "array_fill(1, ARRAY[16777216])" }, '' ],
	[ { i => "array_fill(1, ARRAY[16777217])" }, 'i' ],
	[ { i => "array_fill(NULL::int, ARRAY[134 * $million])" }, 'i' ],
	[ { f => "array_fill(true, ARRAY[100 * $million])" }, 'f' ],
	[ { ts => "array_fill(repeat('x', 300 * $million), ARRAY[3])" }, 'ts' ],
	[ { v => "repeat('1', 300 * $million)::bit varying" }, 'v' ],
	[
		{
			t => "repeat('t', 100 * $million)",
			u => "repeat('u', 100 * $million)",
			j => "ones(24 * $million)::json",
			b => "decode(repeat('00', 100 * $million), 'hex')",
			i => "array_fill(1, ARRAY[24 * $million])",
			f => "array_fill(NULL::bool, ARRAY[100 * $million])"
		},
		'b f i j t u'
	]);
push @values, @large if is_long();
foreach my $id (1 .. @values)
{
	my $row = $values[ $id - 1 ][0];
	my @columns = sort keys %$row;
	sql('INSERT INTO item (' . join(', ', 'id', @columns) . ') VALUES (' . join(', ', $id, map { $row->{$_} } @columns) . ')');
}

# --- rows that don't compress ---------------------------------------------------------------------------

# One of 600 MB; then images that only together are too large.
sql("INSERT INTO plain VALUES (1, repeat('a', 300 * $million), repeat('b', 300 * $million), 'c')");
sql("UPDATE plain SET n = 'changed' WHERE id = 1", 'DELETE FROM plain WHERE id = 1') if is_long();
create_slot($node, 'postgres', 'again');
sql("INSERT INTO plain VALUES (2, repeat('a', 15 * $million), repeat('b', 14 * $million), repeat('c', 13 * $million))",
	"UPDATE plain SET c = repeat('d', 13 * $million) WHERE id = 2", "UPDATE plain SET a = 'short' WHERE id = 2",
	'DELETE FROM plain WHERE id = 2');

# A row of 1,100 columns: so many of some 200 kB as a page has room for pointers to.
my $wide = 430;
sql( 'CREATE TABLE wide (' . join(', ', 'id int PRIMARY KEY', map { "c$_ text" } 1 .. 1100) . ')',
	map({ "ALTER TABLE wide ALTER c$_ SET STORAGE EXTERNAL" } 1 .. $wide),
	'INSERT INTO wide SELECT 1, ' . join(', ', map { "repeat('x', 150000 + $_ * 7919 % 100000)" } 1 .. $wide));

my $end = current_lsn($node);

# --- what comes out ----------------------------------------------------------------------------------------

my $file = temp_file('records');
my $limit = 64 << 20;
decode_stream($node, 'postgres', 'slot', $file, $end);
is(BemiStream::confirmed($node, 'slot') >= $node->safe_psql('postgres', "SELECT '$end'::pg_lsn - '0/0'"), 1, 'the slot goes on');
my @lines = read_lines($file);
is(scalar @lines, @values + (is_long() ? 8 : 6), 'every change has its record');
is(scalar(grep { length > $limit } @lines), 0, 'none of them is larger than max_record_size');
is($lines[-1] =~ /"table":"wide"/, 1, 'the last one is that of the widest row');

my $again = temp_file('again');
decode_sql($node, 'postgres', 'again', $again, peek => 1);
is(join("\n", map { md5_hex($_) } read_lines($again)), join("\n", map { md5_hex($_) } @lines[ -5 .. -1 ]),
	'decoded again, the same values are left out');
unlink $again;
my $wide_line = $lines[-1];
undef @lines;

# Each of them, as jsonb has it.
load_lines($node, 'elsewhere', 'line', $file);
my @found = split /\n/, $node->safe_psql('elsewhere', q{
SELECT concat_ws('|', "table", operation, coalesce(primary_key, 'null'),
	coalesce((SELECT string_agg(key, ' ' ORDER BY key) FROM jsonb_each_text(missing) WHERE value = 'size'), ''),
	(SELECT string_agg(key || '=' || length(value), ' ' ORDER BY key) FROM jsonb_each_text(before) WHERE value IS NOT NULL),
	(SELECT string_agg(key || '=' || length(value), ' ' ORDER BY key) FROM jsonb_each_text("after") WHERE value IS NOT NULL))
FROM line, jsonb_to_record(line::jsonb) AS r ("table" text, operation text, primary_key text, missing jsonb, before jsonb, "after" jsonb)
WHERE "table" <> 'wide' ORDER BY i
});
foreach my $id (1 .. @values)
{
	my ($row, $missing) = @{ $values[ $id - 1 ] };
	my ($table, $operation, $key, $found, $after) = split /\|/, shift @found;
	my @there = map { s/=.*//r } split / /, $after;
	my %gone = map { $_ => 1 } split / /, $missing;
	is_deeply(
		[ $key, $found, @there ],
		[ $id, $missing, sort grep { !$gone{$_} } 'id', 'n', keys %$row ],
		join(', ', map { "$_ = $row->{$_}" } sort keys %$row));
}
is_deeply(
	\@found,
	[
		'plain|CREATE|1|a b|c=1 id=1 n=5',
		is_long() ? ('plain|UPDATE|1|a b|c=1 id=1 n=5|c=1 id=1 n=7', 'plain|DELETE|1|a b|c=1 id=1 n=7') : (),
		'plain|CREATE|2||a=15000000 b=14000000 c=13000000 id=1 n=5',
		'plain|UPDATE|2|a|b=14000000 c=13000000 id=1 n=5|b=14000000 c=13000000 id=1 n=5',
		'plain|UPDATE|2|a|b=14000000 c=13000000 id=1 n=5|a=5 b=14000000 c=13000000 id=1 n=5',
		'plain|DELETE|2||a=5 b=14000000 c=13000000 id=1 n=5'
	],
	'rows that do not compress: the largest values go, the others stay');

# The wide row: what has gone is larger than what has stayed, and none has gone in vain.
my %missing = map { $_ => 1 } $wide_line =~ /"c(\d+)":"size"/g;
my %size = map { $_ => 150000 + $_ * 7919 % 100000 } 1 .. $wide;
my %there = map { $_ => 1 } $wide_line =~ /"c(\d+)":"x/g;
is(keys(%missing) + keys(%there), $wide, 'a wide row: each value has stayed or is missing');
my ($smallest) = sort { $a <=> $b } map { $size{$_} } keys %missing;
my ($largest) = sort { $b <=> $a } map { $size{$_} } keys %there;
cmp_ok($largest, '<=', $smallest, 'a wide row: the largest have gone');
cmp_ok(length($wide_line) + $smallest, '>', $limit - 100, 'a wide row: and no more than had to');
is(scalar(() = $wide_line =~ /"c\d+":null/g), 1100 - $wide, 'a wide row: what was null is');
is($node->safe_psql('elsewhere', q{SELECT count(line::jsonb) FROM line WHERE line LIKE '%"table":"wide"%'}), 1, 'a wide row: jsonb takes it');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|WARNING|was terminated by signal|could not write value/, 'nothing bad in the log');

done_testing();

# Every writer of a type of its own, against what the type's own output function makes of the same
# value (to_jsonb's text): extremes and random bits, brought in by binary COPY. 20,000 values of
# each type, a million with BEMI_TEST_LONG=1; BEMI_TEST_SEED repeats a run.

use strict;
use warnings;
use utf8;

use Encode qw(encode);
use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use Test::More;

my $per_round = 20_000;
my $rounds = is_long() ? 50 : 1;
my $seed = seed_random();

# A random number of as many bits, of every magnitude: random bits of a random width, or their complement.
sub bits
{
	my ($width) = @_;
	my $number = 0;
	$number = ($number << 16) | int rand 65536 foreach 1 .. 4;
	my $shift = 64 - $width + (chance(0.5) ? int rand $width : 0);
	$number = $number >> $shift;
	$number = ~$number & (~0 >> (64 - $width)) if chance(0.5);
	return $number;
}

# Between two signed numbers, at all distances from a place.
sub near
{
	my ($low, $high, $place) = @_;
	my $offset = bits(63) >> int rand 63;
	my $number = chance(0.5) ? $place + $offset : $place - $offset;
	return $number < $low || $number > $high ? $place : int $number;
}

my @alphabet = ('a' .. 'z', ' ', '"', '\\', "\n", "\r", "\t", "\b", "\f", "\x01", "\x1f", "\x7f", "é", "ß", "€", "漢", "\x{1F600}", "\x{FFFF}", '/', "'");

sub text
{
	my ($longest) = @_;
	my @letters = chance(0.5) ? ('a' .. 'z', '0' .. '9') : @alphabet;
	my $text = join '', map { pick(@letters) } 1 .. int rand $longest;
	substr($text, rand length $text, 1) = pick(@alphabet) if $text ne '' && chance(0.3);
	return encode('UTF-8', $text);
}

# numeric_recv's form: number of digits of base 10,000, weight, sign, scale, digits.
sub numeric
{
	return pack('n4', 0, 0, pick(0xC000, 0xD000, 0xF000), 0) if chance(0.01);
	my $count = chance(0.02) ? int rand 400 : int rand 8;
	my @digits = map { pick(0, 1, 9, 10, 99, 100, 999, 1000, 9999, int rand 10000) } 1 .. $count;
	my $weight = chance(0.02) ? between(-200, 400) : between(-5, 8);
	my $scale = chance(0.02) ? between(0, 2000) : pick(0, 0, 1, 2, 3, 4, 5, between(0, 40));
	return pack('n*', $count, $weight & 0xFFFF, pick(0, 0x4000), $scale, @digits);
}

sub json
{
	my ($depth) = @_;
	my $kind = int rand($depth > 0 ? 8 : 6);
	return pick('null', 'true', 'false') if $kind == 0;
	return pick('0', '-1', '1.50', '1e5', '12345678901234567890.001', int rand 1000) if $kind <= 2;
	return '"' . join('', map { pick('a' .. 'z', '\\"', '\\\\', '\\n', '\\u0001', 'é', '漢') } 1 .. int rand 30) . '"' if $kind <= 5;
	my @members = map { json($depth - 1) } 1 .. int rand($depth == 3 ? 60 : 8);
	return '[' . join(',', @members) . ']' if $kind == 6;
	return '{' . join(',', map { '"key ' . (int rand 1000) . '":' . $_ } @members) . '}';
}

my ($julian, $micros) = (2451545, 86_400_000_000);
my @timestamps = (-211813488000000000, 9223371331199999999, -9223372036854775807 - 1, 9223372036854775807, 0, -1, 1, 999999, 1000000,
	-63113904000000000, -63113904000000001, 252455615999999999, 252455616000000000);

sub timestamp
{
	return pick(@timestamps) if chance(0.05);
	return near($timestamps[0], $timestamps[1], pick(@timestamps[ 0, 1, 4 .. $#timestamps ])) if chance(0.7);
	return near(-200, 200, 0) * $micros * 365 + pick(0, 1, 1000, 999000, 500000);
}

my @dates = (-$julian, 2145031948, -0x80000000, 0x7FFFFFFF, 0, -1, 59, 60, -730487, -730486, -730121);

# Type → a maker of its binary form.
my %makers = (
	bool => sub { pack 'C', int rand 2 },
	int2 => sub { pack 'n', bits(16) },
	int4 => sub { pack 'N', bits(32) },
	int8 => sub { pack 'Q>', bits(64) },
	float4 => sub { chance(0.3) ? pack('f>', between(-1000, 1000) / pick(1, 2, 4, 10, 100)) : pack 'N', bits(32) },
	float8 => sub { chance(0.3) ? pack('d>', between(-1000, 1000) / pick(1, 2, 4, 10, 100)) : pack 'Q>', bits(64) },
	numeric => \&numeric,
	text => sub { text(pick(4, 20, 70, 200)) },
	varchar => sub { text(40) },
	bpchar => sub { text(20) },
	name => sub { my $name = text(30); length $name < 64 ? $name : 'too long' },
	bytea => sub { pack 'C*', map { int rand 256 } 1 .. int rand 40 },
	uuid => sub { pack 'Q>2', bits(64), bits(64) },
	date => sub { pack 'l>', chance(0.1) ? pick(@dates) : near($dates[0], $dates[1], pick(@dates[ 0, 1, 4 .. $#dates ])) },
	timestamp => sub { pack 'q>', timestamp() },
	timestamptz => sub { pack 'q>', timestamp() },
	jsonb => sub { pack('C', 1) . encode('UTF-8', json(3)) });
my @types = sort keys %makers;

sub write_rows
{
	my ($file, $first) = @_;
	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle "PGCOPY\n\xff\r\n\0", pack('N2', 0, 0);
	foreach my $n ($first .. $first + $per_round - 1)
	{
		print $handle pack('n', 1 + @types), pack('N Q>', 8, $n);
		print $handle map { chance(0.02) ? pack('N', 0xFFFFFFFF) : pack 'N/a', $makers{$_}->() } @types;
	}
	print $handle pack('n', 0xFFFF);
	close $handle or die "$file: $!";
	return;
}

my $node = new_node('writers');
my $columns = join ', ', map { "c_$_ $_" } @types;
$node->safe_psql('postgres', "CREATE TABLE v (n bigint PRIMARY KEY, $columns); CREATE UNLOGGED TABLE records (n bigint PRIMARY KEY, image jsonb)");
create_slot($node, 'postgres', 'writers');

# What differs, by column, with both texts; the first of it.
sub differences
{
	my ($expected) = @_;
	return $node->safe_psql('postgres', qq{
SET TimeZone = 'UTC';
SELECT format('row %s, %s: %s, not %s', n, key, "left"((image->key)::text, 300), "left"(value::text, 300))
FROM (SELECT v.n, $expected AS expected, image FROM v LEFT JOIN records USING (n)
      WHERE ($expected)::text IS DISTINCT FROM image::text ORDER BY v.n LIMIT 20) AS different,
     jsonb_each(expected)
WHERE value::text IS DISTINCT FROM (image->key)::text LIMIT 20});
}

# Decodes what was written since the last time, and looks at every value.
sub check
{
	my ($name, $function, $expected, $options) = @_;
	$node->safe_psql('postgres', qq{
TRUNCATE records;
INSERT INTO records SELECT (image->>'n')::bigint, image
FROM (SELECT data::jsonb->'after' AS image FROM pg_logical_slot_${function}_changes('writers', NULL, NULL, 'operations', 'create'$options)) AS r});
	is($node->safe_psql('postgres', 'SELECT count(*) FROM records'), $per_round, "$name: every row has its record");
	is(differences($expected), '', "$name: " . @types . " types are written as to_jsonb writes them") or diag("seed $seed");
	return;
}

foreach my $round (1 .. $rounds)
{
	my $file = temp_file('rows.bin');
	write_rows($file, ($round - 1) * $per_round);
	my $script = temp_file('load.sql');
	write_text($script, "TRUNCATE v;\n\\copy v FROM '$file' (FORMAT binary)\n");
	run_script($node, 'postgres', $script);
	check("round $round, quoted", 'peek',
		q{to_jsonb(v) || jsonb_build_object('n', v.n::text, 'c_int8', c_int8::text, 'c_numeric', c_numeric::text)},
		q{, 'quote_numbers', 'bigint,numeric'});
	check("round $round", 'get', 'to_jsonb(v)', '');
}

# The comparison is not blind.
$node->safe_psql('postgres', q{UPDATE v SET c_int4 = 1 - coalesce(c_int4, 0) / 2, c_date = '2026-02-28' WHERE n = (SELECT max(n) FROM v)});
like(differences('to_jsonb(v)'), qr/c_date.*not "2026-02-28"/, 'a value that is another is noticed');

$node->stop;
done_testing();

# Values for every type worth testing: the extremes of each, and random ones. A value is an
# expression of SQL, so that it may be a literal or something too large to write out.
package BemiValues;

use strict;
use warnings;
use utf8;

use Exporter 'import';
use BemiTest;

our @EXPORT = qw(
  install_types type_names type_sql type_edges value
  random_text random_json mutated_json
);

# name → { sql => its name in SQL, edges => [expressions], rare => [large ones],
#          random => code that returns an expression, key => fit for a btree, group => … }
my %types;
my @order;

# What a value may hold that trips up a writer of JSON.
my @characters = (
	(map { chr } 0x01 .. 0x1f),
	split(//, q{"\\/'`$%{}[]:,;<>&|!?*+-_=~^#@()}),
	(map { chr } 0x7f, 0x80, 0x85, 0x9f, 0xa0, 0xad, 0xe9, 0xff, 0x100, 0x3b1, 0x5d0, 0x7ff, 0x800),
	(map { chr } 0x2028, 0x2029, 0x202e, 0x200d, 0xfeff, 0xfffd, 0xd7ff, 0xe000, 0x4e2d, 0xac00),
	(map { chr } 0x1f600, 0x10000, 0x1d11e, 0x10ffff));

sub random_text
{
	my ($longest) = @_;
	my $length = int(rand($longest + 1) * rand);
	return join '',
	  map { chance(0.6) ? chr between(0x20, 0x7e) : pick(@characters) } 1 .. $length;
}

# Literals: of one's own text, and of a list of texts.
sub quoted { return map { \sql_literal($_) } @_; }

sub digits { my ($count) = @_; return join '', map { int rand 10 } 1 .. between(1, $count); }

sub decimal
{
	return
		(chance(0.4) ? '-' : '')
	  . digits(pick(1, 3, 12, 30))
	  . (chance(0.6) ? '.' . digits(pick(1, 4, 25)) : '');
}

sub floating
{
	my ($exponent) = @_;
	return
		(chance(0.4) ? '-' : '')
	  . digits(1) . '.' . digits(17) . 'e' . between(-$exponent, $exponent);
}

sub date_text
{
	my ($years) = @_;
	my $year = chance(0.3) ? between(1, $years) : between(1890, 2110);
	return sprintf '%04d-%02d-%02d', $year, between(1, 12), between(1, 28);
}

sub time_text
{
	return sprintf '%02d:%02d:%02d%s', between(0, 23), between(0, 59), between(0, 59),
	  chance(0.5) ? '.' . digits(6) : '';
}

sub zone_text { return sprintf '%s%02d:%02d', pick('+', '-'), between(0, 15), between(0, 59); }

# A date, and what is to follow it in the text, some of them BC, which comes after everything else.
sub moment_text
{
	my ($rest) = @_;
	return chance(0.1) ? date_text(4700) . "$rest BC" : date_text(290000) . $rest;
}

sub interval_text
{
	my @parts = map { between(-1000, 1000) . " $_" }
	  grep { chance(0.4) } qw(years months days hours mins secs microseconds);
	return join(' ', @parts) || '0';
}

sub hex_text { my ($bytes) = @_; return join '', map { sprintf '%02x', rand 256 } 1 .. $bytes; }

sub uuid_text { return hex_text(4) . join('', map { '-' . hex_text(2) } 1 .. 3) . '-' . hex_text(6); }

sub point_text { return '(' . floating(20) . ',' . decimal() . ')'; }

sub range_text
{
	my ($low, $high, $quote) = @_;
	return 'empty' if chance(0.1);
	return pick('[', '(') . (chance(0.15) ? '' : $low) . ',' . (chance(0.15) ? '' : $high) . pick(']', ')');
}

sub range_of_numbers
{
	my ($code) = @_;
	my ($low, $high) = sort { $a <=> $b } ($code->(), $code->());
	return range_text($low, $high);
}

sub range_of_texts
{
	my ($code) = @_;
	my ($low, $high) = sort ($code->(), $code->());
	return range_text("\"$low\"", "\"$high\"");
}

sub words { return map { join '', map { chr between(ord 'a', ord 'z') } 1 .. between(1, 8) } 1 .. $_[0]; }

# A document that type json takes; jsonb takes most. Depth, then what may go wrong in it:
# bad => true for escapes and numbers that only json accepts.
sub random_json
{
	my ($depth, %how) = @_;
	my $space = sub { return chance(0.15) ? pick(' ', "\n", "\t", "\r\n", '  ') : ''; };
	my $kind = $depth <= 0 ? between(0, 4) : between(0, 9);
	my $text;
	if ($kind == 0) { $text = pick('true', 'false', 'null'); }
	elsif ($kind <= 2) { $text = json_number(%how); }
	elsif ($kind <= 4) { $text = json_string(20, %how); }
	elsif ($kind <= 6)
	{
		$text = '[' . $space->()
		  . join(',', map { random_json($depth - 1, %how) } 1 .. between(0, 4)) . $space->() . ']';
	}
	else
	{
		$text = '{' . $space->()
		  . join(',',
			map { $space->() . json_key(%how) . $space->() . ':' . random_json($depth - 1, %how) }
			  1 .. between(0, 4))
		  . $space->() . '}';
	}
	return $space->() . $text . $space->();
}

# Short keys, so that duplicates happen.
sub json_key { my (%how) = @_; return chance(0.6) ? pick('"a"', '"b"', '""', '"\u0061"') : json_string(6, %how); }

sub json_number
{
	my (%how) = @_;
	return pick('1e999999', '-1e131072', '1e-16384', '0e-99999', '1e2147483648', '9' x 131073)
	  if $how{bad} && chance(0.05);
	return pick(
		'0', '-0', '0.0', '-0.00', '1e5', '1E+5', '1e-5', '12e00', '0e10', '0.1e1', '1.50',
		'18446744073709551616', '-9223372036854775809', '0.' . '0' x 20 . '1', '1e400', '1e-400',
		decimal_json(), decimal_json(), decimal_json());
}

sub decimal_json
{
	my $number = decimal();
	$number =~ s/^(-?)0+(?=\d)/$1/;
	return $number . (chance(0.2) ? pick('e', 'E') . pick('', '+', '-') . digits(2) : '');
}

sub json_string
{
	my ($longest, %how) = @_;
	my $text = '';
	foreach my $character (split //, random_text($longest))
	{
		my $code = ord $character;
		if ($character eq '"' || $character eq '\\') { $text .= "\\$character"; }
		elsif ($code < 0x20) { $text .= sprintf '\\u%04x', $code; }
		elsif ($code < 0x10000 && chance(0.15)) { $text .= sprintf pick('\\u%04X', '\\u%04x'), $code; }
		elsif ($code >= 0x10000 && chance(0.4))
		{
			$text .= sprintf '\\u%04X\\u%04x', 0xd800 + (($code - 0x10000) >> 10),
			  0xdc00 + (($code - 0x10000) & 0x3ff);
		}
		else { $text .= $character; }
	}
	$text .= pick('\\n', '\\t', '\\b', '\\f', '\\r', '\\/', '\\\\', '\\"') if chance(0.3);
	$text .= pick('\\u0000', '\\ud800', '\\udc00', '\\ud83dx', '\\ude00\\ud83d', '\\ud800\\u0041', '\\\\u0000')
	  if $how{bad} && chance(0.06);
	return "\"$text\"";
}

# A text near to a document: some of its characters changed, gone, doubled or added.
sub mutated_json
{
	my ($text) = @_;
	foreach (1 .. between(1, 3))
	{
		my $place = int rand(length($text) + 1);
		my $part = pick(
			split(//, '{}[]:,"\\ 0123456789.eE+-tfnu/'), "\x01", "\x1f", "\x7f", "\n", 'null', '\\u', '\\ud834',
			'\\u0000', '""', '\\x', chr(0xa0), chr(0xfeff), chr(0x1f600), '//', 'NaN', 'Infinity', '01', '.5', '5.', '1e');
		my $action = between(0, 3);
		if ($action == 0) { substr($text, $place, 0, $part); }
		elsif ($action == 1 && $place < length $text) { substr($text, $place, 1, $part); }
		elsif ($action == 2 && $place < length $text) { substr($text, $place, between(1, 3), ''); }
		elsif ($place < length $text) { substr($text, $place, 0, substr($text, $place, between(1, 5))); }
	}
	return $text;
}

# A document that jsonb takes for certain.
sub valid_json { my ($depth) = @_; return random_json($depth); }

sub define
{
	my ($name, %type) = @_;
	die "type $name is defined twice" if $types{$name};
	$type{sql} //= $name;
	$type{group} //= 'plain';
	$types{$name} = \%type;
	push @order, $name;
	return;
}

# The types of a group ("plain": to_jsonb of a row gives the contract's value; "special": it does
# not always), optionally only those that can be a btree's key.
sub type_names
{
	my (%which) = @_;
	return grep {
		my $type = $types{$_};
		(!$which{group} || $type->{group} eq $which{group}) && (!$which{key} || $type->{key})
	} @order;
}

sub type_sql { return $types{ $_[0] }{sql}; }

# Every extreme of a type, as expressions with a cast.
sub type_edges
{
	my ($name) = @_;
	my $type = $types{$name};
	return map { cast($type, $_) } @{ $type->{edges} }, @{ $type->{rare} // [] };
}

# An expression of the type: NULL, an extreme, or at random. small: nothing large.
sub value
{
	my ($name, %how) = @_;
	my $type = $types{$name};
	return 'NULL' if !$how{not_null} && chance(0.08);
	return cast($type, pick(@{ $type->{rare} })) if !$how{small} && $type->{rare} && chance(0.01);
	return cast($type, pick(@{ $type->{edges} })) if !$type->{random} || chance(0.35);
	return cast($type, $type->{random}->());
}

# A plain string is a literal's content, a reference an expression.
sub cast
{
	my ($type, $value) = @_;
	return (ref $value ? "($$value)" : sql_literal($value)) . "::$type->{sql}";
}

# A one- or two-dimensional array of a type, of its extremes and random values.
sub array_expression
{
	my ($element) = @_;
	my $sql = $types{$element}{sql};
	my $make = sub { return value($element, small => 1); };
	return \"'{}'" if chance(0.1);
	my $list = sub { my ($count) = @_; return 'ARRAY[' . join(', ', map { $make->() } 1 .. $count) . ']'; };
	return \($list->(between(1, 4)) . "::$sql\[]") if chance(0.7);
	my $width = between(1, 3);
	# Rows of unequal arrays can't be told apart from a two-dimensional one by ARRAY[ARRAY[…]].
	return \('ARRAY[' . join(', ', map { $list->($width) . "::$sql\[]" } 1 .. between(1, 3)) . "]::$sql\[]");
}

# Adds the types to a database, whose server decides which there are, and defines them here.
sub install_types
{
	my ($node, $database) = @_;
	run_script($node, $database, library_file('types.sql'),
		environment => { PGOPTIONS => '-c search_path=pg_catalog' });
	define_numbers();
	define_texts();
	define_times();
	define_documents();
	define_addresses_and_shapes();
	define_searches();
	define_ranges($node);
	define_system_types();
	define_own_types();
	define_extensions($node, $database);
	define_xml($node, $database);
	define_arrays();
	return;
}

sub define_numbers
{
	define('bool', edges => [ 'true', 'false' ], key => 1);
	define('int2', edges => [ '0', '-1', '32767', '-32768' ],
		random => sub { between(-32768, 32767) }, key => 1);
	define('int4', edges => [ '0', '-1', '2147483647', '-2147483648' ],
		random => sub { between(-2_000_000_000, 2_000_000_000) }, key => 1);
	define(
		'int8',
		edges => [
			'0', '-1', '9223372036854775807', '-9223372036854775808', '9007199254740993',
			'1000000000000000000', '-999999999999999999'
		],
		random => sub { (chance(0.5) ? '-' : '') . digits(18) },
		key => 1);
	define(
		'float4',
		edges => [
			'0', '-0', 'NaN', 'Infinity', '-Infinity', '3.4028235e38', '-3.4028235e38', '1.17549435e-38',
			'1e-45', '1.4e-45', '16777216', '16777217', '0.1', '1e15', '1e16', '123456', '1234567', '999999.94',
			'1e-4', '1e-5', '0.3333333'
		],
		random => sub { floating(37) },
		key => 1);
	define(
		'float8',
		edges => [
			'0', '-0', 'NaN', 'Infinity', '-Infinity', '1.7976931348623157e308', '-1.7976931348623157e308',
			'2.2250738585072014e-308', '5e-324', '4.9406564584124654e-324', '9007199254740993', '0.1',
			'0.30000000000000004', '1e14', '1e15', '1e16', '1e17', '123456789012345.6', '1e-4', '1e-5', '1e21', '1e22', '1e23',
			'8.41e21', '2.98023223876953125e-8', '1e-7'
		],
		random => sub { floating(300) },
		key => 1);
	define(
		'numeric',
		edges => [
			'0', '-0', '0.0', '-0.00', '1.0', '1.00', '1.50', 'NaN', '123456789012345678901234567890.1234567890',
			'0.000000000000000000000000000001', '1e-200', '1e200', '-1e131071', '1e-16383', '100', '1e3', '10000', '99999999',
			\"'1'::numeric / 3", \"'0'::numeric(30,20)", \"round('0', 16383)"
		],
		rare => [
			\"repeat('9', 131072)", \"'-' || repeat('1', 131072) || '.' || repeat('7', 16383)",
			\"'0.' || repeat('0', 16382) || '1'"
		],
		random => \&decimal,
		key => 1);
	define('numeric_scale', sql => 'numeric(12,3)', edges => [ '0', '999999999.999', '-1.5', 'NaN' ],
		random => sub { digits(8) . '.' . digits(4) }, key => 1);
	define(
		'money',
		edges => [ '0', '1.5', '-1.5', '-92233720368547758.08', '92233720368547758.07', '1234567.89', '0.01', '-0.01' ],
		random => sub { (chance(0.4) ? '-' : '') . digits(12) . '.' . sprintf '%02d', rand 100 },
		key => 1);
	return;
}

sub define_texts
{
	my @plain = (
		'', ' ', 'a', "line\nbreak", "\r\n", "\t", '"', '\\', '\\"', '\\u0041', '\\n', '</script>', '\'', '/', 'null', '{"a":1}',
		"\x{2028}\x{2029}", "\x{1F600}\x{1F468}\x{200D}\x{1F469}", "\x{10FFFF}", "e\x{301}", "\x{FEFF}bom", "\x7f",
		"\x{80}\x{9f}", 'x' x 15, 'x' x 16, 'x' x 17, ('x' x 15) . '"', ('x' x 16) . "\x01", ('é' x 31) . '\\'
	);
	my @controls = (\'(SELECT string_agg(chr(i), \'\' ORDER BY i) FROM generate_series(1, 127) i)',
		\'(SELECT string_agg(chr(i), \'\' ORDER BY i) FROM generate_series(128, 2048) i)');
	my @large = (
		\q{repeat('x', 300000)}, \q{repeat(E'\\x01\\u2028"', 30000)},
		\q{(SELECT string_agg(md5(i::text), E'\n') FROM generate_series(1, 3000) i)});
	my $random = sub { random_text(60) };
	define('text', edges => [ @plain, @controls ], rare => \@large, random => $random, key => 1);
	define('text_c', sql => 'text COLLATE "C"', edges => \@plain, random => $random, key => 1);
	define('varchar', edges => \@plain, rare => \@large, random => $random, key => 1);
	define('varchar_5', sql => 'varchar(5)', edges => [ '', 'é😀"\\', '     ', 'abcde' ], random => sub { random_text(9) }, key => 1);
	define('char_10', sql => 'char(10)', edges => [ '', ' ', 'ab', '  lead', 'é😀', 'tenletters', "\n" ],
		random => sub { random_text(9) }, key => 1);
	define('bpchar', edges => [ '', ' ', 'ab  ', "tab\t" ], random => sub { random_text(20) }, key => 1);
	define('name', edges => [ '', 'a', 'é' x 31, 'x' x 63, 'we"ird' ], random => sub { random_text(15) }, key => 1);
	define('char', sql => '"char"', edges => [ '', 'a', '"', '\\', \"1::int", \"127::int", ' ' ], key => 1);
	define(
		'bytea',
		edges => [ '', '\\x', '\\x00', '\\x5c', '\\x27', '\\xff00ff', \q{decode(repeat('00', 100), 'hex')} ],
		rare => [ \q{decode(repeat('00ff', 100000), 'hex')} ],
		random => sub { '\\x' . hex_text(between(0, 40)) },
		key => 1);
	return;
}

sub define_times
{
	define(
		'date',
		edges => [
			'infinity', '-infinity', '4713-01-01 BC', '0001-12-31 BC', '0001-01-01', '5874897-12-31', '10000-01-01', '9999-12-31',
			'1970-01-01', '2000-02-29', '1999-12-31', '2024-10-26'
		],
		random => sub { date_text(5_000_000) },
		key => 1);
	define('time', edges => [ '00:00', '24:00', '23:59:59.999999', '12:00:00.1', '00:00:00.000001', '01:02:03.40' ],
		random => \&time_text, key => 1);
	define('time_3', sql => 'time(3)', edges => ['23:59:59.9999'], random => \&time_text, key => 1);
	define(
		'timetz',
		edges => [ '00:00+00', '24:00+15:59:59', '24:00-15:59:59', '23:59:59.999999-12', '12:00+05:45', '12:00+00:00:01' ],
		random => sub { time_text() . zone_text() },
		key => 1);
	define(
		'timestamp',
		edges => [
			'infinity', '-infinity', '4713-11-24 00:00 BC', '0001-12-31 23:59:59.999999 BC', '294276-12-31 23:59:59.999999',
			'10000-01-01 00:00', '2000-01-01 00:00', '1999-12-31 23:59:59.999999', '2024-02-29 12:00:00.1', '2024-01-01 00:00:00.000001',
			'0099-01-01 00:00:00'
		],
		random => sub { moment_text(' ' . time_text()) },
		key => 1);
	define('timestamp_0', sql => 'timestamp(0)', edges => ['1999-12-31 23:59:59.5'],
		random => sub { date_text(9999) . ' ' . time_text() }, key => 1);
	define(
		'timestamptz',
		edges => [
			'infinity', '-infinity', '4713-11-24 00:00+00 BC', '294276-12-31 23:59:59.999999+00', '2024-07-01 12:00+05:45',
			'0001-01-01 00:00+00', '0001-12-31 23:59:59.9+00 BC', '10000-01-01 00:00:00.5+00', '1883-11-18 12:00+00', '2024-03-31 01:00+00',
			'1970-01-01 00:00:00.000001+00'
		],
		random => sub { moment_text(' ' . time_text() . zone_text()) },
		key => 1);
	define(
		'interval',
		edges => [
			'0', '1 year 2 mons -3 days 04:05:06.789', '-178000000 years', '178000000 years', '-00:00:00.000001', '1 mon -1 day 1 sec',
			'2147483647 days', '-2562047788:00:54.775807', '-1 year', '1 day', '-1 mon +1 day -1 hour'
		],
		random => \&interval_text,
		key => 1);
	define('interval_ym', sql => 'interval year to month', edges => [ '1-2', '-1-2' ], key => 1);
	return;
}

sub define_documents
{
	define('uuid', edges => [ '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff' ],
		random => \&uuid_text, key => 1);
	define(
		'jsonb',
		edges => [
			'null', 'true', '0', '-0', '-0.0', '1.50', '""', '[]', '{}', '[null]', '{"": null}', '{"a": {"a": [1, "x", null]}}', '1e400', '1e-400',
			'"\u2028\ud83d\ude00"', '{"b": 1, "a": 2, "aa": 3, "a": 4}', '[[[[]]]]', '"\\\\u0000"', "\"\x{1F600}\"",
			\q{(repeat('[', 900) || repeat(']', 900))}, \q{to_jsonb(repeat(E'"\\x01', 50))}, '18446744073709551616'
		],
		rare => [ \q{(SELECT jsonb_object_agg(md5(i::text), i) FROM generate_series(1, 3000) i)}, \q{('1e131071')} ],
		random => sub { valid_json(4) },
		key => 1);
	define('jsonpath', edges => [ '$', 'strict $.a[*] ? (@.b == "c\u0001\"")', '$."a b".type()', 'lax $[last]' ]);
	define(
		'json',
		group => 'special',
		edges => [
			'null', ' null ', 'true', "{\n \"a\" :\t1 ,\r\n \"a\": 2.50 }", '[ ]', '"\u0000"', '"\ud800"', '{"\u0000": 1}', '"\udc00\ud800"',
			'1e999999', '-1e-99999', '1E5', '-0', '-0.0', '"a\/b"', '"\u00e9"', "\"\x{1F600} \x{2028}\"", '""', '"\ud83d\ude00"',
			\q{(repeat('[', 1000) || repeat(']', 1000))}, \q{(repeat('[', 1001) || repeat(']', 1001))},
			\q{(repeat('{"a":', 1001) || '1' || repeat('}', 1001))}, \q{('[' || repeat('1,', 3000) || '1]')},
			'{"a": [1, {"b": "\u0000"}]}', '"\\\\u0000"', \q{('"' || repeat('x', 3000) || '"')}
		],
		rare => [ \q{repeat('1', 131072)}, \q{repeat('1', 131073)}, \q{('"' || repeat('\\u00e9', 30000) || '"')} ],
		random => sub { random_json(4, bad => 1) });
	return;
}

sub define_addresses_and_shapes
{
	my $coordinates = sub { my ($count) = @_; return join ',', map { point_text() } 1 .. $count; };
	my $address = sub { return join '.', map { int rand 256 } 1 .. 4; };
	my $address6 = sub { return join ':', map { sprintf '%x', rand 65536 } 1 .. 8; };
	define(
		'inet',
		edges => [ '0.0.0.0', '255.255.255.255', '10.1.2.3/8', '::', '::1', '::ffff:1.2.3.4', 'fe80::1/64', '0.0.0.0/0', '2001:db8::/128' ],
		random => sub { chance(0.5) ? $address->() . '/' . between(0, 32) : $address6->() . '/' . between(0, 128) },
		key => 1);
	define('cidr', edges => [ '0.0.0.0/0', '10.0.0.0/8', '::/0', '2001:db8::/32', '1.2.3.4/32' ],
		random => sub { $address->() . '/32' }, key => 1);
	define('macaddr', edges => [ '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff' ], random => sub { hex_text(6) }, key => 1);
	define('macaddr8', edges => ['00:00:00:00:00:00:00:00'], random => sub { hex_text(8) }, key => 1);
	define('bit_5', sql => 'bit(5)', edges => [ '00000', '11111' ], key => 1);
	define('varbit', edges => [ '', '1', '0' x 100 ], random => sub { join '', map { int rand 2 } 1 .. between(1, 70) }, key => 1);
	define('varbit_9', sql => 'varbit(9)', edges => [ '', '101010101' ], key => 1);
	define('point', edges => [ '(0,0)', '(NaN,Infinity)', '(-0,1e-300)', '(0.1,0.30000000000000004)' ], random => \&point_text);
	define('line', edges => [ '{1,-1,0}', '{0.1,2,-0}' ], random => sub { '{1,' . decimal() . ',' . decimal() . '}' });
	define('lseg', edges => ['[(0,0),(1,1)]'], random => sub { '[' . $coordinates->(2) . ']' });
	define('box', edges => [ '(1,1),(0,0)', '(0.1,0.2),(0.3,1e300)' ], random => sub { $coordinates->(2) });
	define('path', edges => [ '[(0,0),(1,1)]', '((0,0),(1,1))' ],
		random => sub { pick('[%s]', '(%s)') =~ s/%s/$coordinates->(3)/er });
	define('polygon', edges => ['((0,0))'], random => sub { '(' . $coordinates->(4) . ')' });
	define('circle', edges => [ '<(0,0),0>', '<(0.1,0.2),Infinity>' ], random => sub { '<' . point_text() . ',' . digits(5) . '>' });
	return;
}

sub define_searches
{
	define('tsvector', edges => [ '', q{'a b':1A,2B 'c''d' '\\\\\\\\':3}, "'é😀':16383D" ],
		random => sub { join ' ', words(between(1, 6)) }, key => 1);
	define('tsquery', edges => [ '', q{'a' & !'b' | 'c''d':*AB}, q{'x' <3> ('y' <-> 'z')} ],
		random => sub { join pick(' & ', ' | ', ' <-> '), words(3) }, key => 1);
	return;
}

sub define_ranges
{
	my ($node) = @_;
	my %ranges = (
		int4range => [ sub { range_of_numbers(sub { between(-1e9, 1e9) }) }, '[2147483647,)', '[1,2]' ],
		int8range => [ sub { range_of_numbers(sub { between(-1e15, 1e15) }) }, '(,9223372036854775807)' ],
		numrange => [ sub { range_of_numbers(sub { between(-1000, 1000) . '.50' }) }, '[NaN,NaN]', '[-Infinity,Infinity]', '[1.0,1.00]' ],
		daterange => [ sub { range_of_texts(sub { date_text(9999) }) }, '[infinity,infinity]', '["0044-03-15 BC",2000-01-01)' ],
		tsrange => [ sub { range_of_texts(sub { date_text(9999) . ' ' . time_text() }) }, '[-infinity,"2024-01-02 03:04:05.6")', '["0044-03-15 01:00 BC",)' ],
		tstzrange => [ sub { range_of_texts(sub { date_text(9999) . ' ' . time_text() . '+00' }) }, '["2024-07-01 12:00+05:45",infinity]', '(,)' ],
	);
	my $multi = $node->safe_psql('postgres', "SELECT pg_catalog.to_regtype('int4multirange')") ne '';
	foreach my $name (sort keys %ranges)
	{
		my ($random, @edges) = @{ $ranges{$name} };
		define($name, edges => [ 'empty', '(,)', @edges ], random => $random, key => 1);
		define(
			$name =~ s/range/multirange/r,
			edges => [ '{}', '{(,)}', map { "{$_}" } @edges ],
			random => sub { '{' . join(',', map { $random->() } 1 .. between(1, 3)) . '}' },
			key => 1) if $multi;
	}
	define('text_range', sql => 'odd.text_range', edges => [ 'empty', '["a\"\\\\b","c,d)"]', "[\"\",\"\x{1F600}\"]", '(,"")' ], key => 1);
	define('float_range', sql => 'odd.float_range', edges => [ '[0.1,0.30000000000000004]', '[-0,Infinity]', '[1e-320,NaN]' ], key => 1);
	return;
}

sub define_system_types
{
	define('oid', edges => [ '0', '4294967295' ], random => sub { between(0, 4_294_967_295) }, key => 1);
	define('xid', edges => [ '0', '4294967295' ]);
	define('xid8', edges => [ '0', '18446744073709551615' ], random => sub { between(1, 9) . digits(17) }, key => 1);
	define('cid', edges => [ '0', '4294967295' ]);
	define('tid', edges => [ '(0,0)', '(4294967295,65535)' ], random => sub { '(' . digits(9) . ',' . digits(4) . ')' }, key => 1);
	define('pg_lsn', edges => [ '0/0', 'FFFFFFFF/FFFFFFFF', '16/B374D848' ], key => 1);
	define('pg_snapshot', edges => [ '1:1:', '10:20:10,14,15' ]);
	define('txid_snapshot', edges => ['10:9223372036854775807:10,14']);
	define('int2vector', edges => [ '', '1', '1 -2 32767' ]);
	define('oidvector', edges => [ '', '1', '0 4294967295' ]);
	define('refcursor', edges => [ '', "cur\"sor\n" ]);
	define('aclitem', edges => [ '=r/pg_monitor', 'pg_monitor=arw*/pg_monitor' ]);
	define('regclass', edges => [ '0', '4294967295', 'pg_catalog.pg_class', 'odd.row_source', 'shadow.pg_class', 'shadow.pg_type' ], key => 1);
	define('regtype', edges => [ '0', '4294967295', 'pg_catalog.int4', 'shadow.int4', 'shadow.text', 'odd.pair', 'pg_catalog.timestamptz[]', 'odd.mood[]', '"char"', 'pg_catalog.text' ], key => 1);
	define('regproc', edges => [ '0', '4294967295', 'pg_catalog.now', 'shadow.plus', 'pg_catalog.array_in' ], key => 1);
	define('regprocedure', edges => [ '0', '4294967295', 'pg_catalog.lower(text)', 'shadow.lower(pg_catalog.text)', 'shadow.to_jsonb(anyelement)' ], key => 1);
	define('regoper', edges => [ '0', '4294967295', 'pg_catalog.||/' ], key => 1);
	define('regoperator', edges => [ '0', '4294967295', 'pg_catalog.+(int4,int4)', 'shadow.+(int4,int4)', 'pg_catalog.||/(none,float8)' ], key => 1);
	define('regnamespace', edges => [ '0', '4294967295', 'pg_catalog', 'odd', 'shadow' ], key => 1);
	define('regrole', edges => [ '0', '4294967295', 'pg_monitor' ], key => 1);
	define('regcollation', edges => [ '0', '4294967295', 'pg_catalog."C"', 'shadow."C"' ], key => 1);
	define('regconfig', edges => [ '0', 'pg_catalog.english' ], key => 1);
	define('regdictionary', edges => [ '0', 'pg_catalog.simple' ], key => 1);
	return;
}

sub define_own_types
{
	my @moods = ('', ' ', 'sad', 'a"b\\c', "new\nline\ttab", 'it\'s', 'é', "\x{1F600}", 'null', 'true', '{}', '1');
	my $pair = sub { return 'ROW(' . value('int4') . ', ' . value('text', small => 1) . ')::odd.pair'; };
	my $pairs = sub { return 'ARRAY[' . join(', ', map { chance(0.1) ? 'NULL' : $pair->() } 1 .. between(0, 3)) . ']::odd.pair[]'; };
	define('mood', sql => 'odd.mood', edges => \@moods, key => 1);
	define('positive', sql => 'odd.positive', edges => [ '1', '2147483647' ], random => sub { between(1, 1000) }, key => 1);
	define('small_positive', sql => 'odd.small_positive', edges => [ '1', '999' ], key => 1);
	define('numbers_domain', sql => 'odd.numbers', edges => [ '{}', '{1,NULL,3}', '{{1,2},{3,4}}', '[0:1]={7,8}', '[2:3][-1:0]={{1,2},{3,4}}' ], key => 1);
	define('short_text', sql => 'odd.short_text', edges => [ '', '"quoted"', "\n" ], random => sub { random_text(11) }, key => 1);
	define('document', sql => 'odd.document', edges => [ 'null', '{"a": [1.50]}' ], random => sub { valid_json(3) }, key => 1);
	define('moment', sql => 'odd.moment', edges => [ 'infinity', '2024-07-01 12:00+05:45' ], key => 1);
	define('happy', sql => 'odd.happy', edges => \@moods, key => 1);
	define('pair', sql => 'odd.pair', edges => [ '(,)', '(1,)', '(,"")', '(-1,"a ""q"" \\\\ b")' ], random => sub { \$pair->() }, key => 1);
	define(
		'deep',
		sql => 'odd.deep',
		edges => [ '(,,,,,)', '("(,)","{}",infinity,NaN,,null)' ],
		random => sub {
			\('ROW(' . join(', ', $pair->(), $pairs->(), map { value($_, small => 1) } qw(timestamptz numeric positive jsonb)) . ')::odd.deep');
		});
	define('mended', sql => 'odd.mended', edges => [ '(,,)', '(1,"0044-03-15 BC",sad)', '(,infinity,"")' ], key => 1);
	define('pair_domain', sql => 'odd.pair_domain', edges => [ '(,)', '(1,x)' ], random => sub { \$pair->() });
	define('pairs_domain', sql => 'odd.pairs_domain', edges => ['{}'], random => sub { \$pairs->() });
	define('positives', sql => 'odd.positives', edges => [ '{}', '{1,2,NULL}', '{{1},{2}}' ]);
	define('row_source', sql => 'odd.row_source', edges => [ '(,)', '(1,infinity)', '(,"2024-01-02 03:04:05.6")' ]);
	define('count8', sql => 'odd.count8', edges => [ '0', '-9223372036854775808' ]);
	define('words', sql => 'odd.words', group => 'special', edges => [ '', "a\"b\n" ], random => sub { random_text(30) });
	define('level', sql => 'odd.level', group => 'special', edges => [ 'low', 'high' ], key => 1);
	define('raw_document', sql => 'odd.raw_document', group => 'special', edges => [ 'null', '{"a" : "\u0000"}', ' [1e5 ,2] ' ], random => sub { random_json(3, bad => 1) });
	my $json = sub { return value('json', small => 1); };
	define(
		'json_box',
		sql => 'odd.json_box',
		group => 'special',
		edges => [ '(,,)', '(1,null,{})' ],
		random => sub { \('ROW(' . value('int4') . ', ' . $json->() . ', ARRAY[' . join(', ', map { $json->() } 1 .. 2) . ']::json[])') });
	define(
		'words_box',
		sql => 'odd.words_box',
		group => 'special',
		edges => [ '(,,)', '(a,"{b,NULL}",low)' ]);
	return;
}

# Types of the extensions that the server can make; each is a group of literals.
sub define_extensions
{
	my ($node, $database) = @_;
	my @wanted = (
		[ 'citext', 'citext', [ '', 'MiXeD "É"' ], key => 1 ],
		[ 'hstore', 'hstore', [ '', '"a"=>"1", "b\"\\\\"=>NULL, "é"=>"😀"', 'x=>1.50, t=>true' ], group => 'special', key => 1 ],
		[ 'ltree', 'ltree', [ '', 'Top.Science.Astronomy' ], key => 1 ],
		[ 'ltree', 'lquery', [ 'Top.*{1,2}.!a|b@*', '*' ] ],
		[ 'ltree', 'ltxtquery', ['Europe & Russia*@ & !Transport'] ],
		[ 'cube', 'cube', [ '(0.1,2),(0.30000000000000004,4)', '(1)', '()' ], key => 1 ],
		[ 'seg', 'seg', [ '1.50 .. 2', '<0.1', '5(+-)0.3' ], key => 1 ],
		[ 'isn', 'isbn', ['978-0-393-04002-9'], key => 1 ],
		[ 'isn', 'ean13', ['0012345678905'], key => 1 ],
		[ 'isn', 'upc', ['012345678905'], key => 1 ],
		[ 'intarray', 'query_int', ['1&(2|!3)'] ],
		[ 'lo', 'lo', [ '0', '4294967295' ] ]);
	my %available = map { $_ => 1 }
	  split /\n/, $node->safe_psql('postgres', 'SELECT name FROM pg_available_extensions');
	my %installed;
	my $script = "CREATE SCHEMA ext;\n";
	foreach my $wanted (grep { $available{ $_->[0] } } @wanted)
	{
		my ($extension, $type, $edges, %traits) = @$wanted;
		$script .= "CREATE EXTENSION $extension SCHEMA ext;\n" unless $installed{$extension}++;
		define($type, sql => "ext.$type", edges => $edges, %traits);
	}
	if ($types{hstore})
	{
		$script .= "CREATE TYPE odd.hstore_box AS (h ext.hstore, hs ext.hstore[]);\n";
		define(
			'hstore_box',
			sql => 'odd.hstore_box',
			group => 'special',
			edges => [ '(,)', '("a=>1","{""b=>2"",NULL}")' ]);
	}
	my $file = temp_file('extensions.sql');
	write_text($file, $script);
	run_script($node, $database, $file, environment => { PGOPTIONS => '-c search_path=pg_catalog -c client_min_messages=error' });
	return;
}

sub define_xml
{
	my ($node, $database) = @_;
	my ($status) = $node->psql($database, q{SELECT '<a/>'::xml});
	return if $status != 0;
	define('xml', edges => [ '', '<a b="c&amp;d">é<!-- "x" --></a>', 'text &lt; only', "<?xml version=\"1.0\"?>\n<r/>", '<![CDATA[\\"]]>', "\n<x/>\n" ]);
	return;
}

# An array type of everything: those of special types are one-dimensional, which is what the
# oracle can rebuild.
sub define_arrays
{
	foreach my $element (my @elements = @order)
	{
		my $type = $types{$element};
		# Collations and column constraints aren't part of an array's type.
		next if $element eq 'text_c';
		# Arrays of array domains exist, but ARRAY[…] of them is ambiguous.
		next if $type->{sql} =~ /numbers|pairs_domain|positives|int2vector|oidvector/;
		my $special = $type->{group} eq 'special';
		my @some = map { cast($type, $_) } @{ $type->{edges} }[ 0 .. min_index($type->{edges}, 5) ];
		my $all = 'ARRAY[' . join(', ', @some, 'NULL') . "]::$type->{sql}\[]";
		define(
			"${element}_array",
			sql => "$type->{sql}\[]",
			group => $special ? 'special' : 'array',
			edges => [ '{}', '{NULL}', \$all ],
			random => $special
			? sub { \('ARRAY[' . join(', ', map { value($element, small => 1) } 1 .. between(1, 3)) . "]::$type->{sql}\[]") }
			: sub { array_expression($element) },
			key => ($element =~ /^(?:text|int4|mood|numeric|timestamptz)$/ ? 1 : 0));
	}
	define('bounded_array', sql => 'int4[]', group => 'array', edges => [ '[0:1]={7,8}', '[2:3][-1:0]={{1,2},{NULL,4}}', '{{{1},{2}},{{3},{4}}}' ]);
	return;
}

sub min_index { my ($list, $limit) = @_; return $#$list < $limit ? $#$list : $limit; }

1;

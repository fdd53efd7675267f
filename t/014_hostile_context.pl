# Contexts and json values are anybody's bytes. None of them may stop decoding, and each comes out
# as what jsonb makes of it, or with the reason why it can't. The server's own ::jsonb and ::json
# decide what is valid, over documents that are odd on purpose, random, or random and broken.

use strict;
use warnings;
use utf8;

use Encode qw(encode);
use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiOracle;
use BemiTest;
use BemiValues;
use Test::More;

my $count = is_long() ? 60000 : 4000;
my $seed = seed_random();
my $node = new_node('hostile', "track_commit_timestamp = on\n");
my $database = 'source';
$node->safe_psql('postgres', "CREATE DATABASE $database");
install_oracle($node, $database);

$node->safe_psql($database, q{
-- A document, and which change has to carry it.
CREATE UNLOGGED TABLE documents (d int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, name text, document bytea);
CREATE TABLE changes (n int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, d int);
CREATE TABLE holders (n int PRIMARY KEY, j json, js json[], o int);
ALTER TABLE holders REPLICA IDENTITY FULL;
SELECT oracle.watch('holders');

-- The document as jsonb has it, NULL where it is none.
CREATE FUNCTION as_jsonb(document bytea) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN convert_from(document, 'UTF8')::jsonb;
EXCEPTION WHEN OTHERS THEN
	RETURN NULL;
END $$;
CREATE FUNCTION as_text(document bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN convert_from(document, 'UTF8');
EXCEPTION WHEN OTHERS THEN
	RETURN NULL;
END $$;
CREATE FUNCTION as_json(document bytea) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
	RETURN convert_from(document, 'UTF8')::json;
EXCEPTION WHEN OTHERS THEN
	RETURN NULL;
END $$;

CREATE PROCEDURE write_contexts() LANGUAGE plpgsql AS $$
DECLARE
	item documents;
BEGIN
	FOR item IN SELECT * FROM documents ORDER BY d LOOP
		-- Every fourth document begins a transaction; half of those come after a first change.
		IF item.d % 4 = 0 THEN
			COMMIT;
			IF item.d % 8 = 0 THEN
				INSERT INTO changes (d) VALUES (item.d);
			END IF;
		END IF;
		PERFORM pg_logical_emit_message(true, '_bemi', item.document);
		-- What is rolled back, or in no transaction, is no context.
		IF item.d % 5 = 0 THEN
			BEGIN
				PERFORM pg_logical_emit_message(true, '_bemi', '{"rolled": "back"}');
				RAISE EXCEPTION 'roll back';
			EXCEPTION WHEN OTHERS THEN
				PERFORM pg_logical_emit_message(false, '_bemi', '{"not": "transactional"}');
			END;
		END IF;
		INSERT INTO changes (d) VALUES (item.d);
	END LOOP;
END $$;

CREATE PROCEDURE write_values() LANGUAGE plpgsql AS $$
DECLARE
	item record;
BEGIN
	FOR item IN SELECT d, as_json(document) AS j FROM documents ORDER BY d LOOP
		IF item.j IS NOT NULL THEN
			INSERT INTO public.holders VALUES (item.d, item.j, CASE WHEN length(item.j::text) < 500 THEN ARRAY[item.j, NULL, item.j] END);
			UPDATE public.holders SET o = 1 WHERE n = item.d;
		END IF;
		IF item.d % 50 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END $$;
});

# Expressions of text, and of bytea where they begin with a backslash.
my $rocket = '\ud83d\ude80';
my %odd = (
	(map { ("text $_" => sql_literal($_)) } (
		'', ' ', "\n\t\r ", 'null', " null\n", 'nul', 'nulll', 'true', ' false', '"x"', '1', '-', '-0', '-0.0', '00', '01', '1.', '.5', '+1', '1e5',
		'1E+05', '1.e5', '1e', '1e+', '1e999999', '-1e999999', '1e131071', '1e131072', '1e-16383', '1e-16384', '0e999999', '0e-99999', '0.0e-16382',
		'1e2147483647', '1e2147483648', '1e-2147483648', '1e99999999999999999999', '0x10', '1_000', 'NaN', 'Infinity', '-Infinity', 'undefined',
		'{}', '[]', '{ }', '[ ]', '[1,]', '[,1]', '{,}', '{"a"}', '{"a":}', '{"a":1,}', '{"a" 1}', '{a:1}', '{1:1}', '{null:1}', "{'a':1}", '[1 2]', '{"a":1}x',
		'{"a":1}{"b":2}', '{"a":1}]', '[', ']', '{', '}', '"', '"\\', '"\\"', '"a', '{"a":1', '[1', '[1,', '{"a":1,"a":2}', '{"a":{"b":1,"b":2},"a":{"b":3}}',
		'{"":1}', '/*x*/{}', '{}//x', '"\u0000"', '"\u0000x"', '{"\u0000":1}', '"\\\\u0000"', '"\ud800"', '"\udc00"', '"\ud800\ud800"', '"\udc00\ud800"',
		'"\ud800x"', '"\ud800\n"', '"\ud800\u0041"', "\"$rocket\"", "{\"$rocket\":\"$rocket\"}", '"\ud83d\ude8"', '"\uD83D\uDE80"', '"\u12"', '"\u12g4"',
		'"\u{41}"', '"\x41"', '"\a"', '"\0"', '"\b\f\n\r\t\/\"\\\\"', "\"\x01\"", "\"\x1f\"", "\"\t\"", "\"\n\"", "\"\x7f\"", "\"\x{80}\"", "\"\x{2028}\x{2029}\"",
		"\x{FEFF}{}", "\x{A0}{}", "{}\x{A0}", "\x{2003}1", "\x0b1", "\x0c1", "1\x0b", '{"a":1}' . "\n\n", "{\n \"a\" : [ 1 ,\t2.50 , \r\n{ } ] }", "\"\x{10FFFF}\x{FFFF}\"",
		'[1.0,1.00,10e-1,100E-2,0.10,-0,12345678901234567890123456789012345678901234567890.123]', 'tru', 'True', 'TRUE', 'nullnull', '[true false]', '[[]]]', "[\"a\",\n\"b\"]")),
	'100,000 brackets' => q~repeat('[', 100000)~,
	'100,000 brackets, closed' => q~repeat('[', 100000) || repeat(']', 100000)~,
	'100,000 braces' => q~repeat('{"a":', 100000)~,
	(map { ("$_ deep" => "repeat('[', $_) || repeat(']', $_)") } 1, 63, 64, 65, 66, 1000, 5000),
	(map { ("$_ objects deep" => "repeat('{\"a\":', $_) || '1' || repeat('}', $_)") } 63, 64, 65),
	'64 deep, then wide' => q~'[' || repeat('[', 63) || repeat(']', 63) || repeat(',' || repeat('[', 63) || repeat(']', 63), 50) || ']'~,
	'65 deep at the end' => q~'[' || repeat('[],', 1000) || repeat('[', 64) || repeat(']', 64) || ']'~,
	'65 brackets in a string' => q~'"' || repeat('[', 650) || '"'~,
	'131,072 digits' => q~repeat('9', 131072)~,
	'131,073 digits' => q~repeat('9', 131073)~,
	'16,383 decimals' => q~'0.' || repeat('3', 16383)~,
	'16,384 decimals' => q~'0.' || repeat('3', 16384)~,
	'leading zeros after a point' => q~'0.' || repeat('0', 16400)~,
	'10 MB' => q~'"' || repeat('x', 10 << 20) || '"'~,
	'10 MB of garbage' => q~repeat(E'\\x01', 10 << 20)~,
	'exactly 1 MB' => q~'"' || repeat('x', (1 << 20) - 2) || '"'~,
	'1 MB and a byte' => q~'"' || repeat('x', (1 << 20) - 1) || '"'~,
	'1 MB of brackets' => q~repeat('[', 1 << 20)~,
	'1 MB of blanks' => q~repeat(' ', (1 << 20) - 1) || '1'~,
	'1 MB of elements' => q~'[' || repeat('1,', 500000) || '1]'~,
	'1 MB of members' => q~'{"a":1' || repeat(',"a":1', 170000) || '}'~,
	'1 MB of escapes' => q~'"' || repeat('\u0001', 170000) || '"'~,
	'1 MB of escapes beyond ASCII' => q~'"' || repeat('\u2028', 170000) || '"'~,
	'1 MB of quotes' => q~repeat('"', 1 << 20)~,
	'a key of 100 kB' => q~'{"' || repeat('k', 100000) || '":1}'~,
	(map { ("bytes $_" => "'\\x$_'::bytea") } (
		'00', '0000', '7b7d00', '007b7d', '7b2261223a317d00676172626167', '22610062' . '22', '22ff22', '22c08022', '22eda08022', '22f490808022', '22f09f9822', '22e2', 'c3',
		'22c3a922', '22f09f988022', '22fe22', '80', 'ff', '5b22c3a9222c22e922' . '5d', '7b22e9223a317d', '2280bf22', '22f8888080' . '8022', '2261e28022')));
my $script = "SET standard_conforming_strings = on;\n";
foreach my $name (sort keys %odd)
{
	my $expression = $odd{$name};
	$expression = "convert_to($expression, 'UTF8')" unless $name =~ /^bytes/;
	$script .= 'INSERT INTO documents (name, document) VALUES (' . sql_literal($name) . ", $expression);\n";
}
my $script_file = temp_file('documents.sql');
write_text($script_file, $script);
run_script($node, $database, $script_file, environment => { PGCLIENTENCODING => 'UTF8' });

# Random documents, good and bad, and broken ones, some of them in bytes.
my $random_file = temp_file('documents.txt');
open my $random, '>', $random_file or die $!;
foreach (1 .. $count)
{
	my $text = random_json(pick(0, 1, 2, 3, 4), bad => chance(0.4));
	$text = mutated_json($text) if chance(0.6);
	my $bytes = encode('UTF-8', $text);
	substr($bytes, rand length $bytes, 1, chr rand 256) if length $bytes && chance(0.1);
	print $random "random\t\\\\x", unpack('H*', $bytes), "\n";
}
close $random;
write_text($script_file, "\\copy documents (name, document) FROM '$random_file'\n");
run_script($node, $database, $script_file);

create_slot($node, $database, 'contexts');
copy_slot($node, $database, 'contexts', $_) foreach qw(functions small);
$node->safe_psql($database, 'CALL write_contexts()');
create_slot($node, $database, 'values');
copy_slot($node, $database, 'values', 'values_too');
my $middle = current_lsn($node);
$node->safe_psql($database, 'CALL write_values()');

# The contexts.
my %files = map { $_ => temp_file("$_.json") } qw(contexts functions small values values_too);
decode_stream($node, $database, 'contexts', $files{contexts}, $middle);
decode_sql($node, $database, 'functions', $files{functions}, options => { exclude_tables => 'holders', batch_size => '1MB' });
same_files($files{functions}, $files{contexts}, 'the SQL functions give what pg_recvlogical gets');
load_lines($node, $database, 'contexts', $files{contexts});
check_contexts('contexts', 1 << 20);

# The same under another limit of size.
decode_stream($node, $database, 'small', $files{small}, $middle, options => { max_context_size => '100B' });
load_lines($node, $database, 'small', $files{small});
check_contexts('small', 100);

# The values.
my $end = current_lsn($node);
decode_stream($node, $database, 'values', $files{values}, $end, options => { tables => 'holders' });
decode_sql($node, $database, 'values_too', $files{values_too}, options => { tables => 'holders' });
same_files($files{values_too}, $files{values}, 'json values: the SQL functions give what pg_recvlogical gets');
load_lines($node, $database, 'values_lines', $files{values});
my @complaints = judge($node, $database, 'public.values_lines');
is(scalar @complaints, 0, 'json values are embedded where jsonb takes them, and strings where not')
  or diag("seed $seed; the first of " . @complaints . " differences:\n", map { "$_\n" } grep { defined } @complaints[ 0 .. 9 ]);
my ($documents, $strings) = split /\|/, $node->safe_psql($database, q{
SELECT count(*) FILTER (WHERE NOT jsonb_typeof(r->'after'->'j') = 'string'), count(*) FILTER (WHERE (r->'after'->>'j')::text LIKE '%\\u0000%')
FROM (SELECT line::jsonb AS r FROM values_lines) AS t});
cmp_ok($documents, '>', $count / 20, 'there were documents');
cmp_ok($strings, '>', 10, 'and texts that are none for jsonb');

is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server has survived');
ok(!$node->log_contains(qr/was terminated by signal|PANIC/), 'and none of its processes was killed');
$node->stop;
done_testing();

# Holds the context of every record of a table of lines against its document.
sub check_contexts
{
	my ($lines, $limit) = @_;
	my $query = qq{
CREATE UNLOGGED TABLE checked_$lines AS
WITH expected AS (
	SELECT c.n, d.*, CASE WHEN length(document) <= $limit AND oracle.depth(as_text(document)) <= 64 THEN as_jsonb(document) END AS wanted
	FROM changes c JOIN documents d USING (d)),
lines AS (SELECT line, line::jsonb AS r, line::json->'context' AS written FROM $lines)
SELECT e.*, line, written, NULLIF(wanted, 'null') IS NOT NULL AS is_kept, r->'context' AS got, r->>'context_error' AS error
FROM expected e FULL JOIN lines l ON (r->'after'->'n')::int = e.n;
};
	$node->safe_psql($database, $query);
	my $report = sub {
		my ($name, $condition) = @_;
		my $found = $node->safe_psql($database, qq{
SELECT concat_ws(E'\\n  ', n, name, 'document: ' || "left"(encode(document, 'escape'), 500), 'expected: ' || "left"(wanted::text, 500),
	'got: ' || "left"(got::text, 500), 'error: ' || "left"(error, 500))
FROM checked_$lines WHERE ($condition) IS NOT FALSE ORDER BY n LIMIT 5});
		is($found, '', "limit $limit: $name") or diag("seed $seed");
	};
	$report->('each change has its record', 'line IS NULL OR n IS NULL');
	$report->('a valid context is what jsonb makes of it', q{wanted IS NOT NULL AND (got::text <> COALESCE(NULLIF(wanted, 'null'), '{}')::text OR error IS NOT NULL)});
	$report->('an invalid context is {}, and the reason is given', q{wanted IS NULL AND (got <> '{}' OR error IS NULL)});
	$report->('a context has no blanks outside of strings, and its numbers as written', q{
is_kept AND regexp_replace(written::text, '"(\\\\.|[^"\\\\])*"', '""', 'g')
	<> regexp_replace(regexp_replace(as_text(document), '"(\\\\.|[^"\\\\])*"', '""', 'g'), '\s', '', 'g')});
	$report->('a reason is followed by the first 1,000 characters', q{
error IS NOT NULL AND (length(error) > 1300 OR length(error) < 7
	OR (as_text(document) IS NOT NULL AND right(error, least(length(as_text(document)), 1000)) <> "left"(as_text(document), 1000)))});
	my ($kept, $refused) = split /\|/, $node->safe_psql($database, "SELECT count(*) FILTER (WHERE is_kept), count(error) FROM checked_$lines");
	cmp_ok($kept, '>', $count / 5, "limit $limit: there were valid ones");
	cmp_ok($refused, '>', $count / 5, "limit $limit: and others");
	return;
}

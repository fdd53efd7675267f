# Databases in other encodings: whatever the names, values, keys and contexts hold, a line is
# ASCII, and read in UTF-8 it says what the server itself makes of them.

use strict;
use warnings;
use utf8;

use Encode qw(encode);
use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiOracle;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('encodings', "track_commit_timestamp = on\n");
$node->safe_psql('postgres', 'CREATE DATABASE judge');

# Characters of each encoding, a few words of them.
my %words = (
	LATIN1 => [ 'é', 'ÿÄß£', "\x{80}\x{9f}\x{a0}\x{ad}", 'naïve "quoted" \\ é' ],
	LATIN9 => [ '€', 'Šž Œ' ],
	WIN1252 => [ '€', '„quotes“', 'Ÿ™', 'é\\"' ],
	KOI8R => [ 'Москва', '░▒▓', 'ё' ],
	EUC_JP => [ '日本語', 'ｶﾅ', '齟齬', 'é', "\x{2015}\x{ff5e}", 'ソ表能' ],
	EUC_JIS_2004 => [ '日本語', "\x{2000b}", "か\x{309a}", "\x{29e3d}x", 'é' ],
	EUC_KR => ['한국어'],
	EUC_CN => ['中文']);

# A script that gives each of these a part in a name, a value, a key and a context.
sub workload
{
	my (@words) = @_;
	my ($first, $last) = @words[ 0, -1 ];
	my ($schema, $table, $column) = (sql_name("s $first"), sql_name("t $last"), sql_name("c $first"));
	my $name = "$schema.$table";
	my $script = <<"SQL";
CREATE SCHEMA $schema;
CREATE TYPE $schema."kind $first" AS ENUM (@{[ join ', ', map { sql_literal("label $_") } @words ]});
CREATE TYPE $schema.pair AS ($column text, n int);
CREATE TABLE $name ($column text PRIMARY KEY, n int, v varchar(90), f char(12), m name, j jsonb, o json,
    e $schema."kind $first", p $schema.pair, ps $schema.pair[], l text[], b bytea, x xml, q tsvector);
CREATE TABLE $schema.two ($column text, n int, k $schema."kind $first", PRIMARY KEY (k, n, $column));
ALTER TABLE $schema.two REPLICA IDENTITY FULL;
CREATE TABLE $schema.parts (n int PRIMARY KEY) PARTITION BY LIST (n);
CREATE TABLE $schema.$column PARTITION OF $schema.parts DEFAULT;
SELECT oracle.watch('$name'), oracle.watch('$schema.two'), oracle.watch('$schema.$column');
SQL
	my $number = 0;
	foreach my $word (map { ($_, $_ x 3, "\t$_\"\\") } @words)
	{
		my $literal = sql_literal($word);
		my $short = sql_literal(substr $word, 0, 4);
		my $label = sql_literal("label " . $words[ $number++ % @words ]);
		$script .= <<"SQL";
BEGIN;
SELECT oracle.context(jsonb_build_object('by', $literal, $literal, jsonb_build_array(1, $literal))::text);
INSERT INTO $name VALUES ($literal, $number, $literal, $short, $literal, jsonb_build_object($literal, $literal),
    json_build_object($literal, $literal), $label, ROW($literal, 1), ARRAY[ROW($literal, 2)::$schema.pair], ARRAY[$literal, NULL],
    convert_to($literal, 'UTF8'), xmlelement(name a, $literal), to_tsvector('simple', $literal));
UPDATE $name SET $column = $column || 'x', l = NULL WHERE n = $number;
SELECT oracle.context(to_json(CAST($literal AS text))::text);
INSERT INTO $schema.two VALUES ($literal, $number, $label);
INSERT INTO $schema.parts VALUES ($number);
UPDATE $schema.two SET n = n + 1000 WHERE n = $number;
UPDATE $schema.two SET $column = NULLIF($column, '') WHERE n = $number;
DELETE FROM $schema.two WHERE n = $number + 1000 AND n % 2 = 0;
COMMIT;
SQL
	}
	return $script;
}

sub make_database
{
	my ($encoding) = @_;
	my $database = lc "in_$encoding";
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'");
	return $database;
}

sub run_text
{
	my ($database, $text, %environment) = @_;
	my $file = temp_file('text.sql');
	write_text($file, $text);
	run_script($node, $database, $file, environment => { %{ sane_session() }, %environment });
	return;
}

# What a query gives, or the error that it meets.
sub ask
{
	my ($database, $query) = @_;
	my ($status, $output, $errors) = $node->psql($database, $query);
	return $status == 0 ? $output : $errors;
}

# Decodes a slot in three ways, tests that the bytes are the same and ASCII, and gives the file.
sub decode_ascii
{
	my ($database, $slot, $encoding) = @_;
	my @files = map { temp_file("${database}_$_.json") } qw(stream utf8 own);
	copy_slot($node, $database, $slot, 'stream');
	decode_stream($node, $database, 'stream', $files[0], current_lsn($node), environment => { PGCLIENTENCODING => $encoding });
	decode_sql($node, $database, $slot, $files[1], peek => 1, environment => { PGCLIENTENCODING => 'UTF8' });
	decode_sql($node, $database, $slot, $files[2], environment => { PGCLIENTENCODING => $encoding });
	same_files($files[$_], $files[0], "$database: the SQL functions give what pg_recvlogical gets") foreach 1, 2;
	is(scalar(grep { /[^\x20-\x7e]/ } read_lines($files[0])), 0, "$database: the lines are ASCII");
	$node->safe_psql($database, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '$database'");
	return $files[0];
}

foreach my $encoding (sort keys %words)
{
	my $database = make_database($encoding);
	my $lines = "public.lines_$database";
	install_oracle($node, $database);
	create_slot($node, $database, 'words');
	run_text($database, workload(@{ $words{$encoding} }));
	my $file = decode_ascii($database, 'words', $encoding);
	$node->safe_psql('judge', "SET client_min_messages = error; DROP SCHEMA IF EXISTS oracle CASCADE");
	install_oracle($node, 'judge');
	move_oracle($node, $database, 'judge');
	load_lines($node, 'judge', $lines, $file);
	my @complaints = judge($node, 'judge', $lines, $database);
	is(join("\n", @complaints), '', "$database: every record is what the oracle saw");
	cmp_ok($node->safe_psql('judge', "SELECT count(*) FROM $lines"), '>', 10, "$database: there were records");
}

# Names in options come in the client's encoding, and are matched as they are stored.
{
	my $database = lc 'in_LATIN1';
	create_slot($node, $database, 'chosen');
	copy_slot($node, $database, 'chosen', 'chosen_too');
	run_text($database, qq{INSERT INTO "s é".parts VALUES (100001); INSERT INTO "s é".two VALUES ('ä', 1, 'label é');});
	my @files = map { temp_file("chosen_$_.json") } 1, 2;
	# The command line and the connection are bytes of UTF-8.
	my %chosen = (options => { tables => encode('UTF-8', '"s é"."c é"') }, environment => { PGCLIENTENCODING => 'UTF8' });
	decode_sql($node, $database, 'chosen', $files[0], %chosen, options => { tables => '"s é"."c é"' });
	decode_stream($node, $database, 'chosen_too', $files[1], current_lsn($node), %chosen);
	is(scalar(read_lines($files[0])), 1, 'a pattern beyond ASCII chooses a table in the SQL functions');
	same_files($files[1], $files[0], 'and in pg_recvlogical');
	$node->safe_psql($database, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '$database'");
}

# Bytes that their encoding doesn't define can be stored, and have no counterpart in UTF-8.
{
	my $database = lc 'in_WIN1252';
	create_slot($node, $database, 'undefined');
	my $undefined = q{convert_from('\x61815c9d', 'WIN1252')};
	run_text($database, <<"SQL");
SET search_path = public;
CREATE TABLE u (k text PRIMARY KEY, v text, ok text, j jsonb, l text[], i int);
ALTER TABLE u REPLICA IDENTITY FULL;
BEGIN;
SELECT pg_logical_emit_message(true, '_bemi', '\\x7b2261223a22815c6e227d'::bytea);
INSERT INTO u VALUES ('one', $undefined, 'é', jsonb_build_object('a', $undefined), ARRAY['x', $undefined], 1);
COMMIT;
BEGIN;
SELECT pg_logical_emit_message(true, '_bemi', '{"valid": "é"}');
INSERT INTO u VALUES ($undefined, 'é', $undefined, NULL, '{é}', 2);
UPDATE u SET i = 3 WHERE i = 2;
DO \$\$ BEGIN EXECUTE format('ALTER TABLE u RENAME COLUMN v TO %I', $undefined); END \$\$;
INSERT INTO u VALUES ('four', 'é', 'x', NULL, NULL, 4);
DO \$\$ BEGIN
    EXECUTE format('CREATE TYPE odd AS (%I text, %I int)', $undefined, 'b');
    EXECUTE format('CREATE TABLE %I (i int, o odd, %I int) PARTITION BY LIST (i)', $undefined, $undefined || 'x');
    EXECUTE format('CREATE SCHEMA %I', $undefined);
    EXECUTE format('CREATE TABLE %I.%I PARTITION OF %I DEFAULT', $undefined, $undefined || 'y', $undefined);
    EXECUTE format('INSERT INTO %I VALUES (5, (NULL, 6))', $undefined);
END \$\$;
COMMIT;
SQL
	my $file = decode_ascii($database, 'undefined', 'WIN1252');
	load_lines($node, 'judge', 'undefined', $file);
	is(ask('judge', q{
SELECT concat_ws(' | ', r->>'operation', coalesce(r->>'primary_key', '(null)'), (r->'after') - '{i,k}'::text[], r->'missing', r->'context', r ? 'context_error')
FROM (SELECT line::jsonb AS r FROM undefined ORDER BY i LIMIT 3) AS t}), encode('UTF-8', join "\n",
			'CREATE | one | {"ok": "é"} | {"j": "error", "l": "error", "v": "error"} | {} | t',
			'CREATE | (null) | {"j": null, "l": ["é"], "v": "é"} | {"k": "error", "ok": "error"} | {"valid": "é"} | f',
			'UPDATE | (null) | {"j": null, "l": ["é"], "v": "é"} | {"k": "error", "ok": "error"} | {"valid": "é"} | f'),
		'values without a counterpart in UTF-8 are missing, and so is a key of them');
	is(ask('judge', q{
SELECT concat_ws(' | ', r->'after'->'i', r->'after'->'o'->'b', (SELECT count(*) FROM jsonb_object_keys(r->'after')))
FROM (SELECT line::jsonb AS r FROM undefined ORDER BY i OFFSET 3) AS t}),
		"4 | 6\n5 | 6 | 3", 'names without one leave no hole in a line');
}

# SQL_ASCII takes any bytes: UTF-8 where they are, else Latin-1.
{
	my $database = make_database('SQL_ASCII');
	create_slot($node, $database, 'bytes');
	my @samples = (
		"\xe9", "caf\xe9 \xff\x80", "\xc3\xa9", "\xf0\x9f\x98\x80", "\xf0\x9f\x98", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xe2\x80\xa8\xe2\x80", "\xc3\xa9\xe9\xc3\xa9", "\x80\xbf", "\xfe\xff", "\xc3", "\xe9\xc3\xa9\"\\\n", "\xf5\x80\x80\x80");
	my $script = "SET client_encoding = 'SQL_ASCII';\nCREATE TABLE b (n int PRIMARY KEY, v text, l text[], k name);\n"
	  . "CREATE TABLE \"t \xe9\" (\"c \xe9\xc3\xa9\" text PRIMARY KEY);\n";
	foreach my $number (0 .. $#samples)
	{
		my $literal = sql_literal($samples[$number]);
		my $context = '{"by": "' . ($samples[$number] =~ s/(["\\\n])/sprintf '\\u%04x', ord $1/ger) . '"}';
		$script .= "BEGIN; SELECT pg_logical_emit_message(true, '_bemi', " . sql_literal($context) . ");\n"
		  . "INSERT INTO b VALUES ($number, $literal, ARRAY[$literal], $literal); INSERT INTO \"t \xe9\" VALUES ($literal); COMMIT;\n";
	}
	my $script_file = temp_file('bytes.sql');
	open my $handle, '>:raw', $script_file or die $!;
	print $handle $script;
	close $handle;
	run_script($node, $database, $script_file, environment => { PGCLIENTENCODING => 'SQL_ASCII' });
	my @records = records(decode_ascii($database, 'bytes', 'SQL_ASCII'));
	is(scalar @records, 2 * @samples, 'SQL_ASCII: all records came');
	foreach my $number (0 .. $#samples)
	{
		my $expected = latin_or_utf8($samples[$number]);
		my ($first, $second) = @records[ 2 * $number, 2 * $number + 1 ];
		is_deeply(
			[ @{ $first->{after} }{qw(v l k)}, $first->{context}, $second->{primary_key}, $second->{after}, $second->{table} ],
			[ $expected, [$expected], $expected, { by => $expected }, $expected, { 'c éé' => $expected }, 't é' ],
			'SQL_ASCII: bytes ' . unpack 'H*', $samples[$number]);
	}
}

$node->stop;
done_testing();

# Characters of UTF-8 where they are well-formed, else each byte as Latin-1.
sub latin_or_utf8
{
	my ($bytes) = @_;
	my $text = '';
	while (length $bytes)
	{
		if ($bytes =~ s/^(
			[\x00-\x7f] | [\xc2-\xdf][\x80-\xbf]
			| \xe0[\xa0-\xbf][\x80-\xbf] | [\xe1-\xec\xee\xef][\x80-\xbf]{2} | \xed[\x80-\x9f][\x80-\xbf]
			| \xf0[\x90-\xbf][\x80-\xbf]{2} | [\xf1-\xf3][\x80-\xbf]{3} | \xf4[\x80-\x8f][\x80-\xbf]{2})//x)
		{
			my $character = $1;
			utf8::decode($character);
			$text .= $character;
		}
		else { $text .= substr $bytes, 0, 1, ''; }
	}
	return $text;
}

# Text in every encoding that the server has, with characters cut off, at each limit of the plugin: contexts, messages,
# values, names. Decoding never fails, and no byte is another than the server's own conversion gives.

use strict;
use warnings;
use utf8;

use Encode qw(encode);
use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
my $node = new_node('hostile_text');
$node->safe_psql('postgres', 'CREATE DATABASE judge');
my @encodings = split /\n/,
  $node->safe_psql('postgres', q{SELECT name FROM generate_series(0, 60) i, pg_encoding_to_char(i) name WHERE name <> '' ORDER BY i});

my @databases;
my ($records, $expected) = map { temp_file($_) } qw(records expected);
write_text($_, '') foreach $records, $expected;
foreach my $encoding (@encodings)
{
	# Its name is in the encoding of the database that it is made from.
	my $database = 'é ' . lc $encoding;
	my ($status, undef, $errors) = $node->psql('postgres', encode('UTF-8', qq{CREATE DATABASE "$database" TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'}));
	if ($status != 0)
	{
		like($errors, qr/is not a valid encoding name|invalid server encoding/, "$encoding is for clients alone");
		next;
	}
	push @databases, $encoding;
	test_encoding(encode('UTF-8', $database), scalar @databases);
}
cmp_ok(scalar @databases, '>=', 34, 'all encodings of the server');

load_lines($node, 'judge', 'line', $records);
load_lines($node, 'judge', 'expectation', $expected);
$node->safe_psql('judge', q{
CREATE TABLE record AS SELECT i, r, r->>'operation' AS operation, (r->'after'->>'d')::int AS d, (r->'after'->>'n')::int AS n,
	-- a message comes right before the row that it is about
	CASE WHEN lag(r->>'operation') OVER (ORDER BY i) = 'MESSAGE' THEN lag(r) OVER (ORDER BY i) END AS message, line
FROM line, LATERAL (SELECT line::jsonb) t (r);
CREATE FUNCTION text_of(hex text) RETURNS text LANGUAGE sql AS $$SELECT convert_from(decode(nullif(hex, '(null)'), 'hex'), 'UTF8')$$;
CREATE TABLE expected AS SELECT p[1]::int AS d, p[2]::int AS n, text_of(p[3]) AS u, text_of(p[4]) AS excerpt, p[5] = 't' AS to_end,
	text_of(p[6]) AS content, p[7] AS document
FROM expectation, string_to_array(line, '|') p;
CREATE TABLE both_of AS SELECT * FROM expected FULL JOIN (SELECT * FROM record WHERE n > 0) r USING (d, n);
});
none('each row has its record, each message as well', q{i IS NULL OR u IS NULL AND excerpt IS NULL OR message IS NULL}, 'both_of');
none('a value is what the server makes of it', q{u IS NOT NULL AND r->'after'->>'v' IS DISTINCT FROM u
	OR u IS NULL AND (r->'after' ? 'v' OR r->'missing'->>'v' IS DISTINCT FROM 'error')}, 'both_of');
none('a context likewise', q{excerpt IS NULL AND (r->'context' IS DISTINCT FROM jsonb_build_object('k', u) OR r ? 'context_error')}, 'both_of');
none('what is no context is {}, with what it said', q{excerpt IS NOT NULL AND (r->'context' <> '{}' OR r->>'context_error' IS NULL
	OR length(r->>'context_error') > 2150 OR position(excerpt IN r->>'context_error') = 0
	OR to_end AND right(r->>'context_error', length(excerpt)) <> excerpt)}, 'both_of');
none('content is text, or bytes', q{content IS NOT NULL AND message->>'content' IS DISTINCT FROM content
	OR content IS NULL AND encode(decode(message->'content'->>'base64', 'base64'), 'hex') IS DISTINCT FROM document}, 'both_of');
none('a prefix begins as it was written', q{message->>'prefix' NOT LIKE 'm' || n || '%'}, 'both_of');
is($node->safe_psql('judge', q{SELECT count(*), count(*) FILTER (WHERE r->'context' = '{}' AND r ? 'context_error') FROM record WHERE n BETWEEN -255 AND -128}),
	join('|', (128 * @databases) x 2), 'a byte beyond ASCII by itself is no context');
is($node->safe_psql('judge', q{SELECT count(*), count(*) FILTER (WHERE (r->'context' = '{}') = (r ? 'context_error')
	AND (r ? 'context_error' OR length(r->'context'->>'k') = 1)) FROM record WHERE n BETWEEN -1255 AND -1128}),
	join('|', (128 * @databases) x 2), 'between quotes it is one character, or none');
is($node->safe_psql('judge', q{SELECT count(DISTINCT r->>'database') FROM record}), scalar @databases,
	'the name of the database is in another encoding than what is in it');
is($node->safe_psql('judge', q{SELECT count(*) FROM record WHERE operation = 'CREATE' AND r->>'table' <> 'changed'
	AND (r->'missing'->>(r->>'table') = 'error') IS NOT TRUE AND r->>'primary_key' IS DISTINCT FROM r->'after'->>(r->>'table')}), '0',
	'names as long as they can be: the key is the value');
is($node->safe_psql('judge', 'SELECT count(*) FROM record WHERE NOT ' . whole()), '0', 'each record is whole: all keys, in order');
$node->stop;
done_testing();

# Writes hostile text in a database, and decodes it; $number tells its rows from those of the others.
sub test_encoding
{
	my ($database, $number) = @_;
	my $slot = "hostile_$number";
	my %environment = (PGCLIENTENCODING => 'SQL_ASCII');
	my @files = map { temp_file("$_.$number") } qw(records expected);
	run_script($node, $database, library_file('hostile_text.sql'), environment => \%environment,
		variables => { d => $number, seed => sprintf '%.6f', rand });
	decode_sql($node, $database, $slot, $files[0], environment => \%environment, options => { messages => 'm*,byte', exclude_tables => 'expected,characters' });
	my $script = temp_file('export.sql');
	write_text($script, "\\pset null (null)\nSELECT $number, * FROM expected;\nSELECT FROM pg_drop_replication_slot('$slot');\n");
	run_script($node, $database, $script, environment => \%environment, output => $files[1]);
	is(scalar(grep { /[^\x20-\x7e]/ } read_lines($files[0])), 0, "$database: the lines are ASCII") unless $database =~ /utf8/;
	append($files[0], $records);
	append($files[1], $expected);
	return;
}

sub append
{
	my ($from, $to) = @_;
	open my $handle, '>>:raw', $to or die "$to: $!";
	print $handle slurp_file($from);
	close $handle or die "$to: $!";
	unlink $from;
	return;
}

# Tests that a condition is true of no row.
sub none
{
	my ($name, $condition, $table) = @_;
	my $found = $node->safe_psql('judge', qq{SELECT concat_ws(E'\\n  ', 'encoding ' || d, n, "left"(u, 40), "right"(excerpt, 40), "left"(line, 1500), "left"(message::text, 300))
		FROM $table WHERE ($condition) IS NOT FALSE ORDER BY i LIMIT 3});
	is($found, '', $name) or diag("seed $seed; encodings: @databases");
	return;
}

# The condition that all fixed keys are there, in order.
sub whole
{
	return q{ARRAY(SELECT k FROM json_object_keys(line::json) k WHERE k NOT IN ('last', 'missing', 'context_error')) =
		CASE operation WHEN 'MESSAGE' THEN '{operation,database,prefix,content,committed_at,transaction_id,position,commit_position}'::text[]
		ELSE '{operation,database,schema,table,primary_key,before,after,committed_at,transaction_id,position,commit_position,sequence,context}' END};
}

# The snapshot: rows as they were at one position, between the changes before and after it; the
# values as the decoder writes them, and nothing that it would leave out.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiLoad;
use BemiTest;
use Test::More;
use Time::HiRes qw(sleep);

my $source = new_node('source');
my $destination = new_destination('destination');
$source->safe_psql('postgres', BemiLoad::tables());
$source->safe_psql('postgres', q{
INSERT INTO account SELECT g, 0, 'from the start' FROM generate_series(1, 2000) g;
CREATE SCHEMA "Wild "" one";
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN tag AS text;
CREATE TABLE "Wild "" one"."a.b" (k1 text, k2 bigint, m mood, d tag, j json, b jsonb, n numeric, f float8,
	t timestamptz, by bytea, i interval, a int[], c account, money money, secret text, "out" text,
	g bigint GENERATED ALWAYS AS (k2 * 2) STORED, PRIMARY KEY (k2, k1));
ALTER TABLE "Wild "" one"."a.b" REPLICA IDENTITY FULL;
INSERT INTO "Wild "" one"."a.b" (k1, k2, m, d, j, b, n, f, t, by, i, a, c, money, secret, "out") VALUES
	(E'k\n"', 9007199254740993, 'ok', 'd', '{"x": "\u0000", "y" : 1}', '{"z": [1, 2]}', 1e30, 'NaN',
	'2026-01-02 03:04:05.678901+02', '\x00ff', '1 day 02:03:04', '{1,NULL,3}', ROW(1, 2, 'x'), 1.5, 's', 'o'),
	('pair', 2, NULL, NULL, '["\ud83d\ude00", "\\u0000"]', NULL, 'NaN', '1e-300', 'infinity', NULL, NULL, '{}',
	NULL, NULL, NULL, NULL);
CREATE TABLE plain (v text); INSERT INTO plain VALUES ('a'), ('a');
CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
INSERT INTO parts VALUES (1, 'p');
CREATE UNLOGGED TABLE unlogged (id int); INSERT INTO unlogged VALUES (1);
CREATE TABLE hidden (id int); INSERT INTO hidden VALUES (1);
CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2);
ALTER DATABASE postgres SET timezone = 'Asia/Tokyo';
ALTER DATABASE postgres SET intervalstyle = 'iso_8601'});
ingest_ok($source, $destination, 'init');

my @options = map { ('--option', $_) }
  ('exclude_tables=hidden', 'mask_columns=secret', 'exclude-columns="Wild "" one"."a.b".out');
my $run = start_ingest($source, $destination, @options);
my $load = BemiLoad->new($source, rate => 300);
sleep 1.5;
my ($code, $output, $errors) = ingest($source, $destination, 'snapshot', @options);
ok($code == 0 && $errors =~ /rows of \d+ tables stored as of/, 'a snapshot under load') or diag($errors);
sleep 1.5;
$load->stop;
end_ingest($run);
drain($source, $destination, @options);
my $sql = sub { return rows_of($destination, $_[0]) };

# For each row, what the snapshot says is what the change before left and the change after found.
$sql->('CREATE VIEW chain AS SELECT *,
	lag(after) OVER row AS previous_after, lead(before) OVER row AS next_before,
	lag(operation) OVER row AS previous, lead(operation) OVER row AS next
	FROM changes WINDOW row AS (PARTITION BY "table", primary_key ORDER BY commit_position, sequence)');
is($sql->(q{SELECT count(*) FROM chain WHERE operation = 'SNAPSHOT' AND "table" = 'account'}), '2000',
	'all rows are there once');
is($sql->(q{SELECT count(*) FROM chain WHERE operation = 'SNAPSHOT' AND "table" IN ('account', 'history')
	AND (previous_after <> after OR next_before <> after OR previous = 'DELETE' OR next = 'CREATE')}), '0',
	'it agrees with the changes before and after it');
cmp_ok($sql->(q{SELECT count(*) FROM chain WHERE operation = 'SNAPSHOT' AND previous = 'UPDATE'
	AND next = 'UPDATE'}), '>', 10, 'and there were such');
my $state = q{SELECT count(*), sum(hashtext(r::text)::int8) FROM };
is($sql->(qq{$state (SELECT DISTINCT ON (primary_key) after->>'id' AS id, after->>'balance' AS balance,
	after->>'note' AS note FROM changes WHERE "table" = 'account'
	ORDER BY primary_key, commit_position DESC, sequence DESC) r}),
	$source->safe_psql('postgres', qq{$state (SELECT id::text, balance::text, note FROM account) r}),
	'the last image of each row is the table');

# The values are those of the decoder: the same rows, written again.
is($sql->(q{SELECT string_agg(DISTINCT "table", ',') FROM changes WHERE operation = 'SNAPSHOT'}),
	'a.b,account,child,history,parent,parts,plain', 'the tables that the decoder would emit');
$source->safe_psql('postgres', q{UPDATE "Wild "" one"."a.b" SET k1 = k1; UPDATE parts SET v = v});
drain($source, $destination, @options);
is($sql->(q{SELECT count(*) FROM changes s JOIN changes u USING (schema, "table", primary_key)
	WHERE s.operation = 'SNAPSHOT' AND u.operation = 'UPDATE' AND "table" IN ('a.b', 'parts')
	AND s.after = u.after AND s.details->'missing' IS NOT DISTINCT FROM u.details->'missing'
	AND s.details->'partition' IS NOT DISTINCT FROM u.details->'partition'}), '3',
	'values, keys and details are the decoder\'s')
  or diag($sql->(q{SELECT operation, primary_key, after, details FROM changes WHERE "table" = 'a.b'}));
is($sql->(q{SELECT count(*) FROM changes WHERE after::text ~ 'secret|"out"'}), '0', 'nothing hidden comes out');
is($sql->(q{SELECT count(*) FROM bemi.snapshots WHERE rows = 2000 AND "table" = 'account'}), '1',
	'bemi.snapshots has it');
is($source->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '1', 'its slot is gone');

# Twice is no collision, and what may not be read is told.
ingest_ok($source, $destination, 'snapshot', '--option', 'tables=parts');
$source->safe_psql('postgres', 'CREATE ROLE poor LOGIN REPLICATION');
ingest_fails('a table that may not be read', 3, qr/role poor may not read \d+ of the tables/,
	$source->connstr('postgres') . ' user=poor', $destination, 'snapshot');
is($sql->(q{SELECT count(*) FROM changes WHERE "table" = 'parts' AND operation = 'SNAPSHOT'}), '2',
	'a snapshot that fails leaves nothing');

done_testing();

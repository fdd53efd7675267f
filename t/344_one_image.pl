# One row, one image and one key, whoever has recorded it: the decoder, snapshot, and what verify compares. Rows of every
# type, keys of all kinds, under the options that change values, in databases of several encodings.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiOracle;
use BemiTest;
use BemiValues;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
my $source = new_node('source');
my $destination = new_destination('destination');

# Records changes and the snapshot of the same rows of one database, and tests that they are the same.
sub one_image
{
	my ($database, $name, $script, %how) = @_;
	my $file = temp_file('rows.sql');
	my $to = "to_$database";
	my ($from, $end) = ($source->connstr($database), $destination->connstr($to));
	my @options = map { ('--option', $_) } @{ $how{options} // [] };
	$destination->safe_psql('postgres', "CREATE DATABASE $to");
	ingest_ok($from, $end, 'init', '--slot', $database);
	write_text($file, $script);
	run_script($source, $database, $file, environment => { %{ sane_session() }, PGOPTIONS => '-c search_path=public,ext,odd -c timezone=UTC -c standard_conforming_strings=on' });
	drain($from, $end, '--slot', $database, @options);
	ingest_ok($from, $end, 'snapshot', '--slot', $database, @options);
	my $sql = sub { $destination->safe_psql($to, $_[0], extra_params => [ '-t', '-A' ]) };
	# A row is found by its column `row_id`, which all tables have.
	my $difference = $sql->(q{
WITH d AS (SELECT * FROM changes WHERE operation = 'CREATE'), s AS (SELECT * FROM changes WHERE operation = 'SNAPSHOT')
SELECT coalesce(d."table", s."table"), d.primary_key, s.primary_key, d.details, s.details,
    (SELECT string_agg(format('%s: %s, not %s', k, left((s.after->k)::text, 200), left((d.after->k)::text, 200)), '; ')
     FROM jsonb_object_keys(coalesce(d.after, '{}') || coalesce(s.after, '{}')) k WHERE (s.after->k)::text IS DISTINCT FROM (d.after->k)::text)
FROM d FULL JOIN s ON (d.schema, d."table", d.after->>'row_id') = (s.schema, s."table", s.after->>'row_id')
WHERE (d.after::text, d.primary_key, d.details::text) IS DISTINCT FROM (s.after::text, s.primary_key, s.details::text) LIMIT 5});
	is($difference, '', "$name: the snapshot's rows are the decoder's") or diag("seed $seed");
	cmp_ok($sql->(q{SELECT count(*) FROM changes WHERE operation = 'SNAPSHOT'}), '>=', $how{rows}, "$name: there are rows");
	return ($from, $end, $sql, \@options) if $how{no_verify};
	# Against the changes alone, and against the snapshot.
	foreach my $of ('snapshot', 'changes')
	{
		my ($code, $output, $errors) = ingest($from, $end, 'verify', '--slot', $database, @options);
		ok($code == 0 && $output !~ / (?:lost|altered|extra|broken) |not compared/, "$name: verify finds no difference to the $of") or diag("seed $seed\n$output$errors");
		$sql->(q{DELETE FROM changes WHERE operation = 'SNAPSHOT'; DELETE FROM bemi.snapshots}) if $of eq 'snapshot';
	}
	return ($from, $end, $sql, \@options);
}

# Tables of 40 columns with values of all types.
sub tables_of_types
{
	my ($rows) = @_;
	my @names = type_names();
	my ($script, $number) = ('', 0);
	while (my @some = splice @names, 0, 40)
	{
		my $table = 'types_' . ++$number;
		my @columns = map { sql_name("c $_") } @some;
		$script .= "CREATE TABLE public.$table (row_id int PRIMARY KEY, " . join(', ', map { "$columns[$_] " . type_sql($some[$_]) } 0 .. $#some) . ");\n"
		  . "ALTER TABLE public.$table REPLICA IDENTITY FULL;\n";
		foreach my $row (1 .. $rows)
		{
			$script .= "INSERT INTO public.$table VALUES ($row, " . join(', ', map { my @edges = type_edges($_); $row <= @edges && chance(0.7) ? $edges[ $row - 1 ] : value($_, small => 1) } @some) . ");\n";
		}
	}
	return $script;
}

# Keys, each in a table of its own: whole rows are recorded by the name `row_id`.
my $keys = q{
CREATE TABLE including (a int, b text, extra int, row_id int, PRIMARY KEY (a, b) INCLUDE (extra)); INSERT INTO including VALUES (7, 'eu', 5, 1), (8, E'a "quoted"\n', NULL, 2);
CREATE TABLE reversed (a int, b text, row_id int, PRIMARY KEY (b, a)); INSERT INTO reversed VALUES (7, 'eu', 1);
CREATE TABLE numbers (n numeric, f float8, b bigint, row_id int, PRIMARY KEY (n, f, b)); INSERT INTO numbers VALUES (1.50, '1e300', 9007199254740993, 1), ('NaN', '-0', 1, 2), (1e20, 'Infinity', 2, 3);
CREATE TABLE number (n numeric PRIMARY KEY, row_id int); INSERT INTO number VALUES (1.50, 1), ('NaN', 2), ('Infinity', 3);
CREATE TABLE floats (f float8 PRIMARY KEY, row_id int); INSERT INTO floats VALUES ('-0', 1), (1e-7, 2), ('NaN', 3), (1e22, 4);
CREATE TABLE flags (b bool PRIMARY KEY, row_id int); INSERT INTO flags VALUES (true, 1), (false, 2);
CREATE TABLE documents (j jsonb PRIMARY KEY, row_id int); INSERT INTO documents VALUES ('{"bb": 1, "a": [1.50, "x\ty"]}', 1), ('"text\u0007"', 2), ('null', 3), ('1e2', 4);
CREATE TABLE arrays (a numeric[], t timestamptz, row_id int, PRIMARY KEY (a, t)); INSERT INTO arrays VALUES ('{1.50,NaN}', '2026-01-02 03:04:05.6', 1);
CREATE TABLE array_alone (a text[] PRIMARY KEY, row_id int); INSERT INTO array_alone VALUES ('{"a b",NULL,"\""}', 1);
CREATE TABLE padded (c char(5) PRIMARY KEY, row_id int); INSERT INTO padded VALUES ('ab', 1);
CREATE TABLE times (t timestamp PRIMARY KEY, row_id int); INSERT INTO times VALUES ('0044-03-15 12:00 BC', 1), ('infinity', 2);
CREATE TABLE long_key (t text PRIMARY KEY, row_id int); INSERT INTO long_key VALUES (repeat('x', 2100), 1);
CREATE TABLE parts (a int, row_id int, g int GENERATED ALWAYS AS (a * 2) STORED, PRIMARY KEY (a)) PARTITION BY RANGE (a);
CREATE TABLE "part ""1""" PARTITION OF parts FOR VALUES FROM (0) TO (10); CREATE TABLE part_2 (row_id int, g int GENERATED ALWAYS AS (a * 2) STORED, a int NOT NULL);
ALTER TABLE parts ATTACH PARTITION part_2 FOR VALUES FROM (10) TO (20); INSERT INTO parts VALUES (1, 1), (11, 2);
CREATE TABLE no_key (v bigint, row_id int); ALTER TABLE no_key REPLICA IDENTITY FULL; INSERT INTO no_key VALUES (1, 1), (2, 2);
CREATE TABLE hidden_key (id int PRIMARY KEY, v text, row_id int); INSERT INTO hidden_key VALUES (1, 'v', 1);
CREATE TABLE gone (row_id int PRIMARY KEY, a int, b text); ALTER TABLE gone DROP a; INSERT INTO gone VALUES (1, 'b');
};

my $database = 'types';
$source->safe_psql('postgres', 'CREATE DATABASE types; CREATE DATABASE keys; CREATE DATABASE optional');
install_types($source, $database);
$source->safe_psql('postgres', qq{ALTER DATABASE $_ SET "standard_conforming_strings" = off; ALTER DATABASE $_ SET bytea_output = 'escape'; ALTER DATABASE $_ SET extra_float_digits = -3;
	ALTER DATABASE $_ SET datestyle = 'german'; ALTER DATABASE $_ SET timezone = 'Asia/Tokyo'; ALTER DATABASE $_ SET quote_all_identifiers = on}) foreach qw(types keys optional);
one_image($database, 'every type', tables_of_types(is_long() ? 40 : 6), rows => 30);
one_image('keys', 'keys', $keys, rows => 25);

# With the options that change values.
my (undef, undef, $sql) = one_image('optional', 'options', $keys . q{
CREATE TYPE pair AS (n bigint, m numeric); CREATE DOMAIN big AS bigint; CREATE DOMAIN bigs AS big[];
CREATE TABLE quoted (row_id int PRIMARY KEY, n bigint, m numeric, ns bigint[], ms numeric[], p pair, ps pair[], d big, ds bigs, j jsonb, secret text, noise text); ALTER TABLE quoted REPLICA IDENTITY FULL;
INSERT INTO quoted VALUES (1, 1, 1.50, '{1,NULL}', '{{1.0,NaN}}', '(1,2.0)', '{"(3,)"}', 4, '{5,6}', '{"n": 7}', 's', 'x');
}, rows => 26, options => [ 'quote_numbers=bigint,numeric', 'mask_columns=secret', 'exclude_columns=public.quoted.noise,hidden_key.id', 'ignore_columns=quoted.d' ]);
is($sql->(q{SELECT after FROM changes WHERE "table" = 'quoted' LIMIT 1}), '{"d": "4", "j": {"n": 7}, "m": "1.50", "n": "1", "p": {"m": "2.0", "n": "1"}, "ds": ["5", "6"], "ms": [["1.0", "NaN"]], "ns": ["1", null], "ps": [{"m": null, "n": "3"}], "row_id": 1}',
	'numbers are quoted wherever they are');
is($sql->(q{SELECT primary_key FROM changes WHERE "table" = 'including' ORDER BY primary_key LIMIT 1}), '[7, "eu"]', 'a key is without what its index includes');
is($sql->(q{SELECT count(primary_key) FROM changes WHERE "table" = 'hidden_key'}), '0', 'a key that is left out is not shown');

# Tables without a primary key, whose key is that of another index.
my $unique = q{
CREATE TABLE by_unique (a int NOT NULL, b text NOT NULL, c int, row_id int); CREATE UNIQUE INDEX z ON by_unique (a); CREATE UNIQUE INDEX y ON by_unique (b) INCLUDE (c); CREATE UNIQUE INDEX x ON by_unique (a, b);
CREATE TABLE by_identity (a int NOT NULL, b int NOT NULL, c int NOT NULL, row_id int); CREATE UNIQUE INDEX ON by_identity (a); CREATE UNIQUE INDEX chosen ON by_identity (c, b); ALTER TABLE by_identity REPLICA IDENTITY USING INDEX chosen;
CREATE TABLE unfit (a int, b int NOT NULL, row_id int, UNIQUE (a), UNIQUE (b) DEFERRABLE); CREATE UNIQUE INDEX ON unfit (b) WHERE a > 0; CREATE UNIQUE INDEX ON unfit ((b + 1)); CREATE INDEX ON unfit (b); ALTER TABLE unfit REPLICA IDENTITY FULL;
CREATE TABLE root (a int NOT NULL, b int NOT NULL, row_id int) PARTITION BY LIST (a); CREATE UNIQUE INDEX "B" ON root (a, b); CREATE UNIQUE INDEX c ON root (b, a);
CREATE TABLE leaf (row_id int, b int NOT NULL, a int NOT NULL); CREATE UNIQUE INDEX a ON leaf (b, a); CREATE UNIQUE INDEX "0" ON leaf (b); ALTER TABLE root ATTACH PARTITION leaf DEFAULT;
INSERT INTO by_unique VALUES (1, 'one', 5, 1); INSERT INTO by_identity VALUES (1, 2, 3, 1); INSERT INTO unfit VALUES (1, 2, 1); INSERT INTO root VALUES (1, 2, 1)};
SKIP:
{
	my ($code) = $source->psql('postgres', q{SELECT FROM pg_create_logical_replication_slot('probe', 'bemi_decoder', true);
		SELECT FROM pg_logical_slot_peek_changes('probe', NULL, NULL, 'keys', 'unique')});
	skip 'this decoder shows primary keys alone', 1 if $code != 0;
	foreach my $keys ('unique', 'primary')
	{
		my $in = "by_$keys";
		$source->safe_psql('postgres', "CREATE DATABASE $in");
		my (undef, undef, $ask) = one_image($in, "keys=$keys", $unique, rows => 4, options => [ "keys=$keys" ]);
		is($ask->(q{SELECT string_agg("table" || ' ' || coalesce(primary_key, '-'), ', ' ORDER BY "table") FROM changes}),
			$keys eq 'unique' ? 'by_identity [3, 2], by_unique one, root [1, 2], unfit -' : 'by_identity -, by_unique -, root -, unfit -', "keys=$keys: the keys");
	}
}

my %words = (LATIN1 => 'é ÿ', EUC_JP => '日本語 ｶﾅ', SQL_ASCII => 'é');
foreach my $encoding (sort keys %words)
{
	my $in = lc "in_$encoding";
	my ($type, $table, $column) = map { sql_name("$_ $words{$encoding}") } qw(p t c);
	my $text = sql_literal($words{$encoding});
	$source->safe_psql('postgres', "CREATE DATABASE $in TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'");
	my $rows = "CREATE TYPE $type AS (n int, $column text);
CREATE TABLE $table (row_id int, $column text, j json, b jsonb, p $type, a text[], PRIMARY KEY (row_id, $column)); ALTER TABLE $table REPLICA IDENTITY FULL;
INSERT INTO $table SELECT g, $text || g, json_build_object($text, $text), jsonb_build_object($text, $text), ROW(1, $text)::$type, ARRAY[$text, NULL] FROM generate_series(1, 3) g;";
	$rows .= q{CREATE TABLE bytes (row_id int PRIMARY KEY, v text, a text[]); INSERT INTO bytes SELECT 1, v, ARRAY[v] FROM convert_from('\xff4180c3a9c3'::bytea, 'SQL_ASCII') v;} if $encoding eq 'SQL_ASCII';
	my ($from, $end) = one_image($in, $encoding, $rows, rows => 3, no_verify => $encoding eq 'SQL_ASCII');
	ingest_fails("$encoding: refused by verify", 3, qr/has no encoding \(SQL_ASCII\)/, $from, $end, 'verify', '--slot', $in) if $encoding eq 'SQL_ASCII';
}

done_testing();

# Nothing that the owner of a table or a type has written runs with the rights of snapshot or verify: not a cast, an
# operator, a domain's check, a generated column, the expression of an index, of statistics or of a partition key, a rule
# or a policy. What he has written here only says in the server's log who runs it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiFailing;
use BemiIngest;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $source = new_node('source');
my $destination = new_destination('destination');
my $version = server_major($source);
$source->safe_psql('postgres', q{
CREATE ROLE owner LOGIN; CREATE ROLE bemi_source LOGIN REPLICATION; CREATE SCHEMA o AUTHORIZATION owner; GRANT CREATE ON SCHEMA public TO owner});
# Immutable in name, so that it may stand anywhere and whoever plans a query evaluates it.
my $spy = sub {
	my ($name, $argument, $result, $value) = @_;
	return "CREATE FUNCTION $name($argument) RETURNS $result LANGUAGE plpgsql IMMUTABLE AS \$\$ BEGIN
RAISE LOG 'spied: $name as %', current_user; RETURN $value; END \$\$;\n";
};
my $virtual = $version >= 18 ? ', vg int GENERATED ALWAYS AS (a / 0) VIRTUAL' : '';
my $as_owner = sub { $source->safe_psql('postgres', $_[0], extra_params => [ '-U', 'owner' ]) };
$as_owner->(join '', q{CREATE TYPE o.mood AS ENUM ('sad', 'glad'); CREATE TYPE o.pair AS (m o.mood, n int8);},
	$spy->('o.as_json', 'o.mood', 'json', q{'"cast"'}), $spy->('o.as_text', 'o.mood', 'text', q{'cast'}), $spy->('o.pair_json', 'o.pair', 'json', q{'"cast"'}),
	$spy->('o.same', 'o.mood, o.mood', 'bool', 'true'), $spy->('o.number', 'int', 'int', '$1'), $spy->('o.allowed', 'int', 'bool', 'true'),
	$spy->('public.to_jsonb', 'anyelement', 'jsonb', q{'"shadow"'}), $spy->('public.minus', 'jsonb, text[]', 'jsonb', '$1'), $spy->('public.md5', 'text', 'text', q{''}),
	q{CREATE CAST (o.mood AS json) WITH FUNCTION o.as_json(o.mood); CREATE CAST (o.mood AS text) WITH FUNCTION o.as_text(o.mood) AS IMPLICIT;
CREATE CAST (o.pair AS json) WITH FUNCTION o.pair_json(o.pair);
CREATE OPERATOR o.= (LEFTARG = o.mood, RIGHTARG = o.mood, FUNCTION = o.same); CREATE OPERATOR public.- (LEFTARG = jsonb, RIGHTARG = text[], FUNCTION = public.minus);
CREATE DOMAIN o.checked AS int CHECK (o.allowed(VALUE));
CREATE TABLE o.plain (id int PRIMARY KEY, m o.mood, ms o.mood[], p o.pair, ps o.pair[], c o.checked, cs o.checked[], v text, CHECK (o.allowed(id)));
CREATE TABLE o.mooded (m o.mood PRIMARY KEY, c o.checked);
CREATE TABLE o.keyless (m o.mood, c o.checked[]);
CREATE TABLE o.indexed (id int PRIMARY KEY, a int DEFAULT o.number(4)}, $virtual, q{);
CREATE INDEX ON o.indexed ((a + o.number(1))); CREATE INDEX ON o.indexed (a) WHERE a > o.number(2); CREATE STATISTICS o.stats ON (a + o.number(3)), id FROM o.indexed;
CREATE TABLE o.generated (id int PRIMARY KEY, g int GENERATED ALWAYS AS (o.number(id)) STORED);
CREATE TABLE o.generated_indexed (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id + 1) STORED); CREATE INDEX by_number ON o.generated_indexed ((id + o.number(1)));
CREATE TABLE o.policed (id int PRIMARY KEY, v text); ALTER TABLE o.policed ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON o.policed USING (o.allowed(id));
CREATE TABLE o.ruled (id int PRIMARY KEY); CREATE RULE r AS ON INSERT TO o.ruled DO ALSO SELECT o.number(5);
CREATE TABLE o.parts (id int) PARTITION BY LIST ((id + o.number(1))); CREATE TABLE o.part PARTITION OF o.parts DEFAULT;
GRANT USAGE ON SCHEMA o TO bemi_source; GRANT SELECT ON ALL TABLES IN SCHEMA o TO bemi_source;
ALTER TABLE o.keyless REPLICA IDENTITY FULL; ALTER TABLE o.part REPLICA IDENTITY FULL});
my $rows = q{INSERT INTO o.plain VALUES (%1$d, 'sad', '{sad,glad}', '(glad,2)', '{"(sad,9007199254740993)"}', %1$d, '{1,2}', 'x');
INSERT INTO o.keyless VALUES ('sad', '{1}'); INSERT INTO o.indexed VALUES (%1$d, 1); INSERT INTO o.generated VALUES (%1$d);
INSERT INTO o.generated_indexed VALUES (%1$d); INSERT INTO o.policed VALUES (%1$d, 'p'); INSERT INTO o.ruled VALUES (%1$d); INSERT INTO o.parts VALUES (%1$d);};
$as_owner->(sprintf("INSERT INTO o.mooded VALUES ('sad', 1); $rows", 1));

# The roles that have run something of his since the log was last asked.
my $log_position = -s $source->logfile;
sub spied
{
	my $log = slurp_file($source->logfile, $log_position);
	$log_position += length $log;
	my %spied = map { $_ => 1 } grep { !/ as owner$/ } $log =~ /(spied: \S+ as \w+)/g;
	return join ', ', sort keys %spied;
}

my $superuser = $source->connstr('postgres');
my $reader = "$superuser user=bemi_source";
ingest_ok($reader, $destination, 'init');
$as_owner->(sprintf $rows, 2);
foreach my $end ([ $superuser, 'a superuser', 1 ], [ $reader, 'a role that may read the tables', 2 ])
{
	my ($from, $who, $failures) = @$end;
	spied();
	my ($code, $output, $errors) = ingest($from, $destination, 'snapshot');
	is($code, 1, "$who: snapshot says by its exit code that tables are missing") or diag($errors);
	like($errors, qr/not stored: o\.generated_indexed: it has stored generated columns, and index o\.by_number uses function o\.number\(integer\) of role owner/,
		"$who: the table whose plan would run the owner's code");
	like($errors, qr/not stored: o\.policed: .*row-level security/, "$who: row security is named") if $failures == 2;
	like($errors, qr/ 1?\d rows of \d+ tables stored as of .*, $failures tables not stored/, "$who: the others are stored");
	is(spied(), '', "$who: snapshot runs nothing of the owner's");
	($code, $output, $errors) = ingest($from, $destination, 'verify');
	is($code, 1, "$who: verify says so, too") or diag("$output$errors");
	is(scalar(() = $output =~ /^o\.\w+: not compared: (?:it has stored|source: query would be affected by row-level)/mg), $failures, "$who: for the same tables") or diag($output);
	is(scalar(() = $output =~ /^o\.\w+: \d rows compared, all as recorded$/mg), 9 - $failures, "$who: the others are as recorded") or diag($output);
	is(spied(), '', "$who: verify runs nothing of the owner's");
	drain($from, $destination);
}
# Where hashes differ, images are looked at: also without anything of his.
rows_of($destination, q{UPDATE changes SET after = after || '{"v": "forged", "m": "forged"}' WHERE "table" IN ('plain', 'mooded')});
my ($code, $output) = ingest($superuser, $destination, 'verify', '--table', 'o.plain,mooded');
like($output, qr/^o\.mooded  altered sad \(m\).*^o\.plain  altered 1 \(m, v\)/ms, 'what differs is found');
is(spied(), '', 'and the second look runs nothing of the owner\'s either');
is(rows_of($destination, q{SELECT after FROM changes WHERE "table" = 'keyless' AND operation = 'SNAPSHOT' LIMIT 1}), '{"c": [1], "m": "sad"}', 'images have the types\' own text');

SKIP:
{
	my $folder = failing_library() or skip 'no compiler', 4;
	make_failing_type($source, $folder);
	$source->safe_psql('postgres', q{CREATE TABLE aaa (id int PRIMARY KEY, f failing); CREATE TABLE bbb (id int PRIMARY KEY); INSERT INTO bbb VALUES (1);
		INSERT INTO aaa VALUES (1, 'fine'), (2, 'raise:P0001'), (3, 'raise:XX000')});
	drain($superuser, $destination);
	($code, $output) = ingest($superuser, $destination, 'verify', '--table', 'aaa,bbb');
	is($code, 1, 'verify: a value whose output fails');
	like($output, qr/^public\.aaa: not compared: source: output of .* failed\npublic\.bbb: 1 rows compared, all as recorded$/m, 'costs its own table');
	($code, undef, my $errors) = ingest($superuser, $destination, 'snapshot', '--option', 'tables=public.aaa,public.bbb');
	is($code, 1, 'snapshot: a value whose output fails');
	like($errors, qr/not stored: public\.aaa: source: output of .* failed\n.*: 1 rows of 1 tables stored as of .*, 1 tables not stored/, 'costs its own table');
}

done_testing();

# verify: nothing to find where nothing is wrong, whatever the tables are like; and everything that
# somebody did to `changes`, or that passed the slot by.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $source = new_node('source');
my $destination = new_destination('destination');
my $on = sub { $source->safe_psql('postgres', $_[0]) };
my $sql = sub { return rows_of($destination, $_[0]) };

# Runs verify: tests the exit code, gives its lines about differences and tables.
my $verify = sub {
	my ($name, $expected, @arguments) = @_;
	my ($code, $output, $errors) = ingest($source, $destination, 'verify', @arguments);
	is($code, $expected, $name) or diag("$output$errors");
	return $output;
};

$on->(q{
CREATE TABLE old (id int PRIMARY KEY, v text); ALTER TABLE old REPLICA IDENTITY FULL; INSERT INTO old SELECT g, 'before the slot' FROM generate_series(1, 5) g});
ingest_ok($source, $destination, 'init');
$on->(q{
CREATE SCHEMA "Odd.one";
CREATE TABLE "Odd.one"."T ""x""" ("K" text, k2 bigint, v jsonb, j json, f float8, n numeric, t timestamptz, by bytea,
	c char(5), a int[], PRIMARY KEY (k2, "K"));
ALTER TABLE "Odd.one"."T ""x""" REPLICA IDENTITY FULL;
INSERT INTO "Odd.one"."T ""x""" SELECT E'k"\n\x7f' || g, g, '{"x": 1.50, "y": [null]}', '{"u": "\u0000", "n" : 1.0}', 'NaN', g * 1.10,
	'infinity', '\x00ff', 'c', '{1,NULL}' FROM generate_series(1, 20) g;
UPDATE "Odd.one"."T ""x""" SET f = 1e-300, t = '2026-01-02 03:04:05.678901+02', n = 'NaN' WHERE k2 % 2 = 0;
CREATE TABLE by_time (t timestamptz PRIMARY KEY, v text); ALTER TABLE by_time REPLICA IDENTITY FULL;
INSERT INTO by_time SELECT '2026-01-01'::timestamptz + g * interval '1.001 s' FROM generate_series(1, 9) g;
UPDATE by_time SET v = 'x', t = t + interval '1 year' WHERE t < '2026-01-01 00:00:05';
CREATE TABLE by_char (c char(4) PRIMARY KEY, v text); INSERT INTO by_char VALUES ('a', 'x'), ('b', 'x'); UPDATE by_char SET v = 'y';
DELETE FROM by_char WHERE c = 'b'; INSERT INTO by_char VALUES ('b', 'y');
CREATE TABLE toast (id int PRIMARY KEY, v int, big text); ALTER TABLE toast ALTER big SET STORAGE EXTERNAL;
INSERT INTO toast SELECT g, 0, repeat('x' || g, 3000) FROM generate_series(1, 30) g; UPDATE toast SET v = 1; UPDATE toast SET id = id + 100 WHERE id < 9;
CREATE TABLE swap (id int PRIMARY KEY DEFERRABLE INITIALLY IMMEDIATE, v text); ALTER TABLE swap REPLICA IDENTITY FULL;
INSERT INTO swap SELECT g, 'v' || g FROM generate_series(1, 10) g; UPDATE swap SET id = 11 - id; UPDATE swap SET id = id + 1;
CREATE TABLE keyless (v text, n numeric); ALTER TABLE keyless REPLICA IDENTITY FULL;
INSERT INTO keyless SELECT 'a', 1.50 FROM generate_series(1, 5); INSERT INTO keyless VALUES ('b', 'NaN'); UPDATE keyless SET n = 2 WHERE v = 'b';
CREATE TABLE dim (v text); INSERT INTO dim VALUES ('x'); UPDATE dim SET v = 'y';
CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100); CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
ALTER TABLE parts_1 REPLICA IDENTITY FULL; ALTER TABLE parts_2 REPLICA IDENTITY FULL;
INSERT INTO parts SELECT g, 'x' FROM generate_series(1, 199) g; UPDATE parts SET id = 0 WHERE id = 150; TRUNCATE parts_2;
INSERT INTO parts VALUES (150, 'again'); UPDATE parts SET v = 'moved', id = 151 WHERE id = 50;
CREATE TABLE gone (id int PRIMARY KEY); INSERT INTO gone VALUES (1), (2); TRUNCATE gone; INSERT INTO gone VALUES (2);
CREATE TABLE empty (id int PRIMARY KEY);
CREATE TABLE shape (id int PRIMARY KEY, a text, b text); ALTER TABLE shape REPLICA IDENTITY FULL;
INSERT INTO shape SELECT g, 'a', 'b' FROM generate_series(1, 9) g;
ALTER TABLE shape ADD c int DEFAULT 7, DROP a; UPDATE shape SET c = 8 WHERE id = 1; ALTER TABLE shape RENAME b TO d;
BEGIN; UPDATE shape SET c = c WHERE id = 2; ALTER TABLE shape ADD e int DEFAULT 5; UPDATE shape SET c = c WHERE id = 1; COMMIT; UPDATE shape SET c = 9 WHERE id = 2;
UPDATE shape SET d = 'e' WHERE id = 2; INSERT INTO shape VALUES (10, 'f', 9);
CREATE TABLE shapeless (a text, b text); ALTER TABLE shapeless REPLICA IDENTITY FULL;
INSERT INTO shapeless SELECT g, 'b' FROM generate_series(1, 9) g; ALTER TABLE shapeless ADD c int DEFAULT 7, DROP b;
UPDATE shapeless SET c = 8 WHERE a = '1'; INSERT INTO shapeless VALUES ('x', 1);
CREATE TABLE wider (id int PRIMARY KEY, v text); ALTER TABLE wider REPLICA IDENTITY FULL; INSERT INTO wider SELECT g, 'v' FROM generate_series(1, 3) g;
ALTER TABLE wider ADD c1 int DEFAULT 1, ADD c2 int DEFAULT 2, ADD c3 int, ADD c4 int DEFAULT 4, ADD c5 int, ADD c6 text; INSERT INTO wider VALUES (4, 'w');
CREATE TABLE hidden (id int PRIMARY KEY, secret text, note text, counter int); ALTER TABLE hidden REPLICA IDENTITY FULL;
INSERT INTO hidden SELECT g, 's', 'n', 0 FROM generate_series(1, 5) g; UPDATE hidden SET counter = 1; UPDATE hidden SET note = 'm' WHERE id = 1;
UPDATE old SET v = 'touched' WHERE id = 1; INSERT INTO old VALUES (6, 'new');
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY); INSERT INTO unlogged VALUES (1);
CREATE TABLE many (id int PRIMARY KEY, a text); ALTER TABLE many REPLICA IDENTITY FULL;
INSERT INTO many SELECT g, repeat('x', 100) FROM generate_series(1, 5000) g; ALTER TABLE many ADD b text DEFAULT 'y';
CREATE TABLE many_times (t timestamptz PRIMARY KEY, a text); ALTER TABLE many_times REPLICA IDENTITY FULL;
INSERT INTO many_times SELECT '2026-01-01'::timestamptz + g * interval '1 s', 'x' FROM generate_series(1, 5000) g; ALTER TABLE many_times ADD b text;
CREATE TABLE late (id int NOT NULL, v text); ALTER TABLE late REPLICA IDENTITY FULL; INSERT INTO late SELECT g, 'v' FROM generate_series(1, 4) g;
ALTER TABLE late ADD PRIMARY KEY (id); UPDATE late SET v = 'w' WHERE id = 2; UPDATE late SET id = 9 WHERE id = 3;
CREATE TABLE chain (id int PRIMARY KEY, d text); ALTER TABLE chain REPLICA IDENTITY FULL; INSERT INTO chain VALUES (1, 'a');
UPDATE chain SET d = 'b'; UPDATE chain SET d = 'c';
ALTER DATABASE postgres SET timezone = 'Asia/Tokyo'; ALTER DATABASE postgres SET intervalstyle = 'iso_8601'});
my @options = map { ('--option', $_) } ('mask_columns=secret', 'ignore_columns=counter', 'exclude_columns=hidden.note');
my $output = $verify->('all is as recorded, and verify has stored what was to store', 0, @options);
unlike($output, qr/ (?:lost|altered|extra|broken) /, 'no false alarm');
like($output, qr/^public\.hidden: 5 rows compared, all as recorded$/m, 'with columns that are masked, ignored, excluded');
like($output, qr/^Odd\.one\.T "x": 20 rows compared/m, 'with odd names, keys and values');
like($output, qr/^public\.old: 2 rows compared, all as recorded; 4 more were there before the slot/m, 'rows from before the slot');
like($output, qr/^public\.many: 5,000 rows compared, all as recorded\n.*many_times: 5,000 rows compared, all/m, 'many rows whose images have to be looked at');
like($output, qr/^public\.late: 4 rows compared, all as recorded$/m, 'a key that the table did not always have');
like($output, qr/^public\.dim: not compared: it has no key/m, 'what cannot be compared is named');
like($output, qr/^public\.unlogged: not compared: it is unlogged/m, 'an unlogged table too');
like($output, qr/^public\.swap: 10 rows/m, 'keys that were exchanged within a statement');
my $left_out = () = $output =~ /^public\.\w+: not compared: /mg;
like($output, qr/^as of [0-9A-F]+\/[0-9A-F]+: \d+ tables, [\d,]+ rows compared, no difference; not compared: $left_out tables$/m, 'as of a position, and what was left out is counted');
is($on->('SELECT count(*) FROM pg_replication_slots'), '1', 'its slot is gone');
ingest_ok($source, $destination, 'snapshot', @options);
like($verify->('and after a snapshot', 0, @options), qr/^public\.old: 6 rows compared, all as recorded$/m, 'they are known');

# --- a key that was dropped, and added again

$on->(q{CREATE TABLE again (id int PRIMARY KEY, v text); ALTER TABLE again REPLICA IDENTITY FULL; INSERT INTO again VALUES (1, 'a'), (2, 'b'), (3, 'c');
ALTER TABLE again DROP CONSTRAINT again_pkey; UPDATE again SET v = 'd' WHERE id = 1; DELETE FROM again WHERE id = 2;
ALTER TABLE again ADD PRIMARY KEY (id); UPDATE again SET v = 'e' WHERE id = 1; INSERT INTO again VALUES (2, 'f')});
my @again = (@options, '--table', 'again');
like($verify->('a key that was dropped and added again', 0, @again), qr/^public\.again: 3 rows compared, all as recorded$/m, 'is no difference');
ingest_ok($source, $destination, 'snapshot', @options);
$on->(q{UPDATE again SET v = 'g' WHERE id = 1});
like($verify->('and after a snapshot', 0, @again), qr/^public\.again: 3 rows compared, all as recorded$/m, 'is none either');
my $found = sub { $destination->safe_psql('postgres', qq{UPDATE changes SET before = '{"id": 1, "v": "$_[0]"}' WHERE "table" = 'again' AND after->>'v' = 'g'}) };
$found->('x');
like($verify->('what is not as it was', 6, @again), qr/^public\.again  broken 1 \(v\)/m, 'is one');
$found->('e');

# --- records that do not say by their key which row they were of

$on->(q{
CREATE TABLE beside (id int PRIMARY KEY, other int NOT NULL UNIQUE, v text); ALTER TABLE beside REPLICA IDENTITY USING INDEX beside_other_key;
CREATE TABLE within (id int NOT NULL UNIQUE, v text); ALTER TABLE within REPLICA IDENTITY USING INDEX within_id_key;
CREATE TABLE none (id int PRIMARY KEY, v text); ALTER TABLE none REPLICA IDENTITY NOTHING;
CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE, v text); CREATE TABLE bare (id int NOT NULL UNIQUE, v text);
INSERT INTO beside SELECT g, g, 'v' FROM generate_series(1, 4) g; UPDATE beside SET id = 9 WHERE id = 1; DELETE FROM beside WHERE id = 2;
INSERT INTO within SELECT g, 'v' FROM generate_series(1, 4) g; UPDATE within SET id = 9 WHERE id = 1; UPDATE within SET v = 'w' WHERE id = 3; DELETE FROM within WHERE id = 2;
INSERT INTO none SELECT g, 'v' FROM generate_series(1, 4) g; UPDATE none SET id = 9 WHERE id = 1;
INSERT INTO deferred SELECT g, 'v' FROM generate_series(1, 4) g; UPDATE deferred SET id = id + 1; DELETE FROM deferred WHERE id = 2;
INSERT INTO bare SELECT g, 'v' FROM generate_series(1, 4) g; UPDATE bare SET id = 9 WHERE id = 1; DELETE FROM bare WHERE id = 2});
my @hiding = (@options, '--table', 'beside,within,none,deferred,bare');
$output = $verify->('replica identities without the key', 0, @hiding);
like($output, qr/^public\.$_: not compared: its replica identity lacks its key/m, "$_ is named") foreach qw(beside none deferred bare);
like($output, qr/^public\.within: 3 rows compared, all as recorded$/m, 'one that is the key is compared');
ingest_ok($source, $destination, 'snapshot', @hiding);
$on->(q{INSERT INTO beside VALUES (5, 5, 'v'); INSERT INTO none VALUES (5, 'v')});
like($verify->('from the next snapshot on they are known', 0, @hiding), qr/^public\.$_: \d rows compared, all as recorded$/m, $_) foreach qw(beside none deferred bare);

# --- what somebody does to `changes`

my $of = sub { "\"table\" = '$_[0]' AND primary_key = '$_[1]'" };
my @tampering = (
	[ 'a last record that is gone', "DELETE FROM changes WHERE ${\$of->('parts_x', 1)} OR ${\$of->('parts', 1)}", qr/parts  lost 1; last record none/ ],
	[ 'a first record that is gone', "DELETE FROM changes WHERE ${\$of->('swap', 1)} AND operation = 'CREATE'", qr/swap  broken 1: a record changed a row that none had made/ ],
	[ 'a DELETE that is gone', "DELETE FROM changes WHERE operation = 'DELETE' AND \"table\" = 'by_char'", qr/by_char  broken b   : a record made the row, which was there/ ],
	[ 'a TRUNCATE that is gone', "DELETE FROM changes WHERE operation = 'TRUNCATE' AND \"table\" = 'gone'", qr/gone  extra 1; last record \S+ at/ ],
	[ 'another value after', "UPDATE changes SET after = after || '{\"v\": 99}' WHERE ${\$of->('toast', 20)} AND operation = 'SNAPSHOT'", qr/toast  altered 20 \(v\)/ ],
	[ 'another value before', "UPDATE changes SET before = before || '{\"d\": \"x\"}' WHERE ${\$of->('chain', 1)} AND before->>'d' = 'a'",
		qr/chain  broken 1 \(d\): a record found what the one before it, \S+, had not left; record \S+ at/ ],
	[ 'no values before', "UPDATE changes SET before = '{}' WHERE ${\$of->('chain', 1)} AND before->>'d' = 'a'", qr/chain  broken 1 \(d, id\): a record found what/ ],
	[ 'one value less before', "UPDATE changes SET before = before - 'd' WHERE ${\$of->('chain', 1)} AND before->>'d' = 'a'", qr/chain  broken 1 \(d\): a record found what/ ],
	[ 'a record in the middle', "DELETE FROM changes WHERE ${\$of->('chain', 1)} AND after->>'d' = 'b'", qr/chain  broken 1 \(d\)/ ],
	[ 'another number with the same value', "UPDATE changes SET after = after || '{\"n\": 1.1}' WHERE primary_key = '[1, \"k\\\"\\n\x7f1\"]'", qr/T "x"  altered .* \(n\)/ ],
	[ 'an image without a column', "UPDATE changes SET after = after - 'v' WHERE ${\$of->('by_char', 'a   ')} AND operation = 'SNAPSHOT'", qr/by_char  altered a    \(v\)/ ],
	[ 'an image without many columns', "UPDATE changes SET after = after - '{c1,c2,c3,c4,c5}'::text[] WHERE ${\$of->('wider', 4)} AND operation = 'SNAPSHOT'", qr/wider  altered 4 \(c1, c2, c3, c4, c5\)/ ],
	[ 'an empty image', "UPDATE changes SET after = '{}' WHERE ${\$of->('old', 6)} AND operation = 'SNAPSHOT'", qr/old  altered 6 \(id, v\)/ ],
	[ 'a row that never was', "INSERT INTO changes SELECT gen_random_uuid(), '77', previous_key, before, after, context, database, schema, \"table\", operation,
		committed_at, queued_at, created_at, transaction_id, position, commit_position, sequence, details FROM changes WHERE \"table\" = 'gone' AND primary_key = '2' AND operation = 'SNAPSHOT'",
		qr/gone  extra 77; last record/ ],
	[ 'a record from the future', "INSERT INTO changes SELECT gen_random_uuid(), primary_key, previous_key, before, after, context, database, schema, \"table\", operation,
		committed_at, queued_at, created_at, transaction_id, position, 1::bigint << 50, 1, details FROM changes WHERE ${\$of->('gone', 2)} AND operation = 'SNAPSHOT'",
		qr/gone  extra 2: a record beyond all that is stored/ ],
	[ 'a row of a table without a key', "UPDATE changes SET after = '{\"v\": \"a\", \"n\": 1.5}' WHERE id = (SELECT max(id::text)::uuid FROM changes WHERE \"table\" = 'keyless' AND after->>'v' = 'a')", qr/keyless  extra 1 row without a key.*keyless  lost 1 row/s ]);
$sql->('CREATE TABLE untouched AS SELECT * FROM changes');
foreach my $case (@tampering)
{
	my ($name, $statement, $expected) = @$case;
	$sql->($statement);
	like($verify->("$name: exit code", 6, @options), $expected, $name);
	$sql->('TRUNCATE changes; INSERT INTO changes SELECT * FROM untouched');
}
my $json = (ingest($source, $destination, 'verify', @options, '--json', '--table', 'toast,gone'))[1];
is(scalar(my @lines = split /\n/, $json), 3, '--table: these tables alone');
is_deeply([ map { $_->{rows} } map { JSON::PP::decode_json($_) } @lines ], [ 1, 30, 31 ], '--json: an object a line');
ingest_fails('a table that is not there', 2, qr/no table of the source matches nowhere/, $source, $destination, 'verify', '--table', 'nowhere');
ingest_fails('options that leave changes out', 3, qr/cannot be rebuilt/, $source, $destination, 'verify', '--option', 'operations=create');

# --- what passed the slot by

$on->(q{ALTER TABLE gone SET UNLOGGED; INSERT INTO gone VALUES (3); DELETE FROM gone WHERE id = 2; ALTER TABLE gone SET LOGGED;
	ALTER TABLE old SET UNLOGGED; UPDATE old SET v = 'unseen' WHERE id = 2});
$output = $verify->('changes made while a table was unlogged', 6, @options);
like($output, qr/gone  extra 2; last record \S+ at/, 'a row that went');
like($output, qr/gone  lost 3; last record none/, 'a row that came');
like($output, qr/old  altered 2 \(v\); last record \S+ at/, 'a row that changed, of a table that is unlogged still');
$on->('ALTER TABLE old SET LOGGED; UPDATE old SET v = v; DELETE FROM gone WHERE id = 3; INSERT INTO gone VALUES (2)');
$output = $verify->('the next record shows it', 6, @options);
like($output, qr/old  broken 2 \(v\): a record found what the one before it, \S+, had not left/, 'what was not seen');

drain($source, $destination, @options);
$on->(q{SELECT pg_drop_replication_slot('bemi')});
$on->(q{UPDATE by_char SET v = 'unseen' WHERE c = 'a'; DELETE FROM by_char WHERE c = 'b'; INSERT INTO by_char VALUES ('c', 'z')});
ingest_ok($source, $destination, 'init');
ingest_fails('a slot that was made again', 4, qr/gap \(ahead\)/, $source, $destination, 'verify', @options);
drain($source, $destination, @options, '--accept-gap');
$output = $verify->('and whose gap was accepted', 6, @options, '--table', 'by_char');
like($output, qr/altered a    \(v\)/, 'a row that changed in it');
like($output, qr/extra b   ; last record \S+ at/, 'a row that went in it');
like($output, qr/lost c   ; last record none/, 'a row that came in it');
ingest_ok($source, $destination, 'snapshot', @options);
like($verify->('a snapshot mends it', 0, @options, '--table', 'by_char,old,gone,toast'), qr/^public\.by_char: 2 rows compared, all as recorded$/m, 'all is known');

# --- what jsonb would refuse is a string in the records, and here

$on->(q{CREATE TABLE aaa (id int PRIMARY KEY, j json, js json[]); INSERT INTO aaa VALUES (1, '1e999999', ARRAY['"\u0000"'::json, '["\udc00"]'])});
like($verify->('values of json that no jsonb holds', 0, @options, '--table', 'aaa'), qr/^public\.aaa: 1 rows compared, all as recorded$/m, 'are compared as strings');

# --- ids and places

$sql->($_) foreach
  q{UPDATE changes SET id = gen_random_uuid() WHERE "table" = 'aaa'},
  q{UPDATE changes SET sequence = sequence + 1000 WHERE "table" = 'keyless' AND after->>'v' = 'b' AND operation = 'UPDATE'};
$output = $verify->('a changed id, and a changed sequence', 6, @options);
like($output, qr/^public\.aaa  broken 1: the id of a record is not that of its place: its id, commit_position or sequence was changed; record \S+ at/m, 'an id');
like($output, qr/^public\.keyless  broken 1 row without a key: the id of a record is not that of its place/m, 'a sequence, though the order is the same');
is(scalar(() = $output =~ /not that of its place/g), 2, 'and nothing else');

done_testing();

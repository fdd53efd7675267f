# bemi.revert, rule by rule, in a database that is source and destination in one, by a role that is no
# superuser.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $node = new_node('both');
my $owner = $node->connstr('postgres') . ' user=owner';
sub sql { return $node->safe_psql('postgres', $_[0], extra_params => [ '-U', 'owner' ]); }
$node->safe_psql('postgres', 'CREATE ROLE owner LOGIN REPLICATION; GRANT CREATE ON DATABASE postgres TO owner; GRANT ALL ON SCHEMA public TO owner');
ingest_ok($owner, $owner, 'init');
sql(q{
CREATE TABLE todo (id int PRIMARY KEY, task text, done boolean, updated_at timestamptz);
CREATE TABLE owners (id int PRIMARY KEY, name text UNIQUE);
CREATE TABLE pets (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner int REFERENCES owners ON DELETE CASCADE, n int, twice int GENERATED ALWAYS AS (n * 2) STORED);
CREATE TABLE loose (v text, j json);
CREATE TABLE partial (id int PRIMARY KEY, v text);
ALTER TABLE todo REPLICA IDENTITY FULL; ALTER TABLE owners REPLICA IDENTITY FULL;
ALTER TABLE pets REPLICA IDENTITY FULL; ALTER TABLE loose REPLICA IDENTITY FULL;
});

my $number = 0;

# Runs statements as a transaction of its own context, and gives the arguments that select it.
sub transaction
{
	my ($statements) = @_;
	$number++;
	sql(in_context(qq({"case": $number}), $statements));
	return "'{\"case\": $number}'";
}

# What bemi.revert says: outcomes, newest first, with conflicts.
sub revert
{
	my ($arguments) = @_;
	drain($owner, $owner);
	my ($code, $out, $errors) = $node->psql('postgres', "SELECT outcome || coalesce(': ' || conflict, '') FROM bemi.revert($arguments)", extra_params => [ '-At', '-U', 'owner' ]);
	return $out . ($code ? $errors : '');
}

# --- one change, and the context

my $t = transaction(q{INSERT INTO todo VALUES (1, 'a', false)});
my $update = transaction('UPDATE todo SET done = true');
is(revert("$update, dry_run => true"), 'fits', 'a trial says that it fits');
is(sql('SELECT done FROM todo'), 't', 'and changes nothing');
is(revert($update), 'reverted', 'a change is reverted');
is(sql('SELECT done FROM todo'), 'f', 'and the row is as before');
drain($owner, $owner);
is(sql(q{SELECT context FROM changes ORDER BY id DESC LIMIT 1}) =~ s/"transaction_id": \d+/N/r, '{"reverts": {"context": {"case": 2}, N}}', 'the record says what it reverts');
like(revert($update), qr/^conflict: its row was changed later, by the UPDATE \S+ at .*, which is not selected$/, 'it is not reverted twice');
is(revert(q{'{"reverts": {"context": {"case": 2}}}'}), 'reverted', 'the revert can be reverted');
is(sql('SELECT done FROM todo'), 't', 'which does the change again');
is(revert($update), 'reverted', 'and then the change can be reverted again');
is(sql('SELECT done FROM todo'), 'f', 'since all between was taken back');
$t = transaction(q{UPDATE todo SET task = 'b'});
drain($owner, $owner);
sql(qq{BEGIN; INSERT INTO loose VALUES ('before'); SET LOCAL bemi.context = '{"userId": 7}'; SELECT FROM bemi.revert($t); INSERT INTO loose VALUES ('after'); COMMIT});
drain($owner, $owner);
is(sql(q{SELECT string_agg(concat(after->>'v', after->>'task', context->>'userId', context ? 'reverts'), ', ' ORDER BY id) FROM (SELECT * FROM changes ORDER BY id DESC LIMIT 3) c}),
	'before7f, a7t, after7f', 'the context of the session holds before, in and after a revert');

# --- chains, rows that changed later

sql(q{INSERT INTO todo VALUES (2, 'x', false)});
$t = transaction(q{UPDATE todo SET task = 'y' WHERE id = 2; UPDATE todo SET id = 3 WHERE id = 2; UPDATE todo SET task = 'z' WHERE id = 3; DELETE FROM todo WHERE id = 3; INSERT INTO todo VALUES (3, 'w', true)});
is(revert($t), join("\n", ('reverted') x 5), 'five changes of a row, its key among them');
is(sql('SELECT id, task FROM todo WHERE id > 1'), '2|x', 'are one way back');
$t = transaction(q{UPDATE todo SET task = 'one' WHERE id = 2; UPDATE todo SET task = 'two' WHERE id = 1});
sql(q{UPDATE todo SET done = NOT done WHERE id = 2});
like(revert($t), qr/^fits\nconflict: its row was changed later/, 'conflicts are listed row by row, and nothing is done');
is(sql('SELECT string_agg(task, $$,$$ ORDER BY id) FROM todo'), 'two,one', 'of any of them');
like(revert("$t, force => true"), qr/^reverted\nconflict/, 'forced, what fits is reverted');
is(sql('SELECT string_agg(task, $$,$$ ORDER BY id) FROM todo'), 'a,one', 'and the rest is left');
$t = transaction(q{UPDATE todo SET task = 'three' WHERE id = 1});
drain($owner, $owner);
sql(q{UPDATE todo SET task = 'unseen' WHERE id = 1});
is($node->safe_psql('postgres', "SELECT conflict FROM bemi.revert($t)"), 'the row is not as the change left it', 'a change that is not recorded yet is seen in the row');

# --- foreign keys

sql(q{INSERT INTO owners VALUES (1, 'Ann'), (2, 'Bob')});
sql(q{INSERT INTO pets (owner, n) SELECT 1, i FROM generate_series(1, 2000) i});
my $pets = sql('SELECT md5(string_agg(p::text, $$,$$ ORDER BY id)) FROM pets p');
$t = transaction(q{DELETE FROM owners WHERE id = 1});
is(revert($t), join("\n", ('reverted') x 2001), 'a row comes back with the 2000 that a cascade took, generated and identity columns among theirs');
is(sql('SELECT md5(string_agg(p::text, $$,$$ ORDER BY id)) FROM pets p'), $pets, 'as they were');
$t = transaction(q{INSERT INTO owners VALUES (3, 'Cid')});
sql(q{INSERT INTO pets (owner, n) VALUES (3, 1)});
like(revert($t), qr/^conflict: triggers or foreign keys write 1 other rows/, 'a row that others have come to refer to');
is(sql('SELECT count(*) FROM pets WHERE owner = 3'), 1, 'does not take them along');
$t = transaction(q{DELETE FROM owners WHERE id = 2});
sql(q{INSERT INTO owners VALUES (4, 'Bob')});
like(revert($t), qr/^conflict: duplicate key value violates unique constraint "owners_name_key": Key \(name\)=\(Bob\) already exists\.$/, 'a name that somebody has now');
$t = transaction(q{DELETE FROM pets WHERE owner = 3});
sql(q{DELETE FROM owners WHERE id = 3});
like(revert($t), qr/^conflict: insert or update on table "pets" violates foreign key/, 'a parent that is gone');

# --- triggers

sql(q{CREATE TABLE app_log (v text); CREATE SCHEMA app; CREATE TABLE app.seen (v text);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON todo FOR EACH ROW EXECUTE FUNCTION touch()});
$t = transaction(q{UPDATE todo SET task = 'four' WHERE id = 2}) . q{, except_columns => '{todo.updated_at}'};
my $again = $t =~ s/,.*//r;
is(revert($again), q[conflict: a trigger has changed the row: updated_at (except_columns => '{updated_at}' leaves that to it)], 'a trigger that changes the row');
is(revert($t), 'reverted', 'may, where its column is named');
is(sql('SELECT task, updated_at IS NULL FROM todo WHERE id = 2'), 'one|f', 'and keeps it');
sql(q{DROP TRIGGER touch ON todo; CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (NEW.task); RETURN NULL; END'});
sql(q{SET search_path = app, public; CREATE TRIGGER log AFTER UPDATE ON public.todo FOR EACH ROW EXECUTE FUNCTION log(); BEGIN; SELECT pg_logical_emit_message(true, '_bemi', '{"log": 1}'); UPDATE todo SET task = 'five' WHERE id = 2; COMMIT});
drain($owner, $owner);
my $call = q{SELECT outcome || coalesce(': ' || conflict, '') FROM bemi.revert('{"log": 1}', "table" => 'todo'};
like(sql("SET search_path = app, public; $call)"), qr/conflict: triggers or foreign keys write 1 other rows \(written were 1 of app.seen, 1 of public.todo\)/, 'a trigger that writes elsewhere');
is(sql("SET search_path = app, public; $call, side_effects => true)"), 'reverted', 'may, if it is let, under the search_path of the caller');
is(sql('SELECT string_agg(v, $$,$$) FROM app.seen'), 'five,one', 'as any change');
sql('DROP TRIGGER log ON todo');

# --- partial records, columns that came and went

sql(q{INSERT INTO partial VALUES (1, 'a'), (2, 'b')});
$t = transaction(q{UPDATE partial SET v = 'c' WHERE id = 1; DELETE FROM partial WHERE id = 2; INSERT INTO partial VALUES (3, 'd')});
is(revert("$t, force => true"), "reverted\nconflict: the row before it is not in its record: the replica identity was default\nconflict: the row before it is not in its record: the replica identity was default", 'a row whose before is partial');
sql(q{ALTER TABLE partial REPLICA IDENTITY FULL});
$t = transaction(q{DELETE FROM partial});
sql(q{ALTER TABLE partial ADD w int DEFAULT 7});
is(revert($t), q{conflict: the table's column w is not in its record}, 'a column that was added');
is(revert("$t, except_columns => '{w}'"), 'reverted', 'may get its default');
$t = transaction(q{UPDATE partial SET v = 'e'});
sql(q{ALTER TABLE partial DROP v});
is(revert($t), 'conflict: the table has no column v any more', 'a column that is gone');
$t = transaction(q{DELETE FROM loose; INSERT INTO loose VALUES ('s', '{"a": "\u0000"}')});
sql(q{TRUNCATE loose});
$t = transaction(q{INSERT INTO loose VALUES ('s', '{"a": "\u0000"}'); DELETE FROM loose; INSERT INTO loose VALUES ('json', '[1]'), ('json', '[1]')});
like(revert($t), qr/^fits\nfits\n/, 'rows without a key, alike');
$t = transaction(q{INSERT INTO loose VALUES ('k', '{"b": 1,  "a": [null]}')});
$t = transaction(q{DELETE FROM loose WHERE v = 'k'});
is(revert($t), 'reverted', 'a json comes back');
is(sql(q{SELECT j::jsonb FROM loose WHERE v = 'k'}), '{"a": [null], "b": 1}', 'as its record has it');

# --- TRUNCATE

sql(q{TRUNCATE todo, loose; INSERT INTO todo SELECT i, 'task ' || i, false FROM generate_series(1, 30) i; UPDATE todo SET id = 100 WHERE id = 30; DELETE FROM todo WHERE id = 29; INSERT INTO loose VALUES ('a'), ('a'), ('b'); DELETE FROM loose WHERE v = 'b'});
my $rows = sql('SELECT string_agg(t::text, $$,$$ ORDER BY id) FROM todo t');
$t = transaction(q{TRUNCATE todo, loose});
is(revert($t), "reverted\nreverted", 'the rows of a TRUNCATE are found in the records before it');
is(sql('SELECT string_agg(t::text, $$,$$ ORDER BY id) FROM todo t'), $rows, 'all of them, as they were');
is(sql('SELECT string_agg(v, $$,$$) FROM loose'), 'a,a', 'of a table without a key too');
$t = transaction(q{TRUNCATE todo});
sql(q{INSERT INTO todo VALUES (5, 'new'); DELETE FROM todo});
like(revert($t), qr/^conflict: row 5 of it: its row was changed later, by the CREATE/, 'unless one of them came again');
$t = transaction(q{DELETE FROM owners WHERE id = 4; TRUNCATE owners CASCADE});
like(revert($t), qr/conflict: the rows that it took are not all in the records: its transaction had changed the table before it/, 'or its transaction had changed the table');

# --- what is no selection

like(revert(''), qr/nothing says which changes are meant/, 'no selection');
like(revert(q{'{}'}), qr/would select every change/, 'everything');
is(revert(q{'{"nobody": 1}'}), '', 'nothing');
# --- an identity that nobody may write

$node->safe_psql('postgres', $_) foreach q{CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text); ALTER TABLE always REPLICA IDENTITY FULL},
	q{INSERT INTO always (v) VALUES ('a')};
$node->safe_psql('postgres', $_) foreach q{UPDATE always SET id = DEFAULT}, q{UPDATE always SET v = 'b'};
drain($node, $node);
like($node->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', operation, outcome, conflict), E'\n') FROM bemi.revert("table" => 'always',
	since => (SELECT min(committed_at) FROM changes WHERE "table" = 'always' AND operation = 'UPDATE'))}),
	qr/^UPDATE fits\nUPDATE conflict .*"id"/,
	'a new value of an identity column cannot be taken back, which is said');
is($node->safe_psql('postgres', 'SELECT id, v FROM always'), '2|b', 'and nothing is done');
$node->safe_psql('postgres', in_context('{"case": "always"}', q{INSERT INTO always (v) VALUES ('c'); UPDATE always SET id = DEFAULT WHERE v = 'c'}));
drain($node, $node);
is($node->safe_psql('postgres', q{SELECT string_agg(outcome, ' ') FROM bemi.revert('{"case": "always"}')}), 'reverted reverted',
	'where the row goes altogether it needs not');
is($node->safe_psql('postgres', 'SELECT id, v FROM always'), '2|b', 'and it goes');

# --- a row whose key changed, with those that refer to it, and then once more changed

$node->safe_psql('postgres', $_) foreach q{CREATE TABLE owner (id int PRIMARY KEY, v int); CREATE TABLE pet (id int PRIMARY KEY, owner int REFERENCES owner ON UPDATE CASCADE);
	ALTER TABLE owner REPLICA IDENTITY FULL; ALTER TABLE pet REPLICA IDENTITY FULL; INSERT INTO owner VALUES (1, 1), (2, 2); INSERT INTO pet VALUES (1, 1), (2, 1)},
	in_context('{"case": "owner"}', 'UPDATE owner SET id = 3 WHERE id = 1; UPDATE owner SET v = v + 1');
drain($node, $node);
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome || coalesce(': ' || conflict, ''), ' ') FROM bemi.revert('{"case": "owner"}')}), 'reverted',
	'a change of key behind which its row was changed again');
is($node->safe_psql('postgres', q{SELECT (SELECT string_agg(o::text, ' ' ORDER BY id) FROM owner o) || (SELECT string_agg(p::text, ' ' ORDER BY id) FROM pet p)}),
	'(1,1) (2,2)(1,1) (2,1)', 'takes those that refer to it along');

# --- values that must be unique, exchanged by way of another; and what was reverted is no obstacle to what was before it

my $cases = 0;
my $case = sub {
	my ($statements) = @_;
	$cases++;
	$node->safe_psql('postgres', in_context(qq({"exchange": $cases}), $statements));
	drain($node, $node);
	return $cases;
};
my $undone = sub {
	my ($number) = @_;
	my $outcome = $node->safe_psql('postgres', qq{SELECT string_agg(DISTINCT outcome || coalesce(': ' || conflict, ''), ' ') FROM bemi.revert('{"exchange": $number}')});
	drain($node, $node);
	return $outcome;
};
$node->safe_psql('postgres', q{
CREATE TABLE places (id int PRIMARY KEY, place int UNIQUE, span int4range, name text, owner int, active boolean, EXCLUDE USING gist (span WITH &&));
CREATE UNIQUE INDEX ON places (owner) WHERE active; CREATE UNIQUE INDEX ON places (lower(name));
CREATE TABLE simple (id int PRIMARY KEY, place int UNIQUE);
ALTER TABLE places REPLICA IDENTITY FULL; ALTER TABLE simple REPLICA IDENTITY FULL;
INSERT INTO places VALUES (1, 1, '[1,5)', 'A', 1, true), (2, 2, '[5,9)', 'B', 1, false);
INSERT INTO simple VALUES (1, 1), (2, 2), (3, 3)});
my $all = q{SELECT string_agg(t::text, ' ' ORDER BY id) FROM places t};
my $first = $node->safe_psql('postgres', $all);
foreach ([ 'a unique column', 'place = -1', 'place = 1', 'place = 2' ], [ 'an exclusion constraint', q{span = '[20,30)'}, q{span = '[1,5)'}, q{span = '[5,9)'} ],
	[ 'a condition', 'active = false', 'active = true', 'place = 7' ], [ 'an expression', q{name = 'x'}, q{name = 'a'}, q{name = 'b'} ])
{
	my ($name, $away, $other, $back) = @$_;
	my $exchange = $case->("UPDATE places SET $away WHERE id = 1; UPDATE places SET $other WHERE id = 2; UPDATE places SET $back WHERE id = 1");
	is($undone->($exchange), 'reverted', "rows that have exchanged what is unique: $name");
	is($node->safe_psql('postgres', $all), $first, 'have it back');
}
my $simple = q{SELECT string_agg(id || ':' || place, ' ' ORDER BY id) FROM simple};
foreach ([ 'by way of another', 'UPDATE simple SET id = id + 100; UPDATE simple SET id = CASE id WHEN 101 THEN 2 WHEN 102 THEN 1 ELSE 3 END' ],
	[ 'one behind the other', 'DELETE FROM simple WHERE id = 3; UPDATE simple SET id = 3 WHERE id = 2; UPDATE simple SET id = 2 WHERE id = 1; UPDATE simple SET place = 8 WHERE id = 2' ])
{
	my ($name, $exchange) = @$_;
	my $number = $case->($exchange);
	my $exchanged = $node->safe_psql('postgres', $simple);
	is($undone->($number), 'reverted', "rows that have exchanged their keys: $name");
	is($node->safe_psql('postgres', $simple), '1:1 2:2 3:3', 'have them back');
	my $again = q{SELECT string_agg(DISTINCT outcome || coalesce(': ' || conflict, ''), ' ') FROM bemi.revert(
		transaction_id => (SELECT max(transaction_id) FROM changes WHERE context ? 'reverts'))};
	is($node->safe_psql('postgres', $again), 'reverted', 'to revert that');
	is($node->safe_psql('postgres', $simple), $exchanged, 'does it again');
	drain($node, $node);
	is($node->safe_psql('postgres', $again), 'reverted', 'and once more');
	is($node->safe_psql('postgres', $simple), '1:1 2:2 3:3', 'undoes it');
	drain($node, $node);
}
my $script = $case->('UPDATE simple SET place = place + 10; UPDATE simple SET place = place - 9; INSERT INTO simple VALUES (4, 9); UPDATE simple SET place = 1 WHERE id = 4');
is($undone->($script), 'reverted', 'several rows, and one that is new');
is($node->safe_psql('postgres', $simple), '1:1 2:2 3:3', 'have theirs');
# Where the records alone are at hand, their order is enough.
my $swap = $case->('UPDATE simple SET place = -1 WHERE id = 1; UPDATE simple SET place = 1 WHERE id = 2; UPDATE simple SET place = 2 WHERE id = 1');
$node->safe_psql('postgres', 'ALTER TABLE simple RENAME TO hidden');
my $statements = $node->safe_psql('postgres', qq{SELECT bemi.revert_sql('{"exchange": $swap}')});
$node->safe_psql('postgres', 'ALTER TABLE hidden RENAME TO simple');
$node->safe_psql('postgres', $statements);
drain($node, $node);
is($node->safe_psql('postgres', $simple), '1:1 2:2 3:3', 'also by a script of a database without the table');

foreach ([ 'several changes', 'UPDATE simple SET place = 31 WHERE id = 3; UPDATE simple SET place = 32 WHERE id = 3' ],
	[ 'a row that came again', 'DELETE FROM simple WHERE id = 3; INSERT INTO simple VALUES (3, 33); UPDATE simple SET place = 34 WHERE id = 3' ],
	[ 'changes of key', 'UPDATE simple SET id = 5 WHERE id = 3; UPDATE simple SET id = 6 WHERE id = 5' ],
	[ 'a TRUNCATE', 'TRUNCATE simple' ])
{
	my ($name, $statements_behind) = @$_;
	my $earlier = $case->('UPDATE simple SET place = 30 WHERE id = 3');
	my $later = $case->($statements_behind);
	is($undone->($later), 'reverted', "$name of one transaction, reverted");
	is($undone->($earlier), 'reverted', 'are no obstacle to what was before');
	is($node->safe_psql('postgres', $simple), '1:1 2:2 3:3', 'which goes too');
}
my $earlier = $case->('UPDATE simple SET place = 30 WHERE id = 3');
my $later = $case->('UPDATE simple SET place = 31 WHERE id = 3; UPDATE simple SET place = 32 WHERE id = 3');
$undone->($later);
$case->('UPDATE simple SET place = 35 WHERE id = 3');
like($undone->($earlier), qr/^conflict: its row was changed later, by the UPDATE/, 'what was changed behind that is one');

done_testing();

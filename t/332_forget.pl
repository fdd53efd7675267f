# forget: a person's values go out of every image, under every key that the row has had, and stay
# out; the fact of each change stays, and so do others' values.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $source = new_node('source');
my $destination = new_destination('destination');
my $sql = sub { return rows_of($destination, $_[0]) };
my $on = sub {
	$source->safe_psql('postgres', in_context(@_));
};
# Where `changes` holds a text, as table.key.operation in order.
my $holding = sub {
	my ($text) = @_;
	return $sql->("SELECT coalesce(string_agg(\"table\" || '.' || primary_key || '.' || left(operation, 1), ' ' ORDER BY commit_position, sequence), '')
		FROM audit.changes c WHERE c::text LIKE '%$text%'");
};

$source->safe_psql('postgres', q{
CREATE TABLE person (id int PRIMARY KEY, name text, email text, age int, bio text); ALTER TABLE person ALTER bio SET STORAGE EXTERNAL;
ALTER TABLE person REPLICA IDENTITY FULL;
CREATE TABLE lean (id int PRIMARY KEY, name text, bio text); ALTER TABLE lean ALTER bio SET STORAGE EXTERNAL});
ingest_ok($source, $destination, 'init', '--schema', 'audit', '--partition-by', 'month');
$on->('{"userId": 1, "params": {"email": "ann@x.org", "n": 1}}', q{INSERT INTO person VALUES (1, 'Ann', 'ann@x.org', 7, 'wrote books'), (2, 'Bob', 'bob@x.org', 7, 'none')});
$on->('{"userId": 1}', q{UPDATE person SET email = 'ann@y.org' WHERE id = 1; UPDATE person SET id = 5 WHERE id = 1});
$on->('{"userId": 2}', q{INSERT INTO person VALUES (1, 'Cid', 'cid@x.org', 8, 'later')});
$on->('{"userId": 1, "SQL": "update ann@z.org"}', q{UPDATE person SET email = 'ann@z.org' WHERE id = 5; UPDATE person SET id = 6 WHERE id = 5; INSERT INTO person VALUES (5, 'Dan', 'dan@x.org', 9, 'last')});
$on->('{"userId": 1}', q{DELETE FROM person WHERE id = 6; INSERT INTO person VALUES (6, 'Eve', 'eve@x.org', 9, 'others')});
$source->safe_psql('postgres', q{INSERT INTO lean VALUES (1, 'Fay', repeat('Fay''s life ', 500)), (2, 'Gus', repeat('Gus''s life ', 500)); UPDATE lean SET name = 'Fay F.' WHERE id = 1});
drain($source, $destination, '--schema', 'audit');

is($sql->(q{SELECT string_agg(DISTINCT primary_key || '.' || left(operation, 1) || '.' || (coalesce(nullif(after, '{}'), before)->>'name'), ' ')
	FROM bemi.lineage('postgres', 'public', 'person', '6')}), '1.C.Ann 1.U.Ann 5.U.Ann 6.C.Eve 6.D.Ann 6.U.Ann',
	'a row under all its keys, and who else had the key that was asked for; nobody else');

# --- some columns

my ($code, $output, $said) = $destination->psql('postgres', q{SELECT bemi.forget('public.person', '6', '{email,bio}')});
is($output, '7', 'as many records as had these values');
like($said, qr/WARNING:  the contexts of 3 changes still hold values that were forgotten.*under "SQL", params\..*context_keys/s,
	'contexts that hold them are named') or diag($said);
is($holding->('wrote books'), '', 'the values are gone from both images');
is($holding->('eve@x.org'), '', 'those of all lives of the key');
is($holding->('Ann'), 'person.1.C person.1.U person.5.U person.5.U person.6.U person.6.D', 'other columns stay');
is($holding->('cid@x.org') . '|' . $holding->('dan@x.org'), 'person.1.C|person.5.C', 'who had the keys afterwards stays');
is($sql->(q{SELECT string_agg(DISTINCT details->>'missing', ' ') FROM audit.changes WHERE after->>'name' = 'Ann'}),
	'{"bio": "forgotten", "email": "forgotten"}', 'what is gone is named');
is($sql->(q{SELECT count(*) FROM audit.changes WHERE "table" = 'person'}), '10', 'every change is still there');
is($sql->(q{SELECT bemi.forget('person', '6', '{email,bio}')}), '0', 'a second time there is nothing to forget');
foreach ([ q{'person', '6', '{emial}'}, '42703' ], [ q{'persons', '6'}, '42P01' ])
{
	my (undef, undef, $errors) = $destination->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT bemi.forget($_->[0])");
	like($errors, qr/$_->[1]/, "forget($_->[0]) is an error");
}
($code, $output, $said) = $destination->psql('postgres', q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT bemi.forget('person', '6')});
like($said, qr/read committed only/, 'an older view of changes is refused');
is($sql->(q{SELECT bemi.forget('person', '404')}), '0', 'a row that never was');

like($sql->(q{SELECT string_agg(s, '') FROM bemi.revert_sql("table" => 'person') s}), qr/conflict: .*the value of column .* is not in its record \(forgotten\)/,
	'it is a conflict to a revert, never a guess');

# --- contexts

($code, $output, $said) = $destination->psql('postgres', q{SELECT bemi.forget('person', '6', '{email,bio}', '{params.email,SQL}')});
is("$code|$said", '0|', 'now no context holds them');
is($holding->('ann@'), '', 'also in the other changes of these transactions');
is($sql->(q{SELECT string_agg(DISTINCT context::text, ' ') FROM audit.changes WHERE "table" = 'person' AND context ? 'params'}),
	'{"params": {"n": 1}, "userId": 1}', 'the rest of the context stays');

# An array, or a text, where other contexts have an object: a path leads nowhere there.
$on->('{"params": ["Hal"], "deep": {"list": [{"n": 1}]}}', q{INSERT INTO person VALUES (20, 'Hal', 'hal@x.org', 7, 'x')});
$on->('{"params": "Hal"}', q{UPDATE person SET age = 8 WHERE id = 20});
$on->('{"params": {"name": "Hal"}}', q{DELETE FROM person WHERE id = 20});
drain($source, $destination, '--schema', 'audit');
is($sql->(q{SET client_min_messages = error; SELECT bemi.forget('person', '20', '{name}', '{params.name,deep.list.n}')}), '3', 'contexts of other shapes stand in no way');
is($sql->(q{SELECT string_agg(context::text, ' ' ORDER BY commit_position) FROM audit.changes WHERE primary_key = '20'}),
	'{"deep": {"list": [{"n": 1}]}, "params": ["Hal"]} {"params": "Hal"} {"params": {}}', 'and stay as they are');

# --- everything, values that PostgreSQL did not log, and time travel

is($sql->(q{SELECT bemi.forget('lean', '1')}), '2', 'all columns');
is($holding->('Fay'), '', 'are gone');
is($sql->(q{SELECT string_agg((details->'missing')::text, ' ' ORDER BY commit_position) FROM audit.changes WHERE "table" = 'lean' AND primary_key = '1'}),
	'{"id": "forgotten", "bio": "forgotten", "name": "forgotten"} {"id": "forgotten", "bio": "forgotten", "name": "forgotten"}',
	'and those that a record left to the one before it');
$source->safe_psql('postgres', q{UPDATE lean SET name = 'Fay again' WHERE id = 1; UPDATE lean SET name = 'Gus again' WHERE id = 2});
drain($source, $destination, '--schema', 'audit');
is($sql->(q{SELECT bemi.record_at('lean', '1', now())}), '{"id": 1, "name": "Fay again"}',
	'a later change stands for itself; a forgotten value is not shown and no error');
is($sql->(q{SELECT string_agg(primary_key || left(row::text, 9), ' ' ORDER BY primary_key) FROM bemi.table_at('lean', now())}),
	'1{"id": 1, 2{"id": 2,', 'tables of the past can still be had');
is($sql->(q{SELECT bemi.forget('lean', '1')}), '1', 'and is forgotten in its turn');
($code, $output, $said) = ingest($source, $destination, 'verify', '--schema', 'audit');
is($code, 0, 'verify has no complaint about what was forgotten') or diag("$output$said");

# --- retention does not bring it back

$sql->(q{SELECT bemi.ensure_partition('audit', now() - interval '100 days'); UPDATE audit.changes SET committed_at = committed_at - interval '100 days';
	UPDATE bemi.target SET retain = '40 days'});
is($sql->(q{SELECT bemi.retain('audit')}), '1', 'a partition goes');
is($sql->(q{SELECT string_agg("table" || primary_key || coalesce(details->>'missing', ''), ' ' ORDER BY "table", primary_key) FROM audit.changes WHERE operation = 'SNAPSHOT'}),
	'lean1{"id": "forgotten", "bio": "forgotten", "name": "forgotten"} lean2 person1 person2 person5 person6{"bio": "forgotten", "email": "forgotten"}',
	'what was there at the horizon is kept without what was forgotten');
is($holding->('Fay') . $holding->('eve@'), '', 'nothing has come back');
is($sql->(q{SELECT bemi.forget('person', '5')}), '1', 'a row that retention has written is forgotten as well');
is($holding->('Dan'), '', 'there too');

# Two at a time: retention and forget wait for each other.
my $session = $destination->background_psql('postgres');
$session->query_safe(q{BEGIN; SELECT bemi.forget('person', '2')});
($code, $output, $said) = $destination->psql('postgres', q{
INSERT INTO audit.changes SELECT gen_random_uuid(), primary_key, previous_key, before, after, context, database, schema, "table", operation,
	committed_at - interval '100 days', queued_at, created_at, transaction_id, position, commit_position, sequence, details
	FROM audit.changes WHERE false;
SELECT bemi.ensure_partition('audit', now() - interval '200 days'); SELECT bemi.retain('audit')});
like($said, qr/lock timeout/, 'retention waits for forget, and gives way');
$session->query_safe('COMMIT');
$session->quit;
is($sql->(q{SELECT bemi.retain('audit')}), '1', 'and comes again');
is($holding->('Bob'), '', 'too late to bring anything back');

# The same in `run`, where the role works in another isolation level: what it waited for, it must see.
$source->safe_psql('postgres', q{INSERT INTO person VALUES (30, 'Ida', 'ida@x.org', 7, 'x')});
drain($source, $destination, '--schema', 'audit');
$sql->(q{SELECT bemi.ensure_partition('audit', now() - interval '100 days');
	UPDATE audit.changes SET committed_at = now() - interval '100 days' WHERE primary_key = '30'});
$sql->(q{ALTER DATABASE postgres SET default_transaction_isolation = 'repeatable read'});
$session = $destination->background_psql('postgres');
$session->query_safe(q{BEGIN ISOLATION LEVEL READ COMMITTED; SELECT bemi.forget('person', '30')});
my $run = start_ingest($source, $destination, '--schema', 'audit');
ok(wait_until(sub { $sql->(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bemi_ingest' AND wait_event_type = 'Lock'}) > 0
	|| $sql->(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bemi_ingest' AND state = 'idle' AND query LIKE '%bemi.partitions%'}) > 0 }),
	'retention of run waits for forget (or has waited)');
$session->query_safe('COMMIT');
$session->quit;
ok(wait_until(sub { $sql->(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bemi_ingest' AND wait_event_type = 'Lock'}) == 0 }), 'it goes on');
is(end_ingest($run), 5, 'and ends when told');
is($holding->('ida@x'), '', 'and brings nothing back');
(undef, undef, $said) = $destination->psql('postgres', q{SELECT bemi.retain('audit')});
like($said, qr/read committed only/, 'by hand it is refused');

done_testing();

# track_all and untrack_all of a whole database, inside a transaction and in one message with others; what untrack
# gives back; and the rows of bemi.check about transactions and locks.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('database', "fsync = off\nmax_locks_per_transaction = 10\nmax_connections = 10\nmax_prepared_transactions = 2\n");
sub sql { my (@statements) = @_; return $node->safe_psql('postgres', join ";\n", @statements); }
sub said { my (undef, undef, $errors) = $node->psql('postgres', $_[0]); return $errors; }
sub row { return sql("SELECT ok, found, fix FROM bemi.check() WHERE name = '$_[0]'"); }

# "schema.table identity" of all tables of the application.
sub identities
{
	return sql(q{SELECT string_agg(format('%s %s', c.oid::regclass, relreplident), ', ' ORDER BY c.oid::regclass::text COLLATE "C")
		FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text !~ '^(pg_|information_schema|bemi)'});
}

sql('CREATE EXTENSION bemi_decoder', 'CREATE SCHEMA one', 'CREATE SCHEMA "Two"', 'CREATE TABLE one.plain (id int PRIMARY KEY)',
	'CREATE TABLE one.by_full (id int)', 'ALTER TABLE one.by_full REPLICA IDENTITY FULL',
	'CREATE TABLE one.by_index (id int NOT NULL UNIQUE)', 'ALTER TABLE one.by_index REPLICA IDENTITY USING INDEX by_index_id_key',
	'CREATE TABLE "Two".by_nothing (id int)', 'ALTER TABLE "Two".by_nothing REPLICA IDENTITY NOTHING',
	'CREATE TABLE one.root (id int) PARTITION BY LIST (id)', 'CREATE TABLE "Two".part PARTITION OF one.root FOR VALUES IN (1)',
	# bemi_ingest's, where the source is its own destination: partitioned, and not in schema bemi
	'CREATE TABLE public.changes (id int, commit_position bigint) PARTITION BY LIST (id)', 'CREATE TABLE public.changes_1 PARTITION OF changes FOR VALUES IN (1)');
my $before = identities();

# --- the whole database

is(row('tables_identity'), q{f|5: "Two".by_nothing, "Two".part, one.by_index, one.plain, one.root|CALL bemi.track_all('Two'::name);} . "\n"
	  . q{CALL bemi.track_all('one'::name);}, 'check() proposes track_all for the schemas that have such tables');
is(said('CALL bemi.track_all()'), '', 'track_all of the whole database');
my $after = q{"Two".by_nothing f, "Two".part f, changes d, changes_1 d, made f, one.by_full f, one.by_index f, one.plain f, one.root f};
is(identities(), $after =~ s/made f, //r, 'all tables are tracked but that of bemi_ingest');
is(row('tables_identity'), 't|none|', 'as check() says');
sql('CREATE SCHEMA three CREATE TABLE made (id int PRIMARY KEY)', 'CREATE TABLE public.made (id int)', 'CREATE TEMP TABLE scratch (id int)',
	'CREATE TABLE public.changes_2 PARTITION OF changes FOR VALUES IN (2)');
is(identities(), "$after, three.made f" =~ s/changes_1 d/changes_1 d, changes_2 d/r, 'so are those of schemas to come');
is(said(q{CALL bemi.track_all('three'::name)}), '', 'a schema of a tracked database is tracked already');
is(sql('SELECT count(*) FROM bemi.tracked_schemas'), '1', 'as one row');
like(said(q{CALL bemi.untrack_all('three'::name)}), qr/WARNING:  tables made later in schema "three" will be tracked still\n.*HINT:  As a superuser: CALL bemi\.untrack_all\(\);/s,
	'one schema of it can be untracked, as it is now');
is(sql(q{SELECT relreplident FROM pg_class WHERE oid = 'three.made'::regclass}), 'd', 'and is');
is(said('CALL bemi.untrack_all()'), '', 'untrack_all of the whole database');
is(identities(), "$before, three.made d" =~ s/changes_1 d/changes_1 d, changes_2 d, made d/r, 'everything is as it was before, full as well');
is(sql('SELECT count(*) FROM bemi.tracked_schemas'), '0', 'nothing is tracked later');
is(sql('SELECT count(*) FROM bemi.previous_identities'), '0', 'nothing is remembered');
sql(q{SELECT bemi.track('one.by_full'), bemi.track('one.by_full'), bemi.untrack('one.by_full')});
is(sql(q{SELECT relreplident FROM pg_class WHERE oid = 'one.by_full'::regclass}), 'f', 'untrack too leaves a table full that was full before track');

# --- where a procedure cannot commit

my $refusal = qr/ERROR:  CALL bemi\.(?:un)?track_all cannot run inside a transaction block\nDETAIL:  It commits after each table\. Statements that are sent together are a transaction block, too\.\nHINT:  Send each CALL by itself/;
foreach my $call ('CALL bemi.track_all()', q{CALL bemi.track_all('one'::name)}, 'CALL bemi.untrack_all()', q{CALL bemi.untrack_all('one'::name)})
{
	like(said("BEGIN; $call"), $refusal, "$call in a transaction block");
	like(said("$call\\; $call"), $refusal, '  and twice in one message');
	# The message is the server's own, in whatever language.
	like(said("SET lc_messages = 'C'; SELECT 1\\; $call"), $refusal, '  and with another statement');
}
is(identities(), "$before, three.made d" =~ s/changes_1 d/changes_1 d, changes_2 d, made d/r, 'nothing has been done');
is(said(q{DO $$BEGIN CALL bemi.track_all('three'::name); END$$}), '', 'a block that may commit may call it');

# --- NOT NULL that is not proven

SKIP:
{
	skip 'constraints that are not valid are from 18 on', 1 if server_major() < 18;
	sql('CREATE TABLE one.unproven (code text UNIQUE)', 'ALTER TABLE one.unproven ADD CONSTRAINT known NOT NULL code',
		'ALTER TABLE one.unproven REPLICA IDENTITY USING INDEX unproven_code_key', q{SELECT bemi.track('one.unproven')},
		'ALTER TABLE one.unproven DROP CONSTRAINT known', 'ALTER TABLE one.unproven ADD CONSTRAINT known NOT NULL code NOT VALID');
	is(said(q{SELECT bemi.untrack('one.unproven')}), '', 'what the server refuses as an identity is no obstacle to untrack');
}

# --- check(): transactions that a slot waits for, and locks

is(row('open_transactions'), 't|none|', 'no transaction is waited for');
sql('BEGIN', 'INSERT INTO one.plain VALUES (1)', q{PREPARE TRANSACTION 'it''s'});
like(sql(q{SELECT what, fix FROM bemi._open_transactions(interval '0')}),
	qr/^prepared transaction "it's"\|COMMIT PREPARED 'it''s'; -- or ROLLBACK PREPARED, in database "postgres"$/, 'a prepared transaction, and how to end it');
my $open = $node->background_psql('postgres');
$open->query_safe('BEGIN; INSERT INTO one.plain VALUES (2)');
like(sql(q{SELECT what, fix FROM bemi._open_transactions(interval '0') ORDER BY what COLLATE "C" DESC}),
	qr/^session (\d+)\|SELECT pg_terminate_backend\(\1\); -- role ".*", database "postgres"\nprepared/m, 'and one of a session');
$open->query_safe('ROLLBACK');
$open->quit;
sql(q{ROLLBACK PREPARED 'it''s'});
like(row('lock_table'), qr/^t\|1[12] tables, room for \d+ locks\|$/, 'there is room for the locks of all tables');
sql(q{DO $$BEGIN FOR i IN 1..120 LOOP EXECUTE format('CREATE TABLE one.t%s (id int PRIMARY KEY)', i); COMMIT; END LOOP; END$$});
like(row('lock_table'), qr/^f\|13[12] tables, room for 120 locks\|ALTER SYSTEM SET max_locks_per_transaction = (\d+);/, 'and then there is not');
is(said(q{CALL bemi.track_all('one'::name)}), '', 'which track_all does not need');

$node->stop;
done_testing();

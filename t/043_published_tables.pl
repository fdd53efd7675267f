# bemi.track, track_all, untrack and the event triggers never let a statement of an application fail that worked:
# tables in publications (column lists, row filters, generated columns, schemas, partitions), and tables that a
# subscription writes. What the extension knows of the server's rules is held against what the server does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('published', q{
fsync = off
max_worker_processes = 12
});
my $newer = server_major() >= 18;

sub sql { my (@statements) = @_; return $node->safe_psql('postgres', join ";\n", @statements); }

# What it says to a statement (WARNINGs and errors).
sub said
{
	my ($statement) = @_;
	my (undef, undef, $errors) = $node->psql('postgres', $statement);
	return $errors;
}

# Which of an application's writes fail, as "table: statement" each.
sub failures
{
	my (%writes) = @_;
	my @failed;
	foreach my $table (sort keys %writes)
	{
		foreach my $statement (@{ $writes{$table} })
		{
			my ($code) = $node->psql('postgres', "BEGIN; $statement; ROLLBACK", on_error_stop => 1);
			push @failed, "$table: $statement" if $code != 0;
		}
	}
	return join "\n", @failed;
}

sub identities
{
	return sql(q{SELECT string_agg(format('%s %s', c.oid::regclass, relreplident), ', ' ORDER BY c.oid::regclass::text COLLATE "C")
		FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'app'::regnamespace});
}

# --- an application whose tables are published in every way, and its writes of every kind

sql('CREATE EXTENSION bemi_decoder', 'CREATE SCHEMA app', 'CREATE SCHEMA later',
	'CREATE TABLE app.plain (id int PRIMARY KEY, a int)',
	'CREATE TABLE app.listed (id int PRIMARY KEY, a int, secret int)',
	'CREATE TABLE app.filtered (id int PRIMARY KEY, a int)',
	'CREATE TABLE app.stored (id int PRIMARY KEY, a int, s int GENERATED ALWAYS AS (a * 2) STORED)',
	'CREATE TABLE app.root (id int, r text, a int, PRIMARY KEY (id, r)) PARTITION BY LIST (r)',
	q{CREATE TABLE app.root_eu PARTITION OF app.root FOR VALUES IN ('eu')},
	q{CREATE TABLE app.root_us PARTITION OF app.root FOR VALUES IN ('us')},
	'CREATE TABLE app.child (id int PRIMARY KEY, up int REFERENCES app.listed ON DELETE CASCADE ON UPDATE CASCADE)',
	($newer ? 'CREATE TABLE app.computed (id int PRIMARY KEY, a int, s int GENERATED ALWAYS AS (a * 2) VIRTUAL)' : ()),
	'INSERT INTO app.plain VALUES (1, 1)', 'INSERT INTO app.listed VALUES (1, 1, 1)', 'INSERT INTO app.filtered VALUES (1, 1)',
	'INSERT INTO app.stored VALUES (1, 1)', q{INSERT INTO app.root VALUES (1, 'eu', 1), (2, 'us', 1)}, 'INSERT INTO app.child VALUES (1, 1)',
	($newer ? 'INSERT INTO app.computed VALUES (1, 1)' : ()),
	'CREATE PUBLICATION of_list FOR TABLE app.listed (id, a), app.filtered WHERE (id > 0)',
	'CREATE PUBLICATION of_root FOR TABLE app.root (id, r) WITH (publish_via_partition_root = true)',
	'CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA app',
	'CREATE PUBLICATION of_all FOR ALL TABLES');
my %writes;
foreach my $table (qw(plain listed filtered stored), ($newer ? 'computed' : ()))
{
	$writes{$table} = [
		"INSERT INTO app.$table VALUES (2, 1)", "UPDATE app.$table SET a = a + 1", "UPDATE app.$table SET id = id + 10",
		"DELETE FROM app.$table", "INSERT INTO app.$table VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET a = excluded.a",
		"MERGE INTO app.$table t USING (VALUES (1)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 3",
		"COPY app.$table (id, a) FROM PROGRAM 'echo 5,5' WITH (FORMAT csv)", "TRUNCATE app.$table CASCADE"
	];
}
$writes{root} = [
	q{UPDATE app.root SET a = 2}, q{UPDATE app.root SET r = 'us' WHERE r = 'eu'}, 'DELETE FROM app.root', 'DELETE FROM app.root_eu',
	q{INSERT INTO app.root VALUES (1, 'eu', 3) ON CONFLICT (id, r) DO UPDATE SET a = 3}
];
$writes{child} = [ 'DELETE FROM app.listed WHERE id = 1', 'UPDATE app.listed SET id = 7 WHERE id = 1', 'UPDATE app.child SET id = 3' ];
is(failures(%writes), '', 'before, all writes work');

# --- track

my $asked = said(q{SELECT bemi.track(c) FROM unnest('{app.plain,app.listed,app.filtered,app.stored,app.root}'::regclass[]) c});
like($asked, qr/WARNING:  relation app\.listed is not tracked\nDETAIL:  With replica identity full, UPDATE and DELETE fail: publication "of_list" has a column list for it\.\nHINT:  ALTER PUBLICATION of_list DROP TABLE app\.listed; ALTER PUBLICATION of_list ADD TABLE app\.listed;/,
	'track warns of a column list and names the way out');
like($asked, qr/WARNING:  relation app\.root_eu is not tracked\nDETAIL: .*publication "of_root" has a column list/, 'of that of a partition\'s root too');
like($asked, qr/WARNING:  relation app\.stored is not tracked\nDETAIL: .*does not publish its generated columns\.\nHINT:  ALTER PUBLICATION of_\w+ SET \(publish_generated_columns = stored\);/,
	'and of generated columns') if $newer;
unlike($asked, qr/app\.(plain|filtered)/, 'and of no other table');
like(said(q{SELECT bemi.track('app.computed'::regclass)}), qr/is not tracked\nDETAIL: .*cannot publish its virtual columns\.\nHINT:  -- publication "of_\w+" must leave table app\.computed out/,
	'nor are virtual columns ever published') if $newer;
is(failures(%writes), '', 'after track, all writes work still');
my $stored = $newer ? 'd' : 'f';
my $expected = join ', ', 'app.child d', ($newer ? 'app.computed d' : ()), 'app.filtered f', 'app.listed d', 'app.plain f',
  'app.root_eu d', 'app.root_us d', "app.stored $stored";
is(identities(), $expected, 'what can be tracked is');

# --- track_all, the event trigger, and what untracked says

like(said(q{CALL bemi.track_all('app'::name)}), qr/\AWARNING:  left alone in schema "app": \d tables\nDETAIL:  With replica identity full, UPDATE and DELETE of these fail:\n(?:app\.\w+: .*\n)+HINT:  The view bemi\.untracked has the way out for each\.\n?\z|\Apsql:/,
	'track_all names what it leaves alone, and only that');
is(failures(%writes), '', 'after track_all, all writes work still');
is(identities(), $expected =~ s/child d/child f/r, 'it has tracked the rest');
is(sql(q{SELECT reason, fix FROM bemi.untracked WHERE "table" = 'listed' AND lacks = 'replica identity full'}),
	qq{with it, UPDATE and DELETE would fail: publication "of_list" has a column list for it|ALTER PUBLICATION of_list DROP TABLE app.listed; ALTER PUBLICATION of_list ADD TABLE app.listed; -- subscribers then get all its columns\nSELECT bemi.track('app.listed'::regclass);},
	'untracked has the reason and the way out');
my $made = said(q{CREATE TABLE app.made (id int PRIMARY KEY, a int, s int GENERATED ALWAYS AS (a) STORED);
	CREATE TABLE app.root_ca PARTITION OF app.root FOR VALUES IN ('ca')});
like($made, qr/relation app\.root_ca is not tracked/, 'the event trigger leaves a new partition alone, and says so');
is(($made =~ /relation app\.made is not tracked/ ? 1 : 0), $newer ? 1 : 0, 'a new table with a generated column likewise');
is(failures(made => [ 'INSERT INTO app.made VALUES (1, 1)', 'UPDATE app.made SET a = 2', 'DELETE FROM app.made' ],
		root => [ @{ $writes{root} }, q{UPDATE app.root_ca SET a = 1} ]), '', 'and their writes work');

# --- the ways out lead out

sql(q{SELECT bemi.untrack('app.plain'), bemi.track('app.plain')});
foreach my $table ('listed', ($newer ? 'stored' : ()))
{
	for (1 .. 4) # one for each publication
	{
		my $fix = sql(qq{SELECT fix FROM bemi.untracked WHERE "table" = '$table' AND lacks = 'replica identity full'});
		last if $fix eq '';
		said($fix);
	}
	is(sql(qq{SELECT relreplident FROM pg_class WHERE oid = 'app.$table'::regclass}), 'f', "the fix of $table lets it be tracked");
}
is(failures(%writes), '', 'and all writes work');

# --- the other way round: what is made after tracking is told of, at once and by check()

like(said('CREATE PUBLICATION made_later FOR TABLE app.plain (id)'),
	qr/WARNING:  UPDATE and DELETE of tables with replica identity full fail from now on\nDETAIL:  app\.plain: publication "made_later" has a column list for it/,
	'a publication that is made later is warned of');
isnt(failures(plain => [ $writes{plain}[1] ]), '', 'as UPDATE fails then');
my $row = sql(q{SELECT ok, found, fix FROM bemi.check() WHERE name = 'publications'});
like($row, qr/^f\|1: app\.plain \(publication "made_later" has a column list for it\)\|SELECT bemi\.untrack\('app\.plain'::regclass\);/, 'check() says it');
sql($row =~ /(SELECT bemi\.untrack\(.*?\);)/);
is(failures(%writes), '', 'and its fix lets the application work');
sql('DROP PUBLICATION made_later', q{SELECT bemi.track('app.plain')});
is(said('ALTER TABLE app.plain ADD g int GENERATED ALWAYS AS (id) STORED'), '', 'a generated column that is published is none')
  if $newer && sql(q{SELECT NOT EXISTS (SELECT FROM bemi._full_faults(ARRAY['app.plain'::regclass], false))}) eq 't';
sql('DROP PUBLICATION of_all', 'DROP PUBLICATION of_schema', 'CREATE PUBLICATION of_all FOR ALL TABLES');
like(said('ALTER TABLE app.plain ADD g2 int GENERATED ALWAYS AS (id) STORED'), qr/fail from now on\nDETAIL:  app\.plain: publication "of_all" does not/,
	'a generated column that is added to a tracked table is warned of') if $newer;
like(sql(q{SELECT ok, found, fix FROM bemi.check() WHERE name = 'publications_from_18'}),
	$newer ? qr/^t\|this server is one\|$/ : qr/^\|2: app\.made, app\.stored\|-- with PostgreSQL 18 .*\n(?:SELECT bemi\.untrack\('app\.\w+'::regclass\);\n){2}-- and after it\nALTER PUBLICATION of_all SET \(publish_generated_columns = stored\);/,
	'before an upgrade to 18, check() names what will fail then');

# --- untrack: a publication that needs the whole row by now

sql('DROP PUBLICATION of_all', 'DROP PUBLICATION of_list', 'DROP PUBLICATION of_root',
	'CREATE TABLE app.keyless (a int)', 'CREATE TABLE app.by_row (id int PRIMARY KEY, a int)',
	'CREATE PUBLICATION of_rows FOR TABLE app.keyless, app.by_row WHERE (a > 0)');
my $untracked = said(q{SELECT bemi.untrack('app.keyless'), bemi.untrack('app.by_row')});
like($untracked, qr/WARNING:  relation app\.keyless keeps replica identity full\nDETAIL:  With its former replica identity, UPDATE and DELETE fail: publication "of_rows" publishes its changes, and it would have no/,
	'untrack leaves a table without a key as it is while it is published');
like($untracked, qr/relation app\.by_row keeps.*row filter/s, 'and one whose row filter reads other columns');
is(failures(keyless => ['UPDATE app.keyless SET a = 1'], by_row => ['DELETE FROM app.by_row']), '', 'their writes work');
sql('DROP PUBLICATION of_rows');
is(said(q{SELECT bemi.untrack('app.keyless'), bemi.untrack('app.by_row')}), '', 'without the publication they are untracked');
like(identities(), qr/app\.by_row d, .*app\.keyless d/, 'as they were');

# --- a subscription finds its rows by a replica identity index, where there is no primary key

my $target = q{CREATE TABLE app.target (code text NOT NULL UNIQUE, a int); ALTER TABLE app.target REPLICA IDENTITY USING INDEX target_code_key};
$node->safe_psql('postgres', 'CREATE DATABASE publisher');
$node->safe_psql('publisher', "CREATE SCHEMA app; $target; INSERT INTO app.target VALUES ('x', 1); CREATE PUBLICATION p FOR TABLE app.target;
	SELECT FROM pg_create_logical_replication_slot('s', 'pgoutput')");
sql(q{DELETE FROM bemi.tracked_schemas}, $target,
	"CREATE SUBSCRIPTION s CONNECTION " . sql_literal($node->connstr('publisher')) . " PUBLICATION p WITH (create_slot = false, slot_name = 's')");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM app.target}), 'a subscription has its first rows');
like(said(q{SELECT bemi.track('app.target'::regclass)}), qr/relation app\.target is not tracked\nDETAIL: .*a subscription finds its rows by the replica identity index/,
	'its table is left alone');
$node->safe_psql('publisher', 'UPDATE app.target SET a = 2');
ok($node->poll_query_until('postgres', q{SELECT a = 2 FROM app.target}), 'and it goes on');
sql('DROP SUBSCRIPTION s');

# --- the server's rules, by chance: what would be refused, and what is

my $seed = seed_random();
my $oracle = temp_file('oracle.sql');
write_text($oracle, slurp_file(library_file('published.sql')));
$node->safe_psql('postgres', 'CREATE DATABASE rules');
$node->safe_psql('rules', 'CREATE EXTENSION bemi_decoder');
run_script($node, 'rules', $oracle);
my $rounds = is_long() ? 400 : 60;
my ($compared, $refused, $differences) = split /\|/,
  $node->safe_psql('rules', sprintf 'SET client_min_messages = error; SELECT setseed(%s); CALL app.compare(%d); SELECT compared, refused, differences FROM app.result', ($seed % 1000) / 1000, $rounds)
  =~ s/\A\s*//r, 3;
note("$compared states of tables compared, $refused of them refused");
cmp_ok($compared, '>', 20 * $rounds, 'many states of tables');
cmp_ok($refused, '>', 5 * $rounds, 'many of which the server refuses to UPDATE or DELETE');
is($differences, '', 'the extension knows which');

$node->stop;
done_testing();

# Schema bemi belongs to nobody who could have his code run by others: CREATE EXTENSION and `bemi_ingest init` in one
# database, in either order, with init's role no superuser, and a schema that somebody else has made before.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('node', "fsync = off\n");
my $role = $node->safe_psql('postgres', 'SELECT current_user');
$node->safe_psql('postgres', 'CREATE ROLE ingest LOGIN REPLICATION; CREATE ROLE mallory LOGIN; CREATE ROLE member LOGIN IN ROLE ingest');

my $number = 0;

# A database that ingest may create in; returns its connection strings as ingest and as a superuser.
sub database
{
	my ($name) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, "GRANT CREATE ON DATABASE $name TO ingest, mallory; GRANT CREATE ON SCHEMA public TO ingest;
		CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO ingest");
	return map { $node->connstr($name) . " user=$_" } 'ingest', $role;
}

sub check_schema { return $node->safe_psql($_[0], q{SELECT ok, found FROM bemi.check() WHERE name = 'schema_bemi'}); }

# What a role of no rights could do to others by way of schema bemi.
sub traps
{
	my ($name, $user) = @_;
	my @made;
	foreach my $statement ('CREATE FUNCTION bemi.track(text) RETURNS text LANGUAGE sql AS $$ SELECT current_user::text $$',
		'CREATE FUNCTION bemi.history(text, text) RETURNS text LANGUAGE sql AS $$ SELECT current_user::text $$',
		'CREATE TYPE bemi.trap AS ENUM ()', 'CREATE TABLE bemi.trap ()', 'ALTER SCHEMA bemi RENAME TO mine', 'DROP SCHEMA bemi CASCADE')
	{
		my ($code) = $node->psql($name, "BEGIN; $statement; ROLLBACK", extra_params => [ '-U', $user ], on_error_stop => 1);
		push @made, $statement if $code == 0;
	}
	return join "\n", @made;
}

sub run_as_ingest
{
	my ($name, $as_ingest, @flags) = @_;
	$node->safe_psql($name, 'INSERT INTO t VALUES (' . ++$number . ')');
	ingest_ok($as_ingest, $as_ingest, 'run', '--until-current', '--slot', $name, @flags);
	is($node->safe_psql($name, 'SELECT max(primary_key) FROM changes'), $number, 'and stores');
	return;
}

# --- init, then the extension: with partitions, which are made as time goes on

my ($as_ingest, $as_superuser) = database('init_first');
ingest_ok($as_ingest, $as_ingest, 'init', '--slot', 'init_first', '--partition-by', 'day');
isnt(traps('init_first', 'ingest'), '', 'the role that ran init can create in its schema');
my (undef, undef, $said) = $node->psql('init_first', 'CREATE EXTENSION bemi_decoder');
like($said, qr/WARNING:  schema "bemi" no longer belongs to role "ingest"\n.*HINT:  For bemi_ingest init as this role: GRANT CREATE ON SCHEMA bemi TO ingest;/s,
	'CREATE EXTENSION says that it takes the schema, and it is shown');
is(traps('init_first', 'ingest'), '', 'the role cannot any more');
like(check_schema('init_first'), qr/^\|objects of role "ingest": \d+$/, 'check() tells of its functions');
run_as_ingest('init_first', $as_ingest);
$node->safe_psql('init_first', q{SELECT bemi.ensure_partition('public', '2031-02-03')}, extra_params => [ '-U', 'ingest' ]);
is($node->safe_psql('init_first', q{SELECT partition FROM bemi.partitions('public') WHERE since = '2031-02-03 00:00+00'}), 'changes_2031_02_03',
	'a partition is made beside the table from then on');
$node->safe_psql('init_first', q{SELECT bemi.ensure_partition('public', '2031-02-03 12:00')}, extra_params => [ '-U', 'ingest' ]);
is($node->safe_psql('init_first', q{SELECT count(*) FROM bemi.partitions('public') WHERE since >= '2031-02-03 00:00+00'}), '1', 'once');

# init again, for a second slot say: it says what it needs, and with that it works.
ingest_fails('init again says what it needs', 3, qr/may not create in schema bemi(?s:.*)GRANT CREATE ON SCHEMA bemi TO ingest; and after init: REVOKE CREATE ON SCHEMA bemi FROM ingest;/,
	$as_ingest, $as_ingest, 'init', '--slot', 'init_first');
$node->safe_psql('init_first', 'GRANT CREATE ON SCHEMA bemi TO ingest');
like(check_schema('init_first'), qr/^f\|role "ingest" may create in it/, 'check() reminds of it');
ingest_ok($as_ingest, $as_ingest, 'init', '--slot', 'init_first');
$node->safe_psql('init_first', 'REVOKE CREATE ON SCHEMA bemi FROM ingest');
is(traps('init_first', 'ingest'), '', 'and it is as before');
run_as_ingest('init_first', $as_ingest);

# --- the extension, then init

($as_ingest, $as_superuser) = database('extension_first');
$node->safe_psql('extension_first', 'CREATE EXTENSION bemi_decoder');
is(check_schema('extension_first'), 't|superusers alone own it and create in it', 'check() has nothing to tell');
ingest_fails('init says what it needs', 3, qr/may not create in schema bemi/, $as_ingest, $as_ingest, 'init', '--slot', 'extension_first');
$node->safe_psql('extension_first', 'GRANT CREATE ON SCHEMA bemi TO ingest');
ingest_ok($as_ingest, $as_ingest, 'init', '--slot', 'extension_first');
$node->safe_psql('extension_first', 'REVOKE CREATE ON SCHEMA bemi FROM ingest');
is(traps('extension_first', 'ingest'), '', 'the role of init cannot set traps');
run_as_ingest('extension_first', $as_ingest);

# --- a schema of somebody else's: init makes nothing in it

($as_ingest, $as_superuser) = database('of_mallory');
$node->safe_psql('of_mallory', q{CREATE SCHEMA bemi; GRANT ALL ON SCHEMA bemi TO PUBLIC;
	CREATE TABLE bemi.progress (slot text); CREATE FUNCTION bemi.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
	CREATE TRIGGER noted BEFORE INSERT ON bemi.progress EXECUTE FUNCTION bemi.noted()}, extra_params => [ '-U', 'mallory' ]);
ingest_fails("refused: $_", 3, qr/schema bemi belongs to role mallory/, $_, $_, 'init', '--slot', 'of_mallory') foreach $as_ingest, $as_superuser;
$node->safe_psql('of_mallory', 'ALTER SCHEMA bemi OWNER TO ingest');
ingest_fails('nor where others may create in it', 3, qr/everybody may create in schema bemi(?s:.*)REVOKE CREATE ON SCHEMA bemi FROM PUBLIC;/,
	$as_ingest, $as_ingest, 'init', '--slot', 'of_mallory');
$node->safe_psql('of_mallory', 'REVOKE CREATE ON SCHEMA bemi FROM PUBLIC; GRANT CREATE ON SCHEMA bemi TO mallory');
ingest_fails('one role is enough', 3, qr/role mallory may create in schema bemi/, $as_ingest, $as_ingest, 'init', '--slot', 'of_mallory');
$node->safe_psql('of_mallory', 'REVOKE CREATE ON SCHEMA bemi FROM mallory');
ingest_fails('nor beside what somebody else has made', 3, qr/schema bemi has an object of role mallory: bemi\.(?:noted\(\)|progress)/, $as_ingest, $as_ingest, 'init', '--slot', 'of_mallory');
ingest_fails('nor as a superuser in the schema of a role', 3, qr/schema bemi belongs to role ingest/, $as_superuser, $as_superuser, 'init', '--slot', 'of_mallory');
is($node->safe_psql('of_mallory', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'bemi'::regnamespace AND relkind = 'r'}), '1', 'nothing has been made');
$node->safe_psql('of_mallory', 'DROP TABLE bemi.progress; DROP FUNCTION bemi.noted');
ingest_ok($as_ingest, $as_ingest, 'init', '--slot', 'of_mallory');
run_as_ingest('of_mallory', $as_ingest);
# A member of the role that owns it has that role's rights, and may go on with init.
ingest_ok($as_ingest, $as_ingest =~ s/user=ingest/user=member/r, 'check', '--slot', 'of_mallory');

# --- typed calls go where they should, whatever stands beside

$node->safe_psql('extension_first', q{GRANT CREATE ON SCHEMA bemi TO mallory});
$node->safe_psql('extension_first', $_, extra_params => [ '-U', 'mallory' ])
  foreach q{CREATE FUNCTION bemi.track(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'of mallory'; END $$},
  q{CREATE FUNCTION bemi._make_full(oid) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'of mallory'; END $$},
  q{CREATE FUNCTION bemi._obstacle(regclass, "char") RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'of mallory'; END $$},
  q{CREATE FUNCTION bemi._scope(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'of mallory'; END $$},
  q{CREATE PROCEDURE bemi.track_all(text) LANGUAGE plpgsql AS $$ BEGIN RAISE 'of mallory'; END $$},
  q{CREATE FUNCTION bemi._setting(name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'of mallory'; END $$},
  q{CREATE FUNCTION bemi._setting("char") RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'of mallory'; END $$},
  q{CREATE FUNCTION bemi._scope("char") RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'of mallory'; END $$};
foreach my $call (q{SELECT bemi.track('public.t'::regclass)}, q{CALL bemi.track_all('public'::name)}, 'CALL bemi.track_all()', 'SELECT count(*) FROM bemi.check()',
	'CREATE TABLE public.later (id int PRIMARY KEY)', 'CREATE PUBLICATION later FOR TABLE public.later', q{SELECT bemi.untrack('public.t'::regclass)},
	q{CALL bemi.untrack_all()}, q{SELECT bemi.set_context('{}'::jsonb)}, 'TABLE bemi.untracked')
{
	my ($code, undef, $errors) = $node->psql('extension_first', $call, on_error_stop => 1);
	ok($code == 0 && $errors eq '', $call) or diag($errors);
}
like(check_schema('extension_first'), qr/^f\|bemi\._make_full\(pg_catalog\.oid\) looks like a routine of the extension, .*role "mallory" may create in it/, 'and check() lists what stands beside');

# --- nothing of a table's owner runs with the rights of who tracks it, looks at it or changes it

$node->safe_psql('postgres', 'CREATE DATABASE owned');
$node->safe_psql('owned', 'CREATE EXTENSION bemi_decoder; CREATE SCHEMA app AUTHORIZATION mallory; CREATE SCHEMA later AUTHORIZATION mallory');
my $watched = q{
CREATE FUNCTION app.saw(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING '% ran as %', what, current_user; RETURN true; END $$;
CREATE FUNCTION app.noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM app.saw('trigger'); RETURN NEW; END $$;
CREATE DOMAIN app.checked AS int CHECK (app.saw('domain'));
CREATE TABLE app.watched (id app.checked PRIMARY KEY, a boolean DEFAULT app.saw('default') CHECK (app.saw('check')),
    g boolean GENERATED ALWAYS AS (app.saw('generated')) STORED);
CREATE INDEX ON app.watched ((app.saw('index'))) WHERE app.saw('index predicate');
CREATE TRIGGER noted BEFORE INSERT OR UPDATE OR DELETE ON app.watched FOR EACH ROW EXECUTE FUNCTION app.noted();
CREATE POLICY p ON app.watched USING (app.saw('policy'));
ALTER TABLE app.watched ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.watched FORCE ROW LEVEL SECURITY;
CREATE RULE r AS ON UPDATE TO app.watched WHERE app.saw('rule') DO ALSO NOTHING;
INSERT INTO app.watched VALUES (1);
CREATE TABLE app.parted (id int) PARTITION BY LIST ((id > 0 AND app.saw('partition key')));
CREATE TABLE app.part PARTITION OF app.parted FOR VALUES IN (true)};
my (undef, undef, $seen) = $node->psql('owned', $watched, extra_params => [ '-U', 'mallory' ], on_error_stop => 1);
like($seen, qr/$_ ran as mallory/, "a $_ of a role runs as that role") foreach 'trigger', 'default', 'check', 'generated', 'domain', 'index';
foreach my $statement (q{SELECT bemi.track('app.watched'::regclass)}, q{SELECT bemi.untrack('app.watched'::regclass)}, q{CALL bemi.track_all('app'::name)},
	'CALL bemi.untrack_all()', 'CALL bemi.track_all()', 'TABLE bemi.untracked', 'SELECT * FROM bemi.check()', 'ALTER TABLE app.watched SET (fillfactor = 90)',
	'ALTER TABLE app.watched SET SCHEMA later', 'CREATE PUBLICATION p FOR TABLE later.watched (id)', 'SELECT * FROM bemi.check()', q{SELECT bemi.untrack('later.watched')},
	q{SELECT bemi.track('app.parted'::regclass)})
{
	my ($code, undef, $errors) = $node->psql('owned', $statement, on_error_stop => 1);
	ok($code == 0 && $errors !~ /ran as/, "nothing of it runs by $statement") or diag($errors);
}

$node->stop;
done_testing();

# What init has made in the destination has a version: each command notices when it is another one, and init replaces it, whatever
# has changed of a function, with the rights on it; what somebody else has made of it is named.

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
$source->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1)');
ingest_ok($source, $destination, 'init');
ingest_ok($source, $destination, 'run', '--until-current');
$sql->('CREATE ROLE auditor; CREATE ROLE clerk');

# All that makes a function what it is, and who may do what.
my $catalog = sub { return $sql->(q{
SELECT p.oid::regprocedure, pg_get_function_result(p.oid), pg_get_function_arguments(p.oid), md5(p.prosrc), p.provolatile, p.prokind, obj_description(p.oid, 'pg_proc')
FROM pg_proc p WHERE p.pronamespace = 'bemi'::regnamespace ORDER BY 1::text COLLATE "C";
SELECT attrelid::regclass, attname, atttypid::regtype FROM pg_attribute
WHERE attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'c' AND relnamespace = 'bemi'::regnamespace) ORDER BY attrelid::regclass::text, attnum;
SELECT pg_get_viewdef('bemi.activity')}) };
my $right = $catalog->();
sub same_catalog
{
	my ($name) = @_;
	my %before = map { $_ => 1 } split /\n/, $right;
	my %after = map { $_ => 1 } split /\n/, $catalog->();
	is(join("\n", (map { "-$_" } grep { !$after{$_} } sort keys %before), map { "+$_" } grep { !$before{$_} } sort keys %after), '', $name);
	return;
}
my $rights = sub { return $sql->(q{SELECT p.proname, p.proacl FROM pg_proc p WHERE p.pronamespace = 'bemi'::regnamespace AND p.proacl IS NOT NULL
	UNION ALL SELECT relname, relacl FROM pg_class WHERE relname = 'activity' ORDER BY 1}) };
$sql->(q{REVOKE ALL ON FUNCTION bemi.forget FROM PUBLIC; GRANT EXECUTE ON FUNCTION bemi.forget TO clerk WITH GRANT OPTION;
REVOKE ALL ON FUNCTION bemi.who FROM PUBLIC; GRANT EXECUTE ON FUNCTION bemi.who TO auditor;
REVOKE ALL ON FUNCTION bemi.partitions FROM PUBLIC; GRANT EXECUTE ON FUNCTION bemi.partitions TO auditor;
GRANT SELECT ON bemi.activity TO auditor});
my $granted = $rights->();

# --- another build, an older and a newer version are noticed

my @noticed = ([ 'bemi_ingest init', qr/are of another build of version \d+/, q{SELECT 2, 'other', '{}'::text[]} ],
	[ 'bemi_ingest init', qr/are of version 1, and this bemi_ingest has version \d+/, q{SELECT 1, '', '{}'::text[]} ],
	[ 'install the bemi_ingest', qr/are of version 99, and/, q{SELECT 99, '', '{}'::text[]} ]);
my ($version) = $sql->('SELECT version FROM bemi._installed()');
foreach my $case (@noticed)
{
	my ($fix, $found, $body) = @$case;
	$body =~ s/SELECT 2/SELECT $version/;
	$sql->("CREATE OR REPLACE FUNCTION bemi._installed(OUT version integer, OUT fingerprint text, OUT names text[]) LANGUAGE sql IMMUTABLE AS \$\$ $body \$\$");
	foreach my $command ([ 'run', '--until-current' ], ['check'], ['snapshot'], ['verify'])
	{
		ingest_fails("$command->[0] notices ($fix)", 3, qr/$found.*?fix: $fix/s, $source, $destination, @$command);
	}
	my ($code, undef, $errors) = ingest($source, $destination, 'status');
	ok($code == 0 && $errors =~ /^bemi_ingest: note: .*$found.*$fix/, 'status too') or diag($errors);
}
ingest_fails('an older init does not put older functions there', 3, qr/version 99/, $source, $destination, 'init');

# --- version 1, in which functions had other results, arguments, defaults and names

$sql->(q{DROP FUNCTION bemi._installed()});
ingest_fails('version 1 had no word of it', 3, qr/are of version 1,/, $source, $destination, 'run', '--until-current');
$sql->(q{
DROP VIEW bemi.activity;
DROP FUNCTION bemi.who; CREATE FUNCTION bemi.who("table" text, primary_key text, at timestamptz DEFAULT now()) RETURNS integer LANGUAGE sql AS 'SELECT 1';
DROP FUNCTION bemi.forget; CREATE FUNCTION bemi.forget("table" text, the_key text, columns text[], context_keys text[], database text) RETURNS text LANGUAGE sql AS 'SELECT ''''';
DROP FUNCTION bemi.source_of; CREATE FUNCTION bemi.source_of(n numeric, f integer DEFAULT 0) RETURNS text LANGUAGE sql AS 'SELECT ''''';
DROP FUNCTION bemi.partitions; CREATE FUNCTION bemi.partitions(s text) RETURNS TABLE (since integer) LANGUAGE sql AS 'SELECT 1';
REVOKE ALL ON FUNCTION bemi.partitions FROM PUBLIC; GRANT EXECUTE ON FUNCTION bemi.partitions TO auditor;
CREATE FUNCTION bemi.coverage(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION bemi.my_own(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
REVOKE ALL ON FUNCTION bemi.forget FROM PUBLIC; GRANT EXECUTE ON FUNCTION bemi.forget TO clerk WITH GRANT OPTION;
REVOKE ALL ON FUNCTION bemi.who FROM PUBLIC; GRANT EXECUTE ON FUNCTION bemi.who TO auditor;
CREATE VIEW bemi.activity AS SELECT 1 AS one, bemi.who('t', '1') AS who; GRANT SELECT ON bemi.activity TO auditor;
ALTER TYPE bemi.moment ADD ATTRIBUTE more text CASCADE; ALTER TYPE bemi._present ADD ATTRIBUTE more text CASCADE});
ingest_ok($source, $destination, 'init');
$sql->('DROP FUNCTION bemi.my_own(integer)');
same_catalog('init makes of it what a new one is; what others have made stays');
is($rights->(), $granted, 'who might do something may do it again, and nobody else');
unlike(ingest_ok($source, $destination, 'check'), qr/FAILS/, 'check is content');
ingest_ok($source, $destination, 'run', '--until-current');

# --- what somebody has made of a function that has changed

$sql->(q{DROP FUNCTION bemi.partitions; CREATE FUNCTION bemi.partitions(s text) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE VIEW mine AS SELECT bemi.partitions('public')});
ingest_fails('a view is in the way', 3, qr/somebody's own depends on one that has changed: view public\.mine depends on function bemi\.partitions\(text\)\n +fix: drop what depends on it, then bemi_ingest init/, $source, $destination, 'init');
is($sql->(q{SELECT pg_get_function_result('bemi.partitions'::regproc)}), 'integer', 'nothing has changed');
$sql->('DROP VIEW mine');
ingest_ok($source, $destination, 'init');
same_catalog('then all is right');
$sql->(q{CREATE VIEW yours AS SELECT * FROM bemi.activity});
ingest_ok($source, $destination, 'init');
is($sql->('SELECT count(*) FROM yours'), 0, 'a view of what has not changed stands');
$sql->('DROP VIEW yours');

# --- every type can be set aside: also one whose definition stands on one line

foreach my $type (split /\n/, $sql->(q{SELECT oid::regtype FROM pg_type t WHERE typnamespace = 'bemi'::regnamespace AND typtype = 'c'
	AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')}))
{
	$sql->("ALTER TYPE $type ADD ATTRIBUTE more text CASCADE");
	ingest_ok($source, $destination, 'init');
	same_catalog("init mends $type");
}

# --- every routine has a comment with its arguments, by which init knows it

is($sql->(q{SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE p.pronamespace = 'bemi'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL}), '', 'all have');

done_testing();

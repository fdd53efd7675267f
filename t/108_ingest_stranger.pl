# What a stranger meets: names with quotes and line breaks, keys that no index holds, roles with few rights, a
# source that is not ready. Each is stored, or told with the statement that mends it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use IO::Socket::INET;
use POSIX ();
use Test::More;

my $source = new_node('source');
my $destination = new_destination('destination');
my $sql = sub { return rows_of($destination, $_[0]) };

# --- names

my $schema = qq{odd'" \nname};
# From 19 on, no name of a database has a line break.
my ($break, $break_in_label) = server_major() < 19 ? ("\n", '\n') : (' ', ' ');
my $database = qq{data'"${break}base};
foreach my $node ($source, $destination)
{
	$node->safe_psql('postgres', qq{CREATE DATABASE "data'""${break}base"});
}
my @ends = map { $_->connstr($database) } $source, $destination;
my @where = ('--schema', $schema, '--slot', 'odd');
ingest_ok(@ends, 'init', @where, '--partition-by', 'day', '--retain', '3d');
$source->safe_psql($database, qq{
CREATE SCHEMA "s'""\n";
CREATE TABLE "s'""\n"."t.*,""\n" ("k""\n'" text PRIMARY KEY, v text);
INSERT INTO "s'""\n"."t.*,""\n" VALUES (E'v"\\n\\\\''', 'x')});
ingest_ok(@ends, 'run', '--until-current', @where);
ingest_ok(@ends, 'snapshot', @where);
is($destination->safe_psql($database, qq{
SELECT count(*) FILTER (WHERE schema = E's''"\\n' AND "table" = E't.*,"\\n' AND primary_key = E'v"\\n\\\\'''
	AND after->>E'k"\\n''' = primary_key AND database = current_database()), string_agg(operation, ' ' ORDER BY id)
FROM "odd'"" \nname".changes}), '2|CREATE SNAPSHOT', 'names with quotes and line breaks are names');
like(ingest_ok(@ends, 'status', '--prometheus', @where), qr/^bemi_ingest_lag_bytes\{slot="odd",database="data'\\"\Q$break_in_label\Ebase"\} \d+$/m,
	'also for a monitor');
unlike(ingest_ok(@ends, 'check', @where), qr/FAILS/, 'and for check');
$destination->safe_psql($database, 'SELECT bemi.retain(schema) FROM bemi.target');
ingest_ok(@ends, 'drop', '--yes', @where);

# Functions are made with the schema's name in texts of their own, quoted by dollars, with formats in them.
ingest_fails("but for $_", 2, qr/any characters but % and \$/, @ends, 'init', '--schema', "odd$_") foreach '%', '$';

# --- keys that fit into an index of the source, and into none of the destination

ingest_ok($source, $destination, 'init');
$source->safe_psql('postgres', q{
CREATE FUNCTION noise(n int) RETURNS text LANGUAGE sql AS $$
	SELECT left(string_agg(md5(g::text), ''), n) FROM generate_series(1, n / 32 + 1) g $$;
CREATE TABLE long_text (k text PRIMARY KEY, v int);
CREATE TABLE long_bytes (k bytea PRIMARY KEY);
INSERT INTO long_text VALUES (noise(2000), 1), (noise(2001), 2), (repeat('"', 1500), 3), ('short', 4);
INSERT INTO long_bytes VALUES (decode(noise(5000), 'hex'));
UPDATE long_text SET k = noise(2500) WHERE k = 'short';
UPDATE long_text SET k = 'again' WHERE v = 4;
DELETE FROM long_text WHERE v = 2});
drain($source, $destination);
my $key = q{SELECT string_agg(concat_ws(' ', operation, coalesce(length(primary_key)::text, 'null'),
	'(' || length(details->>'primary_key') || ')', coalesce(length(previous_key)::text, 'null'),
	'(' || length(details->>'previous_key') || ')'), ', ' ORDER BY commit_position, sequence)
	FROM changes WHERE "table" = 'long_text' AND operation };
is($sql->("$key <> 'SNAPSHOT'"), join(', ',
	'CREATE 2000 null', 'CREATE null (2001) null', 'CREATE 1500 null', 'CREATE 5 null',
	'UPDATE null (2500) 5', 'UPDATE 5 null (2500)', 'DELETE null (2001) null'),
	'a key beyond 2,000 bytes goes into details');
is($sql->(q{SELECT details->>'primary_key' = after->>'k' AND length(after->>'k') = 5002 FROM changes
	WHERE "table" = 'long_bytes'}), 't', 'whole');
$source->safe_psql('postgres', q{INSERT INTO long_text VALUES (noise(2400), 5)});
ingest_ok($source, $destination, 'snapshot', '--option', 'tables=long_text,long_bytes');
is($sql->("$key = 'SNAPSHOT'"), 'SNAPSHOT 2000 null, SNAPSHOT 1500 null, SNAPSHOT 5 null, SNAPSHOT null (2400) null',
	'in a snapshot too');

# What docs/time-travel.md says of such rows.
$source->safe_psql('postgres', q{
CREATE TABLE long_full (k text PRIMARY KEY, v int);
ALTER TABLE long_full REPLICA IDENTITY FULL;
INSERT INTO long_full VALUES (noise(2300), 1), ('short', 1);
UPDATE long_full SET v = v + 1});
drain($source, $destination);
my $long = $source->safe_psql('postgres', 'SELECT noise(2300)');
is($sql->(q{SELECT string_agg(coalesce(primary_key, 'null') || ' ' || (row->>'v'), ', ' ORDER BY primary_key) FROM bemi.table_at('long_full', now())}),
	'short 2, null 2', 'time travel has a row with such a key, without the key');
foreach my $question ("bemi.record_at('long_full', '$long', now())", "bemi.history('long_full', '$long')", "bemi.search('long_full', '$long')",
	"bemi.forget('long_full', '$long')")
{
	my (undef, undef, $errors) = $destination->psql('postgres', "SELECT $question");
	like($errors, qr/ERROR:  rows are not found by a key of more than 2,000 bytes/, 'and says that rows are not found by it: ' . $question =~ s/\(.*//r);
}
is($sql->("SELECT count(*) FROM changes WHERE details->>'primary_key' = '$long'"), '2', 'details have it');

# --- options of the decoder: the command line goes before the file

my $config = temp_file('options.conf');
write_text($config, "option.exclude_tables = public.seen\noption.operations = create\n");
$source->safe_psql('postgres', q{CREATE TABLE seen (id int); CREATE TABLE unseen (id int);
	INSERT INTO seen VALUES (1); INSERT INTO unseen VALUES (1); TRUNCATE seen});
drain($source, $destination, '--config', $config, '--option', 'exclude-tables=public.unseen');
is($sql->(q{SELECT string_agg("table" || ' ' || operation, ' ') FROM changes WHERE "table" LIKE '%seen'}),
	'seen CREATE', 'an option of the command line replaces that of the file, and no other');
write_text($config, "option.operations = create\noption.operations = update\n");
ingest_fails('twice in one place is a mistake', 2, qr/operations is given twice/, $source, $destination, 'check',
	'--config', $config);

# --- roles

$source->safe_psql('postgres', q{CREATE ROLE "No One" LOGIN; CREATE ROLE reader LOGIN REPLICATION});
foreach my $command ('init', 'run', 'check')
{
	ingest_fails("$command without the right to replicate", 3, qr/fix: ALTER ROLE "No One" REPLICATION;/,
		$source->connstr('postgres') . " user='No One'", $destination, $command);
}
my $reader = $source->connstr('postgres') . ' user=reader';
ingest_fails('snapshot without SELECT', 3, qr/may not read \d+ of the tables.*fix: .*GRANT SELECT ON ALL TABLES IN SCHEMA public TO "reader"/s,
	$reader, $destination, 'snapshot');
$sql->(q{CREATE ROLE writer LOGIN; CREATE DATABASE granted});
my $writer = $destination->connstr('granted') . ' user=writer';
$destination->safe_psql('granted', 'REVOKE CREATE ON SCHEMA public FROM public');
my $said = ingest_fails('init without CREATE', 3, qr/FAILS destination: role writer may make what init makes/,
	$reader, $writer, 'init', '--slot', 'granted');
my ($grants) = $said =~ /fix: (GRANT CREATE ON DATABASE .*; GRANT CREATE ON SCHEMA .*;)/;
$destination->safe_psql('granted', $grants);
ingest_ok($reader, $writer, 'init', '--slot', 'granted', '--partition-by', 'month');
$source->safe_psql('postgres', 'INSERT INTO seen VALUES (2)');
ingest_ok($reader, $writer, 'run', '--until-current', '--slot', 'granted');
is($destination->safe_psql('granted', q{SELECT count(*) FROM changes}), '1', 'with what it says, it works');
$sql->('CREATE ROLE inserter LOGIN');
my $inserter = $destination->connstr('postgres') . ' user=inserter';
$said = ingest_fails('run without INSERT', 3, qr/role inserter may write to it/, $source, $inserter, 'run');
$sql->($_) foreach $said =~ /fix: (GRANT .*)/g;
$source->safe_psql('postgres', 'INSERT INTO seen VALUES (3)');
ingest_ok($source, $inserter, 'run', '--until-current');

# --- a database that was renamed: what is asked of the one name would not have what is stored under the other

$_->safe_psql('postgres', 'CREATE DATABASE app') foreach $source, $destination;
$source->safe_psql('app', q{CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t REPLICA IDENTITY FULL});
my $history = $destination->connstr('app');
ingest_ok($source->connstr('app'), $history, 'init', '--slot', 'renamed');
$source->safe_psql('app', q{INSERT INTO t VALUES (1, 'old')});
drain($source->connstr('app'), $history, '--slot', 'renamed');
$source->safe_psql('postgres', 'ALTER DATABASE app RENAME TO shop');
$source->safe_psql('shop', q{UPDATE t SET v = 'new'});
my $shop = $source->connstr('shop');
my ($mend) = ingest_fails('a database that was renamed', 3, qr/renamed is stored here for the database app, and the source is the database shop/,
	$shop, $history, 'run', '--until-current', '--slot', 'renamed') =~ /(UPDATE bemi.progress .*?);/;
is($destination->safe_psql('app', q{SELECT bemi.record_at('t', '1', now())->>'v'}), 'old', 'nothing of it is stored');
$destination->safe_psql('app', $mend);
$destination->safe_psql('app', "UPDATE $_ SET database = 'shop'") foreach qw(bemi.tables bemi.snapshots bemi.gaps changes);
drain($shop, $history, '--slot', 'renamed');
is($destination->safe_psql('app', q{SELECT bemi.record_at('t', '1', now())->>'v'}), 'new', 'with what it says, it goes on');

# --- a server that refuses in another language: what it means stands beside its words

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 10, ReuseAddr => 1) or die $!;
my $foreign = fork // die $!;
if ($foreign == 0)
{
	while (my $client = $listener->accept)
	{
		sysread $client, my $startup, 1000;
		my $error = join "\0", "S\xd0\x92\xd0\x90\xd0\x96\xd0\x9d\xd0\x9e", 'VFATAL', 'C28P01', "M\xd0\xbd\xd0\xb5\xd1\x82", '', '';
		syswrite $client, 'E' . pack('N', length($error) + 4) . $error;
		close $client;
	}
	POSIX::_exit(0);
}
ingest_fails('a password that is wrong is not waited for, in any language', 3, qr/source: .*\xd0\x92\xd0\x90\xd0\x96\xd0\x9d\xd0\x9e:  \xd0\xbd\xd0\xb5\xd1\x82/,
	"host=127.0.0.1 port=$port dbname=postgres user=anyone sslmode=disable gssencmode=disable", $destination, 'run', '--until-current');
kill 'KILL', $foreign;
waitpid $foreign, 0;

# --- a destination that may not be written to: one line each time

$sql->('ALTER DATABASE postgres SET default_transaction_read_only = on');
ingest_fails('check has it', 3, qr/FAILS +destination: transactions may write.*\n +fix: ALTER DATABASE "postgres" RESET/, $source, $destination, 'check');
$source->safe_psql('postgres', 'INSERT INTO seen VALUES (4)');
my $run = start_ingest($source, $destination);
ok(ingest_said_until($run, qr/again in 1 s/), 'it tries again');
$destination->psql('postgres', 'BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT');
ok(ingest_said_until($run, qr/storing again/), 'until it can store');
is(end_ingest($run), 5, 'and goes on');
my $lines = join '', ingest_said($run) =~ /(storing from|again in|storing again)/g;
like($lines, qr/^storing from(again in){3,}storing again$/, 'with one line each');

# --- a source that does no logical decoding yet

my $early = PostgreSQL::Test::Cluster->new('early');
$early->init(allows_streaming => 1);
$early->append_conf('postgresql.conf', "wal_level = replica\n");
$early->start;
# (19 and later raise it by themselves.)
$said = ingest_fails('wal_level', 3,
	server_major() < 19 ? qr/FAILS source: wal_level is logical.*fix: ALTER SYSTEM SET wal_level = 'logical'/s : qr/ok    source: wal_level is logical/,
	$early, $destination, 'check');
unlike($said, qr/FAILS source: the library/, 'is not taken for a missing library');

done_testing();

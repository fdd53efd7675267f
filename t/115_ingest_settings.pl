# What bemi_ingest promises does not rest on settings that others can change: of a role, of a database, of the server, before it
# connects and while it is connected.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $source = new_node('source');
# A server that crashes loses what was committed with synchronous_commit off in the last ten seconds.
my $destination = new_destination('destination', "wal_writer_delay = 10s\n");
my $sql = sub { return rows_of($destination, $_[0]) };
my $insert = sub { $source->safe_psql('postgres', "INSERT INTO t (v) SELECT 'x' FROM generate_series(1, $_[0])"); return };
$source->safe_psql('postgres', 'CREATE TABLE t (id serial PRIMARY KEY, v text); ALTER TABLE t REPLICA IDENTITY FULL');
ingest_ok($source, $destination, 'init');
second_slot($source);

# --- what is stored stays stored, though somebody turns synchronous_commit off meanwhile

foreach my $weak ('off', 'local', 'remote_write')
{
	my $run = start_ingest($source, $destination);
	$insert->(1);
	my $count = $sql->('SELECT count(*) FROM bemi.progress WHERE rows > 0');
	wait_until(sub { $sql->('SELECT rows FROM bemi.progress') == $source->safe_psql('postgres', 'SELECT count(*) FROM t') });
	$sql->("ALTER SYSTEM SET synchronous_commit = '$weak'");
	$destination->reload;
	my $role = $sql->('SELECT current_user');
	$sql->(qq{ALTER ROLE "$role" SET synchronous_commit = '$weak'});
	wait_until(sub { $sql->('SHOW synchronous_commit') eq $weak });
	$sql->('CHECKPOINT');
	$insert->(3);
	ok(wait_until(sub { $source->safe_psql('postgres', q{SELECT confirmed_flush_lsn >= (SELECT max(m.lsn) FROM (SELECT pg_current_wal_flush_lsn() AS lsn) m)
		FROM pg_replication_slots WHERE slot_name = 'bemi'}) eq 't'
		|| $sql->('SELECT rows FROM bemi.progress') == $source->safe_psql('postgres', 'SELECT count(*) FROM t') }), 'it is stored');
	$destination->stop('immediate');
	is(end_ingest($run), 5, 'the command is told to end');
	$destination->start;
	drain($source, $destination);
	is($sql->('SELECT count(*) FROM changes'), $source->safe_psql('postgres', 'SELECT count(*) FROM t'),
		"nothing is lost when synchronous_commit becomes $weak, and the destination crashes");
	$sql->(qq{ALTER ROLE "$role" RESET synchronous_commit});
	$sql->('ALTER SYSTEM RESET synchronous_commit');
	$destination->reload;
}

# --- and nothing else that a role or a database may have set changes what any command does

my %hostile = (
	search_path => 'nonsense, public', standard_conforming_strings => 'off', quote_all_identifiers => 'on', array_nulls => 'off',
	transform_null_equals => 'on', timezone => 'Asia/Kathmandu', datestyle => 'SQL, DMY', intervalstyle => 'sql_standard',
	bytea_output => 'escape', extra_float_digits => '-15', check_function_bodies => 'off', client_encoding => 'LATIN1',
	default_transaction_isolation => 'serializable', default_transaction_deferrable => 'on', statement_timeout => '1ms',
	lock_timeout => '1ms', idle_in_transaction_session_timeout => '1ms', idle_session_timeout => '300ms', row_security => 'off',
	synchronous_commit => 'off', xmlbinary => 'hex', backslash_quote => 'on', exit_on_error => 'off',
	lc_messages => 'C', jit => 'off', max_parallel_workers_per_gather => '0', plan_cache_mode => 'force_generic_plan');
delete $hostile{standard_conforming_strings} if server_major() >= 19;    # which has only one
sub torment
{
	my ($node) = @_;
	my $script = join '', map { my $value = $_ eq 'search_path' || $_ eq 'datestyle' ? $hostile{$_} : "'$hostile{$_}'";
		"ALTER DATABASE tormented SET $_ = $value;\n" } sort keys %hostile;
	$node->safe_psql('postgres', 'CREATE DATABASE tormented');
	$node->safe_psql('tormented', 'CREATE SCHEMA nonsense; CREATE TABLE nonsense.pg_class (relname name)');
	$node->safe_psql('postgres', $script);
	return $node->connstr('tormented');
}
my $to = torment($destination);
my $from = torment($source);
# The test's own questions are asked with settings as they are anywhere: what is measured is the command.
my $tame = join ' ', map { "-c $_" } 'search_path=public', 'standard_conforming_strings=on', 'array_nulls=on', 'transform_null_equals=off',
	'timezone=UTC', 'datestyle=ISO', 'bytea_output=hex', 'extra_float_digits=1', 'synchronous_commit=on', 'default_transaction_isolation=read\\ committed',
	map { "$_=0" } qw(statement_timeout lock_timeout idle_in_transaction_session_timeout idle_session_timeout);
sub tame { my ($node, $text) = @_; local $ENV{PGOPTIONS} = $tame; return $node->safe_psql('tormented', $text) }

tame($source, q{
CREATE TABLE public.v (id int PRIMARY KEY, b bytea, f float8, at timestamptz, i interval, t text, a text[]);
ALTER TABLE public.v REPLICA IDENTITY FULL;
INSERT INTO public.v VALUES (1, '\x00ff5c', 0.1::float8 / 3, '2026-01-02 03:04:05.678901+00', '-1 year 2 days -3:04', E'a\\\\b''"\u20ac', '{NULL,"NULL",x}')});
my @hostile = ($from, $to, '--slot', 'tormented');
my @run = (@hostile[0, 1]);
ingest_ok(@run, 'init', '--slot', 'tormented', '--partition-by', 'month', '--retain', '900d');
my $indexes = q{SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY 1) FROM pg_index WHERE indrelid = 'public.changes'::regclass};
my $made = tame($destination, $indexes);
like($made, qr/changes_row.*changes_time/, 'init makes indexes');
ingest_ok(@run, 'init', '--slot', 'tormented');
is(tame($destination, $indexes), $made, 'and none of them twice');
ingest_ok(@run, 'snapshot', '--slot', 'tormented');
tame($source, q{INSERT INTO public.v SELECT 2, b, f, at, i, t, a FROM public.v; UPDATE public.v SET f = f * 2, b = b || '\x5c' WHERE id = 2});
ingest_ok(@run, 'run', '--until-current', '--slot', 'tormented');
unlike(ingest_ok(@run, 'check', '--slot', 'tormented'), qr/FAILS/, 'check sees nothing wrong');
like(ingest_ok(@run, 'status', '--json', '--slot', 'tormented'), qr/"last_commit":"\d{4}-\d\d-\d\dT[\d:.]+Z"/, 'status has times as always');
like(ingest_ok(@run, 'verify', '--slot', 'tormented'), qr/2 rows compared, no difference/, 'verify compares what is there');
is(tame($destination, q{SELECT string_agg(DISTINCT operation, ' ' ORDER BY operation), bool_and(after->>'t' = E'a\\\\b''"\u20ac'), bool_and(after->'a' = '[null, "NULL", "x"]')
	FROM public.changes}), 'CREATE SNAPSHOT UPDATE|t|t', 'which is what was written');
is(tame($destination, q{SELECT count(DISTINCT after->'f'), count(DISTINCT after->'i'), count(DISTINCT after->'at') FROM public.changes WHERE operation <> 'UPDATE'}),
	'1|1|1', 'a snapshot writes values as the decoder does');
ingest_ok(@run, 'drop', '--yes', '--slot', 'tormented');

same_rows($source, $destination, 'and each record is a row');
done_testing();

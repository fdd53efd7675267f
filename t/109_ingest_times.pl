# Changes that were replayed from elsewhere have the time that their origin is said to have: whatever that is, they are
# stored with it, also where there is no partition for such a time, and the stream goes on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use JSON::PP ();
use Test::More;

# The microsecond with number 0 of PostgreSQL's count; very early and very late ones; what is none.
my @times = (
	'2000-01-01 00:00:00+00', '1999-12-31 23:59:59.999999+00', '1970-01-01 00:00:00+00', '0001-01-01 00:00:00+00',
	'0001-12-31 23:59:59.999999+00 BC', '0005-02-28 12:00:00.5+00 BC', '0401-03-01 00:00:00+00 BC', '4713-12-31 00:00:00.000001+00 BC',
	'4714-12-01 00:00:00+00 BC', '4714-11-24 00:00:00+00 BC', '4714-11-30 23:59:59.999999+00 BC', '294276-12-31 23:59:59.999999+00', '9999-12-31 23:59:59+00', '294276-06-01 12:00:00.99+00', 'infinity', '-infinity');

my $source = new_node('source');
$source->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, t text)');
my %layouts = (plain => [], 'by day' => [ '--partition-by', 'day' ], 'by month' => [ '--partition-by', 'month' ]);
my $server = new_destination('destination');
my %destinations;
foreach my $layout (sort keys %layouts)
{
	(my $slot = $layout) =~ tr/ /_/;
	$server->safe_psql('postgres', "CREATE DATABASE $slot");
	$destinations{$layout} = { slot => $slot, connection => $server->connstr($slot) };
	ingest_ok($source, $server->connstr($slot), 'init', '--slot', $slot, @{ $layouts{$layout} });
}
$source->safe_psql('postgres', "SELECT FROM pg_replication_origin_create('elsewhere')");
foreach my $i (0 .. $#times)
{
	$source->safe_psql('postgres', qq{
		SELECT pg_replication_origin_session_setup('elsewhere');
		BEGIN;
		SELECT pg_replication_origin_xact_setup('0/@{[ $i + 1 ]}', '$times[$i]');
		INSERT INTO t VALUES ($i, '$times[$i]');
		COMMIT;});
	next if $i % 4;
	$source->safe_psql('postgres', "INSERT INTO t VALUES ($i + 100, NULL)");
}
foreach my $layout (sort keys %layouts)
{
	my ($slot, $destination) = @{ $destinations{$layout} }{ 'slot', 'connection' };
	ingest_ok($source, $destination, 'run', '--slot', $slot, '--until-current');
	is($server->safe_psql($slot, 'SELECT count(*) FROM changes'), @times + 4, "$layout: all are there");
	is($server->safe_psql($slot, q{SET timezone = 'UTC';
		SELECT committed_at || ' instead of ' || (after->>'t') FROM changes
		WHERE committed_at <> (after->>'t')::timestamptz}), '', 'each with its own time');
	my $status = JSON::PP::decode_json(ingest_ok($source, $destination, 'status', '--slot', $slot, '--json'));
	is($status->{lag_seconds}, 0, 'status has nothing to wait for');
}

# What was replayed late, with a time of another partition, is there where it was committed here.
foreach my $layout (sort keys %layouts)
{
	my ($slot, $destination) = @{ $destinations{$layout} }{ 'slot', 'connection' };
	my $late = "late_$slot";
	$source->safe_psql('postgres', $_) foreach "CREATE TABLE $late (id int PRIMARY KEY)", "INSERT INTO $late VALUES (1)", qq{
		SELECT pg_replication_origin_session_setup('elsewhere');
		BEGIN; SELECT pg_replication_origin_xact_setup('0/999', now() - interval '40 days'); INSERT INTO $late VALUES (2); COMMIT};
	ingest_ok($source, $destination, 'run', '--slot', $slot, '--until-current');
	my $then = $server->safe_psql($slot, 'SELECT clock_timestamp()');
	my $ids = "SELECT string_agg(primary_key, ' ' ORDER BY primary_key) FROM bemi.table_at('$late', ";
	is($server->safe_psql($slot, "$ids now())"), '1 2', "$layout: what was replayed late is there now");
	$source->safe_psql('postgres', "INSERT INTO $late VALUES (3)");
	ingest_ok($source, $destination, 'run', '--slot', $slot, '--until-current');
	is($server->safe_psql($slot, "$ids '$then')"), '1 2', 'and was there then');
}

# Partitions of infinite times.
foreach my $layout ('by day', 'by month')
{
	my ($slot, $destination) = @{ $destinations{$layout} }{ 'slot', 'connection' };
	is($server->safe_psql($slot, q{SELECT count(*) FROM pg_inherits i WHERE i.inhparent = 'changes'::regclass
		AND i.inhrelid NOT IN (SELECT partition FROM bemi.partitions('public'))}), 0, 'all partitions are listed');

	# Those that are there are not asked for.
	$server->safe_psql($slot, q{CREATE TABLE asked (at timestamptz); ALTER FUNCTION bemi.ensure_partition RENAME TO ensure_partition_really;
		CREATE FUNCTION bemi.ensure_partition(s text, at timestamptz) RETURNS void LANGUAGE sql AS
		'INSERT INTO public.asked VALUES (at); SELECT bemi.ensure_partition_really(s, at)'});
	$source->safe_psql('postgres', qq{
		SELECT pg_replication_origin_session_setup('elsewhere');
		BEGIN; SELECT pg_replication_origin_xact_setup('0/99', '$_'); UPDATE t SET t = t; COMMIT}) foreach 'infinity', '-infinity';
	ingest_ok($source, $destination, 'run', '--slot', $slot, '--until-current');
	is($server->safe_psql($slot, 'SELECT string_agg(at::text, $$,$$) FROM asked WHERE NOT isfinite(at)'), '', 'those of infinite times too');
	my $rows = 'SELECT count(*) FROM bemi.table_at($$t$$, $$infinity$$)';
	my $before = $server->safe_psql($slot, $rows);
	$server->safe_psql($slot, q{UPDATE bemi.target SET retain = '100 years'; SELECT bemi.retain('public')});
	is($server->safe_psql($slot, q{SELECT count(*) FROM changes WHERE committed_at < now() - interval '102 years'}), 0, 'retention drops what is older than all');
	is($server->safe_psql($slot, $rows), $before, 'and keeps its rows');
}

done_testing();

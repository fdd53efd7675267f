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
done_testing();

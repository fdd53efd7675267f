# Time travel reads what it needs by the indexes of `changes`: no query of its functions reads the
# whole table, and what is read does not grow with how often a row has changed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $source = new_node('source');
$source->safe_psql('postgres', 'CREATE DATABASE parted');
my ($keys, $rounds) = (1000, 50);

# Rows as bemi_ingest stores them, of a table of 1,000 rows that have changed 50 times, over 50 days.
sub fill
{
	my ($database, @flags) = @_;
	ingest_ok($source, $source->connstr($database), 'init', '--slot', $database, @flags);
	$source->safe_psql($database, qq{
UPDATE bemi.progress SET start_position = '0/1', started_at = now() - interval '60 days',
	position = '0/0'::pg_lsn + 10000000000, committed_at = now();
SELECT count(bemi.ensure_partition('public', now() - d * interval '1 day')) FROM generate_series(0, 61) d;
INSERT INTO changes (id, primary_key, before, after, database, schema, "table", operation, committed_at,
	queued_at, transaction_id, position, commit_position, sequence)
SELECT bemi.change_id(n / 10 * 1000, n % 10, p.system_identifier), n % $keys, '{}',
	jsonb_build_object('id', n % $keys, 'round', n / $keys, 'note', repeat('x', 100)), p.database, 'public', 'orders',
	CASE WHEN n < $keys + 10 THEN 'CREATE' ELSE 'UPDATE' END,
	now() - interval '50 days' + n * (interval '50 days' / ($keys * $rounds)), now(), n / 10, n, n / 10 * 1000, n % 10
FROM bemi.progress p, generate_series(10, $keys * $rounds + 9) n WHERE p.slot = '$database';
INSERT INTO bemi.tables SELECT 'orders', 'public', database, slot, system_identifier FROM bemi.progress WHERE slot = '$database'});
	$source->safe_psql($database, 'VACUUM ANALYZE changes');
	return;
}

# The plans of all queries that a statement runs, also inside of functions.
sub plans
{
	my ($database, $statement) = @_;
	my ($code, $output, $errors) = $source->psql($database, qq{
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET client_min_messages = log;
$statement});
	die "$statement: $errors" if $code != 0;
	return $errors;
}

# The buffers that a statement touches in a session that has run it before.
sub buffers
{
	my ($database, $statement) = @_;
	my $plan = $source->safe_psql($database, "SELECT FROM ($statement) q;\nEXPLAIN (ANALYZE, BUFFERS, FORMAT json) $statement");
	return $plan =~ /"Shared Hit Blocks": (\d+),\s+"Shared Read Blocks": (\d+)/ ? $1 + $2 : die $plan;
}

fill('postgres');
fill('parted', '--partition-by', 'day');
$source->safe_psql($_, 'CREATE TABLE orders (id int, round int, note text)') foreach 'postgres', 'parted';
my $at = q{now() - interval '20 days'};
my %questions = (
	"record_at by time" => "SELECT * FROM bemi.record_at('public.orders', '77', $at)",
	"record_at by position" => "SELECT * FROM bemi.record_at('public.orders', '77', 2000000)",
	"table_at" => "SELECT * FROM bemi.table_at('public.orders', $at)",
	"as_of" => "SELECT * FROM bemi.as_of(NULL::orders, $at)",
	"history" => "SELECT * FROM bemi.history('public.orders', '77')",
	"coverage" => "SELECT * FROM bemi.coverage('public.orders')");
foreach my $database ('postgres', 'parted')
{
	foreach my $name (sort keys %questions)
	{
		my $plans = plans($database, $questions{$name});
		# A partition of a few pages costs nothing either way.
		my @whole = grep { !/cost=0\.00\.\.(\d+)/ || $1 > 100 } $plans =~ /(Seq Scan on (?:\S*\.)?\S*changes\S*.*)/g;
		ok(@whole == 0 && $plans =~ /Query Text/, "$database: $name reads by indexes") or diag(@whole);
	}
}
like(plans('postgres', q{SELECT * FROM changes WHERE after->>'id' = '1'}), qr/Seq Scan on changes/, 'a query that does not is seen');

is($source->safe_psql('postgres', "SELECT count(*), min(row->>'round'), max(row->>'round') FROM bemi.table_at('orders', $at)"),
	"$keys|29|30", 'and they answer');
my %limits = ('record_at by time' => 1000, 'record_at by position' => 200, 'history' => 1000,
	'table_at' => 40 * $keys, 'as_of' => 40 * $keys);
foreach my $name (sort keys %limits)
{
	my $read = buffers('postgres', $questions{$name});
	cmp_ok($read, '<', $limits{$name}, "$name touches $read buffers");
}

done_testing();

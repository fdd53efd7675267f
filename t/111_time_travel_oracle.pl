# Time travel against full copies: a random history of tables of every kind, and at each of fifty
# moments as_of() gives what was copied then, by time and by position, before and after a retention.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiPast;
use BemiTest;
use Test::More;

seed_random();
my $changes = is_long() ? 60000 : 10000;
my @moments = (18, 16, 16);
my @days_ago = (40, 20, 0);

my $source = new_node('source', "timezone = 'UTC'\n");
my $destination = new_destination('destination', "timezone = 'UTC'\n");
$destination->safe_psql('postgres', 'CREATE DATABASE parted');
my $parted = $destination->connstr('parted');
$source->safe_psql('postgres', BemiPast::setup());
# Some tables have rows before anybody looks.
run($source, BemiPast::script(changes => 300, moments => 0));
ingest_ok($source, $destination, 'init');
ingest_ok($source, $parted, 'init', '--slot', 'parted', '--partition-by', 'day');
ingest_ok($source, $destination, 'snapshot', '--option', 'exclude_tables=copies.*');
ingest_ok($source, $parted, 'snapshot', '--slot', 'parted', '--option', 'exclude_tables=copies.*');

sub run
{
	my ($node, $text) = @_;
	my $script = temp_file('script.sql');
	write_text($script, $text);
	run_script($node, 'postgres', $script);
	return;
}

# Three parts, the middle one with a snapshot before it, and where each ends.
my @ends;
foreach my $part (0 .. 2)
{
	my $first = 0;
	$first += $_ foreach @moments[ 0 .. $part - 1 ];
	run($source, BemiPast::script(changes => $changes / 3, moments => $moments[$part], first => $first, steps => (3, 3, 2)[$part]));
	# What has no logged row is not flushed by its commit, and can't be read before it is.
	push @ends, $source->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn(); CHECKPOINT');
	drain($source, $destination);
	drain($source, $parted, '--slot', 'parted');
	next if $part == 2;
	ingest_ok($source, $destination, 'snapshot', '--option', 'exclude_tables=copies.*') if $part == 0;
	$source->safe_psql('postgres', 'SELECT pg_sleep(0.01)');
}
note($destination->safe_psql('postgres',
	q{SELECT string_agg(format('%s %s %s', "table", operation, n), ', ' ORDER BY 1) FROM (
	SELECT "table", operation, count(*) AS n FROM changes GROUP BY 1, 2 ORDER BY 1, 2) c}));

# The copies and the tables' present shapes, beside the changes.
my ($copy, $moments) = map { temp_file($_) } 'copies', 'moments';
run($source, "\\copy copies.rows TO '$copy'\n\\copy copies.moments TO '$moments'\n");
my $shapes = join ";\n", map { my $name = $_;
	"CREATE TABLE $name (" . $source->safe_psql('postgres', "SELECT string_agg(format('%I %s', attname,
	format_type(atttypid, atttypmod)), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '$name'::regclass
	AND attnum > 0 AND NOT attisdropped") . ')' } BemiPast::names();
foreach my $database ('postgres', 'parted')
{
	my $script = temp_file('copies.sql');
	write_text($script, "$shapes;
CREATE TABLE copied (moment int, name text, r jsonb);
CREATE TABLE moments (moment int, at timestamptz, position pg_lsn);
\\copy copied FROM '$copy'
\\copy moments FROM '$moments'
CREATE INDEX ON copied (moment, name);
ANALYZE;");
	run_script($destination, $database, $script);
}

# For each moment and table: rows that differ, with how often they are in the copy and in the answer.
sub compare
{
	my ($database, $name, $at, $condition) = @_;
	foreach my $table (BemiPast::names())
	{
		my ($code, $output, $errors) = $destination->psql($database, qq{
SELECT m.moment, d.* FROM moments m, LATERAL (
	SELECT coalesce(e.r, g.r) AS r, coalesce(e.n, 0) AS copied, coalesce(g.n, 0) AS got
	FROM (SELECT to_jsonb(jsonb_populate_record(NULL::$table, c.r))::text AS r, count(*) AS n FROM copied c
		WHERE c.moment = m.moment AND c.name = '$table' GROUP BY 1) e
	FULL JOIN (SELECT to_jsonb(t)::text AS r, count(*) AS n FROM bemi.as_of(NULL::$table, $at) t GROUP BY 1) g USING (r)
	WHERE e.n IS DISTINCT FROM g.n) d
WHERE $condition ORDER BY m.moment LIMIT 3});
		ok($code == 0 && $output eq '', "$name: $table") or diag("$output\n$errors");
	}
	return;
}

compare('postgres', 'by position', 'm.position', 'true');
compare('postgres', 'by time', 'm.at', is_long() ? 'true' : 'm.moment % 3 = 1');

# Each part gets an age of its own.
my $shift = sub { my ($column, $position) = @_;
	return "CASE WHEN $position <= '$ends[0]'::pg_lsn THEN $column - interval '$days_ago[0] days'"
	  . " WHEN $position <= '$ends[1]'::pg_lsn THEN $column - interval '$days_ago[1] days' ELSE $column END"; };
my $lsn = q{('0/0'::pg_lsn + commit_position)};
$destination->safe_psql('parted', join ";\n",
	(map { "SELECT bemi.ensure_partition('public', now() - interval '$_ days'),
		bemi.ensure_partition('public', now() - interval '$_ days' - interval '1 hour')" } @days_ago),
	'UPDATE changes SET committed_at = ' . $shift->('committed_at', $lsn),
	'UPDATE moments SET at = ' . $shift->('at', 'position'),
	'UPDATE bemi.snapshots SET taken_at = ' . $shift->('taken_at', 'position'),
	"UPDATE bemi.progress SET started_at = started_at - interval '$days_ago[0] days'");
compare('parted', 'partitioned, by time', 'm.at', is_long() ? 'true' : 'm.moment % 5 = 0');
$destination->safe_psql('parted', q{UPDATE bemi.target SET retain = '30 days'});
is($destination->safe_psql('parted', q{SELECT bemi.retain('public') > 0}), 't', 'retention drops partitions');
compare('parted', 'after retention, by time', 'm.at', "m.moment >= $moments[0] AND " . (is_long() ? 'true' : 'm.moment % 2 = 0'));
compare('parted', 'after retention, by position', 'm.position', "m.moment >= $moments[0] AND m.moment % 4 = 0");
foreach my $table (BemiPast::names())
{
	my ($code, $output, $errors) = $destination->psql('parted',
		"SELECT * FROM moments m, bemi.as_of(NULL::$table, m.at) WHERE m.moment = $moments[0] - 1");
	ok($code != 0 && $errors =~ /is known from \d{4}-\d\d-\d\d 00:00:00\S+ on, not at .*dropped by retention/s,
		"what is older is refused: $table") or diag($errors);
}

done_testing();

# What a row's history and forget cost grows with the number of its changes, not with their square: ten times the
# changes take less than forty times as long, whether the row stays, changes its key to and fro, or all is one transaction.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;
use Time::HiRes qw(time);

my $source = new_node('source');
$source->safe_psql('postgres', 'CREATE DATABASE told');
my $told = $source->connstr('told');
ingest_ok($source, $told, 'init');

# Rows as bemi_ingest stores them: a table of one row that has changed so often. to_and_fro: by its key, each time in a
# transaction of its own; at_once: in one transaction, with a context that holds its value.
sub fill
{
	my ($table, $changes) = @_;
	my $key = $table =~ /^to_and_fro/ ? 'n % 2' : '7';
	my $commit = $table =~ /^at_once/ ? '1000' : 'n * 1000';
	$source->safe_psql('told', qq{
INSERT INTO bemi.tables SELECT '$table', 'public', database, slot, system_identifier FROM bemi.progress;
UPDATE bemi.progress SET start_position = '0/1', started_at = now() - interval '1 day',
	position = '0/0'::pg_lsn + 10000000000, committed_at = now();
INSERT INTO changes (id, primary_key, previous_key, before, after, context, database, schema, "table", operation, committed_at,
	queued_at, transaction_id, position, commit_position, sequence)
SELECT bemi.change_id($commit, n, p.system_identifier, hashtext('$table') % 1000), $key, CASE WHEN '$key' <> '7' AND n > 0 THEN (n + 1) % 2 END,
	CASE WHEN n > 0 THEN jsonb_build_object('id', CASE WHEN '$key' = '7' THEN 7 ELSE (n + 1) % 2 END, 'name', 'name ' || n - 1) ELSE '{}' END,
	jsonb_build_object('id', $key, 'name', 'name ' || n), '{"params": {"name": "name 1"}}', p.database, 'public', '$table',
	CASE n WHEN 0 THEN 'CREATE' ELSE 'UPDATE' END, now() - interval '1 hour' + $commit * interval '1 microsecond', now(), 1, n, $commit, n
FROM bemi.progress p, generate_series(0, $changes) n});
	return;
}

# Seconds of the best of three runs.
sub seconds
{
	my ($statement) = @_;
	my @times;
	foreach (1 .. 3)
	{
		my $start = time;
		my ($code, undef, $errors) = $source->psql('told', "SET statement_timeout = '60s'; $statement");
		die "$statement: $errors" if $code != 0;
		push @times, time - $start;
	}
	return (sort { $a <=> $b } @times)[0];
}

my $empty = seconds('SELECT 1');
my ($few, $many) = (60, 600);
foreach my $kind ('stays', 'to_and_fro', 'at_once')
{
	fill("${kind}_$_", $_) foreach $few, $many;
}
$source->safe_psql('told', 'ANALYZE');
foreach my $kind ('stays', 'to_and_fro', 'at_once')
{
	my $key = $kind eq 'to_and_fro' ? 1 : 7;
	foreach my $question ("SELECT count(*) FROM bemi.history('%s', '$key')",
		"BEGIN; SELECT bemi.forget('%s', '$key', '{name}', '{params.name}'); ROLLBACK")
	{
		my ($little, $much) = map { seconds(sprintf $question, "${kind}_$_") - $empty } $few, $many;
		$little = 0.005 if $little < 0.005;
		cmp_ok($much / $little, '<', 40, sprintf "$question of $kind: %.3f s and %.3f s", $little, $much);
	}
}
is($source->safe_psql('told', "SELECT count(*) FROM bemi.history('${_}_$many', '" . ($_ eq 'to_and_fro' ? 1 : 7) . "')"), $many + 1,
	"all versions of $_") foreach 'stays', 'to_and_fro', 'at_once';
is($source->safe_psql('told', "SELECT bemi.forget('to_and_fro_$few', '0', '{name}')"), $few + 1, 'and forget reaches all of them');

done_testing();

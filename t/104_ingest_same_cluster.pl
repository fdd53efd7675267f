# Source and destination in one database, partitioned, under load: rows are the records of
# everything but itself, and then it falls silent.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiLoad;
use BemiTest;
use Test::More;
use Time::HiRes qw(sleep);

my $seconds = is_long() ? 60 : 6;
my $node = new_node('both', "wal_sender_timeout = 4s\n");
$node->safe_psql('postgres', BemiLoad::tables());
ingest_ok($node, $node, 'init', '--partition-by', 'day');
second_slot($node);

my $run = start_ingest($node, $node);
my $load = BemiLoad->new($node, seconds => $seconds);
$load->wait_for;
my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
ok(wait_until(sub { $node->safe_psql('postgres',
	"SELECT position >= '$end' FROM bemi.progress") eq 't' }, 120), 'it catches up while it runs');

# What is in flight between the two: our own position, ten seconds after the last row.
my $wal = sub { $node->safe_psql('postgres', q{SELECT pg_current_wal_insert_lsn() - '0/0'}) };
my $updated = sub { $node->safe_psql('postgres', 'SELECT updated_at FROM bemi.progress') };
wait_until(sub { my $w = $wal->(); sleep 6; $wal->() - $w < 200 }, 60);
sleep 6;
my ($before, $moved) = ($wal->(), $updated->());
sleep(is_long() ? 60 : 14);
my $written = $wal->() - $before;
is($updated->(), $moved, 'idle, it leaves progress alone');
cmp_ok($written, '<', 500, 'and makes no WAL (bytes)');
end_ingest($run);
drain($node, $node);
is($node->safe_psql('postgres', q{SELECT count(*) FROM changes
	WHERE "table" LIKE 'changes%' OR schema = 'bemi'}), '0', 'it does not record itself');
my $rows = same_rows($node, $node, 'source = destination',
	options => { exclude_tables => '*.expected_lines, public.changes' });
cmp_ok($rows, '>', 1000, "$rows records");
is($node->safe_psql('postgres', q{SELECT count(DISTINCT tableoid) FROM changes}), '1',
	'rows are in a partition');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM bemi.partitions('public')}), '>=', 4,
	'partitions are made ahead');

# The user's own exclusions and ours go together.
$node->safe_psql('postgres', "CREATE TABLE secret (v text); CREATE TABLE open (v text);"
	. "INSERT INTO secret VALUES ('x'); INSERT INTO open VALUES ('y')");
drain($node, $node, '--option', 'exclude-tables=public.secret');
is($node->safe_psql('postgres', q{SELECT string_agg("table", ',') FROM changes
	WHERE "table" IN ('secret', 'open', 'changes')}), 'open', 'exclusions add up');

done_testing();

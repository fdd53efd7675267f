# The scripts of docs/consumers.md bring every record to a broker at least once, whenever they are killed: pg_recvlogical
# into a file, and the file through jq and kcat into the broker that librdkafka has for tests. There the records are
# those of a slot that nobody has touched, to the byte, and those of a row in order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiNode;
use BemiTest;
use IPC::Run;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'jq and kcat are not installed' unless works('jq', '--version') && works('kcat', '-V');
seed_random();
my $node = new_node('pipes');
$node->safe_psql('postgres', 'CREATE DATABASE todo_app');
$node->safe_psql('todo_app', q{
CREATE TABLE item (id text PRIMARY KEY, version int, note text);
ALTER TABLE item REPLICA IDENTITY FULL;
});
create_slot($node, 'todo_app', 'audit');
copy_slot($node, 'todo_app', 'audit', 'oracle');

my $folder = temp_file('scripts');
mkdir $folder;
page_code('consumers.md', $_, $folder) foreach qw(watch.sh spool.sh produce.sh);

# The broker lives in a kcat that produces nothing, and says where it is.
my $said = '';
my $nothing = '';
my $broker = IPC::Run::start([qw(kcat -P -t none -b none -X test.mock.num.brokers=1)], '<', \$nothing, '>&', \$said);
my $give_up = time + 30;
pump $broker until $said =~ /replaced with (127\.0\.0\.1:\d+)/ || time > $give_up;
my ($address) = $said =~ /replaced with (127\.0\.0\.1:\d+)/ or die "no broker: $said";

# Keys with what separates keys, and lines, and numbers that jq would change.
my @keys = ('a', "b\tc", "d\ne", "'", 'é"', '\\', '');
sub write_some
{
	my $sql = '';
	foreach (1 .. between(20, 60))
	{
		my $key = sql_literal(pick(@keys));
		$sql .= chance(0.8)
		  ? "INSERT INTO item VALUES ($key, 1, 'x') ON CONFLICT (id) DO UPDATE SET version = item.version + 1;\n"
		  : "BEGIN; SELECT pg_logical_emit_message(true, '_bemi', '{\"n\": 12345678901234567890.10}');"
		  . " DELETE FROM item; INSERT INTO item SELECT 'row ' || i, 1, repeat('y', 300) FROM generate_series(1, 20) i; COMMIT;\n";
	}
	$node->safe_psql('todo_app', $sql);
	return;
}

my $writer;
sub start_scripts
{
	my (@command) = @_;
	@command = ('spool.sh', 'spool.jsonl', 'bash', '-o', 'pipefail', 'produce.sh') unless @command;
	$writer = start_program($node, [ 'setsid', 'bash', @command ], folder => $folder, environment => { BROKER => $address });
	return;
}

# All of it at once, as when the machine loses its power; setsid made the shell the leader of its group.
sub kill_scripts
{
	my $pid = $writer->{handle}{KIDS}[0]{PID};
	kill 'KILL', -$pid;
	$writer->{handle}->finish;
	$node->poll_query_until('postgres', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'audit'") or die 'still active';
	return;
}

foreach (1 .. (is_long() ? 30 : 4))
{
	start_scripts();
	write_some();
	sleep rand 1.2;
	kill_scripts();
}
# What a crash may leave of a file: the beginning of a record, which comes again.
open my $spool, '>>', "$folder/spool.jsonl" or die;
print $spool '{"operation":"CREATE","database":"todo_a';
close $spool;
write_some();
start_scripts();
my $end = current_lsn($node);
$node->poll_query_until('postgres',
	"SELECT confirmed_flush_lsn >= '$end' FROM pg_replication_slots WHERE slot_name = 'audit'") or die "no end: ${ $writer->{said} }";
$give_up = time + $PostgreSQL::Test::Utils::timeout_default;
sleep 0.1 while -s "$folder/spool.jsonl" && time < $give_up;
ok(!-s "$folder/spool.jsonl", 'what was spooled is handed over') or diag(${ $writer->{said} });
kill_scripts();

# --- what the broker has -------------------------------------------------------------------------------------

my $topic = run_program($node, [ 'kcat', '-C', '-q', '-u', '-b', $address, '-t', 'changes', '-e', '-f', '%p\t%k\t%s\n' ]);
my (%seen, %place, %partition, @wrong);
foreach my $line (split /\n/, $topic)
{
	my ($partition, $key, $record) = split /\t/, $line, 3;
	my $content = JSON::PP->new->utf8->allow_bignum->decode($record);
	push @wrong, $line unless $key eq JSON::PP->new->utf8->encode([ @$content{qw(schema table primary_key)} ]);
	push @wrong, "$partition: $line" if ($partition{$key} //= $partition) ne $partition;
	next if $seen{$record}++;
	my $place = sprintf '%020d %010d', @$content{qw(commit_position sequence)};
	push @wrong, "late: $line" if ($place{$key} // '') gt $place;
	$place{$key} = $place;
}
is_deeply(\@wrong, [], 'each record under the key of its row, in one partition and in order');
my $oracle = temp_file('oracle');
decode_sql($node, 'todo_app', 'oracle', $oracle);
my @expected = read_lines($oracle);
cmp_ok(scalar @expected, '>', 100, 'there were ' . @expected . ' records');
is_deeply([ sort keys %seen ], [ sort @expected ], 'all of them, and to the byte');

$broker->signal('KILL');
$broker->finish;

# --- to look at what happens ---------------------------------------------------------------------------------

start_scripts('watch.sh');
$node->safe_psql('todo_app', q{
CREATE TABLE todo (id int PRIMARY KEY);
BEGIN; SELECT pg_logical_emit_message(true, '_bemi', '{"userId": 7}'); INSERT INTO todo VALUES (26); INSERT INTO item VALUES (26); COMMIT});
$give_up = time + $PostgreSQL::Test::Utils::timeout_default;
$writer->{handle}->pump_nb until ${ $writer->{said} } =~ /\n/ || time > $give_up;
is(${ $writer->{said} }, qq({"operation":"CREATE","primary_key":"26","user":7}\n), 'pg_recvlogical into jq');
kill_scripts();
$node->stop;
done_testing();

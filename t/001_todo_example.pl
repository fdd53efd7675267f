# examples/todo.sql gives the records that README.md and docs/tour.md show, to the letter but for what time and the write-ahead
# log decide: when, which transaction, where.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('todo');
$node->safe_psql('postgres', 'CREATE DATABASE todo_app');
create_slot($node, 'todo_app', 'todo');
run_script($node, 'todo_app', "$FindBin::Bin/../examples/todo.sql");

my $file = temp_file('records.jsonl');
my $before = time;
decode_stream($node, 'todo_app', 'todo', $file, current_lsn($node));

# What may differ from run to run becomes the name of its key, in angle brackets.
my @lines = read_lines($file);
s/"committed_at":"[^"]*"/"committed_at":<>/, s/"(transaction_id|position|commit_position)":\d+/"$1":<>/g
  foreach @lines;

my $insert = '"before":{},"after":{"id":%d,"task":"%s","is_completed":false}';
my $context = '"context":{"params":{"task":"%s","isCompleted":false},"userId":187234,"endpoint":"/todo"}';
my @expected = (
	[ 'CREATE', 26, sprintf($insert, 26, 'Sleep'), sprintf($context, 'Sleep') ],
	[ 'CREATE', 27, sprintf($insert, 27, 'Eat'), sprintf($context, 'Eat') ],
	[ 'CREATE', 28, sprintf($insert, 28, 'Repeat'), sprintf($context, 'Repeat') ],
	[
		'UPDATE',
		26,
		'"before":{"id":26,"task":"Sleep","is_completed":false},"after":{"id":26,"task":"Sleep","is_completed":true}',
		'"context":{"params":{"id":26},"userId":187234,"endpoint":"/todo/complete"}'
	],
	[
		'DELETE',
		27,
		'"before":{"id":27,"task":"Eat","is_completed":false},"after":{}',
		'"context":{"params":{"id":27},"userId":187234,"endpoint":"/todo/27"}'
	]);

is(scalar @lines, scalar @expected, 'five records');
foreach my $i (0 .. $#expected)
{
	my ($operation, $id, $images, $with) = @{ $expected[$i] };
	is( $lines[$i],
		qq({"operation":"$operation","database":"todo_app","schema":"public","table":"todo","primary_key":"$id",)
		  . qq($images,"committed_at":<>,"transaction_id":<>,"position":<>,"commit_position":<>,"sequence":1,)
		  . qq($with,"last":true}),
		"record " . ($i + 1) . ": $operation of $id");
}

# What was left out above, as far as it can be known.
my @records = records($file);
my $increasing = 1;
foreach my $i (1 .. $#records)
{
	$increasing &&= $records[$i]{$_} > $records[ $i - 1 ]{$_} foreach qw(transaction_id position commit_position);
}
ok($increasing, 'transaction_id, position and commit_position increase');
my @times = map { $_->{committed_at} } @records;
is_deeply([ grep { !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/ } @times ],
	[], 'committed_at is ISO 8601 with microseconds, in UTC');
is_deeply([ sort @times ], \@times, 'committed_at increases');

$node->stop;
done_testing();

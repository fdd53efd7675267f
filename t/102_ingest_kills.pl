# Exactly once, whatever dies: the command, the source, the destination, in turn and at random
# moments under load; in the end the rows are the records of a slot that nobody touched.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiLoad;
use BemiTest;
use Test::More;
use Time::HiRes qw(sleep);

seed_random();
my $kills = is_long() ? 50 : 12;

my $source = new_node('source');
my $destination = new_destination('destination');
$source->safe_psql('postgres', BemiLoad::tables());
ingest_ok($source, $destination, 'init');
second_slot($source);

my $load = BemiLoad->new($source, rate => 400);
my $run = start_ingest($source, $destination, '--transaction-size', '64kB');

# A server that was killed leaves children for a moment, which its successor must wait for.
sub restart
{
	my ($node) = @_;
	$node->kill9;
	for (1 .. 100)
	{
		$node->{_pid} = undef;    # a failed start has found the old one
		return if $node->start(fail_ok => 1);
		sleep 0.1;
	}
	die 'the server does not start again';
}

for my $i (1 .. $kills)
{
	sleep(0.1 + rand 0.8);
	my $victim = ('command', 'source', 'destination')[ $i % 3 ];
	if ($victim eq 'command')
	{
		end_ingest($run, 'KILL');
		$run = start_ingest($source, $destination, '--transaction-size', '64kB');
	}
	else
	{
		restart($victim eq 'source' ? $source : $destination);
	}
}
sleep 1;
$load->stop;
is(end_ingest($run), 5, 'the command has survived the deaths of the servers')
  or diag(ingest_said($run));
$source->stop('fast');
$source->start;
drain($source, $destination);
my $rows = same_rows($source, $destination, "after $kills kills");
cmp_ok($rows, '>', 100, "$rows records");
is(rows_of($destination, 'SELECT rows FROM bemi.progress'), $rows, 'progress counts each once');
is(rows_of($destination, 'SELECT count(*) FROM bemi.gaps'), '0', 'no gap');

done_testing();

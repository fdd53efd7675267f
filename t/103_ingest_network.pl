# A network that cuts and stalls, a destination that is slow, read-only or full: nothing is lost, the
# source's connection lives as long as it can, a line tells each attempt.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiLoad;
use BemiProxy;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

seed_random();
my $source = new_node('source', "wal_sender_timeout = 2s\n");
my $destination = new_destination('destination');
$source->safe_psql('postgres', BemiLoad::tables());
ingest_ok($source, $destination, 'init');
second_slot($source);
my $source_proxy = BemiProxy->new($source);
my $destination_proxy = BemiProxy->new($destination);

# --- cuts

my $load = BemiLoad->new($source, rate => 300);
my $run = start_ingest($source_proxy->connstr, $destination_proxy->connstr, '--transaction-size', '32kB');
ingest_said_until($run, qr/storing from/);
for my $i (1 .. is_long() ? 40 : 8)
{
	sleep(0.2 + rand 0.5);
	($i % 2 ? $source_proxy : $destination_proxy)->cut;
}
ok(ingest_said_until($run, qr/again in 0\.25 s/), 'each attempt has its line');

# --- a destination that stalls longer than wal_sender_timeout

my $count = sub { rows_of($destination, 'SELECT count(*) FROM changes') };
my $before = $count->();
ok(wait_until(sub { $count->() > $before }), 'rows flow again');
my $log = -s $source->logfile;
$destination_proxy->stall;
sleep 6;
my ($memory) = slurp_file("/proc/$run->{pid}/status") =~ /VmRSS:\s+(\d+)/;
cmp_ok($memory, '<', is_instrumented() ? 400_000 : 40_000, 'a destination that stalls costs no memory (kB)');
unlike(slurp_file($source->logfile, $log), qr/replication timeout/,
	'nor the connection to the source, which is kept alive');
$destination_proxy->stall;
$before = $count->();
ok(wait_until(sub { $count->() > $before }), 'and it goes on');

# --- a destination that is read-only for a while

rows_of($destination, 'ALTER DATABASE postgres SET default_transaction_read_only = on');
$destination_proxy->cut;
ok(ingest_said_until($run, qr/destination: cannot execute .* in a read-only transaction; again in/),
	'read-only is told');
$destination->psql('postgres', 'BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT');
$before = $count->();
ok(wait_until(sub { $count->() > $before }), 'and got over');

# --- a source that is shut down does not have to wait for us

my $began = time;
$load->stop;
$source->stop('fast');
cmp_ok(time - $began, '<', 15, 'a fast shutdown of the source is fast');
$source->start;
ok(ingest_said_until($run, qr/source: .*again in/), 'the command waits for it');

# --- several hosts, of which one says nothing

my $deaf = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => PostgreSQL::Test::Cluster::get_free_port(), Listen => 10) or die $!;
my ($host, $port) = ($source->host, $source->port);
my $several = sub {
	my ($hosts, $ports) = @_;
	return "host=$hosts port=$ports dbname=postgres user=" . getpwuid($<) . ' sslmode=disable gssencmode=disable connect_timeout=2';
};
my $silent = $deaf->sockport;
like(ingest_ok($several->("127.0.0.1,$host", "$silent,$port"), $destination, 'check'), qr/ok    source: a connection is possible/,
	'the next one is asked');
like(ingest_ok($several->("$host/nowhere,127.0.0.1,$host", "$port,$silent,$port"), $destination, 'check'), qr/ok    source: a connection is possible/,
	'also behind one that refuses');
ingest_fails('where none is left', 3, qr/no answer from the source host=127\.0\.0\.1 port=$silent/,
	$several->('127.0.0.1,127.0.0.1', $silent), $destination, 'check');

# --- the end

$began = time;
$source_proxy->stall;
sleep 0.5;
is(end_ingest($run), 5, 'SIGTERM ends it while nothing moves');
cmp_ok(time - $began, '<', 10, 'in time');
$source_proxy->stall;
drain($source, $destination);
my $rows = same_rows($source, $destination, 'after cuts and stalls');
cmp_ok($rows, '>', 100, "$rows records");

done_testing();

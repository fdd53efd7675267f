# On a terminal, `run` shows how it gets on in a line that it writes over, and what it has to say otherwise has lines of its own.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

plan skip_all => 'there is no program "script" to make a terminal' unless grep { -x "$_/script" } split /:/, $ENV{PATH};

my $source = new_node('source');
my $destination = new_destination('destination');
$source->safe_psql('postgres', 'CREATE TABLE t (id serial PRIMARY KEY, v text)');
ingest_ok($source, $destination, 'init');
my ($shown, $pid) = (temp_file('shown'), temp_file('pid'));
my $command = join ' ', map { "'$_'" } BemiIngest::program(), 'run', BemiIngest::ends($source->connstr('postgres') =~ s/'//gr, $destination->connstr('postgres') =~ s/'//gr);
my $process = do
{
	local %ENV = (BemiIngest::environment(), SHELL => '/bin/sh');
	IPC::Run::start([ 'script', '--quiet', '--flush', '--return', '--command', "echo \$\$ >'$pid'; exec $command", $shown ],
		'<', \undef, '>', File::Spec->devnull, '2>&1', IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
};
sub shows
{
	my ($pattern, $name) = @_;
	ok(wait_until(sub {
		$source->safe_psql('postgres', "INSERT INTO t (v) SELECT 'x' FROM generate_series(1, 600)");
		sleep 0.1;
		return -e $shown && slurp_file($shown) =~ $pattern;
	}, 60), $name) or diag(slurp_file($shown));
	return;
}
my $clear = qr/\r\e\[K/;
shows(qr/$clear\d[\d,]* rows stored, [\d,]+ a second, the last committed \d+\.\d s ago$clear\d/, 'one line, written over');
shows(qr/$clear\d,\d{3} rows stored/, 'with numbers that can be read');
$source->safe_psql('postgres', q{
SELECT pg_replication_origin_create('elsewhere');
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN;
SELECT pg_replication_origin_xact_setup('0/1', now() - interval '400 seconds');
INSERT INTO t (v) VALUES ('late');
COMMIT;});
ok(wait_until(sub { slurp_file($shown) =~ /committed 6 min \d+ s ago/ }, 60), 'it stays, with the age of what came last') or diag(slurp_file($shown));
$source->safe_psql('postgres', q{SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active});
shows(qr/ago${clear}bemi_ingest: source: [^\r]*\r\nbemi_ingest: storing from [^\r]*\r\n$clear\d/, 'news do not run into it');
kill 'TERM', slurp_file($pid) + 0;
$process->finish;
like(slurp_file($shown), qr/(?:\n|$clear)bemi_ingest: interrupted\r\n/, 'nor does the last one');
done_testing();

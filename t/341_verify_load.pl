# verify while the source is written to: never a false alarm, with a run at work and without, into
# another cluster and into the source's own. One hundred times under BEMI_TEST_LONG.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiLoad;
use BemiTest;
use Test::More;

my $source = new_node('source');
my $destination = new_destination('destination');
$source->safe_psql('postgres', BemiLoad::tables());
# Other kinds of tables that the load writes to, too.
$source->safe_psql('postgres', q{
CREATE TABLE lean (id int PRIMARY KEY, n int, big text); ALTER TABLE lean ALTER big SET STORAGE EXTERNAL;
INSERT INTO lean SELECT g, 0, repeat('x', 3000) FROM generate_series(1, 50) g;
CREATE TABLE still (id int PRIMARY KEY, v text); INSERT INTO still SELECT g, 'v' FROM generate_series(1, 9) g;
CREATE TABLE log (v text); ALTER TABLE log REPLICA IDENTITY FULL;
CREATE TABLE parts (id int PRIMARY KEY, v int) PARTITION BY HASH (id);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE parts_0 REPLICA IDENTITY FULL; ALTER TABLE parts_1 REPLICA IDENTITY FULL;
CREATE FUNCTION also() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE lean SET n = n + 1 WHERE id = NEW.id % 50 + 1;
	INSERT INTO log VALUES (NEW.id % 10), (NEW.id % 10);
	DELETE FROM log WHERE v = (NEW.id % 7)::text;
	INSERT INTO parts VALUES (NEW.id, 0) ON CONFLICT (id) DO UPDATE SET id = parts.id + 10000 * (1 + parts.v), v = parts.v + 1;
	RETURN NULL;
EXCEPTION WHEN unique_violation THEN RETURN NULL;
END $$;
CREATE TRIGGER also AFTER INSERT ON account FOR EACH ROW EXECUTE FUNCTION also()});
ingest_ok($source, $destination, 'init');
$source->safe_psql('postgres', 'CREATE DATABASE history');
my $own = $source->connstr('history');
ingest_ok($source, $own, 'init', '--slot', 'own');
ingest_ok($source, $_->[0], 'snapshot', '--slot', $_->[1]) foreach [ $destination, 'bemi' ], [ $own, 'own' ];

my $load = BemiLoad->new($source, rate => 100);
my $times = is_long() ? 100 : 4;
my $run;
my $alarms = 0;
my $rows = 0;
my $moved = -1;
foreach my $time (1 .. $times)
{
	my ($end, @slot) = $time % 4 == 0 ? ($own, '--slot', 'own') : ($destination);
	# With a run at work every other time.
	if ($time % 2 == 0 && $end eq $destination || $time == 2)
	{
		$run = start_ingest($source, $destination);
		ingest_said_until($run, qr/storing from/);
	}
	my ($code, $output, $errors) = ingest($source, $end, 'verify', '--json', @slot);
	if ($code != 0)
	{
		++$alarms;
		diag("time $time, exit $code:\n$output$errors");
	}
	my ($compared) = $output =~ /"rows":(\d+),"differences":0/;
	$rows += $compared // 0;
	if ($run)
	{
		end_ingest($run);
		undef $run;
	}
}
$load->stop;
is($alarms, 0, "no false alarm in $times times");
cmp_ok($rows, '>', 100 * $times, "of $rows rows compared");
is($source->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots WHERE temporary'), '0', 'no slot is left');

# A run that is idle and writes into its source's own cluster is not waited for in vain.
$run = start_ingest($source, $own, '--slot', 'own');
ingest_said_until($run, qr/storing from/);
my ($code, $output, $errors) = ingest($source, $own, 'verify', '--slot', 'own');
is($code, 0, 'an idle run in the same cluster') or diag("$output$errors" . ingest_said($run));
end_ingest($run);

# And what is wrong is found under load as well.
rows_of($destination, q{UPDATE changes SET after = after || '{"v": "other"}' WHERE "table" = 'still' AND primary_key = '5'});
$load = BemiLoad->new($source, rate => 50);
($code, $output, $errors) = ingest($source, $destination, 'verify');
$load->stop;
is($code, 6, 'under load') or diag("$output$errors");
is(join('', $output =~ /^.* (?:lost|altered|extra|broken) \d.*; .*$/mg) =~ s/;.*//r, 'public.still  altered 5 (v)', 'what is wrong is found, and nothing else');

done_testing();

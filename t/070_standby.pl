# A slot on a standby (16 and later) gives the same bytes as one on the primary, and goes on when the
# standby is promoted: under a reader, and without one. bemi_ingest may have a standby as its source,
# for snapshots and verify as well.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiOracle;
use BemiStandby;
use BemiStream;
use BemiTest;
use BemiValues;
use BemiWorkload;
use PostgreSQL::Test::Utils;
use Test::More;

if (server_major() < 16)
{
	my $primary = new_node('primary', "max_wal_senders = 5\n");
	my $standby = new_standby($primary, 'standby');
	my $destination = new_destination('destination');
	ingest_fails("an older standby is told apart by $_", 3,
		qr/FAILS source: the server is no standby -- it is one, of PostgreSQL \d+, and standbys have slots from 16 on\n +fix: --source with the primary/,
		$standby, $destination, $_) foreach qw(check init);
	is(rows_of($destination, q{SELECT to_regnamespace('bemi') IS NULL}), 't', 'and nothing is made');
	done_testing();
	exit;
}

my $seed = seed_random();
my $primary = new_node('primary', "max_wal_senders = 15\ntrack_commit_timestamp = on\n");
my $destination = new_destination('destination');
my $standby = new_standby($primary, 'standby');

install_types($primary, 'postgres');
install_oracle($primary, 'postgres');
my $workload = BemiWorkload->new(schema => 'work', folder => $primary->basedir, version => server_major());
my $script = temp_file('setup.sql');
write_text($script, $workload->setup);
run_script($primary, 'postgres', $script, environment => sane_session());
$primary->safe_psql('postgres', 'CREATE TABLE t (id serial PRIMARY KEY, v text); ALTER TABLE t REPLICA IDENTITY FULL');
caught_up($primary, $standby);

# --- slots are made

create_slot($primary, 'postgres', 'on_primary');
while_primary_tells($primary, sub {
	create_slot($standby, 'postgres', $_) foreach qw(on_standby streamed untouched);
	my ($code, $output, $errors) = ingest($standby, $destination, 'init');
	is($code, 0, 'bemi_ingest init with a standby as the source') or diag($output . $errors);
	like(ingest_ok($standby, $destination, 'check'), qr/\A(?!.*FAILS)/s, 'and check has nothing to say');
});

# --- snapshots and verify, which make slots of their own

my $history = $primary->connstr('history');
$primary->safe_psql('postgres', 'CREATE DATABASE history');
$primary->safe_psql('postgres', q{INSERT INTO t (v) SELECT 'row ' || g FROM generate_series(1, 500) g});
caught_up($primary, $standby);
while_primary_tells($primary, sub {
	my ($code, $output, $errors) = ingest($standby, $destination, 'snapshot', '--option', 'tables=public.t');
	ok($code == 0 && $errors =~ /500 rows of 1 tables stored as of/, 'a snapshot out of a standby') or diag("exit $code: $output$errors");
	$primary->safe_psql('postgres', q{UPDATE t SET v = v || '!' WHERE id % 2 = 0; DELETE FROM t WHERE id % 7 = 0});
	caught_up($primary, $standby);
	($code, $output, $errors) = ingest($standby, $destination, 'verify', '--table', 'public.t');
	ok($code == 0 && $output =~ /^public\.t: 429 rows compared, all as recorded$/m, 'and verify, which stores what is missing first')
	  or diag("exit $code: $output$errors");
	rows_of($destination, q{UPDATE changes SET after = after || '{"v": "forged"}' WHERE "table" = 't' AND primary_key = '8' AND operation = 'UPDATE'});
	($code, $output, $errors) = ingest($standby, $destination, 'verify', '--table', 'public.t');
	ok($code == 6 && $output =~ /^public\.t  altered 8 \(v\)/m, 'and finds what was forged') or diag("exit $code: $output$errors");
	rows_of($destination, q{UPDATE changes SET after = after || '{"v": "row 8!"}' WHERE after->>'v' = 'forged'});

	# The destination is the primary: what `run` stores there comes back to its source.
	ingest_ok($standby, $history, 'init', '--slot', 'two');
	my $run = start_ingest($standby, $history, '--slot', 'two');
	ingest_said_until($run, qr/storing from/);
	$primary->safe_psql('postgres', q{INSERT INTO t (v) VALUES ('two')});
	ok(wait_until(sub { $primary->safe_psql('history', q{SELECT count(*) FROM changes WHERE after->>'v' = 'two'}) eq '1' }), 'the primary as the destination');
	foreach my $time ('a', 'another')
	{
		($code, $output, $errors) = ingest($standby, $history, 'verify', '--slot', 'two', '--table', 'public.t');
		ok($code == 0 && $output =~ /^public\.t: 1 rows compared, all as recorded; 429 more were there before the slot/m, "verify beside a run, $time time")
		  or diag("exit $code: $output$errors");
	}
	is(end_ingest($run), 5, 'which is still there');
});

# --- the same records

my $work = temp_file('work.sql');
write_text($work, $workload->script(is_long() ? 2000 : 150));
run_script($primary, 'postgres', $work, go_on => 1, environment => sane_session());
$primary->safe_psql('postgres', q{BEGIN; SELECT pg_logical_emit_message(true, '_bemi', '{"userId": 7}');
	INSERT INTO t (v) VALUES ('before'), (repeat('long', 5000)); COMMIT});
my $end = current_lsn($primary);
caught_up($primary, $standby);
my ($expected, $got, $peeked) = map { temp_file($_) } 'primary', 'standby', 'peeked';
decode_stream($primary, 'postgres', 'on_primary', $expected, $end);
my @lines = read_lines($expected);
cmp_ok(scalar @lines, '>', 100, 'a workload, as the primary decodes it');
decode_sql($standby, 'postgres', 'on_standby', $peeked, peek => 1);
same_files($peeked, $expected, 'a session of the standby decodes the same bytes');
decode_stream($standby, 'postgres', 'on_standby', $got, $end);
same_files($got, $expected, 'so does a stream of the standby');
ingest_ok($standby, $destination, 'run', '--until-current');
is(rows_of($destination, q{SELECT count(*) FROM changes WHERE operation <> 'SNAPSHOT'}), scalar @lines, 'and bemi_ingest has stored them all');

# --- a promotion under a reader

my $stream = BemiStream->new($standby, 'postgres', 'streamed');
$stream->read_lines_until(scalar @lines);
$primary->safe_psql('postgres', q{INSERT INTO t (v) VALUES ('unread')});
caught_up($primary, $standby);
$primary->stop;
$standby->promote;
$standby->safe_psql('postgres', q{INSERT INTO t (v) VALUES ('after'); UPDATE t SET v = v || '!' WHERE v = 'after'});
$stream->read_lines_until(@lines + 3);
ok($stream->is_running, 'a stream goes on through the promotion of its standby');
my @streamed = $stream->lines;
is(join("\n", @streamed[ 0 .. $#lines ]), join("\n", @lines), 'it has what came before,');
like($streamed[-3], qr/"v":"unread"/, 'what the primary wrote last,');
like($streamed[-1], qr/"before":\{"id":\d+,"v":"after"\},"after":\{"id":\d+,"v":"after!"\}/, 'and what was written since');
$stream->stop;

my ($code, $output, $errors) = ingest($standby, $destination, 'run', '--until-current');
ok($code == 0 && $errors =~ /timeline 2 now; nothing is missing/, 'bemi_ingest goes on without a gap')
  or diag("exit $code: $output$errors");
# Rows of the workload may have keys that `changes` keeps elsewhere.
same_rows($standby, $destination, 'across the promotion', options => { tables => 'public.t' }, from => q{schema = 'public' AND "table" = 't'});
is(rows_of($destination, 'SELECT count(*) FROM bemi.gaps'), '0', 'and knows of none');

unlike(slurp_file($standby->logfile), qr/PANIC|was terminated by signal/, 'nothing bad in the log');
done_testing();

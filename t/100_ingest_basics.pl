# bemi_ingest from init to drop: rows are the records, a restart goes on, large transactions, bad
# input, the second command.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $source = new_node('source');
my $destination = new_destination('destination');

# --- the command line

my ($code, $output, $errors) = ingest($source, $destination, 'run', '--until-curent');
ok($code == 2 && $errors =~ /unknown flag --until-curent\n +fix: did you mean until-current\?/, 'an unknown flag is bad usage, and the nearest is named');
ingest_fails('an unknown command', 2, qr/unknown command runn\n +fix: did you mean run\?/, $source, $destination, 'runn');
ingest_fails('so is a bad value', 2, qr/--transaction-size is a size such as/,
	$source, $destination, 'run', '--transaction-size', 'large');
ingest_fails('a flag of another command', 2, qr/--yes is not a flag of run/,
	$source, $destination, 'run', '--yes');
ingest_fails('a connection string that is none does not show its password', 2,
	qr/\A(?!.*geheim).*not a connection string/s,
	'host=x password=geheim foo', $destination, 'check');
ingest_fails('a password in a failing connection is not shown', 3,
	qr/\A(?!.*geheim).*a connection is possible/s,
	'host=/nowhere password=geheim dbname=x', $destination, 'check');
my $config = temp_file('ingest.conf');
write_text($config, "# comment\nslots = bemi\n");
ingest_fails('an unknown key of a file has its line and the nearest key', 2,
	qr/ingest\.conf:2: unknown key slots.*did you mean slot\?/s,
	$source, $destination, 'check', '--config', $config);
ingest_fails('a folder is no file', 2, qr/cannot read the configuration file/, $source, $destination, 'check', '--config', "$FindBin::RealBin");
my $example = slurp_file("$FindBin::RealBin/../examples/ingest/bemi_ingest.conf");
foreach my $key (qw(source destination slot schema indexes partition-by retain transaction-size
	transaction-time fail-lag fail-age))
{
	like($example, qr/^#?\s*\Q$key\E = /m, "the example file has the key $key");
}
write_text(temp_file('all.conf'), $example =~ s/^#\s?(\S+ = )/$1/mgr);
ingest_fails('the example file with every key in force is understood', 3, qr/^FAILS source: slot/m,
	$source, $destination, 'check', '--config', temp_file('all.conf'));

# --- check, init

ingest_fails('run before init prints what fails, and how to mend it', 3,
	qr/FAILS source: slot bemi.*no such slot\n\s+fix: bemi_ingest init/, $source, $destination, 'run');
ingest_ok($source, $destination, 'init');
ingest_ok($source, $destination, 'init');
$output = ingest_ok($source, $destination, 'check');
unlike($output, qr/FAILS/, 'after init all requirements are met');
second_slot($source);

# --- records become rows

$source->safe_psql('postgres', <<'SQL');
CREATE TABLE todo (id int PRIMARY KEY, task text, done bool DEFAULT false);
ALTER TABLE todo REPLICA IDENTITY FULL;
CREATE TABLE pair (a int, b text, c text, PRIMARY KEY (b, a));
CREATE TABLE part (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE keyless (v text);
BEGIN;
SELECT pg_logical_emit_message(true, '_bemi', '{"userId": 7, "text": "a\tb \\ \" \u00e9 😀"}');
INSERT INTO todo SELECT g, E'line\nbreak \\ "quote" ' || g FROM generate_series(1, 20) g;
UPDATE todo SET done = true WHERE id = 3;
UPDATE todo SET id = 100 WHERE id = 4;
DELETE FROM todo WHERE id = 5;
COMMIT;
INSERT INTO pair VALUES (1, E'k"\\ \t é', 'x');
UPDATE pair SET a = 2;
INSERT INTO part VALUES (1, 'x');
INSERT INTO keyless VALUES ('v');
UPDATE keyless SET v = 'w';
DELETE FROM keyless;
TRUNCATE todo, part;
BEGIN;
SELECT pg_logical_emit_message(true, '_bemi', '{"broken": ');
INSERT INTO todo VALUES (1, 'malformed');
COMMIT;
SQL
drain($source, $destination);
is(rows_of($destination, q{SELECT context, details->>'context_error' <> '' FROM changes
	WHERE after->>'task' = 'malformed'}), '{}|t', 'a malformed context stops nothing');
is(rows_of($destination, q{SELECT primary_key FROM changes WHERE "table" = 'pair'
	AND operation = 'CREATE'}), qq{["k\\"\\\\ \\t é", 1]}, 'keys come unescaped');
drain($source, $destination);
ok(same_rows($source, $destination, 'rows are the records') > 30, 'there were some');

# --- one large transaction, with little memory

my $rows = is_long() ? 5_000_000 : 200_000;
$source->safe_psql('postgres', 'CREATE TABLE bulk (id int PRIMARY KEY, v text)');
my $before = rows_of($destination, 'SELECT count(*) FROM changes');
$source->safe_psql('postgres',
	"COPY bulk FROM PROGRAM \$\$awk 'BEGIN { for (i = 1; i <= $rows; i++) print i \"\\tvalue \" i }'\$\$");
my $run = start_ingest($source, $destination);
my ($peak, $whole) = (0, 1);
wait_until(sub {
	if (open my $status, '<', "/proc/$run->{pid}/status")
	{
		my ($size) = join('', <$status>) =~ /VmHWM:\s+(\d+)/;
		$peak = $size if $size && $size > $peak;
	}
	my $count = rows_of($destination, 'SELECT count(*) FROM changes') - $before;
	$whole = 0 if $count != 0 && $count != $rows;
	return $count != 0;
}, 1200);
ok($whole, "a transaction of $rows rows becomes visible whole");
cmp_ok($peak, '<', is_instrumented() ? 400_000 : 40_000, 'and takes no more memory than any other (kB)');

# --- two commands

my $second = start_ingest($source, $destination);
ok(ingest_said_until($second, qr/waiting for the lock of slot bemi \(pid \d+, role \w+, application_name bemi_ingest, connected since/),
	'a second command waits for the lock, and says whose it is');
is(end_ingest($second), 5, 'until it is told to end');
ingest_fails('drop does not take the slot away from it', 3, qr/stop it first/,
	$source, $destination, 'drop', '--yes');
my $began = time;
is(end_ingest($run, 'TERM'), 5, 'SIGTERM is exit code 5');
cmp_ok(time - $began, '<', 10, 'and takes less than 10 s');
drain($source, $destination);
is(same_rows($source, $destination, 'after a large transaction', from => '"table" = \'bulk\''), $rows,
	"$rows rows of one COPY, which share positions");

# --- a slot that is in use without the lock is waited for

my $reader = IPC::Run::start(
	[ $source->installed_command('pg_recvlogical'), '-d', $source->connstr('postgres'), '-S', 'bemi',
		'--start', '-f', '-', '--fsync-interval=0', '--status-interval=0' ],
	'<', \undef, '>', File::Spec->devnull, '2>', \my $ignored);
$source->poll_query_until('postgres',
	q{SELECT active FROM pg_replication_slots WHERE slot_name = 'bemi'});
$run = start_ingest($source, $destination);
ok(ingest_said_until($run, qr/is active for PID/), 'it says who has the slot');
$reader->kill_kill;
ok(ingest_said_until($run, qr/storing from/), 'and goes on when it is free');
end_ingest($run);

# --- progress that somebody else has moved: nothing is stored upon it, and then once

$run = start_ingest($source, $destination);
ingest_said_until($run, qr/storing from/);
rows_of($destination, 'UPDATE bemi.progress SET position = position + 1');
$source->safe_psql('postgres', "INSERT INTO keyless VALUES ('fenced')");
ok(ingest_said_until($run, qr/somebody else has moved bemi\.progress.*again in/), 'it is noticed');
ok(wait_until(sub { rows_of($destination, q{SELECT count(*) FROM changes WHERE after->>'v' = 'fenced'}) > 0 }),
	'and it begins again from there');
end_ingest($run);
is(rows_of($destination, q{SELECT count(*) FROM changes WHERE after->>'v' = 'fenced'}), '1', 'once');

# --- what is in its way

$source->safe_psql('postgres', 'CREATE ROLE nobody LOGIN');
ingest_fails('a role without the right', 3, qr/FAILS source: a connection.*fix: ALTER ROLE/s,
	$source->connstr('postgres') . ' user=nobody', $destination, 'check');
$source->safe_psql('postgres',
	q{SELECT pg_create_logical_replication_slot('foreign_slot', 'test_decoding')});
ingest_fails('a slot of another plugin', 3, qr/it is a slot of test_decoding/,
	$source, $destination, 'run', '--slot', 'foreign_slot');
ingest_fails('an option that the decoder does not know', 3, qr/unrecognized option "colour"/,
	$source, $destination, 'run', '--until-current', '--option', 'colour=red');
rows_of($destination, 'CREATE DATABASE other');
$destination->safe_psql('other', 'CREATE SCHEMA other; CREATE TABLE other.changes (id int)');
ingest_fails('a table of another shape', 3,
	qr/column id is integer, not uuid.*ALTER TABLE "other".changes RENAME TO/s,
	$source, $destination->connstr('other'), 'init', '--schema', 'other');
SKIP:
{
	skip 'this server has no output_plugin_libraries', 3
	  unless server_knows('output_plugin_libraries');
	$source->append_conf('postgresql.conf', 'output_plugin_libraries = pgoutput');
	$source->reload;
	ingest_fails('a plugin that the server does not allow', 3,
		qr/FAILS source: output_plugin_libraries.*fix: ALTER SYSTEM SET output_plugin_libraries/s,
		$source, $destination, 'check');
	$source->append_conf('postgresql.conf', "output_plugin_libraries = 'my_bemi_decoder'");
	$source->reload;
	ingest_fails('another plugin with a similar name', 3, qr/FAILS source: output_plugin_libraries[^\n]* -- my_bemi_decoder\n/,
		$source, $destination, 'check');
	$source->append_conf('postgresql.conf', "output_plugin_libraries = 'pgoutput, test_decoding, \"bemi_decoder\"'");
	$source->reload;
	unlike((ingest($source, $destination, 'check'))[1], qr/FAILS source: output_plugin_libraries/, 'the name in quotes');
}

# --- status, drop

my $json = ingest_ok($source, $destination, 'status', '--json');
like($json, qr/"lag_seconds":0,.*"gaps":\[\]/, 'status as JSON');
ingest_fails('drop asks first', 2, qr/nobody to ask\n\s+fix: --yes/, $source, $destination, 'drop');
is((ingest_told("n\n", $source, $destination, 'drop'))[0], 3, 'and takes no for an answer');
is(rows_of($destination, 'SELECT count(*) FROM bemi.progress'), '1', 'progress is there');
is((ingest_told("y\n", $source, $destination, 'drop'))[0], 0, 'and yes, also through a pipe');
is(rows_of($destination, 'SELECT count(*) FROM bemi.progress'), '0', 'progress is gone');
is($source->safe_psql('postgres',
		q{SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'bemi'}), '0', 'so is the slot');
cmp_ok(rows_of($destination, 'SELECT count(*) FROM changes'), '>', $rows, 'the table stays');

# What is made again after that has missed something, which is a gap as any other, and was accepted by `drop`.
my $missed = $source->safe_psql('postgres', 'CREATE TABLE missed (id int PRIMARY KEY); INSERT INTO missed VALUES (1); SELECT pg_current_wal_insert_lsn()');
like(ingest_ok($source, $destination, 'init'), qr/had been dropped: changes from .* are missing/, 'init after drop says what is missing');
$source->safe_psql('postgres', 'INSERT INTO missed VALUES (2)');
ingest_ok($source, $destination, 'run', '--until-current');
is(rows_of($destination, qq{SELECT reason, '$missed' BETWEEN from_position AND to_position FROM bemi.gaps}), 'ahead|t', 'and recorded');
is(rows_of($destination, q{SELECT string_agg(after->>'id', ' ') FROM changes WHERE "table" = 'missed'}), '2', 'then it goes on');
is(rows_of($destination, q{SELECT count(*) FROM bemi.coverage('missed')}), '1', 'and time travel knows the table up to the drop');

done_testing();

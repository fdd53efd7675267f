# Errors that stop a slot: docs/operations.md lists them, each one made to happen. Decoding fails and says why,
# the slot stays where it is, nothing is lost when the cause has gone, and the way past it works.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiFailing;
use BemiIngest;
use BemiStream;
use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = failing_library() or plan skip_all => 'no compiler';
my $node = new_node('stopped', "include_if_exists 'more.conf'\n");
make_failing_type($node, $folder);
sub sql { my (@statements) = @_; return $node->safe_psql('postgres', join ";\n", @statements); }

sql('CREATE TABLE item (id int PRIMARY KEY, v text, f failing)', 'ALTER TABLE item REPLICA IDENTITY FULL', 'CREATE TABLE other (id int PRIMARY KEY)');
my $number = 0;

# A slot that has nothing to read yet.
sub fresh_slot
{
	$node->psql('postgres', q{SELECT pg_drop_replication_slot('slot')});
	create_slot($node, 'postgres', 'slot');
	return;
}

# What the slot gives: the ids of its rows; or the error. Options in pairs; before: what psql does first.
sub read_slot
{
	my ($options, %params) = @_;
	my ($script, $output) = (temp_file('read.sql'), temp_file('read'));
	my $arguments = join '', map { ', ' . sql_literal($_) } @{ $options // [] };
	write_text($script, ($params{before} // '') . "SELECT coalesce(data::jsonb#>>'{after,id}', data::jsonb#>>'{before,id}') FROM pg_logical_slot_peek_changes('slot', NULL, NULL$arguments);\n");
	my $said = run_script($node, 'postgres', $script, output => $output, go_on => 1, environment => $params{environment});
	return $said =~ /ERROR/ ? $said : join ' ', read_lines($output);
}

# Tests that a session fails, and with `stream` a stream as well, and that the slot has not moved.
sub is_stopped
{
	my ($pattern, $title, %params) = @_;
	my $where = BemiStream::confirmed($node, 'slot');
	like(read_slot(undef, %params), $pattern, "$title: decoding fails");
	if ($params{stream})
	{
		my $stream = BemiStream->new($node, 'postgres', 'slot');
		$stream->reap;
		like($stream->errors, $pattern, "$title: so does a stream");
		BemiStream::wait_for_slot($node, 'slot');
	}
	is(BemiStream::confirmed($node, 'slot'), $where, "$title: the slot stays where it is");
	return;
}

# Gives the server a setting in a file of its own, and waits until new sessions have it.
sub set_server
{
	my ($setting, $value) = @_;
	write_text($node->data_dir . '/more.conf', "$setting = '" . ($value =~ s/'/''/gr) . "'\n");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('$setting', true) = " . sql_literal($value))
	  or die "the server does not take $setting = $value";
	return;
}

sub reset_server
{
	my ($setting) = @_;
	my $before = sql("SELECT current_setting('$setting')");
	write_text($node->data_dir . '/more.conf', '');
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('$setting', true) IS DISTINCT FROM " . sql_literal($before)) or die;
	return;
}

# --- the library is missing, not allowed, or a setting of it makes no sense

fresh_slot();
sql('INSERT INTO other VALUES (1)');
set_server('dynamic_library_path', '/nonexistent');
is_stopped(qr/could not access file "bemi_decoder": No such file/, 'no library', stream => 1);
reset_server('dynamic_library_path');
is(read_slot(), '1', 'no library: when it is installed again, nothing is lost');

SKIP:
{
	skip 'this server does not know output_plugin_libraries', 4 unless server_knows('output_plugin_libraries');
	set_server('output_plugin_libraries', 'pgoutput, test_decoding');
	is_stopped(qr/ERROR.*bemi_decoder/, 'not allowed', stream => 1);
	reset_server('output_plugin_libraries');
	is(read_slot(), '1', 'not allowed: when it is, nothing is lost');
}

set_server('bemi.mask_columns', 'v, "f');
is_stopped(qr/invalid value for parameter "bemi\.mask_columns"/, 'a setting that makes no sense', stream => 1);
reset_server('bemi.mask_columns');
is(read_slot(), '1', 'a setting that makes no sense: without it, nothing is lost');

sql(q{INSERT INTO item VALUES (2, '€', NULL)});
my $raw = "SELECT data FROM pg_logical_slot_peek_changes('slot', NULL, NULL) \\g " . temp_file('raw') . "\n";
is_stopped(qr/has no equivalent in encoding "LATIN1"/, 'a session of another encoding', before => "SET client_encoding = 'LATIN1';\n$raw");
is(read_slot(undef, before => "SET client_encoding = 'UTF8';\n$raw"), '1 2', 'a session of another encoding: one of UTF8 reads it');

# --- a type that cannot be written now

fresh_slot();
sql(q{INSERT INTO item VALUES (1, 'a', 'good')});
my $library = "$folder/failing_type.so";
rename $library, "$library.away" or die;
is_stopped(qr/could not access file .*failing_type/, "a type's library is missing", stream => 1);
is(read_slot([ 'exclude_columns', 'public.item.f' ]), '1', "a type's library is missing: exclude_columns gets past it");
rename "$library.away", $library or die;
is(read_slot(), '1', "a type's library is missing: when it is back, nothing is lost");

# One without the function will not have it tomorrow either: that is no reason to stop.
rename $library, "$library.away" or die;
IPC::Run::run([ 'pg_config', '--pkglibdir' ], '>', \my $libraries) or die;
chomp $libraries;
system('cp', "$libraries/plpgsql.so", $library) == 0 or die;
is(sql(q{SELECT data::jsonb->'missing' FROM pg_logical_slot_peek_changes('slot', NULL, NULL)}), '{"f": "error"}',
	"a type's library without the type's function: the value is missing, and the slot goes on");
rename "$library.away", $library or die;

# Whose failure may pass, and never does: with bemi_ingest.
fresh_slot();
my $destination = new_destination('destination');
ingest_ok($node, $destination, 'init');
sub stored { return rows_of($destination, q{SELECT string_agg(after->>'id', ' ' ORDER BY id) FROM changes}); }
sub store_in_vain
{
	my $run = start_ingest($node, $destination);
	my $told = ingest_said_until($run, qr/source: output of "53200" failed.* again in/);
	ok($told, 'bemi_ingest says what stops it, and tries again');
	end_ingest($run);
	return;
}
my $poison = sub { sql(map { "INSERT INTO item VALUES ($_, 'v', " . ($_ == $_[1] ? q{'raise:53200'} : q{'good'}) . ')' } $_[0] .. $_[2]) };
$poison->(10, 11, 12);
is_stopped(qr/ERROR:  output of "53200" failed/, 'an output function that always fails', stream => 1);
like(read_slot(), qr/slot "slot", output plugin "bemi_decoder", in the change callback, associated LSN/, 'the error has a place');
store_in_vain();
ingest_ok($node, $destination, 'run', '--until-current', '--option', 'exclude_columns=public.item.f');
is(stored(), '10 11 12', 'with the column excluded for once, bemi_ingest goes on');
drain($node, $destination);
$poison->(20, 21, 22);
store_in_vain();
set_server('bemi.exclude_columns', 'public.item.f');
drain($node, $destination);
is(stored(), '10 11 12 20 21 22', 'or with bemi.exclude_columns of the server, whoever reads');
reset_server('bemi.exclude_columns');

# Past it, without the transaction.
$poison->(30, 31, 32);
my $xid = sql(q{SELECT xmin FROM item WHERE id = 31});
my $behind = sql(qq{SELECT max(lsn) FROM pg_logical_slot_peek_changes('slot', NULL, NULL, 'exclude_columns', 'public.item.f') WHERE xid = '$xid'});
sql("SELECT pg_replication_slot_advance('slot', '$behind')", "SELECT pg_replication_slot_advance('bemi', '$behind')");
is(read_slot(), '32', 'pg_replication_slot_advance gets past the transaction, and loses what lies before its end');
ingest_fails('bemi_ingest notices that', 4, qr/gap \(ahead\)/, $node, $destination, 'run', '--until-current');
ingest_ok($node, $destination, 'run', '--until-current', '--accept-gap');
is(stored(), '10 11 12 20 21 22 32', 'and goes on when it is told to');
is(rows_of($destination, q{SELECT reason FROM bemi.gaps}), 'ahead', 'with the gap recorded');

# --- memory and disk

# psql's commands that limit what the session's own server process may use of a resource, in bytes as
# the shell computes them.
sub limited
{
	my ($resource, $bytes) = @_;
	return "LOAD 'bemi_decoder';\nSELECT pg_backend_pid() AS pid \\gset\n\\setenv BACKEND :pid\n"
	  . "\\! prlimit --pid \$BACKEND --$resource=$bytes:\n";
}

SKIP:
{
	skip 'an instrument takes memory of its own', 10 if is_instrumented();
	skip 'no prlimit', 10 unless -e "/proc/$$/status" && eval { IPC::Run::run([ 'prlimit', '--version' ], '>', File::Spec->devnull) };
	fresh_slot();
	# Small in the WAL, large when it is written.
	sql(q{INSERT INTO item VALUES (40, repeat('x', 60000000), 'good')});
	my $little = limited('as', q{$(( ($(awk '/^VmSize/ { print $2 }' /proc/$BACKEND/status) + 30000) * 1024 ))});
	is_stopped(qr/ERROR:  out of memory/, 'memory is exhausted', before => $little);
	like(read_slot([ 'exclude_columns', 'v' ], before => $little), qr/out of memory/, 'memory is exhausted: the server itself puts the value together, whatever is left out');
	is(read_slot(), '40', 'memory is exhausted: when there is more, nothing is lost');
	sql(q{INSERT INTO item VALUES (41, 'small', 'good')});
	my $first = sql(q{SELECT min(lsn) FROM pg_logical_slot_peek_changes('slot', NULL, NULL)});
	is(read_slot(undef, before => "${little}SELECT FROM pg_replication_slot_advance('slot', '$first') \\g " . temp_file('advance') . "\n"), '41',
		'memory is exhausted: pg_replication_slot_advance gets past the transaction');
	sql('TRUNCATE item');

	fresh_slot();
	sql(q{INSERT INTO item SELECT g, repeat('y', 1000), 'good' FROM generate_series(1, 10000) g});
	my $disk = "SET work_mem = '256MB'; SET logical_decoding_work_mem = '64kB';\n" . limited('fsize', 2_000_000);
	is_stopped(qr/could not write to .*: (File too large|No space left)/, 'no disk for a large transaction', before => $disk);
	my $ids = join ' ', 1 .. 10000;
	is(read_slot(undef, before => $disk . "SET logical_decoding_work_mem = '64MB';\n"), $ids,
		'no disk for a large transaction: with more logical_decoding_work_mem it needs none');
	is(read_slot(undef, before => "SET logical_decoding_work_mem = '64kB';\n"), $ids, 'no disk for a large transaction: when there is room, nothing is lost');
	is(sql(q{SELECT count(*) FROM pg_ls_dir('pg_replslot/slot') f WHERE f LIKE 'xid%'}), '0', 'and nothing is left behind');
}

# --- the write-ahead log

# A segment that only the slot still needs, as a path.
sub old_segment
{
	fresh_slot();
	sql('SELECT pg_switch_wal()', 'INSERT INTO other VALUES (' . ($_[0] + 100) . ')');
	my $segment = $node->data_dir . '/pg_wal/' . sql('SELECT pg_walfile_name(pg_current_wal_insert_lsn())');
	sql('SELECT pg_switch_wal()', "INSERT INTO other VALUES ($_[0])", 'SELECT pg_switch_wal()');
	return $segment;
}

my $segment = old_segment(1000);
my $failed = qr/ERROR:  (requested WAL segment .* has already been removed|could not (open|find|read))/;
rename $segment, "$segment.away" or die "$segment: $!";
is_stopped($failed, 'a file of the WAL is missing', stream => 1);
my ($code, undef, $errors) = $node->psql('postgres', q{SELECT pg_replication_slot_advance('slot', pg_current_wal_lsn())});
like($errors, $failed, 'a file of the WAL is missing: pg_replication_slot_advance reads it as well');
rename "$segment.away", $segment or die;
is(read_slot(), '1100 1000', 'a file of the WAL is missing: when it is back, nothing is lost');

$segment = old_segment(2000);
{
	my $damage = "\xA5" x 8192;
	open my $file, '+<:raw', $segment or die;
	seek $file, 0, 0;
	print $file $damage;
	close $file;
}
is_stopped(qr/ERROR:  could not (find|read)/, 'damaged WAL');
($code, undef, $errors) = $node->psql('postgres', q{SELECT pg_replication_slot_advance('slot', pg_current_wal_lsn())});
like($errors, qr/ERROR/, 'damaged WAL: pg_replication_slot_advance does not get past it');
fresh_slot();
sql('INSERT INTO other VALUES (3)');
is(read_slot(), '3', 'damaged WAL: a slot that is made anew does');

set_server('max_slot_wal_keep_size', '1MB');
foreach (1 .. 5) { sql('SELECT pg_switch_wal()', 'CHECKPOINT'); sql('INSERT INTO other VALUES (' . ($_ + 5000) . ')'); }
sql('CHECKPOINT');
is(sql(q{SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'slot'}), 'lost', 'a slot that is lost');
is_stopped(qr/can no longer|cannot read from/, 'a slot that is lost');
($code, undef, $errors) = $node->psql('postgres', q{SELECT pg_replication_slot_advance('slot', pg_current_wal_lsn())});
like($errors, qr/ERROR/, 'a slot that is lost: it cannot be advanced');
reset_server('max_slot_wal_keep_size');
fresh_slot();
sql('INSERT INTO other VALUES (4)');
is(read_slot(), '4', 'a slot that is lost: one that is made anew goes on');

# --- what does not stop a slot: a table that is damaged

sql(q{CREATE TABLE damaged (id int PRIMARY KEY, v text, note text)}, 'ALTER TABLE damaged ALTER v SET STORAGE EXTERNAL',
	q{INSERT INTO damaged VALUES (1, repeat('x', 100000), 'a')});
fresh_slot();
my $toast = sql(q{SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relname = 'damaged'});
$node->stop;
truncate $node->data_dir . "/$toast", 0 or die;
$node->start;
sql(q{UPDATE damaged SET note = 'b'});
is(sql(q{SELECT data::jsonb->'missing' FROM pg_logical_slot_peek_changes('slot', NULL, NULL)}), '{"v": "toast"}',
	'a TOAST value that cannot be read is not read');
sql('ALTER TABLE damaged REPLICA IDENTITY FULL');
($code, undef, $errors) = $node->psql('postgres', q{UPDATE damaged SET note = 'c'});
like($errors, qr/could not read block|missing chunk/, 'under replica identity full it is the UPDATE that fails');
sql('INSERT INTO other VALUES (5)');
is(read_slot(), '1 5', 'and the slot goes on');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'no process died');
done_testing();

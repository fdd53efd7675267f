# A value whose output fails is named in "missing", with a line in the log, and the stream goes on;
# where the failure may pass, decoding fails and succeeds when it is tried again. In both cases the
# session, the slot and the server stay as they were. The type that fails is made by failing_type.c.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiFailing;
use BemiStream;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = failing_library() or plan skip_all => 'no compiler';

my $node = new_node('failing', "wal_sender_timeout = 60s\n");
make_failing_type($node, $folder);
$node->safe_psql('postgres', "
CREATE FUNCTION broken_compression(int, int DEFAULT 200, int DEFAULT 0) RETURNS text LANGUAGE c AS '$folder/failing_type';
CREATE FUNCTION broken_text() RETURNS text LANGUAGE c AS '$folder/failing_type';
CREATE FUNCTION broken_timestamp() RETURNS timestamptz LANGUAGE c AS '$folder/failing_type';
" . q{
CREATE TYPE pair AS (n int, f failing);
CREATE DOMAIN failing_domain AS failing;
CREATE TYPE failing_range AS RANGE (subtype = failing, collation = "C");
CREATE TYPE mood AS ENUM ('sad', 'gone', 'happy');
CREATE TABLE item (id int PRIMARY KEY, f failing, l failing[], c pair, cl pair[], d failing_domain, r failing_range, note text);
CREATE TABLE keyed (id failing PRIMARY KEY, note text);
CREATE TABLE keyed_pair (a int, b failing, note text, PRIMARY KEY (a, b));
CREATE TABLE damaged (id int PRIMARY KEY, t text, ts timestamptz, m mood, ml mood[], note text);
ALTER TABLE damaged REPLICA IDENTITY FULL;
});

sub sql { my (@statements) = @_; return $node->safe_psql('postgres', join ";\n", @statements); }

my $name = quotemeta 'could not write value of column "';
my $log_position = 0;

# The server's log since it was last asked.
sub new_log
{
	my $log = slurp_file($node->logfile, $log_position);
	$log_position += length $log;
	return $log;
}

# What the log says of columns that could not be written: table.column → lines.
sub failures_in
{
	my ($log) = @_;
	my %lines;
	$lines{"$2.$1"}++ while $log =~ /LOG:  could not write value of column "(\w+)" of table public\.(\w+) in transaction \d+$/mg;
	return \%lines;
}

# The records of a slot, read by the SQL functions; the stream is to give the same.
my $rounds = 0;
sub decode_both
{
	my ($slot, $title, %options) = @_;
	my ($by_sql, $by_stream) = map { temp_file($_) } 'by_sql', 'by_stream';
	new_log();
	decode_sql($node, 'postgres', $slot, $by_sql, peek => 1, options => \%options);
	my $lines = failures_in(new_log());
	decode_stream($node, 'postgres', $slot, $by_stream, current_lsn($node), options => \%options);
	is_deeply(failures_in(new_log()), $lines, "$title: a walsender logs the same");
	same_files($by_stream, $by_sql, "$title: a walsender writes the same");
	load_lines($node, 'elsewhere', 'lines' . ++$rounds, $by_sql);
	is($node->safe_psql('elsewhere', "SELECT count(*) FROM lines$rounds WHERE line::jsonb IS NULL"), 0,
		"$title: jsonb takes every record");
	return ($lines, records($by_sql));
}
sql('CREATE DATABASE elsewhere');

# --- errors that stay -------------------------------------------------------------------------------

create_slot($node, 'postgres', 'slot');
my %modes = (
	1 => 'raise:22012',
	2 => 'raise:XX000',
	3 => 'raise:XX001',
	4 => 'raise:P0001',
	5 => 'leak',
	6 => 'setting',
	7 => 'subtransaction',
	8 => 'query',
	9 => 'memory',
	10 => 'not text',
	11 => 'raise:0A000',
	12 => 'raise:42501');
my @columns = qw(f l c cl d r);
sub row
{
	my ($id, $mode) = @_;
	my $value = "'$mode'::text::failing";
	return "INSERT INTO item VALUES ($id, $value, ARRAY['good', NULL, $value], ROW(1, $value), ARRAY[ROW(1, 'good')::pair, ROW(2, $value)::pair], $value, failing_range($value, NULL), 'n $id')";
}
sql('BEGIN', map({ row($_, $modes{$_}) } sort { $a <=> $b } keys %modes), row(99, 'good'), 'COMMIT');
my ($lines, @records) = decode_both('slot', 'errors that stay');
is(scalar @records, 1 + keys %modes, 'errors that stay: no record is lost');
foreach my $record (@records)
{
	my $id = $record->{after}{id};
	next if $id == 99;
	is_deeply(
		[ $record->{missing}, $record->{after}, $record->{primary_key} ],
		[ { map { $_ => 'error' } @columns }, { id => $id, note => "n $id" }, "$id" ],
		"$modes{$id}: only the columns that fail are missing");
}
is_deeply(
	[ $records[-1]{missing}, $records[-1]{after} ],
	[
		undef,
		{
			id => 99, f => 'good', l => [ 'good', undef, 'good' ], c => { n => 1, f => 'good' },
			cl => [ { n => 1, f => 'good' }, { n => 2, f => 'good' } ], d => 'good', r => '[good,)', note => 'n 99'
		}
	],
	'good values are there');
is_deeply($lines, { map { ("item.$_" => 1) } @columns }, 'a line in the log for each column of the transaction');

sql('BEGIN', 'INSERT INTO item (id, f) SELECT i, $$raise:22012$$::text::failing FROM generate_series(1001, 3000) i', 'COMMIT',
	'INSERT INTO item (id, f) VALUES (3001, $$raise:22012$$)', 'DELETE FROM item WHERE id = 3001');
($lines, @records) = decode_both('slot', 'many');
is(scalar @records, 2002, 'a table full of them');
is_deeply($lines, { 'item.f' => 2 }, 'and a line in the log for each transaction');

sql(q{INSERT INTO item (id, f) VALUES (4000, 'raise:22012')}, q{UPDATE item SET note = 'x' WHERE id = 4000});
($lines, @records) = decode_both('slot', 'masked', mask_columns => 'f', exclude_columns => 'l');
is_deeply($lines, {}, 'what is masked is not written, and cannot fail');

# Keys.
sql('ALTER TABLE keyed REPLICA IDENTITY DEFAULT', q{INSERT INTO keyed VALUES ('raise:22012', 'a')},
	q{UPDATE keyed SET note = 'b'}, q{UPDATE keyed SET id = 'good'}, q{UPDATE keyed SET id = 'raise:22012'}, q{DELETE FROM keyed},
	q{INSERT INTO keyed_pair VALUES (1, 'raise:22012', 'a'), (2, 'good', 'a')}, q{DELETE FROM keyed_pair});
($lines, @records) = decode_both('slot', 'keys');
is_deeply(
	[ map { [ $_->{primary_key}, $_->{previous_key}, $_->{missing}, $_->{before}, $_->{after} ] } @records ],
	[
		[ undef, undef, { id => 'error' }, {}, { note => 'a' } ],
		[ undef, undef, { id => 'error' }, {}, { note => 'b' } ],
		[ 'good', undef, { id => 'error' }, {}, { id => 'good', note => 'b' } ],
		[ undef, 'good', { id => 'error' }, { id => 'good' }, { note => 'b' } ],
		[ undef, undef, { id => 'error' }, {}, {} ],
		[ undef, undef, { b => 'error' }, {}, { a => 1, note => 'a' } ],
		[ '[2, "good"]', undef, undef, {}, { a => 2, b => 'good', note => 'a' } ],
		[ undef, undef, { b => 'error' }, { a => 1 }, {} ],
		[ '[2, "good"]', undef, undef, { a => 2, b => 'good' }, {} ]
	],
	'a key that cannot be written is null');

# Damaged data of the server's own types.
sql(q{INSERT INTO damaged (id, t, note) VALUES (1, broken_compression(1000), 'a')},
	q{UPDATE damaged SET note = 'b' WHERE id = 1},
	q{INSERT INTO damaged (id, t, note) VALUES (2, broken_compression(900000000), 'a')},
	q{INSERT INTO damaged (id, t, note) VALUES (3, broken_text(), 'a')},
	q{INSERT INTO damaged (id, ts, note) VALUES (4, broken_timestamp(), 'a')},
	q{INSERT INTO damaged (id, m, ml, note) VALUES (5, 'gone', '{sad,gone}', 'a')},
	q{INSERT INTO damaged (id, m, note) VALUES (6, 'sad', 'a')},
	q{UPDATE damaged SET m = 'happy' WHERE id = 6});
sql(q{DELETE FROM pg_enum WHERE enumlabel = 'gone'});
sql(q{INSERT INTO damaged (id, note) VALUES (7, 'a')}, q{UPDATE damaged SET note = 'c' WHERE id IN (1, 2, 3, 4, 5)});
($lines, @records) = decode_both('slot', 'damaged', ignore_columns => 'id');
my %of;
push @{ $of{ $_->{after}{id} } }, $_ foreach @records;
is_deeply([ map { $_->{missing} } @{ $of{1} } ], [ ({ t => 'error' }) x 3 ], 'text that cannot be decompressed');
is_deeply([ map { $_->{missing} } @{ $of{2} } ], [ ({ t => 'size' }) x 2 ], 'text that claims to be too large');
is_deeply([ map { $_->{missing} } @{ $of{3} } ], [ ({ t => 'error' }) x 2 ], 'text that is none');
is_deeply([ map { $_->{missing} } @{ $of{4} } ], [ ({ ts => 'error' }) x 2 ], 'a time that is none');
is_deeply([ map { $_->{missing} } @{ $of{6} } ], [ undef, undef ], 'labels that are there');
is($of{5}[-1]{missing}{m}, 'error', 'a label that is not there any more');
is($of{5}[-1]{missing}{ml}, 'error', 'one in an array');
is($of{5}[-1]{after}{note}, 'c', 'and the rest of its row');
sql('DROP TABLE damaged');

# --- errors that may pass -----------------------------------------------------------------------------

my $switch = "$folder/fail";
sub decode_fails
{
	my ($slot, $pattern, $title) = @_;
	my ($status, $output, $errors) = $node->psql('postgres',
		"\\set VERBOSITY verbose\nSELECT data FROM pg_logical_slot_peek_changes('$slot', NULL, NULL)");
	return like($errors, qr/ERROR:  $pattern/, $title);
}

sql('SELECT pg_drop_replication_slot($$slot$$)');
create_slot($node, 'postgres', 'slot');
foreach my $state (qw(40001 40P01 53100 53200 53400 57014 57P01 58000 58030))
{
	sql('BEGIN', 'INSERT INTO item (id) VALUES (20000)', row(10000, "raise:$state:$switch"), 'DELETE FROM item WHERE id >= 10000', 'COMMIT');
	write_text($switch, '');
	decode_fails('slot', "$state: output of \"$state:", "$state: decoding fails");
	my $stream = BemiStream->new($node, 'postgres', 'slot');
	$stream->reap;
	like($stream->errors, qr/output of "$state:/, "$state: a stream fails");
	unlink $switch;
	BemiStream::wait_for_slot($node, 'slot');
	($lines, @records) = decode_both('slot', $state);
	is_deeply([ map { $_->{after}{f} // $_->{operation} } @records ],
		[ 'CREATE', "raise:$state:$switch", 'DELETE', 'DELETE' ],
		"$state: tried again, nothing is missing");
	is_deeply($lines, {}, "$state: and nothing is logged");
}

# Cancelled or shut down in the middle of an output function.
sql('TRUNCATE item', 'BEGIN', 'INSERT INTO item (id, f) SELECT i, $$sleep$$ FROM generate_series(1, 10) i', 'COMMIT');
my ($status, $output, $errors) = $node->psql('postgres',
	"SET statement_timeout = '250ms';\nSELECT data FROM pg_logical_slot_peek_changes('slot', NULL, NULL)");
like($errors, qr/canceling statement due to statement timeout/, 'a cancelled statement fails');
my $stream = BemiStream->new($node, 'postgres', 'slot');
sql('SELECT pg_terminate_backend(' . $stream->sender . ')');
$stream->reap;
like($stream->errors, qr/terminating connection due to administrator command/, 'a terminated walsender ends');
BemiStream::wait_for_slot($node, 'slot');
($lines, @records) = decode_both('slot', 'after that');
is(scalar(grep { ($_->{after}{f} // '') eq 'sleep' } @records), 10, 'and nothing is missing when it is tried again');

# --- the session -----------------------------------------------------------------------------------------

sql('BEGIN', row(101, 'leak'), row(102, 'setting'), row(103, 'subtransaction'), row(104, "raise:53200:$switch"), 'COMMIT');
write_text($switch, '');
my $script = temp_file('session.sql');
write_text($script, q{
SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Kathmandu'; SET search_path = public, pg_catalog; SET bytea_output = 'escape';
CREATE TEMP TABLE seen (what text, n bigint);
CREATE FUNCTION pg_temp.look(what text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO seen
	SELECT what || ' locks', count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'pg_class'::regclass AND mode = 'ShareUpdateExclusiveLock'
	UNION ALL SELECT what || ' contexts', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'bemi%'
	UNION ALL SELECT what || ' settings', count(*) FROM (VALUES ('DateStyle', 'SQL, DMY'), ('TimeZone', 'Asia/Kathmandu'),
		('search_path', 'public, pg_catalog'), ('bytea_output', 'escape')) s (name, value) WHERE current_setting(name) <> value
$$;
DO $$
BEGIN
	FOR i IN 1 .. 5 LOOP
		BEGIN
			PERFORM FROM pg_logical_slot_peek_changes('slot', NULL, NULL);
			INSERT INTO seen VALUES ('no error', 1);
		EXCEPTION WHEN out_of_memory THEN
			PERFORM pg_temp.look('in a block');
		END;
	END LOOP;
END $$;
SELECT pg_temp.look('after it');
SELECT count(*) FROM pg_logical_slot_peek_changes('slot', NULL, NULL);
SELECT pg_temp.look('after an error');
BEGIN;
SAVEPOINT a;
SELECT count(*) FROM pg_logical_slot_peek_changes('slot', NULL, NULL);
ROLLBACK TO a;
SELECT pg_temp.look('in a transaction');
COMMIT;
\\! rm '} . $switch . q{'
BEGIN;
SELECT 'decoded', count(*) FROM pg_logical_slot_peek_changes('slot', NULL, NULL);
SELECT pg_temp.look('after a good one');
COMMIT;
SELECT 'decoded', count(*) FROM pg_logical_slot_peek_changes('slot', NULL, NULL, 'tables', 'keyed');
SELECT 'seen', what, n FROM seen WHERE n <> 0;
SELECT 'looked', count(*) FROM seen;
});
my $result = temp_file('session');
my $said = run_script($node, 'postgres', $script, output => $result, go_on => 1);
is(scalar(() = $said =~ /ERROR:  output of/g), 2, 'decoding fails in a session');
is(join(' ', grep { /\S/ } read_lines($result)), 'decoded|4 decoded|0 looked|27',
	'which keeps its settings, and no lock or memory of what failed');

($lines, @records) = decode_both('slot', 'the slot');
is(scalar @records, 4, 'the slot can still be read');

$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|was terminated by signal|server process/, 'no process died');
unlike($log, qr/WARNING|leak|still active/i, 'nothing was leaked');

done_testing();

# Something that was not written for this: pgbench's own tables and transactions, by many clients at
# once, with a context in each. Every record is taken by jsonb, has the context of its transaction
# and no other, and the tables rebuilt from nothing but the records are those of the server.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiStream;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random() % 2**31;
my ($scale, $seconds, $clients) = is_long() ? (10, 60, 8) : (1, 4, 6);
my $node = new_node('pgbench', "max_wal_size = 8GB\n");
$node->safe_psql('postgres', 'CREATE DATABASE bench');
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
my $has_extension = $node->psql('bench', 'CREATE EXTENSION bemi_decoder') == 0;
create_slot($node, 'bench', 'slot');

my $stream = BemiStream->new($node, 'bench', 'slot', file => temp_file('live'), options => { batch_size => '64kB' });

# Some of the tables of the server know their old rows whole, some do not.
sub pgbench
{
	my (@arguments) = @_;
	my ($output, $errors) = ('', '');
	local %ENV = $node->_get_env();
	my $ok = IPC::Run::run([ $node->installed_command('pgbench'), @arguments, 'bench' ], '<', \undef, '>', \$output, '2>', \$errors);
	ok($ok, "pgbench @arguments") or diag($errors);
	return $output;
}
pgbench('-i', '-s', $scale, '-I', 'dtgvp', '-q');
$node->safe_psql('bench', q{
ALTER TABLE pgbench_accounts REPLICA IDENTITY FULL;
ALTER TABLE pgbench_tellers REPLICA IDENTITY NOTHING;
});

# What each script writes into its context is also in the rows that it writes into the history: the
# filler has the client and a number of its own.
my $context = q{'{"client": ' || :client_id || ', "tag": "' || :tag || '"}'};
my $message = "SELECT pg_logical_emit_message(true, '_bemi', $context);";
my $call = $has_extension ? "SELECT bemi.set_context(($context)::jsonb);" : $message;
my $head = qq{
\\set aid random(1, 100000 * $scale)
\\set bid random(1, $scale)
\\set tid random(1, 10 * $scale)
\\set delta random(-5000, 5000)
\\set tag random(1, 1000000000)
};
my @steps = (
	'UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;',
	'UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;',
	'UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;',
	q{INSERT INTO pgbench_history (tid, bid, aid, delta, mtime, filler) VALUES (:tid, :bid, :aid, :delta, now(), :client_id || ' ' || :tag);});
my %scripts = (
	first => [ 'BEGIN;', $message, @steps, 'END;' ],
	last => [ 'BEGIN;', @steps, $call, 'END;' ],
	amid => [ 'BEGIN;', @steps[ 0, 3 ], $message, @steps[ 1, 2 ], 'END;' ],
	savepoint => [
		'BEGIN;', 'SAVEPOINT a;', $steps[0], "SELECT pg_logical_emit_message(true, '_bemi', '{\"not\": \"this\"}');",
		'ROLLBACK TO a;', $steps[3], 'SAVEPOINT b;', $call, 'RELEASE b;', 'END;'
	],
	moved => [
		'BEGIN;', $message, 'DELETE FROM pgbench_accounts WHERE aid = :aid;',
		"INSERT INTO pgbench_accounts VALUES (:aid, :bid, :delta, 'moved') ON CONFLICT (aid) DO UPDATE SET abalance = :delta;", $steps[3], 'END;'
	],
	none => [ 'BEGIN;', @steps[ 0, 1, 2 ], 'END;' ]);
my @files = map {
	my $file = temp_file("$_.bench");
	write_text($file, join "\n", $head, @{ $scripts{$_} }, '');
	('-f', $file)
} sort keys %scripts;
my $report = pgbench('-n', '-c', $clients, '-j', 2, '-T', $seconds, "--random-seed=$seed", @files);
my ($transactions) = $report =~ /number of transactions actually processed: (\d+)/;
$node->safe_psql('bench', 'DELETE FROM pgbench_accounts WHERE aid % 1000 = 1');
my $end = current_lsn($node);

# The consumer that was there all the time, and one that comes afterwards.
$node->safe_psql('bench', "SELECT FROM pg_logical_emit_message(false, 'the', 'end')");
$node->poll_query_until('postgres', "SELECT bool_and(sent_lsn >= '$end') FROM pg_stat_replication")
  or die 'decoding does not end: ' . $stream->errors;
$stream->stop;
my $records = 0;
{
	open my $live, '<:raw', temp_file('live') or die;
	$records++ while <$live>;
	close $live;
}
note("$transactions transactions, $records records");
cmp_ok($records, '>', 100_000 * $scale + 2 * $transactions, "every change of $transactions transactions has a record");

# All further work is done elsewhere, on nothing but the lines.
load_lines($node, 'elsewhere', 'line', temp_file('live'));
my $dump = temp_file('tables');
my ($schema) = run_command([ $node->installed_command('pg_dump'), '--schema-only', '--no-publications', '-t', 'pgbench_*', '-d', $node->connstr('bench') ]);
write_text($dump, $schema);
run_script($node, 'elsewhere', $dump);
$node->safe_psql('elsewhere', q{
CREATE UNLOGGED TABLE record AS
SELECT i, r ->> 'table' AS name, r ->> 'operation' AS operation, 
	-- pgbench makes the keys after the rows.
	coalesce(r ->> 'primary_key', coalesce(nullif(r -> 'after', '{}'), r -> 'before') ->> id.name) AS key, r -> 'before' AS before, r -> 'after' AS after, r -> 'context' AS context, r ->> 'identity' AS identity, r -> 'missing' AS missing,
	(r ->> 'commit_position')::numeric AS commit, (r ->> 'sequence')::int AS sequence, (r ->> 'transaction_id')::bigint AS transaction,
	(r ->> 'committed_at')::timestamptz AS at, r ? 'last' AS last
FROM (SELECT i, line::jsonb AS r FROM line) l
	LEFT JOIN (VALUES ('pgbench_accounts', 'aid'), ('pgbench_branches', 'bid'), ('pgbench_tellers', 'tid')) id ("table", name)
	ON id."table" = r ->> 'table';
ANALYZE record;
});
sub query { my ($sql) = @_; return $node->safe_psql('elsewhere', $sql); }

is(query('SELECT count(*) FROM record'), $records, 'jsonb takes every record');
is(query('SELECT count(*) FROM record WHERE missing IS NOT NULL'), 0, 'nothing is missing');
is(query('SELECT count(*) FROM (SELECT lag((commit, sequence)) OVER (ORDER BY i) < (commit, sequence) AS ordered FROM record) o WHERE NOT ordered'),
	0, 'records come in the order of their commits');
is( query(q{SELECT count(*) FROM (SELECT count(*) AS n, max(sequence) AS greatest, count(*) FILTER (WHERE last) AS lasts,
		max(sequence) FILTER (WHERE last) AS last, count(DISTINCT transaction) + count(DISTINCT at) AS values
		FROM record GROUP BY commit) t WHERE n <> greatest OR lasts <> 1 OR last <> greatest OR values <> 2}),
	0, 'each transaction is whole, and its last record says so');

# Contexts.
is( query(q{SELECT count(*) FROM (SELECT count(DISTINCT context) AS contexts FROM record GROUP BY commit) t WHERE contexts <> 1}),
	0, 'the changes of a transaction have its context');
is( query(q{SELECT count(*) FROM record WHERE name = 'pgbench_history'
		AND after ->> 'filler' IS DISTINCT FROM rpad((context ->> 'client') || ' ' || (context ->> 'tag'), 22)}),
	0, 'and it is the right one');
cmp_ok(query(q{SELECT count(*) FROM record WHERE name = 'pgbench_history'}), '>', $transactions / 2, 'there are enough of them');

# Images: each row's old one is what was last known of it.
is( query(q{SELECT count(*) FROM (SELECT operation, before, lag(after) OVER (PARTITION BY key ORDER BY commit, sequence) AS known
		FROM record WHERE name = 'pgbench_accounts' AND operation <> 'TRUNCATE') a
		WHERE operation IN ('UPDATE', 'DELETE') AND before <> known}),
	0, 'what is before a change is what was after the last');
is(query(q{SELECT count(*) FROM record WHERE name = 'pgbench_accounts' AND operation <> 'TRUNCATE' AND key IS NULL}), 0, 'rows have keys');
is(query(q{SELECT string_agg(DISTINCT name || ' ' || coalesce(identity, 'full'), ', ') FROM record WHERE operation = 'UPDATE'}),
	'pgbench_accounts full, pgbench_branches default, pgbench_tellers nothing', 'identities');

# Tables.
foreach my $table (qw(accounts branches tellers history))
{
	my $name = "pgbench_$table";
	my $key = $table eq 'history' ? 'i::text' : 'key';
	query(qq{
INSERT INTO $name
SELECT (jsonb_populate_record(NULL::$name, after)).*
FROM (SELECT DISTINCT ON ($key) operation, after FROM record
	WHERE name = '$name' AND operation <> 'TRUNCATE'
		AND (commit, sequence) > ALL (SELECT commit, sequence FROM record WHERE name = '$name' AND operation = 'TRUNCATE')
	ORDER BY $key, commit DESC, sequence DESC) latest
WHERE operation <> 'DELETE'});
	my $all = "SELECT count(*), md5(string_agg(r::text, E'\\n' ORDER BY r::text COLLATE \"C\")) FROM $name r";
	is(query($all), $node->safe_psql('bench', $all), "$name, rebuilt from its records, is that of the server");
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|WARNING|was terminated by signal|could not write value|came too late/, 'nothing bad in the log');

done_testing();

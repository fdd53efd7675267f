# The table: taken over from the Bemi worker, indexes, partitions, retention that keeps the rows that
# nobody touched.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $source = new_node('source');
my $destination = new_destination('destination');
my $sql = sub { return rows_of($destination, $_[0]) };

# --- the Bemi worker's table

$sql->(q{
CREATE TABLE changes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    primary_key varchar(255),
    before jsonb NOT NULL DEFAULT '{}', after jsonb NOT NULL DEFAULT '{}',
    context jsonb NOT NULL DEFAULT '{}',
    database varchar(255) NOT NULL, schema varchar(255) NOT NULL, "table" varchar(255) NOT NULL,
    operation text NOT NULL
        CHECK (operation IN ('CREATE', 'UPDATE', 'DELETE', 'TRUNCATE', 'MESSAGE')),
    committed_at timestamptz(0) NOT NULL, queued_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    transaction_id bigint NOT NULL, position bigint NOT NULL);
CREATE UNIQUE INDEX changes_unique ON changes (position, "table", schema, database, operation);
CREATE INDEX changes_committed_at ON changes (committed_at);
CREATE INDEX changes_context_index ON changes USING gin (context jsonb_path_ops);
INSERT INTO changes (primary_key, after, database, schema, "table", operation, committed_at,
    queued_at, created_at, transaction_id, position)
SELECT g, '{"old": 1}', 'app', 'public', 'todo', 'CREATE', now(), now(), now(), g, g
FROM generate_series(1, 100) g});
ingest_fails('check tells that init takes it over', 3,
	qr/FAILS destination: it has the columns.*fix: bemi_ingest init -- it takes the table over/s,
	$source, $destination, 'check');
my $said = ingest_ok($source, $destination, 'init');
like($said, qr/is taken over.*slow every change down.*DROP INDEX public\.changes_committed_at;/s,
	'init says what it did, and which indexes nobody may need');
unlike($said, qr/DROP INDEX[^;]*changes_context_index/, 'an index that is wanted anyway serves');
is($sql->(q{SELECT count(*) FROM pg_index WHERE indrelid = 'changes'::regclass
	AND pg_get_indexdef(indexrelid) LIKE '%gin (context%'}), '1', 'and is not made a second time');
$source->safe_psql('postgres', 'CREATE TABLE bulk (id int PRIMARY KEY, v text);'
	. q{COPY bulk FROM PROGRAM 'seq 1 500 | sed "s/$/\tv/"'});
drain($source, $destination);
is($sql->(q{SELECT count(*), count(*) FILTER (WHERE "table" = 'bulk'),
	count(*) FILTER (WHERE after = '{"old": 1}') FROM changes}), '600|500|100',
	'old rows stay, and rows that share a position are all there');
is($sql->(q{SELECT string_agg(format_type(atttypid, atttypmod), ',' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = 'changes'::regclass
	AND attname IN ('primary_key', 'table', 'schema', 'database', 'committed_at')}),
	'text,text,text,text,timestamp with time zone', 'widened');
unlike(ingest_ok($source, $destination, 'check'), qr/FAILS/, 'nothing fails now');
ingest_fails('a table that is there is not partitioned by the way', 3,
	qr/not partitioned.*RENAME TO/s, $source, $destination, 'init', '--partition-by', 'day');
ingest_fails('retention needs partitions', 3, qr/--retain drops partitions/,
	$source, $destination, 'init', '--retain', '90d');
ingest_fails('for run as well', 3, qr/--retain drops partitions/,
	$source, $destination, 'run', '--until-current', '--retain', '90d');
ingest_fails('a database has one table of changes', 3, qr/keeps its changes in public\.changes already/,
	$source, $destination, 'init', '--schema', 'second');

# --- sets of indexes

my %sets = (minimal => 5, default => 7, full => 9);
foreach my $set (sort keys %sets)
{
	$sql->("CREATE DATABASE set_$set");
	ingest_ok($source, $destination->connstr("set_$set"), 'init', '--slot', "s_$set", '--indexes', $set);
	is($destination->safe_psql("set_$set",
			q{SELECT count(*) FROM pg_index WHERE indrelid = 'changes'::regclass}),
		$sets{$set}, "the set $set has $sets{$set} indexes");
	ingest_ok($source, $destination->connstr("set_$set"), 'drop', '--yes', '--slot', "s_$set");
}

# --- partitions and retention: a history that goes back a hundred days

$sql->('CREATE DATABASE kept');
my $kept = $destination->connstr('kept');
$sql = sub { return $destination->safe_psql('kept', $_[0]) };
ingest_ok($source, $kept, 'init', '--slot', 'p', '--schema', 'parts', '--partition-by', 'month',
	'--retain', '60d');
$sql->(q{
CREATE TABLE history (n serial, days_ago int, operation text, tab text, key text, previous text,
    before jsonb, after jsonb, details jsonb);
INSERT INTO history (days_ago, operation, tab, key, previous, before, after, details) VALUES
    (200, 'CREATE', 't', 'alone', NULL, '{}', '{"v": 1, "big": "toast"}', NULL),
    (199, 'UPDATE', 't', 'alone', NULL, '{}', '{"v": 2}', '{"missing": {"big": "toast"}, "identity": "default"}'),
    (198, 'CREATE', 't', 'deleted', NULL, '{}', '{"v": 1}', NULL),
    (197, 'DELETE', 't', 'deleted', NULL, '{"v": 1}', '{}', NULL),
    (196, 'CREATE', 't', 'moved', NULL, '{}', '{"v": 5, "big": "moved toast"}', NULL),
    (195, 'UPDATE', 't', 'there', 'moved', '{"v": 5}', '{"v": 6}', '{"missing": {"big": "toast"}}'),
    (194, 'CREATE', 't', 'again', NULL, '{}', '{"v": 7}', NULL),
    (193, 'DELETE', 't', 'again', NULL, '{"v": 7}', '{}', NULL),
    (192, 'CREATE', 't', 'again', NULL, '{}', '{"v": 8}', NULL),
    (191, 'CREATE', 'gone', 'x', NULL, '{}', '{"v": 9}', NULL),
    (190, 'TRUNCATE', 'gone', NULL, NULL, '{}', '{}', NULL),
    (189, 'CREATE', 'gone', 'y', NULL, '{}', '{"v": 10}', NULL),
    (188, 'CREATE', 'keyless', NULL, NULL, '{}', '{"v": "a"}', NULL),
    (188, 'CREATE', 'keyless', NULL, NULL, '{}', '{"v": "a"}', NULL),
    (188, 'CREATE', 'keyless', NULL, NULL, '{}', '{"v": "a"}', NULL),
    (188, 'CREATE', 'keyless', NULL, NULL, '{}', '{"v": "b"}', NULL),
    (187, 'DELETE', 'keyless', NULL, NULL, '{"v": "a"}', '{}', NULL),
    (186, 'UPDATE', 'keyless', NULL, NULL, '{"v": "b"}', '{"v": "c"}', NULL),
    (184, 'CREATE', 'emptied', 'x', NULL, '{}', '{"v": 14}', NULL),
    (184, 'CREATE', 'emptied', NULL, NULL, '{}', '{"v": 15}', NULL),
    (183, 'TRUNCATE', 'emptied', NULL, NULL, '{}', '{}', NULL),
    (185, 'CREATE', 't', 'touched', NULL, '{}', '{"v": 11}', NULL),
    (1, 'UPDATE', 't', 'touched', NULL, '{"v": 11}', '{"v": 12}', NULL),
    (1, 'CREATE', 't', 'new', NULL, '{}', '{"v": 13}', NULL);
SELECT bemi.ensure_partition('parts', now() - days_ago * interval '1 day') FROM history;
INSERT INTO parts.changes (id, primary_key, previous_key, before, after, context, database, schema,
    "table", operation, committed_at, queued_at, transaction_id, position, commit_position, sequence,
    details)
SELECT bemi.change_id(n, 1, 1), key, previous, before, after, '{}', 'postgres', 'public', tab,
    operation, now() - days_ago * interval '1 day', now(), n, n, n, 1, details FROM history});
$source->safe_psql('postgres', q{INSERT INTO bulk VALUES (0, 'x')});
my $run = start_ingest($source, $kept, '--slot', 'p', '--schema', 'parts');
ok(wait_until(sub { $sql->(q{SELECT min(since) > now() - interval '100 days'
	FROM bemi.partitions('parts')}) eq 't' }, 60),
	'old partitions are dropped by run');
is(end_ingest($run), 5, 'which goes on');
is($sql->(q{SELECT string_agg("table" || ':' || coalesce(primary_key, '') || after || coalesce(details::text, ''),
	' ' ORDER BY "table", primary_key, commit_position) FROM parts.changes
	WHERE operation = 'SNAPSHOT'}), join(' ',
	'gone:y{"v": 10}', 'keyless:{"v": "a"}', 'keyless:{"v": "a"}', 'keyless:{"v": "c"}',
	't:again{"v": 8}', 't:alone{"v": 2, "big": "toast"}', 't:there{"v": 6, "big": "moved toast"}',
	't:touched{"v": 11}'),
	'every row that was there at the horizon has its last image');
is($sql->(q{SELECT count(*) FROM parts.changes WHERE committed_at <
	(SELECT horizon FROM bemi.target WHERE schema = 'parts')}), '0', 'nothing is older than the horizon');
is($sql->(q{SELECT string_agg(operation, ' ' ORDER BY commit_position, sequence) FROM parts.changes
	WHERE primary_key = 'touched'}), 'SNAPSHOT UPDATE', 'what was kept sorts before what came later');
is($sql->(q{SELECT count(*) FROM parts.changes c JOIN history h ON h.n = c.commit_position
	AND c.id = bemi.change_id(h.n, 1, 1) WHERE c.operation = 'SNAPSHOT'}), '8', 'and has the id of its record');
my $rows = $sql->('SELECT count(*), sum(hashtext(c::text)::int8) FROM parts.changes c');
$sql->(q{SELECT bemi.retain('parts')});
is($sql->('SELECT count(*), sum(hashtext(c::text)::int8) FROM parts.changes c'), $rows,
	'a second time changes nothing');
$sql->(q{UPDATE bemi.target SET retain = '1 hour' WHERE schema = 'parts'});

# A change that was committed long ago elsewhere still finds a place.
$sql->(q{UPDATE bemi.target SET retain = NULL WHERE schema = 'parts'});
$source->safe_psql('postgres', q{
SELECT pg_replication_origin_create('elsewhere');
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN;
SELECT pg_replication_origin_xact_setup('0/1', '2001-02-03 04:05:06+00');
INSERT INTO bulk VALUES (-1, 'long ago');
COMMIT});
drain($source, $kept, '--slot', 'p', '--schema', 'parts');
is($sql->(q{SELECT tableoid::regclass FROM parts.changes WHERE primary_key = '-1'}),
	'bemi.parts_changes_2001_02', 'a time that no partition has gets one');

# A schema's name that leaves no room for theirs.
$sql->('CREATE DATABASE long_name');
my $long_name = $destination->connstr('long_name');
my @long = ('--slot', 'long_name', '--schema', 'long_' x 11);
ingest_ok($source, $long_name, 'init', @long, '--partition-by', 'day');
# With a column of somebody's own, made of the others.
$destination->safe_psql('long_name', "ALTER TABLE $long[3].changes ADD by_whom text GENERATED ALWAYS AS (context->>'userId') STORED");
$source->safe_psql('postgres', q{
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN;
SELECT pg_logical_emit_message(true, '_bemi', '{"userId": 7}');
SELECT pg_replication_origin_xact_setup('0/2', '2001-02-03 04:05:06+00');
INSERT INTO bulk VALUES (-2, 'x');
COMMIT});
drain($source, $long_name, @long);
is($destination->safe_psql('long_name', "SELECT tableoid::regclass, by_whom FROM $long[3].changes"), 'bemi.changes_2001_02_03|7',
	'a new partition has the generated columns that the table has got');
is($destination->safe_psql('long_name', q{SELECT count(*), string_agg(DISTINCT left(p.partition::text, 15), ' ') FROM bemi.target t, bemi.partitions(t.schema) p}),
	'5|bemi.changes_20', 'names of partitions are whole, whatever the schema is called');

done_testing();

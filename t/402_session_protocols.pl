# The session library under the extended protocol, parallel plans, other encodings, and the statements of frameworks
# that tag them.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiSession;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('protocols', q{
session_preload_libraries = 'bemi_session'
max_parallel_workers_per_gather = 4
parallel_setup_cost = 0
parallel_tuple_cost = 0
min_parallel_table_scan_size = 0
});
$node->safe_psql('postgres', 'CREATE TABLE t (n bigint, v text, PRIMARY KEY (n))');
create_slot($node, 'postgres', 'slot');

# --- pgbench, whose statements come in every protocol, over connections that are taken up again and again ----------

my $transactions = is_long() ? 2000 : 100;
my $client = 0;
my %expected;
foreach my $protocol (qw(simple extended prepared))
{
	my $file = temp_file("$protocol.sql");
	write_text($file, <<'SQL');
\set n (:base + :client_id) * 1000000 + random(1, 900000) * 3
BEGIN;
INSERT INTO t VALUES (:n, 'insert') ON CONFLICT (n) DO NOTHING /*Bemi {"by": "insert", "é": 1} Bemi*/;
UPDATE t SET v = 'tagged' WHERE n = :n /*by='update'*/;
UPDATE t SET v = 'plain' WHERE n = :n;
UPDATE t SET v = 'none' WHERE n = - :n::bigint /*by='nothing'*/;
COMMIT;
UPDATE t SET v = 'alone' WHERE n = :n /*by='alone'*/;
SQL
	$client += 10;
	$node->command_ok([ $node->installed_command('pgbench'), '-n', '-M', $protocol, '-c', 4, '-t', $transactions, '-D', "base=$client",
			'-f', $file, '-h', $node->host, '-p', $node->port, 'postgres' ], "pgbench in the $protocol protocol");
}
my $file = temp_file('pgbench.records');
decode_stream($node, 'postgres', 'slot', $file, current_lsn($node), options => { context_scope => 'preceding' });
my %wanted = (insert => q{{"by":"insert","é":1}}, tagged => q{{"by":"update"}}, plain => '{}', alone => q{{"by":"alone"}});
my ($count, @wrong) = (0);
my $json = JSON::PP->new->canonical;
foreach my $record (records($file))
{
	$count++;
	push @wrong, $record if $json->encode($record->{context}) ne $wanted{ $record->{after}{v} };
}
is(scalar @wrong, 0, "all of $count changes have the context of their statement") or diag(map { $json->encode($_) . "\n" } @wrong[ 0 .. 2 ]);
cmp_ok($count, '>=', $transactions * 4 * 3 * 3, 'there were that many');

# --- pollers: what matches nothing ----------------------------------------------------------------------------------

# In each protocol and outside of transactions. The server itself writes a record now and then, so one quiet try of several
# is enough.
my $poller = temp_file('poller.sql');
write_text($poller, <<'SQL');
UPDATE t SET v = 'taken' WHERE n = -1 /*Bemi {"by": "poller"} Bemi*/;
DELETE FROM t WHERE n = (SELECT n FROM t WHERE v = 'waiting' ORDER BY n LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING n /*by='poller'*/;
BEGIN;
UPDATE t SET v = 'taken' WHERE n IN (SELECT n FROM t WHERE v = 'waiting') /*by='poller'*/;
COMMIT;
SQL
my $state = q{SELECT pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot())};
$node->safe_psql('postgres', 'VACUUM ANALYZE t');
foreach my $protocol (qw(simple extended prepared))
{
	my @states;
	foreach my $try (1 .. 20)
	{
		@states = $node->safe_psql('postgres', $state);
		$node->command_ok([ $node->installed_command('pgbench'), '-n', '-M', $protocol, '-t', 20, '-f', $poller, '-h', $node->host, '-p', $node->port, 'postgres' ],
			"polling in the $protocol protocol");
		push @states, $node->safe_psql('postgres', $state);
		last if $states[0] eq $states[1];
	}
	is($states[1], $states[0], 'takes no transaction id and writes nothing');
}

# --- very many statements in one message ------------------------------------------------------------------------------

# None of them may cost what all of them do: reading the whole text for each would take many minutes. Those without tags
# of their own have the last one's, which stand at the end of all.
my $many = is_instrumented() ? 5_000 : 100_000;
$node->safe_psql('postgres', q{CREATE TABLE crowd (n int GENERATED ALWAYS AS IDENTITY)});
create_slot($node, 'postgres', 'crowd');
my @statements = map { $_ % 1000 == 0 ? " /*n='$_'*/ INSERT INTO crowd DEFAULT VALUES" : 'INSERT INTO crowd DEFAULT VALUES' } 1 .. $many;
my $ended = eval { $node->psql('postgres', join('\;', @statements) . ' /*last=\'1\'*/;', timeout => $PostgreSQL::Test::Utils::timeout_default) };
is($ended, 0, "$many statements of one line") or diag($@);
is($node->safe_psql('postgres', q{
SELECT count(*), count(*) FILTER (WHERE context = CASE WHEN n % 1000 = 0 AND n = (SELECT max(n) FROM crowd)
    THEN format('{"n":"%s","last":"1"}', n) WHEN n % 1000 = 0 THEN format('{"n":"%s"}', n) ELSE '{"last":"1"}' END)
FROM pg_logical_slot_get_changes('crowd', NULL, NULL, 'context_scope', 'preceding') r,
    LATERAL (SELECT (r.data::json->'after'->>'n')::int AS n, r.data::json->>'context' AS context) c}), "$many|$many", 'each with its own comments');
$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('crowd')});

# --- parallel plans --------------------------------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE TABLE many AS SELECT n FROM generate_series(1, 20000) n; ANALYZE many');
like($node->safe_psql('postgres', 'EXPLAIN CREATE TABLE copy AS SELECT n FROM many WHERE n % 2 = 0'), qr/Gather/, 'a plan with workers');
$node->safe_psql('postgres', "SELECT FROM pg_replication_slot_advance('slot', pg_current_wal_insert_lsn())");
my $parallel = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name = 'debug_parallel_query'}) ? 'debug_parallel_query' : 'force_parallel_mode';
foreach my $mode ('off', 'on')
{
	$node->safe_psql('postgres', qq{
SET $parallel = $mode;
SET bemi.context = '{"mode": "$mode"}';
CREATE TABLE made_$mode AS SELECT -n AS n FROM many WHERE n <= 10 /*by='create'*/;
INSERT INTO t SELECT n + CASE '$mode' WHEN 'on' THEN 100 ELSE 200 END FROM many WHERE n <= 10 /*by='insert'*/;
SELECT count(*) FROM many /*by='nothing'*/;
BEGIN;
SELECT count(*), pg_current_xact_id_if_assigned() IS NULL FROM many /*by='nothing'*/;
COMMIT;
});
}
my %got = contexts_in($node, 'postgres', 'slot');
is(scalar keys %got, 30, 'rows that parallel plans gave');
is_deeply([ @got{ '-1', 101, 201 } ], [ [ map { qq{{"by":"create","mode":"$_"}} } qw(off on) ], q{{"by":"insert","mode":"on"}}, q{{"by":"insert","mode":"off"}} ],
	'have the context of the statement');

# --- statements as frameworks write them ---------------------------------------------------------------------------

%expected = (
	# Rails 7.1, query_log_tags_format = :sqlcommenter, and its older one, which is no list of tags
	q{INSERT INTO "t" ("v", "n") VALUES ('rails', %d) RETURNING "n" /*action='create',application='Todo',controller='todos',db_host='localhost',request_id='9bd8f1f2-7a62-4f4a-9a71-3f1a6ec0f4c5'*/}
	=> q{{"action":"create","application":"Todo","controller":"todos","db_host":"localhost","request_id":"9bd8f1f2-7a62-4f4a-9a71-3f1a6ec0f4c5"}},
	q{/*action='create',source_location='app%%2Fmodels%%2Ftodo.rb%%3A7%%3Ain%%20%%60save%%27'*/ INSERT INTO "t" ("v", "n") VALUES ('rails', %d) RETURNING "n"}
	=> q{{"action":"create","source_location":"app/models/todo.rb:7:in `save'"}},
	q{INSERT INTO "t" ("v", "n") VALUES ('rails', %d) RETURNING "n" /*application:Todo,controller:todos,action:create*/} => '{}',
	# Django with sqlcommenter, and Bemi's package beside it
	q{INSERT INTO "t" ("v", "n") VALUES ('django', %d) RETURNING "t"."n" /*app_name='todo',controller='todo-create',db_driver='django.db.backends.postgresql',framework='django%%3A4.2.11',route='%%5Etodo/%%3Cint%%3Apk%%3E/%%24'*/}
	=> q{{"app_name":"todo","controller":"todo-create","db_driver":"django.db.backends.postgresql","framework":"django:4.2.11","route":"^todo/<int:pk>/$"}},
	q{INSERT INTO "t" ("v", "n") VALUES ('django', %d) RETURNING "t"."n" /*route='%%5Etodo'*/ /*Bemi {"user_id": 7, "SQL": "INSERT INTO \"t\""} Bemi*/}
	=> q{{"SQL":"INSERT INTO \"t\"","route":"^todo","user_id":7}},
	# Hibernate with use_sql_comments, alone and with sqlcommenter
	q{/* insert com.acme.Todo */ insert into t (v, n) values ('hibernate', %d)} => '{}',
	q{/* insert for com.acme.Todo */insert into t (v, n) values ('hibernate', %d) /*action='%%2Ftodo',controller='TodoController',framework='hibernate%%3A6.4',traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'*/}
	=> q{{"action":"/todo","controller":"TodoController","framework":"hibernate:6.4","traceparent":"00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01"}},
	# Knex and Sequelize
	q{insert into "t" ("v", "n") values ('knex', %d) /*db_driver='knex%%3A0.95',route='%%2Ftodo%%2F%%3Aid',tracestate='rojo%%3D00f067aa0ba902b7%%2Ccongo%%3Dt61rcWkgMzE'*/}
	=> q{{"db_driver":"knex:0.95","route":"/todo/:id","tracestate":"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"}});
my $n = 1000;
my %by_number = map { $n++ => $_ } sort keys %expected;
send_texts($node, 'postgres', map { sprintf $by_number{$_}, $_ } sort keys %by_number);
%got = contexts_in($node, 'postgres', 'slot');
is($got{$_}, $expected{ $by_number{$_} }, substr(sprintf($by_number{$_}, $_), 0, 60)) foreach sort keys %by_number;

# --- databases of other encodings -------------------------------------------------------------------------------------

foreach my $encoding (qw(LATIN1 EUC_JP SQL_ASCII WIN1252))
{
	my $database = lc $encoding;
	my $letter = $encoding eq 'EUC_JP' ? '日' : 'é';
	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
	$node->safe_psql($database, 'CREATE TABLE t (n int PRIMARY KEY, v text)');
	create_slot($node, $database, $database);
	my $script = temp_file("$database.sql");
	write_text($script, <<"SQL");
SET client_encoding = 'UTF8';
SET bemi.context = '{"$letter": "setting $letter"}';
INSERT INTO t VALUES (1, '/*Bemi {"$letter": "$letter"} Bemi*/') /*tag='%C3%A9%E6%97%A5$letter'*/ /*Bemi {"bemi": "$letter"} Bemi*/;
SET bemi.include = 'query';
INSERT INTO t VALUES (2, '$letter');
SQL
	run_script($node, $database, $script);
	my $out = temp_file("$database.records");
	decode_stream($node, $database, $database, $out, current_lsn($node));
	my @records = records($out);
	# What is percent-encoded is UTF-8, whatever the statement is in.
	is_deeply($records[0]{context}, { $letter => "setting $letter", bemi => $letter, tag => "é日$letter" }, "$encoding: contexts of every kind");
	is_deeply($records[1]{context}, { $letter => "setting $letter", session => { query => "INSERT INTO t VALUES (2, '$letter')" } }, 'and the query');
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'nothing bad in the log');
done_testing();

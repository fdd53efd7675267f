# Names and options with any characters, transactions as large as they come, partitions that two need at a time, and tables more
# than a server has locks for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $source = new_node('source');
my $destination = new_destination('destination');
my $sql = sub { return rows_of($destination, $_[0]) };

# --- names of a schema, also of source and destination in one database, which leaves its own table out by an option

my $odd = 0;
foreach my $schema ('a\b', '@schema@', "back\\'slash", '\\', 'x@schema@y')
{
	my $database = 'odd' . ++$odd;
	$source->safe_psql('postgres', "CREATE DATABASE $database");
	my $both = $source->connstr($database);
	my @where = ('--schema', $schema, '--slot', $database);
	(my $quoted = $schema) =~ s/'/''/g;
	ingest_ok($both, $both, 'init', @where, '--partition-by', 'month');
	$source->safe_psql($database, 'CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1)');
	ingest_ok($both, $both, 'run', '--until-current', @where) foreach 1 .. 2;
	is($source->safe_psql($database, qq{SELECT string_agg("table", ' ') FROM "$schema".changes}), 't', "schema $schema: its own table is left out");
	unlike(ingest_ok($both, $both, 'check', @where), qr/FAILS/, 'check has nothing against it');
	like(ingest_ok($both, $both, 'verify', @where), qr/no difference/, 'verify');
	ingest_ok($both, $both, 'drop', '--yes', @where);
}

# --- options with any characters

$source->safe_psql('postgres', q{
CREATE TABLE "x\y" (id int PRIMARY KEY); CREATE TABLE "it's" (id int PRIMARY KEY); CREATE TABLE kept (id int PRIMARY KEY)});
ingest_ok($source, $destination, 'init', '--partition-by', 'day');
$source->safe_psql('postgres', q{INSERT INTO "x\y" VALUES (1); INSERT INTO "it's" VALUES (1); INSERT INTO kept VALUES (1)});
ingest_ok($source, $destination, 'run', '--until-current', '--option', q{exclude_tables="x\y","it's"});
is($sql->(q{SELECT string_agg("table", ' ') FROM changes}), 'kept', 'an option with a backslash and a quote');

# --- a partition that somebody else makes at the same moment

my $session = $destination->background_psql('postgres');
$session->query_safe(q{BEGIN; SELECT bemi.ensure_partition('public', '2001-05-05')});
$source->safe_psql('postgres', q{SELECT pg_replication_origin_create('elsewhere');
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN; SELECT pg_replication_origin_xact_setup('0/1', '2001-05-05 12:00+00'); INSERT INTO kept VALUES (2); COMMIT});
my $run = start_ingest($source, $destination, '--until-current');
ok(wait_until(sub { $sql->(q{SELECT count(*) FROM pg_locks WHERE NOT granted}) > 0 }), 'it is waited for');
$session->query_safe('COMMIT');
is(BemiIngest::reap($run), 0, 'and used') or diag(ingest_said($run));
is($sql->(q{SELECT tableoid::regclass FROM changes WHERE primary_key = '2'}), 'bemi.changes_2001_05_05', 'the row is in it');
$session->query_safe(q{BEGIN; SELECT bemi.ensure_partition('public', '2001-05-06')});
$source->safe_psql('postgres', q{SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN; SELECT pg_replication_origin_xact_setup('0/2', '2001-05-06 12:00+00'); INSERT INTO kept VALUES (3); COMMIT});
$run = start_ingest($source, $destination, '--until-current');
ok(wait_until(sub { $sql->(q{SELECT count(*) FROM pg_locks WHERE NOT granted}) > 0 }), 'another one');
$session->query_safe('ROLLBACK');
is(BemiIngest::reap($run), 0, 'is made here where the other has not');
$session->quit;

# --- transactions of more records than anybody has time to make

my $folder = PostgreSQL::Test::Utils::tempdir();
SKIP:
{
	skip 'no compiler', 1 unless eval { IPC::Run::run([ 'g++', '--version' ], '>', \my $said, '2>&1') };
	write_text("$folder/numbers.cpp", q{
#include <cstdio>
#include "sequences.hpp"
using namespace bemi::ingest;
static Sequences sequences;
static void Say(uint64_t commit, uint64_t sequence) {
    Record record;
    record.commit_position = commit;
    record.sequence = sequence;
    try { std::printf("%llu:%u ", (unsigned long long)commit, sequences.Of(record)); }
    catch (const Failure& failure) { std::printf("%d[%s] ", (int)failure.code, failure.what()); }
}
int main() {
    const uint64_t half = uint64_t{1} << 31;
    Say(1, 1); Say(1, 0); Say(1, 2); Say(1, 0); Say(2, 0);  // messages behind the changes of their transaction
    Say(3, half); Say(3, 0); Say(3, half + 1);              // a message between
    Say(4, half + 1); Say(4, 0);                            // a message behind
    Say(5, 4294967295); Say(5, 4294967296);
    Say(6, half + 1); Say(7, 1); Say(7, 0);
}
});
	my ($said, $failed) = ('', '');
	IPC::Run::run([ 'g++', '-std=c++17', "-I$FindBin::RealBin/../src/ingest", "-I$FindBin::RealBin/../include", "$folder/numbers.cpp", '-o', "$folder/numbers" ], '>&', \$failed)
	  or diag($failed);
	IPC::Run::run(["$folder/numbers"], '>', \$said);
	my $messages = '1[a transaction of the source has messages, and more than 2,147,483,648 changes: their ids would be the same]';
	my $changes = '1[a transaction of the source has more than 4,294,967,295 changes, the most that ids can tell apart]';
	is($said, "1:1 1:2147483649 1:2 1:2147483650 2:2147483649 3:2147483648 3:2147483649 $messages 4:2147483649 $messages 5:4294967295 $changes 6:2147483649 7:1 7:2147483649 ",
		'no two records of a transaction get one number: beyond that there is a sentence');
}

# --- more tables than the server has locks for

my $many = new_node('many', "max_locks_per_transaction = 10\nmax_connections = 15\nmax_worker_processes = 1\n");
$many->safe_psql('postgres', "SELECT format('CREATE TABLE t%s (id int PRIMARY KEY)', g) FROM generate_series(1, 1500) g \\gexec");
$destination->safe_psql('postgres', 'CREATE DATABASE many');
my $to = $destination->connstr('many');
ingest_ok($many, $to, 'init', '--slot', 'many');
ingest_fails('verify says what to raise, and the way around', 1, qr/max_locks_per_transaction.*\n +fix: ALTER SYSTEM SET max_locks_per_transaction = \d+; -- of the source, then restart it; or some of the tables at a time: --table/,
	$many, $to, 'verify', '--slot', 'many');
like(ingest_ok($many, $to, 'verify', '--slot', 'many', '--table', 't1?'), qr/10 tables/, 'which works');

done_testing();

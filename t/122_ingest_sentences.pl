# What the commands say: of what they wait for, of how far they are, of what they have not done, and with which exit code.

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

my $source = new_node('source', "max_prepared_transactions = 5\n");
my $destination = new_destination('destination');
my $sql = sub { return rows_of($destination, $_[0]) };
$source->safe_psql('postgres', q{
CREATE SCHEMA shop; CREATE SCHEMA "od'd";
CREATE TABLE shop.a (id serial PRIMARY KEY, v text); CREATE TABLE "od'd".b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY);
ALTER TABLE c REPLICA IDENTITY FULL});

# --- what a slot waits for: prepared transactions too

$source->safe_psql('postgres', q{BEGIN; INSERT INTO c VALUES (1); PREPARE TRANSACTION 'left'' behind'});
my $log = temp_file('init.log');
my $pid = fork // die;
if ($pid == 0)
{
	%ENV = BemiIngest::environment();
	open STDOUT, '>', $log or die;
	open STDERR, '>&', \*STDOUT or die;
	exec(BemiIngest::program(), 'init', BemiIngest::ends($source, $destination)) or POSIX::_exit(127);
}
ok(wait_until(sub { -e $log && slurp_file($log) =~ /prepared ones, of which there are 1, the oldest since \d{4}-.*: COMMIT PREPARED 'left'' behind'; or/ }), 'init says that it waits for a prepared transaction')
  or diag(slurp_file($log));
$source->safe_psql('postgres', q{ROLLBACK PREPARED 'left'' behind'});
waitpid $pid, 0;
is($?, 0, 'then it goes on');
like(slurp_file($log), qr/2 have not.*\n +fix: ALTER TABLE/, 'init names tables without full identity');
$source->safe_psql('postgres', 'CREATE EXTENSION bemi_decoder');
like(ingest_ok($source, $destination, 'check'), qr/fix: CALL bemi\.track_all\('od''d'\); CALL bemi\.track_all\('shop'\); -- SELECT/, 'with the extension, it is called for the schemas that have such tables');
$source->safe_psql('postgres', 'DROP EXTENSION bemi_decoder');

# --- unknown slots

ingest_fails('drop of an unknown slot', 3, qr/neither the source nor the destination has a slot typo/, $source, $destination, 'drop', '--slot', 'typo', '--yes');
ingest_fails('status of an unknown slot', 3, qr/knows no slot typo/, $source, $destination, 'status', '--slot', 'typo');
$sql->(q{CREATE TABLE aside AS SELECT * FROM bemi.progress; UPDATE aside SET slot = 'half'; INSERT INTO bemi.progress SELECT * FROM aside});
ingest_fails('status of a slot that only the destination knows', 3, qr/does not exist/, $source, $destination, 'status', '--slot', 'half');
ingest_ok($source, $destination, 'drop', '--slot', 'half', '--yes');

# --- drop's question, interrupted

$log = temp_file('drop.log');
pipe my $reader, my $writer or die;
$pid = fork // die;
if ($pid == 0)
{
	%ENV = BemiIngest::environment();
	close $writer;
	open STDIN, '<&', $reader or die;
	open STDOUT, '>', $log or die;
	open STDERR, '>&', \*STDOUT or die;
	exec(BemiIngest::program(), 'drop', BemiIngest::ends($source, $destination)) or POSIX::_exit(127);
}
wait_until(sub { -e $log && slurp_file($log) =~ /\[y\/N\]/ });
kill 'INT', $pid;
waitpid $pid, 0;
is(exit_code(), 5, 'interrupted at its question, drop says so');
close $writer;

# --- a role that may not write, row security

my $role = $sql->('SELECT current_user');
$sql->(qq{ALTER ROLE "$role" SET default_transaction_read_only = on});
foreach my $command ([ 'run', '--until-current' ], ['check'], ['init'])
{
	ingest_fails("a role that is read-only: $command->[0]", 3, qr/FAILS destination: transactions may write -- default_transaction_read_only of the role\n +fix: ALTER ROLE "\Q$role\E" RESET default_transaction_read_only;/,
		$source, $destination, @$command);
}
{
	local $ENV{PGOPTIONS} = '-c default_transaction_read_only=off';
	$sql->(qq{ALTER ROLE "$role" RESET default_transaction_read_only});
	$source->safe_psql('postgres', q{CREATE ROLE reader LOGIN REPLICATION; GRANT USAGE ON SCHEMA shop, "od'd" TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA shop, "od'd", public TO reader; ALTER TABLE shop.a ENABLE ROW LEVEL SECURITY});
}
like(ingest_ok($source->connstr('postgres') . ' user=reader', $destination, 'check'),
	qr/note  source: row security hides no rows from role reader.* -- it does in 1 of the tables, shop\.a among them\n +fix: ALTER ROLE "reader" BYPASSRLS;/, 'row security has a line in check');
$source->safe_psql('postgres', q{ALTER TABLE shop.a DISABLE ROW LEVEL SECURITY; ALTER TABLE shop.a REPLICA IDENTITY FULL});
$sql->(q{CREATE ROLE writer LOGIN; GRANT USAGE ON SCHEMA bemi TO writer; GRANT ALL ON ALL TABLES IN SCHEMA bemi TO writer; GRANT INSERT, SELECT ON changes TO writer;
ALTER TABLE changes ENABLE ROW LEVEL SECURITY});
ingest_fails('and in that of the destination', 3, qr/FAILS destination: row security does not stand between role writer and the records -- public\.changes\n/, $source, $destination->connstr('postgres') . ' user=writer', 'run', '--until-current');
$sql->('ALTER TABLE changes DISABLE ROW LEVEL SECURITY');

# --- how many were stored, how far a large transaction is, which table is read

$source->safe_psql('postgres', q{INSERT INTO shop.a (v) SELECT 'x' FROM generate_series(1, 1234)});
like((ingest($source, $destination, 'run', '--until-current'))[2], qr/^bemi_ingest: 1,234 rows stored, all up to [0-9A-F]+\/[0-9A-F]+\n/m, 'run --until-current says how many it has stored');
like((ingest($source, $destination, 'run', '--until-current'))[2], qr/^bemi_ingest: 0 rows stored/m, 'also where there are none');
SKIP:
{
	skip 'there is no program "script" to make a terminal', 3 unless grep { -x "$_/script" } split /:/, $ENV{PATH};
	$sql->(q{CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.004); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON changes FOR EACH ROW EXECUTE FUNCTION slow()});
	my $terminal = sub {
		my (@arguments) = @_;
		my $shown = temp_file("shown_$arguments[0]");
		my $command = join ' ', map { "'$_'" } BemiIngest::program(), shift @arguments,
		  BemiIngest::ends($source->connstr('postgres') =~ s/'//gr, $destination->connstr('postgres') =~ s/'//gr), @arguments;
		local %ENV = (BemiIngest::environment(), SHELL => '/bin/sh');
		IPC::Run::run([ 'script', '--quiet', '--flush', '--return', '--command', $command, $shown ], '<', \undef, '>', File::Spec->devnull, '2>&1');
		is(exit_code(), 0, "$command ends well");
		return slurp_file($shown);
	};
	$source->safe_psql('postgres', q{INSERT INTO shop.a (v) SELECT repeat(md5(g::text), 100) FROM generate_series(1, 500) g});
	my $shown = $terminal->('run', '--until-current');
	my @taken = $shown =~ /0 rows stored, (\d[\d,]*) a second, ([\d,]+) more \([\d.]+ [kM]B\) of a transaction under way/g;
	cmp_ok(scalar @taken, '>=', 2, 'a large transaction is seen to arrive') or diag($shown);
	ok(!(grep { $_ eq '0' } @taken), 'at a rate that is not 0') or diag($shown);
	like($terminal->('snapshot', '--table', 'shop.*', '--table', 'c', '--option', 'exclude_columns=v'), qr/shop\.a, table 2 of 2: [\d,]+ rows stored/, 'a snapshot says which table it reads, of how many; --table chooses');
	$sql->('DROP TRIGGER slow ON changes');
}
is($sql->(q{SELECT string_agg(DISTINCT "table", ' ') FROM changes WHERE operation = 'SNAPSHOT'}), 'a', 'these alone');
ingest_fails('snapshot of no table', 2, qr/no table of the source matches nosuch/, $source, $destination, 'snapshot', '--table', 'nosuch');

# --- two snapshots that find one position

my $open = $source->background_psql('postgres');
$open->query_safe(q{BEGIN; INSERT INTO c VALUES (77)});
my @snapshots = map {
	my ($output, $errors) = ('', '');
	local %ENV = BemiIngest::environment();
	my $handle = IPC::Run::start([ BemiIngest::program(), 'snapshot', BemiIngest::ends($source, $destination) ], '<', \undef, '>', \$output, '2>', \$errors);
	{ handle => $handle, errors => \$errors }
} 1 .. 2;
wait_until(sub { $source->safe_psql('postgres', q{SELECT count(*) FROM pg_replication_slots WHERE temporary}) == 2 });
sleep 0.3;
$open->query_safe('COMMIT');
$open->quit;
foreach my $snapshot (@snapshots)
{
	$snapshot->{handle}->finish;
	my $code = $snapshot->{handle}->result(0);
	ok($code == 0 || $code == 1 && ${ $snapshot->{errors} } =~ /another snapshot is being stored that has the same position.*\n +fix: run this one again/, "two snapshots at a time: stored, or a sentence (exit $code)")
	  or diag(${ $snapshot->{errors} });
}
# One that is done at this very position: the next one has nothing to add.
ingest_ok($source, $destination, 'run', '--until-current');
like(ingest_ok($source, $destination, 'verify'), qr/no difference/, 'nothing is there twice');

# --- a destination that says nothing

my $blocker = $destination->background_psql('postgres');
$blocker->query_safe('BEGIN; LOCK TABLE changes IN ACCESS EXCLUSIVE MODE');
$source->safe_psql('postgres', q{INSERT INTO c VALUES (5)});
my $run = start_ingest($source, $destination);
ok(ingest_said_until($run, qr/destination: no answer for 1\d\.\d s; waiting\. There: SELECT .* WHERE pid = (\d+);\n/), 'a destination that hangs is mentioned');
my ($blocked) = ingest_said($run) =~ /pid = (\d+);/;
is($sql->("SELECT cardinality(pg_blocking_pids($blocked))"), 1, 'with the session there, so that one can see what it waits for');
$blocker->query_safe('COMMIT');
$blocker->quit;
ok(ingest_said_until($run, qr/storing again/), 'and that it goes on');
end_ingest($run);

SKIP:
{
	# After a destination that was blocked for minutes, the source is asked before it is called dead.
	skip 'takes two minutes', 1 unless is_long();
	my $session = $destination->background_psql('postgres');
	$session->query_safe('BEGIN; LOCK TABLE changes IN ACCESS EXCLUSIVE MODE');
	$source->safe_psql('postgres', q{INSERT INTO c VALUES (6)});
	$run = start_ingest($source, $destination);
	sleep 125;
	$session->query_safe('COMMIT');
	$session->quit;
	ok(ingest_said_until($run, qr/storing again/), 'it stores again');
	sleep 3;
	unlike(ingest_said($run), qr/no word on the stream/, 'without taking a quiet source for a dead one');
	end_ingest($run);
}

done_testing();

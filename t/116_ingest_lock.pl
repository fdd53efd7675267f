# Whoever stores a slot has a lock that any role with CONNECT can take: a run waits for it, says whose it is, and passes over
# those who could not store anything. So do the others that must not meet.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;
use Time::HiRes qw(time);

my $source = new_node('source');
my $destination = new_destination('destination', "max_prepared_transactions = 5\nautovacuum = off\n");
my $sql = sub { return rows_of($destination, $_[0]) };
$sql->(q{
CREATE ROLE passer LOGIN; CREATE ROLE writers; CREATE ROLE deputy LOGIN NOINHERIT IN ROLE writers;});
$source->safe_psql('postgres', 'CREATE TABLE t (id serial PRIMARY KEY, v text)');

# A session that holds a lock of that name.
sub holder
{
	my ($role, $name, $function) = @_;
	local $ENV{PGAPPNAME} = "held by $role";
	my $session = $destination->background_psql('postgres', extra_params => [ '-U', $role ]);
	$session->query_safe(sprintf "SELECT %s(hashtextextended('%s', 0))", $function // 'pg_advisory_lock', $name);
	return $session;
}

# --- init

my $stranger = holder('passer', 'bemi_ingest init');
ingest_ok($source, $destination, 'init', '--partition-by', 'month', '--retain', '60d');
$stranger->quit;
$sql->('GRANT USAGE ON SCHEMA bemi TO writers; GRANT UPDATE ON bemi.progress TO writers');

# --- run waits for those who could store

foreach my $case ([ deputy => 'bemi_ingest bemi', qr/pid \d+, role deputy, application_name held by deputy, connected since \d{4}-[^)]*/ ])
{
	my ($role, $name, $words) = @$case;
	my $session = holder($role, $name);
	$source->safe_psql('postgres', "INSERT INTO t (v) VALUES ('x')");
	my $run = start_ingest($source, $destination, '--until-current');
	ok(ingest_said_until($run, qr/destination: waiting for the lock of slot bemi \($words\)\n/), "run waits for role $role, and says whose the lock is");
	ingest_fails('drop does not', 3, qr/bemi_ingest run stores slot bemi \($words\)\n +fix: stop it first/, $source, $destination, 'drop', '--yes');
	is($sql->('SELECT count(*) FROM changes'), 0, 'nothing is stored meanwhile');
	$session->quit;
	is(BemiIngest::reap($run), 0, 'when the lock is let go, it goes on');
	is($sql->('SELECT count(*) FROM changes'), 1, 'and stores');
}
{
	my $session = holder('deputy', 'bemi_ingest bemi');
	my $run = start_ingest($source, $destination);
	ok(ingest_said_until($run, qr/waiting for the lock/), 'it waits');
	my $began = time;
	is(end_ingest($run), 5, 'and ends when told to');
	cmp_ok(time - $began, '<', 9, 'soon');
	$session->quit;
}

# --- and passes over those who could not, also where several have a share of the lock

my ($first, $second) = map { holder('passer', 'bemi_ingest bemi', 'pg_advisory_lock_shared') } 1, 2;
$source->safe_psql('postgres', "INSERT INTO t (v) VALUES ('y')");
my (undef, undef, $said) = ingest($source, $destination, 'run', '--until-current');
like($said, qr/destination: passing over the lock of slot bemi \(pid \d+, role passer, application_name held by passer.*\): that role may not write bemi\.progress\n/,
	'a stranger is passed over');
is($sql->('SELECT count(*) FROM changes'), 2, 'and what there is is stored');
my $one = start_ingest($source, $destination);
ok(ingest_said_until($one, qr/storing from/), 'one run goes on');
my $other = start_ingest($source, $destination);
ok(ingest_said_until($other, qr/source: replication slot "bemi" is active for PID \d+; again in/), 'a second one waits for the slot itself');
$source->safe_psql('postgres', "INSERT INTO t (v) VALUES ('z')");
ok(wait_until(sub { $sql->('SELECT count(*) FROM changes') == 3 }), 'what comes is stored, once');
end_ingest($_) foreach $one, $other;
my $third = holder('deputy', 'bemi_ingest bemi', 'pg_advisory_lock_shared');
$one = start_ingest($source, $destination);
ok(ingest_said_until($one, qr/waiting for .*role deputy/), 'but among strangers one who could is waited for');
end_ingest($one);
$_->quit foreach $first, $second, $third;

# --- a transaction that is prepared holds locks without a session

$destination->safe_psql('postgres', q{BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('bemi_ingest bemi', 0));
	PREPARE TRANSACTION 'left behind'}, extra_params => [ '-U', 'passer' ]);
(undef, undef, $said) = ingest($source, $destination, 'run', '--until-current');
like($said, qr/passing over the lock of slot bemi \(prepared transaction 'left behind' of role passer, since /, 'and is named');
$destination->safe_psql('postgres', q{ROLLBACK PREPARED 'left behind'});

# A lock of two numbers is another lock.
$second = $destination->background_psql('postgres');
$second->query_safe(q{SELECT pg_advisory_lock((k >> 32)::int, (k << 32 >> 32)::int) FROM hashtextextended('bemi_ingest bemi', 0) k});
ingest_ok($source, $destination, 'run', '--until-current');
$second->quit;

# --- retention and forget exclude each other, and nobody else excludes them

$stranger = holder('passer', 'bemi images');
$sql->(q{SELECT bemi.ensure_partition('public', now() - interval '200 days');
UPDATE changes SET committed_at = now() - interval '200 days' WHERE primary_key = '1'});
is($sql->(q{SELECT bemi.retain('public')}), 1, 'retention does not wait for a stranger');
my $answer = $sql->(q{SET statement_timeout = '20s'; SELECT bemi.forget('t', '2', '{v}')});
is($answer, 1, 'nor does forget');
$stranger->quit;

# --- verify, which stores what is missing itself, keeps the lock from when it has looked until all is stored

$sql->(q{CREATE TABLE seen (writer int, holders int[]);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO public.seen SELECT pg_backend_pid(), array_agg(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted;
	RETURN NULL;
END $$;
CREATE TRIGGER look AFTER INSERT ON changes FOR EACH ROW EXECUTE FUNCTION look()});
$source->safe_psql('postgres', "INSERT INTO t (v) VALUES ('v')");
like(ingest_ok($source, $destination, 'verify'), qr/public\.t: /, 'verify');
is($sql->('SELECT cardinality(holders), writer = ANY (holders) FROM seen'), '1|f', 'the lock is that of the session that found it free');

done_testing();

# What docs/consumers.md says of node's pg-logical-replication 2.5.0: confirming as the package does it by itself can lose
# transactions, and as the page does it can't. Two transactions commit at the same time, so that the second one's commit
# record begins where the first one ends; the reader dies once it has confirmed the first and not yet stored the second.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiNode;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = node_folder() or plan skip_all => 'Node.js and npm are not installed';
my $node = new_node('acknowledge');
$node->safe_psql('postgres', "CREATE DATABASE $_") foreach qw(source destination);
$node->safe_psql('source', 'CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text)');
# A destination that does not get done with the records that the table "gate" names.
$node->safe_psql('destination', q{
CREATE TABLE records (commit_position bigint, sequence bigint, record jsonb, PRIMARY KEY (commit_position, sequence));
CREATE TABLE gate (note text);
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_lock(1) FROM gate WHERE note = NEW.record->'after'->>'note';
    RETURN NEW;
END $$;
CREATE TRIGGER gate BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION wait();
});
my $gatekeeper = $node->background_psql('destination');
$gatekeeper->query_safe('SELECT pg_advisory_lock(1)');
create_slot($node, 'source', 'before');

# Makes the transactions A and B, whose commit records have nothing in between, after the slot "before"; returns the
# end of A. The server may write something of its own there, and then it needs another try.
sub make_neighbours
{
	foreach my $try (1 .. 20)
	{
		my @sessions = map { $node->background_psql('source') } 1 .. 2;
		$sessions[$_]->query_safe("BEGIN; INSERT INTO item (note) VALUES ('" . ('A', 'B')[$_] . "')") foreach 0, 1;
		$_->query_safe('COMMIT') foreach @sessions;
		$_->quit foreach @sessions;
		my ($end, $next) = split /\|/, $node->safe_psql('source', q{
			SELECT max(lsn - '0/0') FILTER (WHERE data LIKE '%"note":"A"%'),
				max((data::jsonb->>'commit_position')::numeric) FILTER (WHERE data LIKE '%"note":"B"%')
			FROM pg_logical_slot_peek_changes('before', NULL, NULL)});
		return $end if $end == $next;
		$node->safe_psql('source', q{SELECT count(*) FROM pg_logical_slot_get_changes('before', NULL, NULL)});
	}
	die 'the server always writes something between two commits';
}

my $end = make_neighbours();
my $reader = page_code('consumers.md', 'reader.js', $folder);

# The page's code with something in it replaced.
sub changed
{
	my ($name, $from, $to) = @_;
	my $code = slurp_file($reader);
	($code =~ s/\Q$from\E/$to/) == 1 or die "the page's code has no $from";
	my $file = "$folder/$name.js";
	write_text($file, $code);
	return $file;
}

# Runs a reader on a fresh slot until it has to wait at a gate and its slot is where `until` says (a condition
# on confirmed_flush_lsn as a number), kills it, and returns the notes of what the slot still gives.
sub what_comes_again
{
	my ($file, $gate, $until) = @_;
	copy_slot($node, 'source', 'before', 'audit');
	$node->safe_psql('destination', "TRUNCATE records, gate; INSERT INTO gate VALUES ('$gate')");
	my $program = start_program($node, [ 'node', $file ], environment => {
		SLOT => 'audit',
		map { (uc $_ => sprintf 'postgresql:///%s?host=%s&port=%d', $_, $node->host, $node->port) } qw(source destination) });
	my $waiting = "SELECT pid FROM pg_stat_activity WHERE datname = 'destination' AND wait_event = 'advisory'";
	$node->poll_query_until('destination', "SELECT EXISTS ($waiting)") or die "no wait: ${ $program->{said} }";
	my $came = $node->poll_query_until('destination',
		"SELECT $until FROM (SELECT confirmed_flush_lsn - '0/0' AS confirmed FROM pg_replication_slots WHERE slot_name = 'audit') s");
	kill_program($program);
	$node->safe_psql('destination', "SELECT pg_terminate_backend(pid) FROM ($waiting) w");
	$node->poll_query_until('postgres', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'audit'") or die 'still active';
	my $notes = $node->safe_psql('source',
		q{SELECT string_agg(data::jsonb->'after'->>'note', ' ') FROM pg_logical_slot_get_changes('audit', NULL, NULL)});
	my $has = $node->safe_psql('destination', q{SELECT string_agg(record->'after'->>'note', ' ') FROM records});
	$node->safe_psql('source', q{SELECT pg_drop_replication_slot('audit')});
	return ($came, $has, $notes);
}

is_deeply([ what_comes_again($reader, 'B', "confirmed = $end") ], [ 1, 'A', 'B' ],
	"the page's code confirms A's end, and B comes again");
is_deeply([ what_comes_again(changed('one_more', 'confirmed - 1n', 'confirmed'), 'B', "confirmed = $end + 1") ],
	[ 1, 'A', '' ], 'the package confirms one more than it is told, and B is lost');
is_deeply([ what_comes_again(changed('timer', 'timeoutSeconds: 0', 'timeoutSeconds: 1'), 'A', "confirmed > $end - 8") ],
	[ 1, '', '' ], 'timeoutSeconds confirms what was received and not stored, and both are lost');

# As long as its destination is stuck, the page's code confirms nothing of it.
is_deeply([ what_comes_again($reader, 'A', "pg_sleep(3)::text = '' AND confirmed < $end - 8") ], [ 1, '', 'A B' ],
	"the page's code confirms nothing before it is stored");

$gatekeeper->quit;
$node->stop;
done_testing();

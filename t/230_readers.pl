# Unmodified clients read slots with the code of docs/consumers.md, each into a database of its own, under a load of
# concurrent transactions. They are killed, and their connections cut, again and again. In the end each has every
# record exactly as a slot that nobody has touched gives it, and its own slot has moved to the end.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiLoad;
use BemiNode;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

seed_random();
my $jar = '/usr/share/java/postgresql.jar';
my $python = '/usr/bin/python3'; # Debian's, which has Debian's psycopg2

# The command for each reader, nothing where this machine can't run it.
my %readers = (
	psycopg2 => sub {
		return unless works($python, '-c', 'import psycopg2.extras');
		return [ $python, page_code('consumers.md', 'reader.py', work_folder('psycopg2')) ];
	},
	node => sub {
		my $folder = node_folder() or return;
		return [ 'node', page_code('consumers.md', 'reader.js', $folder) ];
	},
	jdbc => sub {
		return unless -e $jar && works('javac', '-version');
		my $folder = work_folder('jdbc');
		my $file = page_code('consumers.md', 'Reader.java', $folder);
		run_command_ok('javac', '-Xlint:all', '-Werror', '-cp', $jar, '-d', $folder, $file);
		return [ 'java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', "$jar:$folder", 'Reader' ];
	});

sub work_folder { my ($name) = @_; my $folder = temp_file($name); mkdir $folder; return $folder; }

sub run_command_ok { my (@command) = @_; system(@command) == 0 or die "@command failed"; return; }

# JDBC has no Unix sockets.
my $node = new_node('readers', "listen_addresses = '127.0.0.1'\nmax_replication_slots = 10\nwal_sender_timeout = 10s\n");
$node->safe_psql('postgres', BemiLoad::tables());

# What names a database to a reader.
sub address
{
	my ($reader, $database) = @_;
	return $reader eq 'jdbc'
	  ? sprintf('jdbc:postgresql://127.0.0.1:%d/%s?user=%s', $node->port, $database, scalar getpwuid $<)
	  : sprintf('postgresql:///%s?host=%s&port=%d', $database, $node->host, $node->port);
}

my (%commands, %running, %starts);
foreach my $reader (sort keys %readers)
{
	$commands{$reader} = $readers{$reader}->();
	if (!$commands{$reader}) { delete $commands{$reader}; note("$reader is not here"); next; }
	$node->safe_psql('postgres', "CREATE DATABASE $reader");
}
if (!%commands)
{
	$node->stop;
	plan(skip_all => 'none of the readers is on this machine');
}

sub start_reader
{
	my ($reader) = @_;
	$starts{$reader}++;
	$running{$reader} = start_program($node, $commands{$reader}, environment => {
		SLOT => "audit_$reader",
		SOURCE => address($reader, 'postgres'),
		DESTINATION => address($reader, $reader) });
	return;
}

# Ends a reader, by a signal of the worst kind or by cutting its connection, which it does not survive.
sub end_reader
{
	my ($reader) = @_;
	my $program = $running{$reader};
	if (chance(0.5)) { kill_program($program) }
	else
	{
		$node->safe_psql('postgres', "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
			WHERE slot_name = 'audit_$reader' AND active");
		my $end = time + 20;
		sleep 0.05 while $program->{handle}->pumpable && $program->{handle}->pump_nb && time < $end;
		kill_program($program);
	}
	$node->poll_query_until('postgres', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'audit_$reader'")
	  or die "slot of $reader is still read";
	return;
}

sub count_of
{
	my ($reader) = @_;
	my ($status, $count) = $node->psql($reader, 'SELECT count(*) FROM records');
	return $status == 0 ? $count : 0;
}

# Waits for a condition, and starts the reader again where it has ended, as a supervisor would: on a slow machine
# the server may cut it off.
sub wait_for
{
	my ($reader, $condition) = @_;
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	while (!$condition->())
	{
		return 0 if time > $end;
		my $handle = $running{$reader}{handle};
		$handle->pump_nb if $handle->pumpable;
		if (!$handle->pumpable)
		{
			note("$reader ended: ${ $running{$reader}{said} }");
			$handle->finish;
			start_reader($reader);
		}
		sleep 0.1;
	}
	return 1;
}

# --- the load, and the deaths --------------------------------------------------------------------------------

create_slot($node, 'postgres', 'oracle');
copy_slot($node, 'postgres', 'oracle', "audit_$_") foreach sort keys %commands;
my $load = BemiLoad->new($node, rate => 100);
start_reader($_) foreach sort keys %commands;
foreach my $round (1 .. (is_long() ? 30 : 2))
{
	foreach my $reader (sort keys %commands)
	{
		# Each of its lives is one of work.
		my $count = count_of($reader);
		wait_for($reader, sub { count_of($reader) > $count }) or die "$reader stores nothing: ${ $running{$reader}{said} }";
		sleep rand 0.3;
		end_reader($reader);
		start_reader($reader);
	}
}
$load->stop;
$node->safe_psql('postgres', q{
BEGIN; INSERT INTO account VALUES (2000000, 1, E'é😀\x1\u2028\u0085\n\t"\\\\'); INSERT INTO history VALUES (-1, 1, 2147483647); COMMIT});
my $end = current_lsn($node);

# --- what they have -------------------------------------------------------------------------------------------

my $oracle = temp_file('oracle');
decode_sql($node, 'postgres', 'oracle', $oracle);
my $expected = () = read_lines($oracle);
cmp_ok($expected, '>', 500, "a load of $expected records");
foreach my $reader (sort keys %readers)
{
  SKIP:
	{
		skip("$reader can't be run on this machine", 3) unless $commands{$reader};
		ok(wait_for($reader, sub { $node->safe_psql('postgres', qq{
				SELECT confirmed_flush_lsn >= '$end' FROM pg_replication_slots WHERE slot_name = 'audit_$reader'}) eq 't' }),
			"$reader: after $starts{$reader} lives its slot is at the end") or diag(${ $running{$reader}{said} });
		kill_program($running{$reader});
		load_lines($node, $reader, 'expected', $oracle);
		# Node asks for numbers of these types as strings.
		my $of_oracle = $reader ne 'node' ? 'line::jsonb' : q{CASE line::jsonb->>'table' WHEN 'history' THEN line::jsonb
			|| jsonb_build_object('before', quoted(line::jsonb->'before'), 'after', quoted(line::jsonb->'after')) ELSE line::jsonb END};
		$node->safe_psql($reader, q{CREATE FUNCTION quoted(row_image jsonb) RETURNS jsonb LANGUAGE sql AS
			$$ SELECT CASE WHEN $1 ? 'id' THEN $1 || jsonb_build_object('id', $1->>'id') ELSE $1 END $$});
		is( $node->safe_psql($reader, qq{
			SELECT count(*), count(*) FILTER (WHERE e.record IS NULL), count(*) FILTER (WHERE r.record IS NULL),
				count(*) FILTER (WHERE e.record <> r.record)
			FROM (SELECT $of_oracle AS record FROM expected) e
			FULL JOIN records r ON (e.record->>'commit_position')::bigint = r.commit_position
				AND (e.record->>'sequence')::bigint = r.sequence}),
			"$expected|0|0|0", "$reader: every record, none but these, and each the same");
		my $rest = temp_file('rest');
		$node->poll_query_until('postgres', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'audit_$reader'");
		decode_sql($node, 'postgres', "audit_$reader", $rest);
		is(join("\n", read_lines($rest)), '', "$reader: nothing comes again");
	}
}

$node->stop;
done_testing();

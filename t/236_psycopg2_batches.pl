# Why docs/consumers.md has psycopg2 confirm a message before it reads the next: once it has confirmed something, it confirms
# keepalives by itself where the latest message does not lie behind what was confirmed. Positions go back where
# transactions overlapped, and so a message that was read, and not yet confirmed or stored, is confirmed with them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiNode;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $python = '/usr/bin/python3';
plan skip_all => 'psycopg2 is not installed' unless works($python, '-c', 'import psycopg2.extras');
my $node = new_node('batches');
$node->safe_psql('postgres', 'CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text)');
create_slot($node, 'postgres', 'oracle');

# C has written all its rows before A commits, and commits after B.
my ($a, $c) = map { $node->background_psql('postgres') } 1 .. 2;
$c->query_safe(q{BEGIN; INSERT INTO item (note) SELECT 'C' || repeat('c', 500) FROM generate_series(1, 10000)});
$a->query_safe(q{BEGIN; INSERT INTO item (note) VALUES ('A'); COMMIT});
$node->safe_psql('postgres', q{INSERT INTO item (note) VALUES ('B')});
$c->query_safe('COMMIT');
$_->quit foreach $a, $c;
my $end_of_b = $node->safe_psql('postgres', q{
SELECT max(lsn) FILTER (WHERE data LIKE '%"note":"B"%')
FROM pg_logical_slot_peek_changes('oracle', NULL, 3)});

# Confirms A and, if it is "eager", as the page is, B before it reads the next message; else it would confirm B later. Within
# C it asks the server for keepalives, as the server sends them by itself to a reader that is slow.
my $script = temp_file('reader.py');
write_text($script, <<'PYTHON');
import sys
import time

import psycopg2
from psycopg2.extras import LogicalReplicationConnection

connection = psycopg2.connect(sys.argv[1], connection_factory=LogicalReplicationConnection)
cursor = connection.cursor()
cursor.start_replication(slot_name="audit", status_interval=1)
rows = 0
while rows < 9000:
    message = cursor.read_message()
    if message is None:
        time.sleep(0.01)
        continue
    if b'"note":"A"' in message.payload or sys.argv[2] == "eager" and b'"note":"B"' in message.payload:
        cursor.send_feedback(flush_lsn=message.data_start)
    elif b'"note":"C' in message.payload:
        rows += 1
        if rows < 2000 and rows % 500 == 1:
            cursor.send_feedback(reply=True)
            time.sleep(0.2)  # until the connection is full, which is when the server looks for what it is asked
PYTHON
# Whether such a reader has confirmed B when it dies within C, and what comes again then.
sub dies_within_c
{
	my ($way) = @_;
	copy_slot($node, 'postgres', 'oracle', 'audit');
	run_program($node, [ $python, $script, $node->connstr('postgres'), $way ]);
	$node->poll_query_until('postgres', "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'audit'") or die 'still active';
	my $confirmed = $node->safe_psql('postgres',
		"SELECT confirmed_flush_lsn >= '$end_of_b' FROM pg_replication_slots WHERE slot_name = 'audit'");
	my $again = $node->safe_psql('postgres', q{
		SELECT count(*) FILTER (WHERE data LIKE '%"note":"B"%'), count(*) FILTER (WHERE data LIKE '%"note":"C%')
		FROM pg_logical_slot_get_changes('audit', NULL, NULL)});
	$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot('audit')});
	return "$confirmed $again";
}

is(dies_within_c('later'), 't 0|10000', 'what was read and neither stored nor confirmed by the reader is lost');
is(dies_within_c('eager'), 't 0|10000', 'where it is stored and confirmed at once, nothing is: the rest comes again whole');

$node->stop;
done_testing();

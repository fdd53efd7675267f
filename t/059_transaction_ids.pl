# transaction_id is the full id, of 64 bits: also after the 32 bits of the WAL have begun anew, and of a transaction from before that
# is decoded later.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('ids');

# The counter is put near its end, which takes tables in which nothing remembers an older id, and a page of commit states.
$node->command_ok([ 'vacuumdb', '--all', '--freeze', '--quiet' ], 'everything is frozen');
$node->stop;
command_ok([ 'pg_resetwal', '--epoch=6', '--next-transaction-id=4294967100', '--oldest-transaction-id=4294966000', $node->data_dir ],
	'the counter is near its end');
open my $states, '>', $node->data_dir . '/pg_xact/0FFF' or die $!;
print $states "\0" x (32 * 8192);
close $states or die $!;
$node->start;

$node->safe_psql('postgres', 'CREATE TABLE t (id xid8 PRIMARY KEY)');
create_slot($node, 'postgres', 'slot');
my $insert = 'INSERT INTO t VALUES (pg_current_xact_id())';
my $burn = "DO \$\$ BEGIN FOR i IN 1 .. 120 LOOP BEGIN $insert; EXCEPTION WHEN unique_violation THEN NULL; END; END LOOP; END \$\$";
$node->safe_psql('postgres', $insert) foreach 1 .. 3;
is($node->safe_psql('postgres', 'SELECT max(id) < (7 * (1::bigint << 32))::text::xid8 FROM t'), 't', 'ids of before');
my $open = $node->background_psql('postgres');
$open->query_safe('BEGIN');
$open->query_safe($insert);
$node->safe_psql('postgres', $burn) foreach 1 .. 2;
$node->safe_psql('postgres', $insert) foreach 1 .. 3;
$open->query_safe('COMMIT');
$open->quit;
is($node->safe_psql('postgres', 'SELECT max(id) > (7 * (1::bigint << 32))::text::xid8 FROM t'), 't', 'and of after');

my $file = temp_file('records');
decode_sql($node, 'postgres', 'slot', $file);
my @ids = map { [ $_->{transaction_id}, $_->{after}{id} ] } records($file);
cmp_ok(scalar(@ids), '>=', 9, 'records');
is(join(' ', map { "$$_[0]" ne "$$_[1]" ? "$$_[0] instead of $$_[1]" : () } @ids), '', 'each has the id that the server shows');
$node->stop;
done_testing();

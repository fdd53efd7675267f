# A pooler may call a database by another name: whether source and destination are one, and what the source's database is called,
# the servers say.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiPooler;
use BemiTest;
use Test::More;

plan skip_all => 'no pgbouncer is to be had' unless defined pooler_version();

my $node = new_node('both');
my $role = $node->safe_psql('postgres', 'SELECT current_user');
my $pooler = start_pooler($node, "pool_mode = session\ndefault_pool_size = 10\nserver_reset_query = DISCARD ALL\n[databases]\nhistory = host="
	. $node->host . ' port=' . $node->port . ' dbname=postgres', $role);
my $alias = "host=$pooler->{folder} port=6432 dbname=history user=$role";
$node->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY FULL');
ingest_ok($node, $alias, 'init');
$node->safe_psql('postgres', 'INSERT INTO t VALUES (1)');
ingest_ok($node, $alias, 'run', '--until-current') foreach 1 .. 3;
is($node->safe_psql('postgres', q{SELECT string_agg(format('%s of %s', "table", database), ' ') FROM changes}), 't of postgres', 'changes are not recorded into themselves');
like(ingest_ok($node, $alias, 'verify'), qr/1 tables, 1 rows compared, no difference/, 'nor looked for there');
ingest_ok($node, $alias, 'snapshot');
is($node->safe_psql('postgres', q{SELECT string_agg("table", ' ') FROM changes WHERE operation = 'SNAPSHOT'}), 't', 'nor is there a snapshot of them');
stop_pooler($pooler);
done_testing();

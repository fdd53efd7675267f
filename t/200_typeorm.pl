# clients/typeorm: the package is built as its users build it, and its own tests run against a server and
# bemi_ingest of ours.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use BemiWorkspace;
use PostgreSQL::Test::Utils;
use Test::More;

my $reason = node_is_missing();
plan skip_all => $reason if $reason;

my $node = new_node('typeorm');
my $folder = install_packages('clients/typeorm', 'examples/typeorm-express');

# What they ship is what they test: dist, with its types.
run_npm($folder, 'run', 'pretest', '--workspace', 'clients/typeorm');
ok(-f "$folder/clients/typeorm/dist/index.d.ts", 'the package is built, with its types');
my $listing = run_npm($folder, 'pack', '--dry-run', '--ignore-scripts', '--workspace', 'clients/typeorm');
unlike($listing, qr/\b(?:test|src)\//, 'the package holds neither tests nor sources');

my $module = "import { setContext, withContext, Change, changeRepository } from '\@bemi-decoder/typeorm'; process.exit(setContext && Change ? 0 : 1)";
ok(run_log([ 'env', '-C', $folder, 'node', '--input-type=module', '-e', $module ]), 'modules of either kind can import it');

my @environment = (
	PGHOST => $node->host,
	PGPORT => $node->port,
	PGUSER => scalar getpwuid($<));
run_node_tests($folder, 'clients/typeorm/build', @environment);

# The session library leaves alone what an application writes by itself.
run_node_tests($folder, 'clients/typeorm/build', @environment, PGOPTIONS => '-c session_preload_libraries=bemi_session')
  if is_long();

$node->stop;
done_testing();

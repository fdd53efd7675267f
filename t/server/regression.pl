# PostgreSQL's own regression suite on a server with slots of ours: every record must be what triggers saw, the server must
# not crash, and decoding again must give the same bytes. scripts/test --server-suite builds what it needs; the suite's own
# verdict is only told, as tables with triggers print themselves otherwise than it expects.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use BemiOracle;
use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

chomp(my $library = `pg_config --pkglibdir`);
plan skip_all => 'it needs a server with its regression suite: scripts/test --server-suite'
  unless -e "$library/regress/parallel_schedule";

my $node = new_node(
	'regression', q{
logical_decoding_work_mem = 1MB
max_wal_size = 4GB
shared_buffers = 128MB
max_prepared_transactions = 20
restart_after_crash = on
});
my $database = 'regression';
$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'");
$node->safe_psql('postgres', "ALTER DATABASE $database SET $_")
  foreach q{lc_messages = 'C'}, q{lc_monetary = 'C'}, q{bytea_output = 'hex'}, q{timezone_abbreviations = 'Default'};
install_oracle($node, $database);
run_script($node, $database, library_file('suite_oracle.sql'), environment => sane_session());
create_slot($node, $database, 'stream');
copy_slot($node, $database, 'stream', 'functions');

my ($tests, $differ) = run_suite();
diag("  $tests tests of the suite, $differ with another output than without triggers");
cmp_ok($tests, '>', 150, 'the suite has run');
cmp_ok($differ, '<', $tests / 2, 'most of its tests are not disturbed by the triggers');

$node->safe_psql($database, 'ALTER EVENT TRIGGER suite DISABLE');
my $end = current_lsn($node);
my %files = map { $_ => temp_file("$_.json") } qw(stream functions again);
decode_stream($node, $database, 'stream', $files{stream}, $end);
decode_sql($node, $database, 'functions', $files{functions}, peek => 1, environment => { PGCLIENTENCODING => 'UTF8' });
decode_sql($node, $database, 'functions', $files{again}, environment => {
	PGCLIENTENCODING => 'UTF8',
	PGOPTIONS => '-c datestyle=german -c timezone=America/St_Johns -c bytea_output=escape -c extra_float_digits=-3 -c intervalstyle=iso_8601'
});
same_files($files{functions}, $files{stream}, 'the SQL functions give the bytes that pg_recvlogical gets');
same_files($files{again}, $files{functions}, 'decoding again gives the same bytes');

# A judge that fails leaves the server to an orderly end: what the triggers took down is in unlogged tables.
my $judged = eval { judge_suite(); 1; };
ok($judged, 'the judge has come to the end') or diag($@);

my @crashes = grep { /PANIC:|TRAP:|terminated by signal/ } split /\n/, slurp_file($node->logfile);
is("@crashes", '', 'no process of the server has crashed');

$node->stop;
done_testing();

# Runs the suite; how many tests it has, and how many of them failed.
sub run_suite
{
	my $output = temp_file('output');
	mkdir $output or die "$output: $!";
	my $said = '';
	local %ENV = (%ENV, $node->_get_env());
	IPC::Run::run(
		[
			$ENV{PG_REGRESS}, '--use-existing', '--max-connections=6', "--schedule=$library/regress/parallel_schedule",
			"--inputdir=$library/regress", "--outputdir=$output", "--dlpath=$library", "--dbname=$database",
			'--bindir=' . $node->config_data('--bindir'), '--host=' . $node->host, '--port=' . $node->port
		],
		'<', \undef, '>', \$said, '2>&1');
	write_text(temp_file('suite.log'), $said);
	my $passed = () = $said =~ /^(?:test |     )\S+ +\.\.\. (?:ok|failed \(ignored\))|^ok \d/mg;
	my $failed = () = $said =~ /^(?:test |     )\S+ +\.\.\. FAILED|^not ok \d/mg;
	return ($passed + $failed, $failed);
}

# Holds the stream against what the triggers took down.
sub judge_suite
{
	load_lines($node, $database, 'suite.lines', $files{stream});
	run_script($node, $database, library_file('suite_judge.sql'), environment => sane_session());
	my @complaints = complaints();
	is(scalar @complaints, 0, 'every record is what the triggers saw')
	  or diag('the first of ' . @complaints . " differences:\n", map { "$_\n" } grep { defined } @complaints[ 0 .. 39 ]);
	my %counts = map { split /\|/ } split /\n/, $node->safe_psql($database, 'SELECT what, count FROM suite.counts');
	diag(join "\n", map { "  $counts{$_} $_" } sort keys %counts);
	cmp_ok($counts{records}, '>', 100_000, 'there were many records');
	cmp_ok($counts{'records left out'}, '<', 200, 'few of them were left out');
	return;
}

# What the judge complains of, a paragraph each.
sub complaints
{
	my $verdict = temp_file('verdict');
	my $script = temp_file('complaints.sql');
	write_text($script, q{SELECT concat_ws(E'\n  ', subject, complaint, 'expected: ' || "left"(expected, 2000), 'got: ' || "left"(got, 2000)) || E'\f'
FROM suite.complaints});
	run_script($node, $database, $script, output => $verdict, environment => sane_session());
	return grep { /\S/ } split /\f\n?/, slurp_file($verdict);
}

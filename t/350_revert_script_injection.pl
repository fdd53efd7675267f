# What a row of `changes` can make of the scripts of revert_sql and replay_sql: a statement that fails, and nothing else.
# Whoever may insert into `changes` may write anything into every column but operation, which has a check. Random rows of such texts; their scripts are
# run by psql, where each statement that fails is taken back alone, so that one which was smuggled in would run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
my $node = new_node('both', "log_statement = all\nlog_line_prefix = '%a> '\n");
my $here = $node->connstr('postgres');
sub sql { return $node->safe_psql('postgres', $_[0]); }
ingest_ok($here, $here, 'init');
sql(q{CREATE TABLE canary (id int PRIMARY KEY, v text); INSERT INTO canary VALUES (1, 'alive');
CREATE TABLE town (id int PRIMARY KEY, v text, j jsonb); INSERT INTO town VALUES (1, 'a', '{}');
CREATE TABLE parted (id int, v text) PARTITION BY LIST (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
INSERT INTO parted VALUES (1, 'p')});

my $ran = temp_file('ran');
my @hostile = (
	"x\n\\! touch $ran\n", "\r\\! touch $ran\r", "'; DROP TABLE canary; --", "\\'; DROP TABLE canary; --", "\$bemi\$; DROP TABLE canary; DO \$bemi\$",
	"\$bemi\$ \$bemi1\$ \$bemi2\$ END; DROP TABLE canary;", "\n\\connect nowhere\n", "\n\\copy canary TO '$ran'\n", ":canary :'canary' :\"canary\"",
	"`touch $ran`", "*/ DROP TABLE canary; /*", "-- \nDROP TABLE canary;\n--", '"; DROP TABLE canary; --', "x\" AS t; DELETE FROM canary; --",
	'%s %I %L %1$s', "\x1b[2J\x07", "ß€𝄞\x{2028}\x{85}\nDROP TABLE canary;", "\\\\", "\\", "'", '"', '$', "\n", '', ' ',
	"public.canary", 'public.canary; DROP TABLE canary', 'ONLY public.canary', '"public"."canary" AS t; DROP TABLE canary', "\\gexec", "\n\\g | touch $ran\n");

sub hostile { return join '', map { pick(@hostile) } 1 .. between(1, 2); }

sub json
{
	my ($value) = @_;
	return JSON::PP->new->canonical->allow_nonref->encode($value);
}

sub image
{
	return {} if chance(0.2);
	return { id => pick(1, 2, hostile()), (chance(0.7) ? (v => pick('a', 'p', hostile())) : ()), (chance(0.5) ? (j => { hostile() => hostile() }) : ()),
		(chance(0.3) ? (hostile() => hostile()) : ()) };
}

# A row: some columns as they would be, others not.
sub planted
{
	my ($number) = @_;
	my %details = (
		(chance(0.5) ? (partition => pick('public.parted_1', 'public.canary', 'canary', { a => 1 }, hostile(), hostile())) : ()),
		(chance(0.2) ? (identity => pick('default', hostile())) : ()),
		(chance(0.3) ? (missing => { pick('v', hostile()) => pick('toast', 'error', hostile()) }) : ()),
		(chance(0.2) ? (hostile() => hostile()) : ()));
	my @values = (
		sql_literal(pick('1', '2', hostile())), chance(0.7) ? 'NULL' : sql_literal(hostile()), map({ sql_literal(json(image())) . '::jsonb' } 1, 2),
		sql_literal(json(pick({}, { hostile() => hostile() }, hostile()))) . '::jsonb', "'postgres'", sql_literal(chance(0.7) ? 'public' : hostile()),
		sql_literal(pick('town', 'town', 'parted', hostile())), sql_literal(pick('CREATE', 'UPDATE', 'DELETE', 'TRUNCATE', 'SNAPSHOT')),
		%details ? sql_literal(json(\%details)) . '::jsonb' : 'NULL');
	return "INSERT INTO changes (id, primary_key, previous_key, before, after, context, database, schema, \"table\", operation, details,"
	  . " committed_at, queued_at, transaction_id, position, commit_position, sequence)"
	  . " SELECT bemi.change_id(1000, $number, 0), " . join(', ', @values) . ", now(), now(), 77, 900, 1000, $number;\n";
}

# Runs a script as psql does by itself, and each statement for itself. Gives what psql says.
sub run_planted
{
	my ($file) = @_;
	local %ENV = (%ENV, $node->_get_env(), PGAPPNAME => 'planted');
	my ($out, $errors) = ('', '');
	IPC::Run::run([ $node->installed_command('psql'), '-XAtqe', '-v', 'ON_ERROR_ROLLBACK=on', '-v', 'canary=1; DROP TABLE canary', '-d', $here, '-f', $file ],
		'<', \undef, '>', \$out, '2>', \$errors);
	return ($out, $errors);
}

my $intended = qr/^(?:BEGIN;|COMMIT;|SET LOCAL |SET CONSTRAINTS ALL |SELECT pg_catalog\.set_config\('|SELECT pg_catalog\.pg_logical_emit_message\(true, '_bemi', |DO \$bemi\d*\$ |DELETE FROM ONLY (?:public\.)?"?|SAVEPOINT pg_psql|RELEASE pg_psql|ROLLBACK TO pg_psql)/;
my ($call, $file) = (temp_file('call.sql'), temp_file('planted.sql'));
my $statements = 0;
my $read = 0;

# The statements that came from the scripts since the last look, as the server's log has them.
sub logged
{
	my $log = slurp_file($node->logfile, $read);
	$read += length $log;
	return $log =~ /^planted> LOG:  statement: (?:-- .*\n\t?)*(.*)/mg;
}

logged();
foreach my $round (1 .. (is_long() ? 300 : 25))
{
	my $planted = join '', map { planted($_) } 1 .. between(1, 6);
	write_text($call, "TRUNCATE changes;\n$planted");
	run_script($node, 'postgres', $call, environment => { PGCLIENTENCODING => 'UTF8' });
	foreach my $function (qw(revert_sql replay_sql))
	{
		foreach my $encoding ('UTF8', ($round % 5 ? () : 'SQL_ASCII'))
		{
			write_text($call, "SELECT bemi.$function(transaction_id => 77);\n");
			run_script($node, 'postgres', $call, output => $file, go_on => 1, environment => { PGCLIENTENCODING => $encoding });
			my ($sent, $errors) = run_planted($file);
			my $state = sql('SELECT v FROM canary');
			my @run = logged();
			my @smuggled = grep { !/$intended/ } @run;
			my $fine = $state eq 'alive' && !-e $ran && !@smuggled && $errors !~ /invalid command|syntax error|unterminated/;
			$statements += @run;
			ok($fine, "round $round, $function, $encoding: nothing else has run")
			  or diag(join "\n", $state, 'smuggled:', @smuggled, $errors, slurp_file($file));
			BAIL_OUT('a row of changes has run something') if !$fine;
		}
	}
}
cmp_ok($statements, '>', 50, "$statements statements were run");

# One by one, what is known to have been a way in.
foreach my $partition ("public.town\n\\! touch $ran\n", 'public.canary', 'public.canary CASCADE', 'canary', '')
{
	sql('TRUNCATE changes; INSERT INTO changes (id, before, after, context, database, schema, "table", operation, details, committed_at, queued_at, transaction_id, position, commit_position, sequence)'
		  . " SELECT bemi.change_id(1000, 1, 0), '{}', '{}', '{}', 'postgres', 'public', 'parted', 'TRUNCATE', jsonb_build_object('partition', " . sql_literal($partition) . '), now(), now(), 77, 900, 1000, 1');
	write_text($file, sql('SELECT bemi.replay_sql(transaction_id => 77)'));
	my ($sent, $errors) = run_planted($file);
	like($errors, qr/ERROR:  (?:conflict: .*its record names no partition|.* is not a partition of public.parted)/, 'a TRUNCATE of what is no partition fails');
	is(sql('SELECT v FROM canary') . (-e $ran ? ' and more has run' : ''), 'alive', 'and does nothing');
}
done_testing();

# What the administrator hides by bemi.exclude_tables, bemi.exclude_columns and bemi.mask_columns
# stays hidden from a consumer that is no superuser, whatever it sets on whichever way, in servers
# that have not loaded the library before it connects; a change of them reaches a running stream with
# the next transaction. And where the server knows output_plugin_libraries, nobody reads the values
# by another plugin.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiStream;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = new_node(
	'settings', q{
bemi.exclude_tables = 'hidden, archive.*'
bemi.exclude_columns = 'person.ssn'
Bemi.Mask_Columns = 'secret, *.person.salary'
});
$node->safe_psql('postgres', q{
CREATE ROLE consumer LOGIN REPLICATION;
CREATE ROLE owner LOGIN REPLICATION;
CREATE DATABASE app OWNER owner;
CREATE DATABASE elsewhere;
});
$node->safe_psql('app', q{
CREATE TABLE person (id int PRIMARY KEY, name text, ssn text, salary int, secret text);
ALTER TABLE person REPLICA IDENTITY FULL;
CREATE TABLE hidden (id int PRIMARY KEY, v text);
CREATE SCHEMA archive;
CREATE TABLE archive.person (id int PRIMARY KEY, v text);
CREATE TABLE open (id int PRIMARY KEY, secret text, v text);
GRANT CREATE ON SCHEMA public TO consumer;
});
create_slot($node, 'app', 'slot');
$node->safe_psql('app', q{
INSERT INTO person VALUES (1, 'Ada', 'SSN-1', 777777, 'TELL-NOBODY');
UPDATE person SET salary = 888888, name = 'Ada L.';
INSERT INTO hidden VALUES (1, 'HIDDEN');
INSERT INTO archive.person VALUES (1, 'HIDDEN');
INSERT INTO open VALUES (1, 'TELL-NOBODY', 'seen');
DELETE FROM person;
});
my $end = current_lsn($node);
my $forbidden = qr/SSN-|777777|888888|TELL-NOBODY|HIDDEN|"hidden"|"archive"|"ssn"/;
my @complete = (
	qr/"operation":"CREATE".*"after":\{"id":1,"name":"Ada"\},"missing":\{"salary":"masked","secret":"masked"\}/,
	qr/"operation":"UPDATE".*"before":\{"id":1,"name":"Ada"\},"after":\{"id":1,"name":"Ada L\."\},"missing":\{"salary":"masked, changed","secret":"masked"\}/,
	qr/"table":"open".*"after":\{"id":1,"v":"seen"\},"missing":\{"secret":"masked"\}/,
	qr/"operation":"DELETE".*"before":\{"id":1,"name":"Ada L\."\},"after":\{\},"missing":\{"salary":"masked","secret":"masked"\}/);

# Tests that records are all there, and that nothing is in them that has to stay hidden.
sub is_complete
{
	my ($text, $title) = @_;
	my @lines = split /\n/, $text;
	my $right = @lines == @complete && !grep { $lines[$_] !~ $complete[$_] } 0 .. $#complete;
	ok($right && $text !~ $forbidden, $title) or diag($text);
	return;
}

# What a consumer gets through pg_recvlogical, and what that says.
sub stream
{
	my ($user, %params) = @_;
	copy_slot($node, 'app', 'slot', 'copy');
	my $stream = BemiStream->new($node, 'app', 'copy',
		environment => { PGUSER => $user, PGOPTIONS => $params{pgoptions} // '' },
		connection => $params{connection} // '',
		options => $params{options} // {},
		arguments => [ '--endpos' => $end ]);
	$stream->read_lines_until(1000);
	$stream->reap;
	BemiStream::wait_for_slot($node, 'copy');
	$node->safe_psql('app', "SELECT pg_drop_replication_slot('copy')");
	return ($stream->{text}, $stream->errors);
}

# What a session gets through the SQL functions: psql's output and messages.
sub session
{
	my ($user, $sql, %params) = @_;
	my ($output, $errors) = ('', '');
	local %ENV = $node->_get_env(PGUSER => $user, PGOPTIONS => $params{pgoptions} // '');
	$node->psql('app', "SET client_min_messages = error;\n$sql", stdout => \$output, stderr => \$errors, on_error_stop => 0);
	return ($output, $errors);
}
my $peek = q{SELECT data FROM pg_logical_slot_peek_changes('slot', NULL, NULL);};

# --- ways that give nothing away -----------------------------------------------------------------------

my ($text, $errors) = stream('consumer');
is_complete($text, 'a stream');
($text, $errors) = stream('consumer', options => { mask_columns => 'nothing', exclude_columns => 'other', exclude_tables => 'other' });
is_complete($text, 'options of the consumer come on top');
($text, $errors) = session('consumer', $peek);
is_complete($text, 'a session');

# Before the library is there, a setting of that name is anybody's.
foreach my $setting ('bemi.mask_columns=', 'bemi.mask_columns=nothing', 'bemi.exclude_tables=', 'bemi.exclude_columns=x', 'BEMI.Mask_Columns=')
{
	foreach my $options ("-c $setting", '--' . ($setting =~ tr/_/-/r))
	{
		($text, $errors) = stream('consumer', pgoptions => $options);
		is($text, '', "PGOPTIONS='$options' gets nothing");
		like($errors, qr/ERROR:  permission denied to set parameter "\Q@{[ lc $setting =~ s,=.*,,r ]}\E"/, "and hears why");
	}
}
($text, $errors) = stream('consumer', connection => q{ options='-c bemi.mask_columns='});
is($text, '', 'nor does one whose connection string has it');
($text, $errors) = session('consumer', "$peek\n$peek\nRESET bemi.mask_columns;\n$peek\nSET bemi.mask_columns TO DEFAULT;\n$peek", pgoptions => '-c bemi.mask_columns=');
is($text, '', 'nor a session, however often it tries');

foreach my $try (
	"SET bemi.mask_columns = ''; SET bemi.exclude_tables = ''; SET bemi.exclude_columns = '';",
	"SELECT FROM set_config('bemi.mask_columns', '', false), set_config('bemi.exclude_tables', 'x', false);",
	"RESET ALL; SET SESSION bemi.mask_columns TO DEFAULT;",
	"BEGIN; SET LOCAL bemi.mask_columns = ''; SET LOCAL bemi.exclude_columns = '';",
	"SET bemi.mask_columns = ''; BEGIN; SAVEPOINT a; SET LOCAL bemi.mask_columns = 'x'; SAVEPOINT b; SET bemi.mask_columns = 'y';",
	"UPDATE pg_settings SET setting = '' WHERE name LIKE 'bemi.%' AND setting <> '';",
	"SELECT count(*) >= 0 AS loaded FROM pg_logical_slot_peek_changes('slot', NULL, 0) \\gset\nSET bemi.mask_columns = '';")
{
	($text, $errors) = session('consumer', "$try\n$peek");
	is_complete($text =~ s/^\n+//r, $try =~ s/\n/ /r);
}
($text, $errors) = session('consumer', q{
CREATE FUNCTION evade() RETURNS SETOF text LANGUAGE sql SET bemi.mask_columns = '' SET bemi.exclude_tables = '' SET bemi.exclude_columns = ''
	AS $$ SELECT data FROM pg_logical_slot_peek_changes('slot', NULL, NULL) $$;
SELECT * FROM evade();});
ok($text eq '' || $text !~ $forbidden, 'a function with settings of its own');
($text, $errors) = session('consumer', "SELECT * FROM pg_logical_slot_peek_changes('slot', NULL, NULL) LIMIT 0;\nSELECT * FROM evade();");
ok($text eq '' || $text !~ $forbidden, 'one that is called after the library was loaded');

# What stays for the next connection.
foreach my $try ([ 'consumer', "ALTER ROLE consumer SET bemi.mask_columns = ''" ], [ 'owner', "ALTER DATABASE app SET bemi.mask_columns = ''" ],
	[ 'owner', "ALTER ROLE owner IN DATABASE app SET bemi.exclude_tables = ''" ], [ 'consumer', "ALTER SYSTEM SET bemi.mask_columns = ''" ])
{
	my ($user, $sql) = @$try;
	($text, $errors) = session($user, "$sql;");
	like($errors, qr/permission denied|must be superuser/, "$sql is refused");
	($text, $errors) = session($user, "$peek\n$sql;");
	like($errors, qr/permission denied|must be superuser/, 'after the library was loaded too');
	($text, $errors) = stream($user);
	is_complete($text, 'and the next connection sees no more');
}

# A superuser may.
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
($text, $errors) = stream($superuser, pgoptions => '-c bemi.mask_columns=nothing');
like($text, qr/TELL-NOBODY/, 'a superuser may have it otherwise');
unlike($text, qr/SSN-|HIDDEN/, 'in what it sets, and nothing else');
$node->safe_psql('postgres', "ALTER ROLE owner SET bemi.mask_columns = 'name'");
($text, $errors) = stream('owner');
like($text, qr/TELL-NOBODY/, 'and may give a role settings of its own');
unlike($text, qr/Ada/, 'which it then has');
($text, $errors) = stream('owner', pgoptions => '-c bemi.mask_columns=');
is($text, '', 'and can evade no more than those of the server');

# A value that makes no sense hides everything rather than nothing.
$node->safe_psql('postgres', q{ALTER ROLE owner SET bemi.mask_columns = 'secret, "salary'});
($text, $errors) = stream('owner');
is($text, '', 'nobody reads anything where a setting makes no sense');
like($errors, qr/ERROR:  invalid value for parameter "bemi\.mask_columns"/, 'and hears why');
$node->safe_psql('postgres', 'ALTER ROLE owner RESET bemi.mask_columns');

# --- a reload --------------------------------------------------------------------------------------------

$node->adjust_conf('postgresql.conf', 'Bemi.Mask_Columns', undef);
$node->safe_psql('app', "SELECT pg_replication_slot_advance('slot', pg_current_wal_insert_lsn())");
my $stream = BemiStream->new($node, 'app', 'slot', environment => { PGUSER => 'consumer' });
my $number = 0;
sub add { $node->safe_psql('app', 'INSERT INTO open VALUES (' . ++$number + 100 . ", 'S$number', 'V$number')"); return $number; }

# Changes a setting while the stream runs, and adds rows until one of them shows it.
sub reload
{
	my ($setting, $shows, $title) = @_;
	my $transaction = $node->background_psql('app');
	$transaction->query_safe('BEGIN');
	$transaction->query_safe("INSERT INTO open VALUES (${\($number + 50000)}, 'S', 'V')");
	$node->safe_psql('postgres', "ALTER SYSTEM SET $setting");
	$node->reload;
	my $seen = $stream->lines;
	foreach my $try (1 .. 200)
	{
		$number++;
		$node->safe_psql('app', "INSERT INTO person VALUES ($number, 'N$number', 'SSN-$number', $number, 'S$number')");
		$stream->read_lines_until($seen + $try);
		last if ($stream->lines)[-1] =~ $shows;
	}
	like(($stream->lines)[-1], $shows, $title);
	my $lines = $stream->lines;
	$transaction->query_safe('COMMIT');
	$transaction->quit;
	$stream->read_lines_until($lines + 1, 2);
	return ($stream->lines)[-1];
}
my $last = reload("bemi.mask_columns = 'secret'", qr/"missing":\{"secret":"masked"\}/, 'a value of ALTER SYSTEM instead of the file');
$last = reload("bemi.mask_columns = 'v, salary'", qr/"secret":"S\d+".*"missing":\{"salary":"masked"\}/, 'a change of bemi.mask_columns reaches a running stream');
like($last, qr/"table":"open".*"secret":"S"\},"missing":\{"v":"masked"\}/, 'and a transaction that was open');
$last = reload("bemi.exclude_columns = 'name, note'", qr/"after":\{"id":\d+,"ssn":"SSN-\d+","secret":"S\d+"\}/, 'so does one of bemi.exclude_columns');
$last = reload("bemi.exclude_tables = 'open'", qr/"table":"person"/, 'one of bemi.exclude_tables');
like($last, qr/"table":"person"/, 'hides the table from then on');
$last = reload("bemi.mask_columns = ''", qr/"salary":\d+/, 'and what is hidden no more comes to light');
$last = reload("bemi.mask_columns = '\"salary'", qr/"salary":\d+/, 'a reload with a value that makes no sense changes nothing');
$stream->stop;
like(slurp_file($node->logfile), qr/invalid value for parameter "bemi\.mask_columns"/, 'and is in the log');
$node->safe_psql('postgres', "ALTER SYSTEM RESET ALL");

# --- other plugins -------------------------------------------------------------------------------------------

SKIP:
{
	skip 'this server does not know output_plugin_libraries', 2 unless server_knows('output_plugin_libraries');
	$node->append_conf('postgresql.conf', 'output_plugin_libraries = bemi_decoder');
	$node->reload;
	sleep 0.5;
	($text, $errors) = session('consumer', "SELECT FROM pg_create_logical_replication_slot('other', 'test_decoding');");
	like($errors, qr/ERROR/, 'with output_plugin_libraries there is no other plugin');
	($text, $errors) = session('consumer', "SELECT 'made' FROM pg_create_logical_replication_slot('other', 'bemi_decoder');");
	is($text, 'made', 'than this one');
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'nothing bad in the log');

done_testing();

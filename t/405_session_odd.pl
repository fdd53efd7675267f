# Sessions of which the server can't say everything: their role was dropped, its name is in another encoding, the statement is
# cut within a character of any encoding, a tag's bytes are no text there. The row is written, and says what can be said.

use strict;
use warnings;

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('odd', "session_preload_libraries = 'bemi_session'\nbemi.include = 'user, application_name, client, query'\n");
$node->safe_psql('postgres', q{
CREATE TABLE t (n int PRIMARY KEY, v text);
CREATE FUNCTION write(n int) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO t VALUES (n)';
GRANT ALL ON t TO PUBLIC;
CREATE ROLE other;
});
create_slot($node, 'postgres', 'slot');

# The context of each row that a slot holds, by its first column.
sub contexts
{
	my ($database) = @_;
	my $file = temp_file("$database.records");
	decode_sql($node, $database, $database eq 'postgres' ? 'slot' : $database, $file, options => { context_scope => 'preceding' });
	my @records = records($file);
	is_deeply([ grep { exists $_->{context_error} } @records ], [], "$database: all contexts can be read");
	return map { $_->{after}{n} => $_->{context} } @records;
}

# --- a role that is dropped while it is connected ---------------------------------------------------------------------

# A session of a role, and what to ask it; each answers with a line.
sub open_session
{
	my ($role, $database) = @_;
	local %ENV = $node->_get_env(PGUSER => $role, PGAPPNAME => 'odd');
	my %session = (in => '', out => '', errors => '');
	$session{psql} = IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr($database), '-f', '-' ],
		'<', \$session{in}, '>', \$session{out}, '2>', \$session{errors}, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%session;
}

sub ask
{
	my ($session, $sql) = @_;
	$session->{out} = '';
	$session->{in} .= "$sql\n\\echo done\n";
	$session->{psql}->pump until $session->{out} =~ /^done$/m;
	return $session->{out} =~ s/^done\n//mr;
}

# How a role may still write once it is gone.
my %way = (
	granted => 'INSERT INTO t VALUES (%d);',
	definer => 'SELECT write(%d);',
	transaction => "BEGIN; INSERT INTO t VALUES (%d) /*by='me'*/; COMMIT;",
	copied => "COPY t (n) FROM stdin;\n%d\n\\.\n");
my ($number, %oid) = (0);
foreach my $way (sort keys %way)
{
	$node->safe_psql('postgres', 'CREATE ROLE joe LOGIN; GRANT other TO joe');
	my $session = open_session('joe', 'postgres');
	$oid{ $number + 2 } = ask($session, q{SELECT oid FROM pg_roles WHERE rolname = 'joe';}) + 0;
	ask($session, sprintf $way{$way}, ++$number);
	$node->safe_psql('postgres', 'DROP ROLE joe');
	is(ask($session, sprintf($way{$way}, ++$number) . ' SELECT 1;') . $session->{errors}, ($way eq 'definer' ? "\n" : '') . "1\n", "$way: a dropped role writes")
	  or diag($node->psql('postgres', 'SELECT 1'));
	$session->{in} .= "\\q\n";
	$session->{psql}->finish;
}
my %got = contexts('postgres');
foreach my $n (1 .. $number)
{
	is($got{$n}{session}{user}, $oid{$n} // 'joe', $oid{$n} ? 'and is its number then' : 'before, it is its name');
	is($got{$n}{session}{application_name}, 'odd', 'the rest is there');
}

# --- names and statements in every encoding --------------------------------------------------------------------------

# Characters of several bytes, as the database has them: text is cut at a limit within each of them, wherever it is.
my %letters = (
	UTF8 => [ "\xc3\xa9", "\xe6\x97\xa5", "\xf0\x9f\x98\x80" ],
	SQL_ASCII => [ "\xe9", "\xc3\xa9", "\xf0\x9f\x98" ],
	LATIN1 => ["\xe9"],
	WIN1252 => ["\xe9"],
	EUC_JP => [ "\xa4\xa2", "\x8f\xb0\xa1", "\x8e\xb1" ],
	EUC_CN => ["\xb0\xa1"],
	EUC_KR => ["\xb0\xa1"],
	EUC_TW => [ "\xa4\xa1", "\x8e\xa2\xa1\xa1" ],
	EUC_JIS_2004 => [ "\xa4\xa2", "\x8f\xae\xa1" ],
	MULE_INTERNAL => [ "\x81\xe9", "\x92\xb0\xa1", "\x9c\xf0\xa1\xa1" ]);
my @encodings = is_long() ? sort keys %letters : qw(EUC_JP EUC_TW LATIN1 MULE_INTERNAL SQL_ASCII UTF8);

# A role whose name is UTF-8, wherever it connects to.
my $role = "r\xc3\xb6le_\xe6\x97\xa5";
my $roles = temp_file('roles.sql');
write_text($roles, Encode::decode('UTF-8', qq{CREATE ROLE "$role" LOGIN;\n}));
run_script($node, 'postgres', $roles);

foreach my $encoding (@encodings)
{
	my $database = lc $encoding;
	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
	$node->safe_psql($database, 'CREATE TABLE t (n int PRIMARY KEY, v text); GRANT ALL ON t TO PUBLIC');
	create_slot($node, $database, $database);
	my ($n, $sql) = (0, "SET client_encoding = '$encoding';\nSET standard_conforming_strings = on;\n");
	foreach my $letter (@{ $letters{$encoding} })
	{
		# The limits of the library are 8192 bytes of a statement and 64 of a name.
		foreach my $shift (0 .. length($letter) - 1)
		{
			my $start = 'INSERT INTO t VALUES (' . ++$n . ", '";
			$sql .= $start . 'x' x $shift . $letter x 4100 . "');\n";
			# A tag's key is any bytes, its value what no encoding takes; the one beside it stays.
			$sql .= sprintf "INSERT INTO t VALUES (%d) /*user='7',%s%s*='1',ua='%s%%FF',raw='%s'*/;\n", ++$n, 'k' x (62 + $shift), $letter x 30, $letter, $letter;
		}
	}
	my $script = temp_file("$database.sql");
	open my $handle, '>:raw', $script or die "$script: $!";
	print $handle $sql;
	close $handle or die "$script: $!";
	my $said = run_script($node, $database, $script, environment => { PGUSER => Encode::decode('UTF-8', $role), PGCLIENTENCODING => $encoding });
	is($said, '', "$encoding: no statement fails");
	my %context = contexts($database);
	is(scalar keys %context, $n, 'all rows are there');
	foreach my $number (sort { $a <=> $b } keys %context)
	{
		my $context = $context{$number};
		if ($number % 2 == 1)
		{
			like($context->{session}{query}, qr/^INSERT INTO t VALUES \($number, '/, 'a statement that is cut begins as it should');
			like($context->{session}{query}, qr/^[^\x{FFFD}]*[^\x{FFFD}']$/, 'and ends with a whole character');
			next;
		}
		is($context->{user}, 7, 'the tag beside those that are no text');
		like($context->{bemi_dropped}{ua}, qr/^it (?:is not UTF-8|has a character with no equivalent in UTF-8)$/, 'which are named');
		is(scalar keys %{ $context->{bemi_dropped} }, exists $context->{raw} ? 2 : 3, 'each of them');
		ok(exists $context->{raw} || $encoding eq 'MULE_INTERNAL' || $encoding eq 'EUC_TW', 'what the database takes as text is one');
	}
	my ($name) = map { $_->{session}{user} } values %context;
	like($name, qr/^r.*le_/, 'the name of a role is there, whatever its bytes are here');
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'nothing bad in the log');
done_testing();

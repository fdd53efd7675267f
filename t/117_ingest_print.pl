# What others wrote reaches no terminal and no log as they wrote it: keys, names, error texts. Nor does a password.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

# --- nothing else writes

my $sources = "$FindBin::RealBin/../src/ingest";
my %writers = map { $_ => 1 } 'print.cpp', 'reporter.cpp';
foreach my $file (sort map { s{.*/}{}r } glob "$sources/*.cpp")
{
	next if $writers{$file};
	my @lines = grep { /\b(?:v?f?printf|fputs|puts|fputc|putchar|fwrite|cout|cerr|clog|dprintf)\b/ } split /\n/, slurp_file("$sources/$file");
	is(join("\n", @lines), '', "$file writes through print.hpp") if @lines;
}
pass('all files were looked at');

# --- keys, columns and tables of whoever may write a row

my $seed = seed_random();
my $source = new_node('source', '', initdb => [ '--locale=C', '--encoding=UTF8' ]);
my $destination = new_destination('destination');
my $sql = sub { return rows_of($destination, $_[0]) };

# Every character that must not be shown, in UTF-8; beside it characters that must.
my @bad = (1 .. 0x1F, 0x7F .. 0x9F, 0xAD, 0x61C, 0x180E, 0x200B .. 0x200F, 0x2028 .. 0x202E, 0x2060 .. 0x206F, 0xFEFF, 0xFFF9 .. 0xFFFB, 0xE0001, 0xE0041, 0xE0100);
my $shown = "ü€日本😀'\"\\ ~";
utf8::decode($shown);
sub escape
{
	my ($code) = @_;
	return { 9 => '\t', 10 => '\n', 13 => '\r' }->{$code} // sprintf($code < 0x20 || $code == 0x7F ? '\x%02x' : $code > 0xFFFF ? '\U%08x' : '\u%04x', $code);
}
my $forged = "1\npublic.person: 9 rows compared, all as recorded\n\e[2Jx";
my @keys = ($forged, (map { chr($_) . $shown } @bad), map { join '', map { chance(0.5) ? chr pick(@bad) : pick(split //, $shown) } 1 .. between(1, 8) } 1 .. 30);
sub utf8_literal { my $bytes = $_[0]; utf8::encode($bytes); return sprintf q{convert_from('\x%s'::bytea, 'UTF8')}, unpack 'H*', $bytes }
my $table = qq{t\n\e[31m\x{202e}};
my $name = utf8_literal($table);
ingest_ok($source, $destination, 'init');
$source->safe_psql('postgres', "SELECT format('CREATE TABLE %I (k text PRIMARY KEY, v text); ALTER TABLE %1\$I REPLICA IDENTITY FULL', $name) \\gexec\n"
	. join '', map { "SELECT format('INSERT INTO %I VALUES (%L, %L) ON CONFLICT DO NOTHING', $name, " . utf8_literal($_) . ", 'x') \\gexec\n" } @keys);
drain($source, $destination);
$sql->("UPDATE changes SET after = '{\"k\": 1}'");
my ($code, $out) = ingest($source, $destination, 'verify');
is($code, 6, 'verify finds differences');
my ($nothing_raw) = $out !~ /[^\x20-\x7E\n\x80-\xFF]/;
ok($nothing_raw, 'no control character is shown raw') or diag($out =~ /([^\n]*[^\x20-\x7E\n\x80-\xFF][^\n]*)/);
utf8::decode($out);
unlike($out, qr/[\x{7f}-\x{9f}\x{ad}\x{61c}\x{180e}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{206f}\x{feff}\x{fff9}-\x{fffb}\x{e0000}-\x{e0fff}]/, 'nor one that is not seen');
my %lines = map { $_ => 1 } $out =~ /altered (.*?) \([kv, ]*\);/g;
my @missing = grep { my $key = join '', map { my $c = ord; (grep { $_ == $c } @bad) ? escape($c) : chr $c } split //, $_; !$lines{$key} } @keys;
is(scalar @missing, 0, 'and each key is there, with escapes') or do { my $first = $missing[0]; utf8::encode($first); diag(unpack 'H*', $first) };
is(scalar(() = $out =~ /^public\.person/mg), 0, 'nobody can forge a line');
like($out, qr/^public\.t\\n\\x1b\[31m\\u202e: \d+ rows compared/m, 'nor by the name of a table');
(undef, $out) = ingest($source, $destination, 'verify', '--json');
utf8::decode($out);
unlike($out, qr/[^\x20-\x{7e}\n\x{a0}-\x{10ffff}]|[\x{ad}\x{202e}\x{2028}\x{feff}]/, 'as JSON it is escaped');
(my $json = $out) =~ s/^(.*)\n/$1,/mg;
utf8::encode($json);
is($destination->safe_psql('postgres', sprintf(q{SELECT count(*) FROM jsonb_array_elements(convert_from('\x%s'::bytea, 'UTF8')::jsonb) j WHERE j->>'key' = %s},
	unpack('H*', '[' . ($json =~ s/,\z//r) . ']'), utf8_literal($forged))), 1, 'and reads back');

# --- error texts, of both servers

$sql->(q{CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = E'no\nbemi_ingest: storing from 0/0\u001b[31m', DETAIL = E'x\u202ey'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON changes FOR EACH ROW EXECUTE FUNCTION refuse()});
$source->safe_psql('postgres', "SELECT format('INSERT INTO %I VALUES (''new'')', $name) \\gexec");
my $run = start_ingest($source, $destination);
ok(ingest_said_until($run, qr/again in/), 'an error of a trigger is told');
end_ingest($run);
my $said = ingest_said($run);
like($said, qr/^bemi_ingest: destination: no bemi_ingest: storing from 0\/0\\x1b\[31m: x\\u202ey.*; again in/m, 'on one line');
unlike($said, qr/\e|\xe2\x80\xae/, 'and with nothing raw in it');
$sql->('DROP TRIGGER refuse ON changes');

# --- what is asked before a drop, and statuses

$sql->(q{UPDATE bemi.progress SET database = E'post\u001b[31mgres'});
my $told = ingest_fails('another database', 3, qr/for the database post\\x1b\[31mgres/, $source, $destination, 'run', '--until-current');
unlike($told, qr/\e/, 'shown so');
$sql->(q{UPDATE bemi.progress SET database = 'postgres'});
$sql->(q{INSERT INTO bemi.gaps (slot, system_identifier, database, reason, from_position, to_position, explanation)
	SELECT 'bemi', system_identifier, 'postgres', 'lost', '0/1', '0/2', '' FROM bemi.progress});
unlike(ingest_ok($source, $destination, 'status'), qr/\e/, 'status');

# --- passwords

my @secrets = ('run', 'host=x password=hunter2', 'dbname=y');
foreach my $case (
	[ 'a stray argument', [ 'run', 'host=x password=hunter2' ] ], [ 'a stray URI', [ 'run', 'postgresql://u:hunter2@h/db' ] ],
	[ 'in the place of a command', ['host=x password=hunter2'] ], [ 'a URI there', ['postgres://u:hunter2@h/db'] ],
	[ 'the value of a flag', [ 'init', '--indexes', 'host=x password=hunter2' ] ], [ 'of another', [ 'init', '--retain', 'postgres://u:hunter2@h' ] ],
	[ 'a file', [ 'run', '--config', 'host=x password=hunter2' ] ], [ 'a flag', [ 'run', '--postgres://u:hunter2@h/db' ] ],
	[ 'a source that libpq cannot read', [ 'check', '--source', 'host=x password=hunter2 oops' ] ],
	[ 'a URI with an @ in its password', [ 'check', '--source', 'postgresql://u:x@hunter2@127.0.0.1:1/db' ] ],
	[ 'a URI with a / in its password', [ 'check', '--source', 'postgresql://u:hunter2/x@127.0.0.1/db' ] ])
{
	my ($what, $arguments) = @$case;
	my ($output, $errors) = ('', '');
	local %ENV = BemiIngest::environment();
	local $ENV{BEMI_DESTINATION} = 'host=127.0.0.1 port=1 dbname=x';
	IPC::Run::run([ BemiIngest::program(), @$arguments ], '<', \undef, '>', \$output, '2>', \$errors);
	my $exit = exit_code();
	ok($exit == 2 && "$output$errors" !~ /hunter2/, "$what: bad usage, without the password") or diag("exit $exit: $output$errors");
}
my $config = temp_file('ingest.conf');
write_text($config, "postgresql://u:hunter2\@h/db?sslmode=require\n");
unlike(ingest_fails('a file of another kind', 2, qr/unknown key/, $source, $destination, 'run', '--config', $config), qr/hunter2/, 'is not shown either');
$sql->(q{CREATE FUNCTION refuse_more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RAISE EXCEPTION 'could not connect with "host=a password = ''hun ter2'' user=b" or postgresql://u:hun@ter2@h/db'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON changes FOR EACH ROW EXECUTE FUNCTION refuse_more()});
$told = ingest_fails('an error that has a connection string', 3, qr/password = .* user=b.*postgresql:/, $source, $destination, 'run', '--until-current');
unlike($told, qr/hun|ter2/, 'is shown without its password');

done_testing();

# Real programs that write tags into their SQL, with the session library: each row that they write has the context that the
# table in docs/contexts.md says, and what they send is what that table says. A row's note is the program's name there;
# behind a colon, what else is tried, which is expected here.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiNode;
use BemiTest;
use Encode qw(decode encode);
use File::Copy qw(copy);
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;

my $jar = '/usr/share/java/postgresql.jar';
my $python = '/usr/bin/python3'; # Debian's, which has Debian's modules
my $node = new_node('emitters', "session_preload_libraries = 'bemi_session'\nlog_statement = all\nlisten_addresses = '127.0.0.1'\n");
$node->safe_psql('postgres', 'CREATE DATABASE app');
$node->safe_psql('app', 'CREATE TABLE item (id serial PRIMARY KEY, note text); ALTER TABLE item REPLICA IDENTITY FULL');
create_slot($node, 'app', 'audit');

# The table of the page: a program's name → { version, sends, arrives }.
my %table;
my ($section) = decode('UTF-8', slurp_file(library_file('../../docs/contexts.md'))) =~ /^## What programs send\n(.*?)^Run once, by hand/ms;
while ($section =~ m{^\| (?:`([^`]+)`|(\w+)) (\d[\w.-]*)[^|]*\| `(/\*[^|]*\*/)` \| `(\{[^|]*\})` \|}gm)
{
	$table{ $1 // $2 } = { version => $3, sends => $4, arrives => $5 };
}
cmp_ok(scalar keys %table, '>', 10, 'the page has a table');

# What else is tried: a note → the context. "…" stands for anything here, too.
my $trace = '"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-…-01","tracestate":"shop=it\'s"';
my %cases = (
	'@prisma/sqlcommenter-query-tags: keys' => '{"bemi_dropped":{"":"its key is empty","it\'s":"its key is not percent-encoded","k*":"its key is not percent-encoded"},"userId":"7"}',
	'@prisma/sqlcommenter-query-tags: no text' => '{"bemi_dropped":{"agent":"it contains a NUL byte"},"userId":"7"}',
	'@prisma/sqlcommenter-query-tags: types' => '{"agent":"","userId":"7"}',
	'@prisma/sqlcommenter-query-tags: merged' => '{"step":"two","userId":"7"}',
	'@prisma/sqlcommenter-query-tags: awaited outside' => '{}',
	'@opentelemetry/instrumentation-pg: named' => '{}',
	'@opentelemetry/instrumentation-pg: a -- b' => '{}',
	'@opentelemetry/instrumentation-pg: named, in a transaction' => "{$trace}",
	'@google-cloud/sqlcommenter-knex: a -- b' => '{}',
	'@google-cloud/sqlcommenter-sequelize: a -- b' => '{}',
	'drizzle-orm: text' => '{"userId":"7"}',
	'@query-doctor/sqlcommenter-drizzle: commented' => '{}',
	'@query-doctor/sqlcommenter-drizzle: prepared' => '{"db_driver":"drizzle","file":"…","userId":"7"}',
	'Django: no parameters' => '{"controller":"todo","framework":"django","route":"^customer\'s/$"}',
	'psycopg: numbers' => '{"db_driver":"psycopg:3.1.7","libpq_version":150001}',
	'pgjdbc: first of two' => '{}',
	'pgjdbc: semicolon' => '{}',
);

# A text of the page as a pattern.
sub pattern
{
	my ($text) = @_;
	my $pattern = join '.*?', map { quotemeta } split /…/, $text, -1;
	return qr/^$pattern$/s;
}

# Runs a program and tests that every row has its context, and that the log has what the page says is sent; the names
# are those that it writes rows for.
my $json = JSON::PP->new->canonical;
my %untested = %table;
sub emits
{
	my ($title, $command, $folder, @names) = @_;
	my $from = -s $node->logfile;
	run_program($node, $command, folder => $folder, environment => {
		PGDATABASE => 'app', PYTHONDONTWRITEBYTECODE => 1,
		DATABASE_URL => sprintf('postgresql://%s@127.0.0.1:%d/app', scalar getpwuid $<, $node->port) });
	my $file = temp_file('records');
	decode_sql($node, 'app', 'audit', $file, options => { context_scope => 'preceding' });
	my (@wrong, %seen);
	foreach my $record (records($file))
	{
		my $note = ($record->{operation} eq 'DELETE' ? $record->{before} : $record->{after})->{note};
		$note =~ s/ $//;
		my $expected = $cases{$note} // ($table{$note} // {})->{arrives};
		$seen{$note}++;
		next if defined $expected && !exists $record->{context_error} && $json->encode($record->{context}) =~ pattern($expected);
		push @wrong, "$note: $record->{operation} got " . $json->encode($record->{context}) . ($record->{context_error} // '') . ', expected ' . ($expected // 'nothing known');
	}
	is(encode('UTF-8', join("\n", @wrong)), '', "$title: the context of every row");
	is_deeply([ sort grep { !/:/ } keys %seen ], [ sort @names ], "$title: a row of each program");
	my $log = decode('UTF-8', substr slurp_file($node->logfile), $from);
	foreach my $name (@names)
	{
		my $sends = join '.*?', map { quotemeta } split /…/, ($table{$name} // {})->{sends} // 'nothing', -1;
		like($log, qr/$sends/, "$name: what it sends");
	}
	return;
}

# --- Node.js -------------------------------------------------------------------------------------------------------

my $pinned = JSON::PP->new->utf8->decode(slurp_file(library_file('../node/emitters/package.json')))->{dependencies};
my @packages = grep { exists $pinned->{$_} } sort keys %table;
is($pinned->{$_}, $table{$_}{version}, "$_: the version of the page") foreach @packages;
my $folder = node_folder('emitters');
SKIP:
{
	delete @untested{@packages};
	skip('Node.js and npm are not installed', 1) unless defined $folder;
	copy(library_file("../node/emitters/$_"), "$folder/$_") or die "$_: $!"
	  foreach qw(prisma_client.js prisma.js tracing.js opentelemetry.js google.js drizzle.js);
	emits('Prisma', [ 'node', 'prisma.js' ], $folder, map { "\@prisma/sqlcommenter-$_" } qw(query-tags query-insights));
	emits('OpenTelemetry', [ 'node', 'opentelemetry.js' ], $folder, qw(@opentelemetry/instrumentation-pg kysely pg-promise));
	emits("Google's", [ 'node', 'google.js' ], $folder, map { "\@google-cloud/sqlcommenter-$_" } qw(knex sequelize));
	emits('Drizzle', [ 'node', 'drizzle.js' ], $folder, qw(drizzle-orm @query-doctor/sqlcommenter-drizzle));
}

# --- Python and Java -----------------------------------------------------------------------------------------------

# Tests a Python program, or skips it where the machine has not all of its modules.
sub emits_python
{
	my ($title, $program, $modules, @names) = @_;
  SKIP:
	{
		delete @untested{@names};
		skip("$title is not here", 1) unless works($python, '-c', "import $modules");
		emits($title, [ $python, library_file("../contexts/$program") ], '/', @names);
	}
	return;
}

emits_python('Django', 'tags_django.py', 'django, psycopg2', 'Django');
emits_python('SQLAlchemy', 'tags_sqlalchemy.py', 'sqlalchemy, psycopg2', 'SQLAlchemy');
emits_python('psycopg', 'tags_psycopg.py', 'psycopg, psycopg2', qw(psycopg psycopg2));

SKIP:
{
	delete $untested{pgjdbc};
	skip('pgjdbc is not here', 1) unless -e $jar && works('javac', '-version');
	my $classes = temp_file('classes');
	mkdir $classes;
	run_program($node, [ 'javac', '-Xlint:all', '-Werror', '-d', $classes, library_file('../contexts/Tags.java') ]);
	emits('pgjdbc', [ 'java', '-cp', "$jar:.", 'Tags', sprintf('jdbc:postgresql://127.0.0.1:%d/app?user=%s', $node->port, scalar getpwuid $<) ],
		$classes, 'pgjdbc');
}

is(join(', ', sort keys %untested), '', 'the page has no row that nothing here is for');
$node->stop;
done_testing();

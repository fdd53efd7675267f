# The code of docs/contexts.md, as it stands there, in a small program for each client. What a program writes says in its
# column "note" with which context: {"by": note}, or {"by": "delete" and the note} for what it deletes, or none. In a web
# app the context's "endpoint" is the note.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiNode;
use BemiTest;
use File::Copy qw(copy);
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;

my $jar = '/usr/share/java/postgresql.jar';
my $python = '/usr/bin/python3'; # Debian's, which has Debian's modules
my $ruby = '/usr/bin/ruby';
my $node = new_node('contexts', "listen_addresses = '127.0.0.1'\n");
$node->safe_psql('postgres', 'CREATE DATABASE todo_app');
$node->safe_psql('todo_app', q{
CREATE EXTENSION bemi_decoder;
CREATE TABLE item (id serial PRIMARY KEY, note text);
CREATE TABLE todo (id int PRIMARY KEY, is_completed bool);
ALTER TABLE item REPLICA IDENTITY FULL;
INSERT INTO todo VALUES (1, true), (2, false);
});
create_slot($node, 'todo_app', 'audit');

# Runs a program with code of the page beside it, and returns the records of what it wrote.
sub records_of
{
	my ($command, $folder) = @_;
	run_program($node, $command, folder => $folder, environment => { PGDATABASE => 'todo_app', PYTHONDONTWRITEBYTECODE => 1 });
	my $file = temp_file('records');
	decode_sql($node, 'todo_app', 'audit', $file);
	return records($file);
}

# A folder with code of the page and the program that uses it.
sub prepare
{
	my ($folder, $program, @names) = @_;
	mkdir $folder;
	page_code('contexts.md', $_, $folder) foreach @names;
	copy(library_file("../contexts/$program"), "$folder/$program") or die "$program: $!";
	return $folder;
}

# Tests that a program wrote so many rows, each with the context that it has in mind.
my $json = JSON::PP->new->canonical;
sub carries
{
	my ($name, $count, $command, $folder) = @_;
	my @records = records_of($command, $folder);
	is(scalar @records, $count, "$name: $count changes");
	my (@wrong, %with);
	foreach my $record (@records)
	{
		my $note = $record->{operation} eq 'DELETE' ? "delete$record->{before}{note}" : $record->{after}{note};
		$note =~ s{^delete/}{/delete/};
		my $expected = $note eq 'none' ? {} : $note =~ m{^/} ? { userId => 7, endpoint => $note } : { by => $note };
		$with{ $note eq 'none' ? 'none' : 'some' }++;
		push @wrong, $json->encode($record)
		  if $json->encode($record->{context}) ne $json->encode($expected) || exists $record->{context_error};
	}
	is(scalar @wrong, 0, "$name: each with its context") or diag(join "\n", @wrong[ 0 .. ($#wrong < 3 ? $#wrong : 3) ]);
	cmp_ok($with{none} // 0, '>', 0, "$name: and without one where none is set");
	return;
}

# Tests one client, or skips it where the machine has no such thing.
sub client
{
	my ($name, $is_there, $test) = @_;
  SKIP:
	{
		skip("$name is not here", 1) unless $is_there;
		$test->();
	}
	return;
}

# --- Python --------------------------------------------------------------------------------------------------

client('Django', works($python, '-c', 'import django, psycopg2'), sub {
	my $folder = prepare(temp_file('django'), 'django_app.py');
	page_code('contexts.md', 'audit_context.py: MIDDLEWARE', $folder, 'audit_context.py');
	carries("Django, $_", 10 * (1 + 3 + 1 + 3) + 10 + 2, [ $python, 'django_app.py', $_ ], $folder) foreach qw(autocommit atomic);
});

client('SQLAlchemy', works($python, '-c', 'import sqlalchemy, psycopg2'), sub {
	my $folder = prepare(temp_file('sqlalchemy'), 'sqlalchemy_app.py');
	page_code('contexts.md', 'audit_context.py: set', $folder, 'audit_context.py');
	carries('SQLAlchemy', 20 * 9, [ $python, 'sqlalchemy_app.py' ], $folder);
});

client('psycopg', works($python, '-c', 'import psycopg, psycopg2'), sub {
	carries('psycopg', 6, [ $python, 'psycopg_app.py' ],
		prepare(temp_file('psycopg'), 'psycopg_app.py', 'psycopg_context.py', 'psycopg2_context.py'));
});

# --- Ruby, Node.js, Java -------------------------------------------------------------------------------------

client('Active Record', works($ruby, '-e', 'require "active_record"; require "pg"'), sub {
	carries('Active Record', 40 * (3 + 1 + 2 + 1), [ $ruby, 'rails_app.rb' ], prepare(temp_file('rails'), 'rails_app.rb', 'audit_context.rb'));
});

my $packages = node_folder();
client('Node.js', defined $packages, sub {
	carries('node-postgres and Drizzle', 20 * (3 + 1) + 20 * (2 + 2 + 2 + 1), [ 'node', 'node_app.js' ],
		prepare($packages, 'node_app.js', 'pg-context.js', 'drizzle-context.js'));
});

client('JDBC', -e $jar && works('javac', '-version'), sub {
	my $folder = prepare(temp_file('jdbc'), 'App.java', 'AuditContext.java');
	run_program($node, [ 'javac', '-Xlint:all', '-Werror', 'App.java', 'AuditContext.java' ], folder => $folder);
	carries('JDBC', 4, [ 'java', '-cp', "$jar:.", 'App',
		sprintf('jdbc:postgresql://127.0.0.1:%d/todo_app?user=%s', $node->port, scalar getpwuid $<) ], $folder);
});

# --- SQL and the shell ---------------------------------------------------------------------------------------

my $folder = prepare(temp_file('shell'), 'node_app.js', 'cleanup.sql', 'nightly.sh');
my @records = records_of([ $node->installed_command('psql'), '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', 'cleanup.sql' ], $folder);
is($json->encode([ map { [ @$_{qw(operation primary_key context)} ] } @records ]), '[["DELETE","1",{"job":"cleanup"}]]', 'plain SQL');

write_text("$folder/job.sql", "INSERT INTO todo VALUES (3);\nUPDATE todo SET is_completed = true;\n");
@records = records_of([ 'bash', 'nightly.sh', 'job.sql' ], $folder);
is($json->encode([ map { [ @$_{qw(operation primary_key context)} ] } @records ]),
	'[["CREATE","3",{"job":"nightly"}],["UPDATE","2",{"job":"nightly"}],["UPDATE","3",{"job":"nightly"}]]', "a job's script");

$node->stop;
done_testing();

# Bemi's own client for Prisma, as it is on npm, with the migration that it writes: an Express app with its middleware
# gets requests over HTTP, many at a time over a pool of ten connections, and every record has the context of its request;
# so it does with the session library in the place of the migration.

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
use Time::HiRes qw(time);

my $folder = node_folder() or plan skip_all => 'Node.js and npm are not installed';
seed_random();
my $node = new_node('prisma');
$node->safe_psql('postgres', 'CREATE DATABASE todo_app');
$node->safe_psql('todo_app', q{
CREATE TABLE todo (id serial PRIMARY KEY, task text NOT NULL, is_completed bool NOT NULL DEFAULT false);
ALTER TABLE todo REPLICA IDENTITY FULL;
ALTER SEQUENCE todo_id_seq RESTART 1001});
create_slot($node, 'todo_app', 'audit');

# Prisma's engines are programs of its own from another server; its query compiler and the adapter do without.
my %environment = (
	DATABASE_URL => sprintf('postgresql:///todo_app?host=%s&port=%d', $node->host, $node->port),
	PRISMA_QUERY_ENGINE_LIBRARY => "$folder/package.json",
	PRISMA_SCHEMA_ENGINE_BINARY => "$folder/package.json",
	CHECKPOINT_DISABLE => 1,
	PRISMA_HIDE_UPDATE_MESSAGE => 1);
mkdir "$folder/prisma";
mkdir "$folder/prisma/migrations";
copy(library_file("../node/$_"), "$folder/$_") or die foreach qw(prisma_app.js requests.js);
copy(library_file('../node/schema.prisma'), "$folder/prisma/schema.prisma") or die;
run_program($node, [ "$folder/node_modules/.bin/$_->[0]", @$_[ 1 .. $#$_ ] ], folder => $folder, environment => \%environment)
  foreach [qw(prisma generate --no-hints)], [qw(bemi migration:create)];
my ($migration) = glob "$folder/prisma/migrations/*_bemi/migration.sql";
run_script($node, 'todo_app', $migration);

my ($app, $port);

# Starts the app, and waits until it listens.
sub start_app
{
	$app = start_program($node, [ 'node', 'prisma_app.js' ], folder => $folder, environment => \%environment);
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	$app->{handle}->pump_nb until ${ $app->{said} } =~ /port (\d+)/ || !$app->{handle}->pumpable || time > $end;
	($port) = ${ $app->{said} } =~ /port (\d+)/ or die "the app does not start: ${ $app->{said} }";
	return;
}

# Sends requests, twenty at a time, and returns their answers.
my $json = JSON::PP->new->canonical;
sub send_requests
{
	my (@requests) = @_;
	my $file = temp_file('requests.json');
	write_text($file, $json->encode(\@requests));
	my $answers = JSON::PP->new->utf8->decode(run_program($node, [ 'node', 'requests.js', $port, $file, 20 ], folder => $folder));
	my @bad = grep { $_->{status} != 200 } @$answers;
	is(scalar @bad, 0, @requests . ' requests') or diag("$bad[0]{text} ${ $app->{said} }");
	return map { $json->decode($_->{text}) } @$answers;
}

my $user = 0;
my %expected; # what happened → the context of the request

# A request by a user of its own; each of the changes that it makes is "operation id task".
sub request
{
	my ($method, $path, $body, @changes) = @_;
	$user++;
	my $context = { userId => $user, endpoint => $path, params => $body };
	$context->{merged} = JSON::PP::true if $path eq '/todo/merge';
	delete $context->{params} unless defined $body;
	$expected{$_} = $context foreach @changes;
	return { method => $method, path => $path, user => $user, body => $body };
}

# Has the app change rows, and looks at the context of every change.
sub exercise_app
{
	my ($title) = @_;
	%expected = ('CREATE at the start' => {});
	start_app();
	my $count = is_long() ? 1000 : 150;
	my @tasks = map { pick('plain', 'é😀', '"quoted"', "it's", 'back\\slash', "new\nline", '$1 %s', '--', 'Bemi') . " $_" } 1 .. $count;
	my @rows = send_requests(map { request('POST', '/todo', { task => $_ }, "CREATE $_") } @tasks);

	# Everything else at once, each row touched by one request.
	my @requests;
	foreach my $row (@rows)
	{
		my ($id, $task) = ($row->{id}, "changed " . ++$count);
		my $other = 2_000_000 + $id;
		push @requests, pick(
			sub { request('PATCH', "/todo/$id", { task => $task }, "UPDATE $task") },
			sub { request('PUT', "/todo/$id", { task => $task }, "UPDATE $task") },
			sub { request('PUT', "/todo/$other", { task => $task }, "CREATE $task") },
			sub { request('DELETE', "/todo/$id", undef, "DELETE $row->{task}") },
			sub { request('POST', '/todo/complete', { ids => [$id] }, "UPDATE $row->{task}") },
			sub { request('POST', '/todo/clear', { ids => [$id] }, "DELETE $row->{task}") },
			sub { request('POST', '/todo/raw', { id => $id, task => $task }, "UPDATE $task") },
			sub { request('POST', '/todo/merge', { task => $task }, "CREATE $task") },
			sub { request('POST', '/todo/two', { task => $task }, "CREATE $task first", "CREATE $task second") },
			sub {
				request('POST', '/todo/many', { rows => [ map { { task => "$task $_" } } 1 .. 3 ] },
					map { "CREATE $task $_" } 1 .. 3);
			},
			sub { request('GET', '/todo') })->();
	}
	send_requests(@requests);
	kill_program($app);

	my $file = temp_file('records');
	decode_stream($node, 'todo_app', 'audit', $file, current_lsn($node));
	my (%got, @again);
	foreach my $record (records($file))
	{
		my $row = $record->{operation} eq 'DELETE' ? $record->{before} : $record->{after};
		my $change = "$record->{operation} $row->{task}";
		push @again, $change if exists $got{$change};
		$got{$change} = exists $record->{context_error} ? $record->{context_error} : $record->{context};
	}
	is_deeply(\@again, [], "$title: each change once");
	is_deeply([ sort keys %got ], [ sort keys %expected ], "$title: a record for every change: " . keys %expected);
	my @wrong = grep { $json->encode([ $got{$_} ]) ne $json->encode([ $expected{$_} ]) } sort keys %got;
	is(scalar @wrong, 0, "$title: and each has the context of its request")
	  or diag(map { "$_: " . $json->encode([ $got{$_}, $expected{$_} ]) . "\n" } grep { defined } @wrong[ 0 .. 9 ]);
	return;
}

exercise_app('with triggers');

# --- without Bemi's package: the extension of docs/contexts.md ------------------------------------------------

# Beside Bemi's event trigger, which does not find its own procedure while an extension is being created, until it is
# told where that is.
isnt($node->psql('todo_app', 'CREATE EXTENSION bemi_decoder'), 0, "Bemi's event trigger lets no extension make tables");
run_script($node, 'todo_app', page_code('contexts.md', 'beside-bemi.sql', $folder));
$node->safe_psql('todo_app', 'DROP EVENT TRIGGER _bemi_create_table_trigger; DROP FUNCTION _bemi_row_trigger_func() CASCADE');
page_code('contexts.md', 'prisma-context.js', $folder);
copy(library_file('../node/prisma_context.js'), "$folder/prisma_context.js") or die;
run_program($node, [ 'node', 'prisma_context.js' ], folder => $folder, environment => \%environment);
my $file = temp_file('records');
decode_sql($node, 'todo_app', 'audit', $file);
my @records = records($file);
is(scalar @records, 20 * 5, 'the extension: as many changes');
my @wrong = grep {
	my $task = ($_->{operation} eq 'DELETE' ? $_->{before} : $_->{after})->{task};
	$json->encode($_->{context}) ne ($task eq 'none' ? '{}' : $json->encode({ by => $task }))
} @records;
is(scalar @wrong, 0, 'the extension: each has its context') or diag($json->encode([ @wrong[ 0 .. ($#wrong < 3 ? $#wrong : 3) ] ]));

# --- the package with the session library, and no trigger ---------------------------------------------------------

$node->append_conf('postgresql.conf', "session_preload_libraries = 'bemi_session'");
$node->reload;
$node->poll_query_until('todo_app', "SELECT setting = 'bemi_session' FROM pg_settings WHERE name = 'session_preload_libraries'") or die;
is($node->safe_psql('todo_app', "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '_bemi%'"), '0', 'no trigger is left');
exercise_app('with the session library');

$node->stop;
done_testing();

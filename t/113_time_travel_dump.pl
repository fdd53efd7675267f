# A database that holds both the extension and what bemi_ingest keeps, made in either order, through
# pg_dump and back: the same answers, and the same dump.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('both');
my $folder = PostgreSQL::Test::Utils::tempdir();
my $extension = sub { $node->safe_psql($_[0], 'CREATE EXTENSION bemi_decoder') };
my $init = sub { ingest_ok($node, $node->connstr($_[0]), 'init', '--slot', $_[0]) };
my %orders = (extension_first => [ $extension, $init ], ingest_first => [ $init, $extension ]);

$node->safe_psql('postgres', 'CREATE TABLE todo (id int PRIMARY KEY, task text); ALTER TABLE todo REPLICA IDENTITY FULL');
foreach my $database (sort keys %orders)
{
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	$_->($database) foreach @{ $orders{$database} };
	$extension->('postgres') if $database eq 'extension_first';
}
$node->safe_psql('postgres', q{
BEGIN; SELECT bemi.set_context('{"userId": 7}'); INSERT INTO todo VALUES (1, 'Sleep'); COMMIT;
UPDATE todo SET task = 'Eat';
DELETE FROM todo});

sub dump_text
{
	my ($database) = @_;
	my ($text, $errors);
	local %ENV = $node->_get_env();
	IPC::Run::run([ $node->installed_command('pg_dump'), $database ], '>', \$text, '2>', \$errors);
	is($errors, '', "pg_dump of $database has nothing to say");
	return $text =~ s/^\\(?:un)?restrict .*\n//mgr;
}

is($node->safe_psql('ingest_first', q{SELECT string_agg(oid::regprocedure::text, ' ' ORDER BY 1) FROM pg_proc
	WHERE pronamespace = 'bemi'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL}),
	'', 'every function says what it is for');

my $questions = q{
SELECT c.commit_position, bemi.record_at('todo', '1', c.commit_position),
	(SELECT count(*) FROM bemi.table_at('public.todo', '0/0'::pg_lsn + c.commit_position)),
	(SELECT count(*) FROM bemi.history('todo', '1'))
FROM changes c ORDER BY 1; SELECT begins_with FROM bemi.coverage('todo');
SELECT count(*) FROM pg_extension WHERE extname = 'bemi_decoder'};
foreach my $database (sort keys %orders)
{
	drain($node, $node->connstr($database), '--slot', $database);
	my $answers = $node->safe_psql($database, $questions);
	like($answers, qr/^\d+\|\{"id": 1, "task": "Sleep"\}\|1\|3\n\d+\|\{"id": 1, "task": "Eat"\}\|1\|3\n\d+\|\|0\|3\nslot\n1$/,
		"$database: what there is to ask");
	my $text = dump_text($database);
	foreach my $format ('plain', 'custom')
	{
		my $file = "$folder/$database.$format";
		my $restored = "${database}_$format";
		$node->command_ok([ 'pg_dump', "-F$format", '-f', $file, $database ], "$database: dumped, $format");
		$node->safe_psql('postgres', "CREATE DATABASE $restored TEMPLATE template0");
		$node->command_ok(
			$format eq 'plain'
			? [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $restored ]
			: [ 'pg_restore', '--exit-on-error', '-d', $restored, $file ],
			"$database: restored, $format");
		is($node->safe_psql($restored, $questions), $answers, "$database: the same answers, $format");
		is(dump_text($restored), $text, "$database: the same dump, $format");
		# It goes on from there: init finds nothing to do, and the functions may be made again.
		ingest_ok($node, $node->connstr($restored), 'init', '--slot', $database);
	}
}

done_testing();

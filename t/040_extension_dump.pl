# A database with the extension through pg_dump and back: what was tracked is, what comes later is
# tracked, nobody's restore fails on account of the event trigger.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('extension_dump', q{
fsync = off
});

# An ordinary dump without what differs from one run to the next.
sub dump_text
{
	my ($database, @options) = @_;
	my ($text, $errors);
	local %ENV = $node->_get_env();
	IPC::Run::run([ $node->installed_command('pg_dump'), @options, $database ], '>', \$text, '2>', \$errors)
	  or die "pg_dump of $database failed: $errors";
	is($errors, '', "pg_dump @options of $database has nothing to say");
	return $text =~ s/^\\(?:un)?restrict .*\n//mgr;
}

# Restores into a fresh database, with psql what is text and with pg_restore what is not.
sub restore
{
	my ($database, $file, @options) = @_;
	my ($output, $errors);
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	local %ENV = $node->_get_env();
	my @command =
	  $file =~ /[.]sql$/
	  ? ($node->installed_command('psql'), '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $file, @options, '-d', $database)
	  : ($node->installed_command('pg_restore'), '--exit-on-error', @options, '-d', $database, $file);
	my $ok = IPC::Run::run(\@command, '>', \$output, '2>', \$errors);
	ok($ok, "restored into $database") or diag($errors);
	is($errors, '', "the restore into $database has nothing to say");
	return;
}

my $identities = q{
SELECT n.nspname, c.relname, c.relreplident, i.relname AS index
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index x ON x.indrelid = c.oid AND x.indisreplident
LEFT JOIN pg_class i ON i.oid = x.indexrelid
WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'app', 'Wild " schema')
ORDER BY 1, 2};
my $remembered = q{
SELECT 's', schema::text, '', '', '' FROM bemi.tracked_schemas
UNION ALL SELECT 'i', table_schema, table_name, identity::text, index_name FROM bemi.previous_identities
ORDER BY 1, 2, 3};

$node->safe_psql('postgres', 'CREATE DATABASE source TEMPLATE template0');
$node->safe_psql('source', q{
CREATE EXTENSION bemi_decoder;
CREATE SCHEMA app;
CREATE SCHEMA "Wild "" schema";
CREATE TABLE "Wild "" schema"."Table '" (id int PRIMARY KEY, task text);
INSERT INTO "Wild "" schema"."Table '" VALUES (1, 'Sleep');
CREATE TABLE app.parted (id int NOT NULL, region text NOT NULL, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE app.parted_eu PARTITION OF app.parted FOR VALUES IN ('eu');
CREATE TABLE app.by_index (id int NOT NULL UNIQUE);
ALTER TABLE app.by_index REPLICA IDENTITY USING INDEX by_index_id_key;
CREATE TABLE public.left_out (id int NOT NULL UNIQUE);
ALTER TABLE public.left_out REPLICA IDENTITY USING INDEX left_out_id_key;
CREATE TABLE public.untouched (id int PRIMARY KEY);
SELECT bemi.track('public.left_out');
});
# What bemi_ingest may keep in the same schema.
$node->safe_psql('source', q{
CREATE TABLE bemi.gaps (id int PRIMARY KEY);
INSERT INTO bemi.gaps VALUES (7);
CREATE FUNCTION bemi.change_id() RETURNS int LANGUAGE sql AS 'SELECT 1';
});
$node->safe_psql('source', $_) foreach q{CALL bemi.track_all('app')}, q{CALL bemi.track_all('Wild " schema')};
# In a tracked schema, but by their owners' choice not full.
$node->safe_psql('source', q{
CREATE TABLE app.untracked (id int PRIMARY KEY);
SELECT bemi.untrack('app.untracked');
CREATE TABLE app.chosen (id int NOT NULL UNIQUE);
ALTER TABLE app.chosen REPLICA IDENTITY USING INDEX chosen_id_key;
});

my $source_identities = $node->safe_psql('source', $identities);
is($source_identities, join("\n",
		'Wild " schema|Table \'|f|', 'app|by_index|f|', 'app|chosen|i|chosen_id_key', 'app|parted|f|', 'app|parted_eu|f|',
		'app|untracked|d|', 'public|left_out|f|', 'public|untouched|d|'),
	'the identities to dump');
my $source_memory = $node->safe_psql('source', $remembered);
my $source_dump = dump_text('source');
my $folder = PostgreSQL::Test::Utils::tempdir();

my %formats = (
	plain => ['plain.sql'],
	plain_at_once => [ 'plain.sql', '-1' ],
	custom => ['custom.dump'],
	custom_at_once => [ 'custom.dump', '-1' ],
	parallel => [ 'custom.dump', '-j', '2' ],
	clean => [ 'custom.dump', '--clean', '--if-exists' ]);
$node->command_ok([ 'pg_dump', '-f', "$folder/plain.sql", 'source' ], 'dumped as text');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/custom.dump", 'source' ], 'dumped in the custom format');

foreach my $format (sort keys %formats)
{
	my ($file, @options) = @{ $formats{$format} };
	restore($format, "$folder/$file", @options);
	is($node->safe_psql($format, $identities), $source_identities, "$format: the identities are those of the source");
	is($node->safe_psql($format, $remembered), $source_memory, "$format: the extension's memory is that of the source");
	is(dump_text($format), $source_dump, "$format: what was restored is dumped as the source was");
	$node->safe_psql($format, q{
CREATE TABLE app.later (id int);
CREATE TABLE public.later (id int);
CREATE TABLE "Wild "" schema".later AS SELECT 1 AS id;
CREATE TABLE app.parted_us PARTITION OF app.parted FOR VALUES IN ('us');
SELECT bemi.untrack('app.by_index');
ALTER TABLE app.untracked ADD COLUMN note text});
	is($node->safe_psql($format, "SELECT nspname, relname, relreplident FROM ($identities) t
		WHERE relname IN ('later', 'parted_us', 'by_index', 'untracked')"),
		join("\n", 'Wild " schema|later|f', 'app|by_index|i', 'app|later|f', 'app|parted_us|f', 'app|untracked|d', 'public|later|d'),
		"$format: what comes later is tracked, and what was untracked is not");
	is($node->safe_psql($format, 'SELECT id FROM bemi.gaps WHERE bemi.change_id() = 1'), '7',
		"$format: what else was in the schema is there");
}

# A dump without a table that the extension remembers can be restored.
$node->command_ok([ 'pg_dump', '-Fc', '-T', 'public.left_out', '-f', "$folder/without.dump", 'source' ], 'dumped without a table');
restore('without', "$folder/without.dump");

# One table, back into the database where its schema is tracked: as it was dumped, and no error.
foreach my $table ('app.chosen', 'app.by_index', 'app.untracked')
{
	$node->command_ok([ 'pg_dump', '-t', $table, '-f', "$folder/table.sql", 'source' ], "dumped $table");
	foreach my $options ([], ['-1'])
	{
		$node->safe_psql('plain', "DROP TABLE $table");
		$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', @$options, '-f', "$folder/table.sql", '-d', 'plain' ],
			"restored $table @$options");
	}
}
is($node->safe_psql('plain', "SELECT relname, relreplident FROM ($identities) t
	WHERE relname IN ('chosen', 'by_index', 'untracked')"),
	"by_index|f\nchosen|i\nuntracked|f",
	'an index that was chosen stays; the default is what new tables have, and is made full');

# Who may only read all data can dump the extension's tables as well.
SKIP:
{
	skip 'no pg_read_all_data in this server', 1
	  unless $node->safe_psql('postgres', q{SELECT count(*) FROM pg_roles WHERE rolname = 'pg_read_all_data'});
	$node->safe_psql('postgres', 'CREATE ROLE reader LOGIN IN ROLE pg_read_all_data');
	my $role_dump = dump_text('source', '--role=reader');
	is($role_dump, $source_dump, 'a role that may read gets the whole dump');
}

# The schema alone: what is full stays full, new tables are not tracked until somebody asks for it.
$node->command_ok([ 'pg_dump', '-s', '-f', "$folder/schema.sql", 'source' ], 'dumped the schema alone');
restore('schema_only', "$folder/schema.sql");
is($node->safe_psql('schema_only', $identities), $source_identities, 'schema alone: the identities are those of the source');
is($node->safe_psql('schema_only', $remembered), '', 'schema alone: no memory');

$node->stop;
done_testing();

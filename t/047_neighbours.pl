# Other tools in a tracked database: extensions that make tables in their scripts, pg_partman, pg_repack. They work as
# before, what they make is tracked, and the trail is right.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

chomp(my $share = `pg_config --sharedir`);
plan skip_all => 'pg_repack and pg_partman are not here: scripts/test unpacks them'
  unless -e "$share/extension/pg_repack.control" && -e "$share/extension/pg_partman.control";

my $node = new_node('neighbours', "fsync = off\n");
sub sql { my (@statements) = @_; return $node->safe_psql('postgres', join ";\n", @statements); }

sub untracked
{
	my ($schema) = @_;
	return sql(qq{SELECT count(*), count(*) FILTER (WHERE relreplident = 'f') FROM pg_class
		WHERE relkind IN ('r', 'p') AND relnamespace = '$schema'::regnamespace});
}

sql('CREATE EXTENSION bemi_decoder');
$node->safe_psql('postgres', 'CALL bemi.track_all()');
my (undef, undef, $said) = $node->psql('postgres', 'CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman; CREATE EXTENSION pg_repack', on_error_stop => 1);
is($said, '', 'extensions are made in a tracked database');
note(sql(q{SELECT string_agg(extname || ' ' || extversion, ', ') FROM pg_extension WHERE extname ~ 'repack|partman'}));
is(untracked('partman'), '3|3', 'with their tables tracked');
is(sql(q{SELECT count(*) FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid WHERE e.extname = 'pg_partman' AND d.deptype = 'e' AND d.classid = 'pg_class'::regclass AND d.objid::regclass::text ~ 'bemi'}),
	'0', 'and none of ours in them');

# --- pg_partman: partitions that it makes and drops

sql('CREATE SCHEMA app', 'CREATE TABLE app.event (id int, at timestamptz NOT NULL, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
	q{SELECT partman.create_parent('app.event', 'at', 'native', 'daily')});
my ($tables, $full) = split /\|/, untracked('app');
cmp_ok($tables, '>', 5, 'pg_partman makes partitions');
is($full, $tables, 'all of them are tracked');
create_slot($node, 'postgres', 'slot');
sql(q{INSERT INTO app.event VALUES (1, now(), 'a'), (2, now() + interval '1 day', 'b')}, q{UPDATE app.event SET v = 'c' WHERE id = 1});
sql(q{UPDATE partman.part_config SET premake = 6, infinite_time_partitions = true});
$node->safe_psql('postgres', 'CALL partman.run_maintenance_proc()');
($tables, $full) = split /\|/, untracked('app');
is($full, $tables, 'so are those that its maintenance makes');
my $file = temp_file('partman');
decode_sql($node, 'postgres', 'slot', $file, options => { exclude_tables => 'partman.*' });
is_deeply([ map { [ "$_->{schema}.$_->{table}", $_->{operation}, $_->{before}{v}, $_->{after}{v} ] } records($file) ],
	[ [ 'app.event', 'CREATE', undef, 'a' ], [ 'app.event', 'CREATE', undef, 'b' ], [ 'app.event', 'UPDATE', 'a', 'c' ] ],
	'the records are those of the table');

# --- pg_repack, with changes meanwhile

sql(q{CREATE TABLE app.bloated (id int PRIMARY KEY, v text, secret text)}, q{INSERT INTO app.bloated SELECT g, 'v', 'secret' FROM generate_series(1, 1000) g},
	q{SELECT count(*) FROM pg_logical_slot_get_changes('slot', NULL, NULL)});
my $output;
ok(IPC::Run::run([ 'pg_repack', '-h', $node->host, '-p', $node->port, '-d', 'postgres', '-t', 'app.bloated' ], '>&', \$output), 'pg_repack repacks a tracked table')
  or diag($output);
is(sql(q{SELECT relreplident FROM pg_class WHERE oid = 'app.bloated'::regclass}), 'f', 'which is tracked still');
sql(q{UPDATE app.bloated SET v = 'w' WHERE id = 7});
my ($all, $some) = map { temp_file($_) } 'all', 'some';
decode_sql($node, 'postgres', 'slot', $all, peek => 1, options => { mask_columns => 'app.bloated.secret' });
my %by_table;
push @{ $by_table{ $_->{schema} } }, $_ foreach records($all);
is(scalar @{ $by_table{app} // [] }, 1, 'of the table there is its one change');
is($by_table{app}[0]{before}{v}, 'v', 'with the row before it');
cmp_ok(scalar @{ $by_table{repack} // [] }, '>=', 1000, 'and each row once more, of the copy that pg_repack makes in its schema');
like($by_table{repack}[0]{after}{secret} // '', qr/secret/, 'where a mask of the table does not reach');
decode_sql($node, 'postgres', 'slot', $some, options => { exclude_tables => 'repack.*', mask_columns => 'secret' });
is_deeply([ map { [ $_->{schema}, $_->{after}{v} ] } records($some) ], [ [ 'app', 'w' ] ], 'exclude_tables = repack.* keeps the copy out');

$node->stop;
done_testing();

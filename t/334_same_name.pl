# Databases of several clusters that have one name, in one table of changes: what is asked or done of the one
# leaves the other alone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my @nodes = map { new_node($_) } 'north', 'south';
my ($north, $south) = @nodes;
my $destination = new_destination('destination');
my $sql = sub { return rows_of($destination, $_[0]) };
my $fails = sub {
	my ($name, $node, $query, $message) = @_;
	my (undef, undef, $errors) = $node->psql('postgres', $query);
	like($errors, $message, $name);
};
my $storing = sub { drain($_, $destination, '--slot', $_->name) foreach @nodes };

foreach my $node (@nodes)
{
	my $name = $node->name;
	ingest_ok($node, $destination, 'init', '--slot', $name);
	$node->safe_psql('postgres', $_) foreach 'CREATE TABLE person (id int PRIMARY KEY, name text); ALTER TABLE person REPLICA IDENTITY FULL',
	  "INSERT INTO person VALUES (1, '$name 1'), (2, '$name 2')",
	  in_context('{"case": 1}', "UPDATE person SET id = 3, name = '$name 3' WHERE id = 2");
}
$storing->();
# Later there than the change of the row here, whatever the positions are.
$south->safe_psql('postgres', q{SELECT pg_logical_emit_message(false, 'room', repeat('x', 1000000)); UPDATE person SET name = 'south 4' WHERE id = 3});
$storing->();

is($sql->(q{SELECT string_agg(primary_key || ' ' || (row->>'name'), ', ' ORDER BY primary_key) FROM bemi.table_at('person', now(), 'north')}),
	'1 north 1, 3 north 3', 'time travel is of one');

# --- reversion

$fails->('a context alone selects changes of both', $destination, q{SELECT bemi.revert_sql('{"case": 1}')}, qr/of several databases that are called "postgres".*HINT:  Give the slot/s);
$fails->('and a name that both have', $destination, q{SELECT bemi.revert_sql('{"case": 1}', database => 'postgres')}, qr/of several databases that are called "postgres"/);
$fails->('or the name of a table', $destination, q{SELECT bemi.revert_sql("table" => 'person', database => 'postgres')}, qr/is ambiguous/);
my $undo = $sql->(q{SELECT bemi.revert_sql('{"case": 1}', database => 'north')});
unlike($undo, qr/south|conflict/, 'the slot tells which, and what the other has done later is no conflict');
$north->safe_psql('postgres', $undo);
is($north->safe_psql('postgres', 'SELECT string_agg(name, $$, $$ ORDER BY id) FROM person'), 'north 1, north 2', 'it is undone');
like($sql->(q{SELECT bemi.revert_sql('{"case": 1}', database => 'south')}), qr/its row was changed later, by the UPDATE/, 'where the row was changed later it is one');
$undo = $sql->(q{SELECT bemi.revert_sql("table" => 'person', database => 'south')});
unlike($undo, qr/north|conflict/, 'a table with its slot');
$south->safe_psql('postgres', $undo);
is($south->safe_psql('postgres', 'SELECT count(*) FROM person'), '0', 'is undone too');

# The destination has a table of that name, such as as_of takes for the shape, in a database of that name.
$sql->('CREATE TABLE person (id int PRIMARY KEY)');
unlike($sql->(q{SELECT bemi.revert_sql('{"case": 1}', database => 'north')}), qr/no column/, 'which is not the one that is meant');
$fails->('nor is anything done there', $destination, q{SELECT * FROM bemi.revert("table" => 'person')},
	qr/the changes of a database "postgres" are those of another cluster.*HINT:  bemi.revert_sql/s);

# --- forget

$storing->();
is($sql->(q{SELECT bemi.forget('person', '3', database => 'north')}), '3', 'of a row all that is known is forgotten');
is($sql->(q{SELECT count(*) FROM changes WHERE (before || after)->>'name' = 'north 2'}), '0', 'under each key');
is($sql->(q{SELECT string_agg(DISTINCT (before || after)->>'name', ', ') FROM changes c, bemi.progress p
	WHERE p.slot = 'south' AND bemi.change_source(c.id) = mod(p.system_identifier, 1073741789)}), 'south 1, south 2, south 3, south 4',
	'the other of that name is not');

# --- where one of them keeps the changes of both

$north->safe_psql('postgres', 'DROP TABLE person');
foreach my $node (@nodes)
{
	my $slot = 'both_' . $node->name;
	ingest_ok($node, $north, 'init', '--slot', $slot);
	$node->safe_psql('postgres', q{CREATE TABLE thing (id int PRIMARY KEY, v text); ALTER TABLE thing REPLICA IDENTITY FULL; INSERT INTO thing VALUES (1, 'x')});
	$node->safe_psql('postgres', in_context('{"case": 2}', q{UPDATE thing SET v = 'y'}));
	drain($node, $north, '--slot', $slot);
}
is($north->safe_psql('postgres', q{SELECT string_agg(outcome, ' ') FROM bemi.revert('{"case": 2}')}), 'reverted', 'it reverts its own');
drain($north, $north, '--slot', 'both_north');
is($north->safe_psql('postgres', q{SELECT string_agg(outcome, ' ') FROM bemi.revert("table" => 'thing')}), 'reverted reverted reverted', 'by table too');
is($north->safe_psql('postgres', 'SELECT count(*) FROM thing') . $south->safe_psql('postgres', 'SELECT v FROM thing'), '0y', 'and nothing else');

done_testing();

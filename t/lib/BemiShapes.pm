# Tables that keep changing their shape: random statements of DDL and of rows, contexts good and bad, for tests that
# run them while others decode.
package BemiShapes;

use strict;
use warnings;

use BemiTest;

my @names = ('shape_1', 'shape_2', '"Shape 3"');

sub create
{
	my ($name) = @_;
	return "CREATE TABLE $name (id bigserial PRIMARY KEY, a int, b text, c numeric);\n" . "ALTER TABLE $name REPLICA IDENTITY FULL;\n";
}

# A definition, repeatable, of what the statements need.
sub setup
{
	return join('', map { create($_) } @names) . q{
CREATE TABLE parted (id bigint, region text, note text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_eu PARTITION OF parted FOR VALUES IN ('eu');
CREATE TABLE parted_us PARTITION OF parted FOR VALUES IN ('us');
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
ALTER TABLE parted_eu REPLICA IDENTITY FULL;
ALTER TABLE parted_us REPLICA IDENTITY FULL;
ALTER TABLE parted_rest REPLICA IDENTITY FULL;
};
}

# All tables with rows of ours; partitions count as what they belong to.
sub tables { return (@names, 'parted'); }

my $columns = 0;

# A context, one in a hundred of them malformed.
sub context
{
	my $text = chance(0.01)
	  ? pick('{', '[1,', 'no json', '', '{"a":"\u0000"}', '[' x 200)
	  : pick('{"userId": ' . between(1, 1000) . '}', '[1, 2]', 'null', '"text"', '{"deep": {"er": {"still": [1, {"x": "é"}]}}}');
	return 'SELECT pg_logical_emit_message(true, \'_bemi\', ' . sql_literal($text) . ");\n";
}

sub ddl
{
	my ($name) = @_;
	my $column = 'x' . ++$columns;
	my $any = "(SELECT attname FROM pg_attribute WHERE attrelid = '$name'::regclass AND attnum > 4 AND NOT attisdropped ORDER BY random() LIMIT 1)";
	# Now and then the table is made anew: a row has no room for ever more columns. That it was emptied is in the records.
	return "TRUNCATE $name;\nDROP TABLE $name;\n" . create($name) if chance(0.05);
	# Columns get in and out, change names and types; those of the beginning stay.
	return pick(
		"ALTER TABLE $name ADD $column int;\n",
		"ALTER TABLE $name ADD $column text DEFAULT 'added', ADD ${column}_2 jsonb DEFAULT '{\"k\": 1}';\n",
		"DO \$\$ DECLARE n name := $any; BEGIN IF n IS NOT NULL THEN EXECUTE format('ALTER TABLE $name DROP %I', n); END IF; END \$\$;\n",
		"DO \$\$ DECLARE n name := $any; BEGIN IF n IS NOT NULL THEN EXECUTE format('ALTER TABLE $name RENAME %I TO %I', n, '$column \"y'); END IF; END \$\$;\n",
		# A new type that writes a value in another way changes rows without a record: verify would say so, rightly.
		"ALTER TABLE $name ALTER a TYPE " . pick('int', 'bigint', 'numeric') . ", ALTER b TYPE " . pick('text', 'varchar') . ";\n",
		"ALTER TABLE $name ALTER b SET STORAGE " . pick('EXTERNAL', 'EXTENDED', 'MAIN') . ";\n");
}

sub rows
{
	my ($name) = @_;
	my $id = between(1, 400);
	return pick(
		"INSERT INTO $name (a, b, c) SELECT g, repeat(md5(g::text), " . between(1, 200) . "), g / 7.0 FROM generate_series(1, " . between(1, 20) . ") g;\n",
		"UPDATE $name SET a = a + 1 WHERE id % 7 = " . between(0, 6) . ";\n",
		"UPDATE $name SET b = b || 'x', id = id + 100000 WHERE id = $id;\n",
		"DELETE FROM $name WHERE id % 11 = " . between(0, 10) . ";\n",
		"INSERT INTO $name (id, a) VALUES ($id, 1) ON CONFLICT (id) DO UPDATE SET a = EXCLUDED.a;\n",
		"COPY $name (a, b) FROM PROGRAM 'seq 1 " . between(1, 300) . " | sed \"s/\$/,copied/\"' (FORMAT csv);\n",
		(chance(0.1) ? "TRUNCATE $name;\n" : "SELECT 1;\n"));
}

sub partitions
{
	my $id = between(1, 500);
	my $region = pick(qw(eu us asia));
	return pick(
		"INSERT INTO parted VALUES ($id, '$region', 'new') ON CONFLICT DO NOTHING;\n",
		"INSERT INTO parted VALUES ($id, '$region', 'new') ON CONFLICT DO NOTHING;\n",
		"UPDATE parted SET region = '$region' WHERE id = $id AND region <> '$region' AND NOT EXISTS (SELECT FROM parted WHERE id = $id AND region = '$region');\n",
		"UPDATE parted SET note = note || '.' WHERE id % 5 = " . between(0, 4) . ";\n",
		"DELETE FROM parted WHERE id % 9 = " . between(0, 8) . ";\n",
		"TRUNCATE " . pick(qw(parted_eu parted_us)) . ";\n",
		# Detached, its rows are rows of another table: it comes back empty.
		"BEGIN; DELETE FROM parted_us; ALTER TABLE parted DETACH PARTITION parted_us; ALTER TABLE parted ATTACH PARTITION parted_us FOR VALUES IN ('us'); COMMIT;\n");
}

# A transaction of some statements, in savepoints that are kept or not.
sub transaction
{
	return partitions() if chance(0.2);
	my $text = "BEGIN;\n";
	foreach (1 .. between(1, 5))
	{
		my $name = pick(@names);
		$text .= context() if chance(0.4);
		$text .= "SAVEPOINT s;\n" if my $savepoint = chance(0.2);
		$text .= chance(0.15) ? ddl($name) : rows($name);
		$text .= pick("ROLLBACK TO s;\n", "RELEASE s;\n") if $savepoint;
	}
	return $text . (chance(0.1) ? "ROLLBACK;\n" : "COMMIT;\n");
}

# A column that came later is in no record of the rows that were there: each row is written once more.
sub touch { return join '', map { "UPDATE $_ SET a = a;\n" } @names; }

1;

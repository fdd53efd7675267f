# A random workload: tables of every shape, and scripts of transactions on them for the oracle to
# watch. Everything is decided here, from Perl's random numbers, so that a seed repeats it.
package BemiWorkload;

use strict;
use warnings;
use utf8;

use BemiTest;
use BemiValues;

my @identities = qw(full default index nothing);

# schema: where its tables are; folder: where its COPY files are. Every table has a column n, by
# which rows are found.
sub new
{
	my ($class, %self) = @_;
	$self{tables} = [];
	$self{setup} = '';
	$self{copies} = 0;
	$self{prepared} = 0;
	my $self = bless \%self, $class;
	$self->add("CREATE SCHEMA " . sql_name($self{schema}) . ";\n");
	$self->make_wide_tables;
	$self->make_key_tables;
	$self->make_toast_tables;
	$self->make_odd_tables;
	$self->make_partitions;
	$self->make_morph;
	return $self;
}

# The SQL that makes the tables.
sub setup { my ($self) = @_; return $self->{setup}; }

sub add { my ($self, @text) = @_; $self->{setup} .= join '', @text; return; }

# Adds a table: columns are [name, type's name here], what only PostgreSQL sees comes in `also`.
#   key       columns of the primary key
#   identity  full, default, nothing, or index, which needs `index`: its columns
#   weight    how often it is chosen
#   deferred  its key can't be an arbiter of ON CONFLICT
#   watched   the relations to watch, itself alone unless told
sub make_table
{
	my ($self, $name, %table) = @_;
	my $full_name = sql_name($self->{schema}, $name);
	my @also = @{ $table{also} // [] };
	my %required = map { $_ => 1 } @{ $table{key} // [] }, @{ $table{index} // [] };
	push @also, 'PRIMARY KEY (' . columns_text($table{key}) . ')' . ($table{deferred} ? ' DEFERRABLE INITIALLY IMMEDIATE' : '')
	  if $table{key};
	$self->add(
		"CREATE TABLE $full_name (",
		join(', ',
			(map { sql_name($_->[0]) . ' ' . column_type($_->[1]) . ($required{ $_->[0] } ? ' NOT NULL' : '') } @{ $table{columns} }),
			@also),
		')', $table{tail} // '', ";\n");
	$self->add("CREATE UNIQUE INDEX " . sql_name("${name}_identity") . " ON $full_name (" . columns_text($table{index}) . ");\n")
	  if $table{index};
	$self->add(identity_sql($full_name, "${name}_identity", $table{identity} // 'default'));
	$self->add($table{then} =~ s/THIS/$full_name/gr) if $table{then};
	$table{required} = \%required;
	$table{watched} //= [$full_name];
	$self->add("SELECT oracle.watch(" . sql_literal($_) . ");\n") foreach @{ $table{watched} };
	$table{name} = $full_name;
	push @{ $self->{tables} }, (\%table) x ($table{weight} // 1);
	return \%table;
}

sub columns_text { my ($columns) = @_; return join ', ', map { sql_name($_) } @$columns; }

sub identity_sql
{
	my ($table, $index, $identity) = @_;
	return "ALTER TABLE $table REPLICA IDENTITY "
	  . ($identity eq 'index' ? 'USING INDEX ' . sql_name($index) : uc $identity) . ";\n";
}

# Every type as a column, under each identity.
sub make_wide_tables
{
	my ($self) = @_;
	my %weights = (plain => 6, array => 3, special => 4);
	foreach my $group (qw(plain array special))
	{
		my @columns = map { [ "c $_", $_ ] } type_names(group => $group);
		foreach my $identity (@identities)
		{
			$self->make_table(
				"$group $identity",
				columns => [ [ 'id', 'int4' ], [ 'n', 'int4' ], [ 'u', 'text' ], [ 'm', 'int8' ], @columns ],
				key => ['id'],
				index => $identity eq 'index' ? [ 'u', 'm' ] : undef,
				identity => $identity,
				some_columns => 0.25,
				weight => $weights{$group});
		}
	}
	return;
}

# A table for each type that can be a primary key, and keys of several columns.
sub make_key_tables
{
	my ($self) = @_;
	foreach my $type (type_names(key => 1))
	{
		$self->make_table(
			"key $type",
			columns => [ [ 'v', 'text' ], [ 'k', $type ], [ 'n', 'int4' ], [ 'i', 'uuid' ] ],
			key => ['k'],
			index => ['i'],
			identity => pick(qw(full full default default default index nothing)));
	}
	my @keys = (
		[ [qw(b a)], a => 'int8', b => 'text' ],
		[ [qw(d a c)], a => 'jsonb', c => 'float8', d => 'timestamptz' ],
		[ [qw(a b c d)], a => 'bool', b => 'numeric', c => 'pair', d => 'text_array' ],
		[ [qw(c a)], a => 'char_10', c => 'mood' ],
		[ [ 'é "x"', 'a' ], a => 'varchar_5', 'é "x"' => 'bytea' ]);
	foreach my $number (0 .. $#keys)
	{
		my ($key, %types) = @{ $keys[$number] };
		foreach my $identity (qw(full default))
		{
			$self->make_table(
				"keys $number $identity",
				columns => [ [ 'n', 'int4' ], (map { [ $_, $types{$_} ] } sort keys %types), [ 'rest', 'text' ] ],
				key => $key,
				identity => $identity,
				weight => 2);
		}
	}
	# An identity that shares a column with the key, and one that has all of it.
	$self->make_table('overlap', columns => [ [ 'n', 'int4' ], [ 'a', 'int2' ], [ 'b', 'text' ], [ 'c', 'uuid' ] ],
		key => [ 'a', 'b' ], index => [ 'c', 'b' ], identity => 'index', weight => 2);
	$self->make_table('within', columns => [ [ 'n', 'int4' ], [ 'a', 'int2' ], [ 'b', 'text' ], [ 'c', 'uuid' ] ],
		key => ['b'], index => [ 'c', 'b' ], identity => 'index', weight => 2);
	foreach my $identity (@identities)
	{
		$self->make_table("deferred $identity", columns => [ [ 'n', 'int4' ], [ 'k', 'int4' ], [ 'i', 'uuid' ], [ 'v', 'text' ] ],
			key => ['k'], index => ['i'], identity => $identity, deferred => 1);
		$self->make_table("keyless $identity", columns => [ [ 'n', 'int4' ], [ 'v', 'jsonb' ], [ 'i', 'uuid' ] ],
			index => $identity eq 'index' ? ['i'] : undef, identity => $identity, weight => 2);
	}
	return;
}

# Values out of line: untouched by most updates, in the key and out of it.
sub make_toast_tables
{
	my ($self) = @_;
	foreach my $identity (@identities)
	{
		$self->make_table(
			"toast $identity",
			columns => [
				[ 'n', 'int4' ], [ 'id', 'int4' ], [ 'outside', 'long' ], [ 'v', 'int4' ], [ 'packed', 'long' ], [ 'main', 'long' ],
				[ 'j', 'long_jsonb' ], [ 'b', 'bytea' ], [ 'i', 'uuid' ], [ 'list', 'long_array' ]
			],
			key => ['id'],
			index => ['i'],
			identity => $identity,
			some_columns => 0.6,
			then => 'ALTER TABLE THIS ALTER outside SET STORAGE EXTERNAL, ALTER main SET STORAGE MAIN,'
			  . " ALTER b SET STORAGE EXTERNAL;\n",
			weight => 8);
		$self->make_table(
			"toast key $identity",
			columns => [ [ 'n', 'int4' ], [ 'k', 'long' ], [ 'v', 'text' ], [ 'other', 'long' ], [ 'i', 'long' ] ],
			key => ['k'],
			index => $identity eq 'index' ? ['i'] : undef,
			identity => $identity,
			then => "ALTER TABLE THIS ALTER k SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL, ALTER i SET STORAGE EXTERNAL;\n",
			weight => 8);
		$self->make_table(
			"toast keys $identity",
			columns => [ [ 'k', 'long' ], [ 'n', 'int4' ], [ 'id', 'int4' ], [ 'other', 'long' ] ],
			key => [ 'id', 'k' ],
			index => ['id'],
			identity => $identity,
			then => "ALTER TABLE THIS ALTER k SET STORAGE EXTERNAL;\n",
			weight => 6);
	}
	return;
}

sub make_odd_tables
{
	my ($self) = @_;
	my $schema = sql_name($self->{schema});
	foreach my $identity (@identities)
	{
		$self->make_table(
			"generated $identity",
			columns => [ [ 'n', 'int4' ], [ 'a', 'int2' ], [ 't', 'short_text' ], [ 'i', 'uuid' ] ],
			also => [
				'g int8 GENERATED ALWAYS AS (a::int8 * 1000) STORED',
				'h text GENERATED ALWAYS AS (t || repeat(t, 400)) STORED', 'serial int GENERATED ALWAYS AS IDENTITY'
			],
			key => ['serial'],
			index => ['i'],
			identity => $identity,
			weight => 2);
	}
	$self->make_table('generated key', columns => [ [ 'n', 'int4' ], [ 'a', 'int4' ], [ 'v', 'text' ] ],
		also => [ 'g numeric GENERATED ALWAYS AS (a / 8.0) STORED PRIMARY KEY' ], weight => 2);
	$self->make_table(
		'mended',
		columns => [ [ 'n', 'int4' ], [ 'k', 'int4' ], [ 'kept', 'text' ] ],
		also => [ 'gone_1 text DEFAULT \'gone\'', 'gone_2 int[] DEFAULT \'{1}\'' ],
		key => ['k'],
		identity => 'full',
		then => "ALTER TABLE THIS DROP gone_1, DROP gone_2, ADD \"ne\"\"w\" text DEFAULT 'fast', ADD late int;\n",
		weight => 2);
	$self->make_table('so "wild" a.name, \\ é\'', columns => [ [ 'n', 'int4' ], [ "a\n\"b\"\\\t\x{1F600}", 'text' ], [ 'K K', 'int4' ] ],
		key => ['K K'], identity => 'full', weight => 2);
	# The row's null bitmap is long, and its number of columns beyond a byte.
	$self->make_table('many', columns => [ [ 'n', 'int4' ], map { [ "c$_", pick('int4', 'bool', 'short_text') ] } 1 .. 400 ],
		also => ['PRIMARY KEY (n)'], identity => 'full', some_columns => 0.02);
	$self->make_table('family', columns => [ [ 'n', 'int4' ], [ 'v', 'text' ] ], identity => 'full');
	$self->make_table('child of family', columns => [ [ 'w', 'int4' ] ], tail => " INHERITS ($schema.family)", identity => 'full');
	$self->{tables}[-1]{columns} = [ [ 'n', 'int4' ], [ 'v', 'text' ], [ 'w', 'int4' ] ];
	my $parent = $self->make_table('parent', columns => [ [ 'n', 'int4' ], [ 'k', 'int4' ], [ 'v', 'text' ] ], key => ['k'], small_keys => 1, weight => 2);
	$self->make_table(
		'child',
		columns => [ [ 'n', 'int4' ], [ 'parent', 'int4' ] ],
		also => [
			'id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY', "FOREIGN KEY (parent) REFERENCES $parent->{name} ON DELETE CASCADE ON UPDATE CASCADE"
		],
		identity => 'full',
		small_keys => 1,
		weight => 2);
	$self->make_table(
		'orphan',
		columns => [ [ 'n', 'int4' ], [ 'parent', 'int4' ] ],
		also => ["FOREIGN KEY (parent) REFERENCES $parent->{name} ON DELETE SET NULL ON UPDATE SET NULL"],
		identity => 'full',
		small_keys => 1);
	# Never in the WAL, or with no columns at all: neither is watched or chosen like the others.
	$self->add("CREATE UNLOGGED TABLE $schema.unlogged (n int PRIMARY KEY);\n");
	$self->add("CREATE TABLE $schema.nothing_in_it ();\nALTER TABLE $schema.nothing_in_it REPLICA IDENTITY FULL;\n");
	$self->add("SELECT oracle.watch(" . sql_literal("$schema.nothing_in_it") . ");\n");
	return;
}

# Leaves with columns in other orders, in other schemas and below other partitions; rows that move.
sub make_partitions
{
	my ($self) = @_;
	my $other = sql_name("$self->{schema} leaves");
	$self->add("CREATE SCHEMA $other;\n");
	my $root = sql_name($self->{schema}, 'sales');
	my @leaves = ("$other.\"sales Eu\"", "$other.us", sql_name($self->{schema}, 'sales_rest'), sql_name($self->{schema}, 'sales_deep_1'), "$other.deep_2");
	my $middle = sql_name($self->{schema}, 'middle');
	$self->make_table(
		'sales',
		columns => [ [ 'id', 'int4' ], [ 'region', 'region' ], [ 'n', 'int4' ], [ 'amount', 'numeric' ], [ 'note', 'long' ] ],
		key => [ 'region', 'id' ],
		tail => ' PARTITION BY LIST (region)',
		small_keys => 1,
		then => <<"SQL",
CREATE TABLE $leaves[0] (note text, gone int, n int, amount numeric, region text NOT NULL, gone2 text, id int NOT NULL);
ALTER TABLE $leaves[0] DROP gone, DROP gone2;
ALTER TABLE THIS ATTACH PARTITION $leaves[0] FOR VALUES IN ('eu');
CREATE TABLE $leaves[1] PARTITION OF THIS FOR VALUES IN ('us');
CREATE TABLE $leaves[2] PARTITION OF THIS DEFAULT;
CREATE TABLE $middle PARTITION OF THIS FOR VALUES IN ('deep') PARTITION BY RANGE (id);
CREATE TABLE $leaves[3] PARTITION OF $middle FOR VALUES FROM (MINVALUE) TO (20);
CREATE TABLE $leaves[4] (amount numeric, id int NOT NULL, note text, region text NOT NULL, n int);
ALTER TABLE $middle ATTACH PARTITION $leaves[4] FOR VALUES FROM (20) TO (MAXVALUE);
ALTER TABLE $leaves[0] REPLICA IDENTITY FULL;
ALTER TABLE $leaves[2] REPLICA IDENTITY NOTHING;
ALTER TABLE $leaves[3] REPLICA IDENTITY FULL;
ALTER TABLE $leaves[4] ALTER note SET STORAGE EXTERNAL;
SQL
		watched => [ @leaves, $root, $middle ],
		weight => 8);
	return;
}

# A table that changes while rows do: [SQL, new columns to write], one step after another.
sub make_morph
{
	my ($self) = @_;
	my $schema = sql_name($self->{schema});
	my $table = $self->make_table('morph', columns => [ [ 'n', 'int4' ], [ 'id', 'int4' ], [ 'a', 'text' ], [ 'b', 'int4' ] ],
		key => ['id'], identity => 'full', weight => 10);
	$self->add("CREATE TYPE $schema.state AS ENUM ('new', 'old');\nCREATE DOMAIN $schema.limited AS int;\n");
	my $state = [ 'state', 'state' ];
	my @base = ([ 'n', 'int4' ], [ 'id', 'int4' ]);
	my $number_rows = 'UPDATE THIS AS t SET';
	my $where_numbered = 'FROM (SELECT ctid AS place, row_number() OVER () AS number FROM THIS) s WHERE s.place = t.ctid';
	# Its key comes and goes: no arbiter of ON CONFLICT.
	$table->{key} = undef;
	$self->{morph} = $table;
	$self->{morph_steps} = [
		[ "ALTER TABLE THIS ADD c timestamptz DEFAULT '2024-07-01 12:00+05:45'", [ @base, [ 'a', 'text' ], [ 'b', 'int4' ], [ 'c', 'timestamptz' ] ] ],
		[ 'ALTER TABLE THIS ALTER b TYPE numeric USING b / 7.0', [ @base, [ 'a', 'text' ], [ 'b', 'numeric' ], [ 'c', 'timestamptz' ] ] ],
		[ 'ALTER TABLE THIS DROP a', [ @base, [ 'b', 'numeric' ], [ 'c', 'timestamptz' ] ] ],
		[ 'ALTER TABLE THIS RENAME c TO "C c"', [ @base, [ 'b', 'numeric' ], [ 'C c', 'timestamptz' ] ] ],
		[ "ALTER TABLE THIS ADD state $schema.state DEFAULT 'new'", [ @base, [ 'b', 'numeric' ], $state ] ],
		[ "ALTER TYPE $schema.state RENAME VALUE 'new' TO 'brand \"new\"'" ],
		[ "ALTER TYPE $schema.state RENAME TO condition" ],
		[ 'ALTER TABLE THIS REPLICA IDENTITY DEFAULT' ],
		[ 'ALTER TABLE THIS DROP CONSTRAINT morph_pkey' ],
		[ "$number_rows id = s.number $where_numbered; ALTER TABLE THIS ADD CONSTRAINT " . sql_name("key of $self->{schema}") . ' PRIMARY KEY (id, n)' ],
		[ "$number_rows b = s.number $where_numbered; ALTER TABLE THIS ALTER b SET NOT NULL, ALTER b TYPE float8", [ @base, [ 'b', 'float8' ] ] ],
		[ "$number_rows b = s.number $where_numbered; CREATE UNIQUE INDEX ON THIS (b); ALTER TABLE THIS REPLICA IDENTITY USING INDEX morph_b_idx" ],
		[ 'DROP INDEX ' . "$schema.morph_b_idx" ],
		[ "CREATE TABLE $schema.heir (z int); ALTER TABLE THIS ADD heirs $schema.heir\[]", [ @base, [ 'b', 'float8' ] ] ],
		[ "ALTER TABLE THIS REPLICA IDENTITY FULL; ALTER TABLE THIS ADD d int GENERATED ALWAYS AS (n * 2) STORED" ],
		[ "ALTER TABLE THIS ADD l $schema.limited DEFAULT 5, ADD t text DEFAULT repeat('toast', 2000)", [ @base, [ 'b', 'float8' ], [ 't', 'long' ] ] ],
		[ 'ALTER TABLE THIS ALTER t SET STORAGE EXTERNAL' ],
		[ 'ALTER TABLE THIS REPLICA IDENTITY DEFAULT' ],
		[ "ALTER TABLE THIS RENAME TO " . sql_name("morph of $self->{schema}"), undef, "morph of $self->{schema}" ],
		[ 'ALTER TABLE THIS SET SCHEMA odd', undef, "morph of $self->{schema}", 'odd' ],
		[ 'ALTER TABLE THIS RENAME TO ' . sql_name("morphed $self->{schema}"), undef, "morphed $self->{schema}", 'odd' ],
	];
	return;
}

# Types of columns that are no types of PostgreSQL's, only ways to choose a value.
my %own = (
	long => [ 'text', \&long_text ],
	long_jsonb => [ 'jsonb', sub { return 'jsonb_build_object(\'a\', ' . long_text() . ')'; } ],
	long_array => [ 'text[]', sub { return 'ARRAY[' . long_text() . ', ' . value('text', small => 1) . ']'; } ],
	region => [ 'text', sub { return pick(q{'eu'}, q{'us'}, q{'deep'}, q{'deep'}, q{'antarctica'}); } ],
	state => [ undef, sub { return 'DEFAULT'; } ]);

sub long_text
{
	my $seed = between(1, 1000);
	return pick(
		"'short $seed'",
		"repeat('compressible $seed', 3000)",
		"(SELECT string_agg(md5((i + $seed)::text), '') FROM generate_series(1, 78) i)",
		"(SELECT string_agg(md5((i + $seed)::text), '\"') FROM generate_series(1, 70) i)",
		"repeat(md5('$seed'), 600)");
}

# The type of a column in SQL.
sub column_type { my ($type) = @_; return $own{$type} ? $own{$type}[0] : type_sql($type); }

# A value for a column of a table.
sub column_value
{
	my ($table, $column) = @_;
	my ($name, $type) = @$column;
	return between(1, 40) if $name eq 'n';
	return $own{$type}[1]->() if $own{$type};
	return between(1, 30) if $table->{small_keys} && ($table->{required}{$name} || $name eq 'parent');
	return between(1, 60) if $type eq 'int4' && $table->{required}{$name};
	return value($type, ($table->{required}{$name} ? (not_null => 1, small => 1) : ()));
}

# The columns that a statement writes: those that must be, and some others.
sub some_columns
{
	my ($table) = @_;
	my $share = $table->{some_columns} // 0.85;
	return grep { $_->[0] eq 'n' || $table->{required}{ $_->[0] } || chance($share) } @{ $table->{columns} };
}

sub rows
{
	my ($table, $columns, $count) = @_;
	return join ",\n  ",
	  map { '(' . join(', ', map { column_value($table, $_) } @$columns) . ')' } 1 .. $count;
}

sub names { return join ', ', map { sql_name($_->[0]) } @_; }

# A statement that may fail on a constraint.
sub attempt { my ($statement) = @_; return "SELECT oracle.attempt(\$attempt\$$statement\$attempt\$);\n"; }

sub where
{
	return pick('n = ' . between(1, 40), 'n IN (' . between(1, 40) . ', ' . between(1, 40) . ')', 'n % 11 = ' . between(0, 10),
		'n % 4 = ' . between(0, 3));
}

sub insert
{
	my ($self, $table) = @_;
	my @columns = some_columns($table);
	my $conflict = $table->{deferred} ? '' : pick('', ' ON CONFLICT DO NOTHING');
	return attempt("INSERT INTO $table->{name} (" . names(@columns) . ') VALUES ' . rows($table, \@columns, pick(1, 1, 1, 2, 5)) . $conflict);
}

sub upsert
{
	my ($self, $table) = @_;
	return $self->insert($table) if !$table->{key} || $table->{deferred} || $table->{tail} || $table->{key}[0] eq 'serial';
	my @columns = some_columns($table);
	return attempt("INSERT INTO $table->{name} AS t (" . names(@columns) . ') VALUES ' . rows($table, \@columns, pick(1, 1, 3))
		  . ' ON CONFLICT (' . columns_text($table->{key}) . ') DO UPDATE SET '
		  . join(', ', map { my $name = sql_name($_->[0]); "$name = EXCLUDED.$name" } @columns)
		  . pick('', '', ' WHERE t.n > 10'));
}

sub assignments
{
	my ($table, @columns) = @_;
	return join ', ', map { sql_name($_->[0]) . ' = ' . column_value($table, $_) } @columns;
}

# Most updates leave the key and most columns alone.
sub update
{
	my ($self, $table) = @_;
	my @columns = grep { !$table->{required}{ $_->[0] } || chance(0.1) } @{ $table->{columns} };
	my %chosen = map { $_->[0] => $_ } map { pick(@columns) } 1 .. pick(1, 1, 2, 8);
	return attempt("UPDATE $table->{name} SET " . assignments($table, map { $chosen{$_} } sort keys %chosen) . ' WHERE ' . where());
}

sub update_key
{
	my ($self, $table) = @_;
	my @columns = grep { $table->{required}{ $_->[0] } } @{ $table->{columns} };
	return $self->update($table) unless @columns;
	return attempt("UPDATE $table->{name} SET " . assignments($table, pick(@columns)) . ' WHERE ' . where());
}

sub update_nothing
{
	my ($self, $table) = @_;
	my $column = sql_name(pick(@{ $table->{columns} })->[0]);
	return attempt("UPDATE $table->{name} SET $column = $column WHERE " . where());
}

sub delete_rows
{
	my ($self, $table) = @_;
	return attempt("DELETE FROM $table->{name} WHERE " . where());
}

# Takes tables with foreign keys to them along; one with deferred checks can't be.
sub truncate_table
{
	my ($self, $table) = @_;
	my $other = pick(@{ $self->{tables} });
	my %names = map { $_->{name} => 1 } $table, chance(0.5) ? $other : $table;
	return attempt('TRUNCATE ' . join(', ', sort keys %names) . pick('', ' RESTART IDENTITY') . ' CASCADE');
}

sub copy
{
	my ($self, $table) = @_;
	my @columns = grep { $_->[1] ne 'state' } some_columns($table);
	my $file = "$self->{folder}/copy_" . $self->{copies}++;
	my $format = pick('text', 'csv');
	# VALUES finds the types of its columns among its rows: one of them has no NULL without a type.
	my @typed = map { '(' . join(', ', map { cast_value($table, $_) } @columns) . ')' } 1 .. pick(1, 5, 20);
	return
		"COPY (VALUES " . join(",\n  ", @typed) . ") TO '$file' (FORMAT $format);\n"
	  . attempt("COPY $table->{name} (" . names(@columns) . ") FROM '$file' (FORMAT $format)");
}

sub cast_value
{
	my ($table, $column) = @_;
	return 'CAST(' . column_value($table, $column) . ' AS ' . (column_type($column->[1]) =~ s/ COLLATE .*//r) . ')';
}

# Changes of several tables in one statement.
sub move
{
	my ($self, $table) = @_;
	my $other = pick(@{ $self->{tables} });
	my @columns = grep { $_->[0] eq 'n' || $other->{required}{ $_->[0] } } @{ $other->{columns} };
	return attempt("WITH gone AS (DELETE FROM $table->{name} WHERE " . where() . " RETURNING *),\n"
		  . "  inserted AS (INSERT INTO $other->{name} (" . names(@columns) . ') VALUES ' . rows($other, \@columns, 2) . " RETURNING *)\n"
		  . "  UPDATE $table->{name} SET n = n + 1 WHERE n = " . between(1, 40));
}

sub merge
{
	my ($self, $table) = @_;
	return $self->upsert($table) if $self->{version} < 15 || !$table->{key} || $table->{key}[0] eq 'serial';
	my @columns = some_columns($table);
	return attempt("MERGE INTO $table->{name} t USING (SELECT generate_series(1, 40, 13)) AS s (x) ON t.n = s.x\n"
		  . "  WHEN MATCHED AND x > 20 THEN DELETE WHEN MATCHED THEN UPDATE SET n = 2\n"
		  . '  WHEN NOT MATCHED THEN INSERT (' . names(@columns) . ') VALUES ' . rows($table, \@columns, 1));
}

sub odds_and_ends
{
	my ($self) = @_;
	my $schema = sql_name($self->{schema});
	my $number = between(1, 10);
	return pick(
		"INSERT INTO $schema.nothing_in_it DEFAULT VALUES;\n",
		"DELETE FROM $schema.nothing_in_it;\n",
		"INSERT INTO $schema.unlogged VALUES ($number) ON CONFLICT DO NOTHING;\n",
		"CREATE TEMPORARY TABLE IF NOT EXISTS passing (n int); INSERT INTO passing VALUES ($number);\n",
		"SELECT pg_logical_emit_message(true, 'other', '{\"not\": \"a context\"}');\n",
		"SELECT pg_logical_emit_message(true, '_bemi2', 'no context either');\n",
		"SELECT pg_logical_emit_message(false, '_bemi', '{\"not\": \"transactional\"}');\n",
		"SELECT txid_current();\n");
}

sub context
{
	my $document = pick(
		'{"userId": ' . between(1, 1e6) . ', "endpoint": "/todo"}',
		'null', '{}', '[]', '"text"', '17.50', random_json(3), random_json(3), random_json(3));
	return 'SELECT oracle.context(' . sql_literal($document) . ");\n";
}

# The next change of the table that changes, with rows before and after it in the same transaction.
sub morph_step
{
	my ($self) = @_;
	my $step = shift @{ $self->{morph_steps} } or return '';
	my ($sql, $columns, $name, $schema) = @$step;
	my $table = $self->{morph};
	my $text = chance(0.5) ? $self->insert($table) . $self->update($table) : '';
	$text .= ($sql =~ s/THIS/$table->{name}/gr) . ";\n";
	$table->{columns} = $columns if $columns;
	$table->{name} = sql_name($schema // $self->{schema}, $name) if $name;
	return $text . 'SELECT oracle.watch(' . sql_literal($table->{name}) . ");\n" . $self->insert($table) . $self->update($table);
}

my @operations = (
	('insert') x 20, ('upsert') x 6, ('update') x 20, ('update_key') x 6, ('update_nothing') x 5, ('delete_rows') x 6,
	('copy') x 4, ('move') x 2, ('merge') x 2, 'truncate_table');

sub operation
{
	my ($self) = @_;
	return $self->odds_and_ends if chance(0.04);
	my $operation = pick(@operations);
	return $self->$operation(pick(@{ $self->{tables} }));
}

# A few statements, some of them in savepoints that are kept or not.
sub statements
{
	my ($self, $count, $depth) = @_;
	my $text = '';
	foreach (1 .. $count)
	{
		$text .= context() if chance(0.2);
		if ($depth < 3 && chance(0.15))
		{
			$text .= "SAVEPOINT s$depth;\n" . $self->statements(between(1, 3), $depth + 1)
			  . pick("ROLLBACK TO s$depth;\n", "RELEASE s$depth;\n", "ROLLBACK TO s$depth; RELEASE s$depth;\n", '');
		}
		else { $text .= $self->operation; }
	}
	$text .= context() if chance(0.1);
	return $text;
}

# What chance alone may show too rarely: a key out of line, of a row whose key stays as it is.
sub long_keys
{
	my ($self) = @_;
	my $name = sql_name($self->{schema}, 'toast key default');
	return join '', map {
		"BEGIN;\nINSERT INTO $name (n, k, v, i) VALUES ($_, "
		  . "(SELECT string_agg(md5((i + $_)::text), '') FROM generate_series(1, 78) i), 'before', '$_');\n"
		  . context()
		  . "UPDATE $name SET v = 'after' WHERE n = $_;\nDELETE FROM $name WHERE n = $_;\nCOMMIT;\n"
	} 1001 .. 1012;
}

# Every extreme of every type once: rows of the widest tables, all columns at their next extreme.
sub extremes
{
	my ($self) = @_;
	my $text = $self->long_keys;
	foreach my $group (qw(plain array special))
	{
		foreach my $identity ('full', 'default')
		{
			my $name = sql_name($self->{schema}, "$group $identity");
			my ($table) = grep { $_->{name} eq $name } @{ $self->{tables} };
			my @columns = grep { $_->[0] =~ /^c / } @{ $table->{columns} };
			my %edges = map { $_->[0] => [ type_edges($_->[1]) ] } @columns;
			my $rows = 0;
			foreach (values %edges) { $rows = @$_ if @$_ > $rows; }
			foreach my $row (0 .. $rows - 1)
			{
				my @some = grep { $row < @{ $edges{ $_->[0] } } } @columns;
				my $id = 1000 + $row;
				$text .= "BEGIN;\nINSERT INTO $name (id, n, u, m, " . names(@some) . ") VALUES ($id, $id, '', 0, "
				  . join(', ', map { $edges{ $_->[0] }[$row] } @some) . ");\n"
				  . context()
				  . "UPDATE $name SET m = 1 WHERE id = $id;\n"
				  . "DELETE FROM $name WHERE id = $id;\nCOMMIT;\n";
			}
		}
	}
	return $text;
}

# A script of so many transactions.
sub script
{
	my ($self, $transactions) = @_;
	my $text = '';
	my $steps = @{ $self->{morph_steps} };
	foreach my $number (1 .. $transactions)
	{
		my $end = chance(0.05) ? "ROLLBACK;\n" : "COMMIT;\n";
		my $body = $self->statements(between(1, 6), 0);
		if (@{ $self->{morph_steps} } && chance($steps / $transactions * 1.5))
		{
			$body .= $self->morph_step;
			$end = "COMMIT;\n";
		}
		elsif (chance(0.03) && $body !~ /TEMPORARY/)
		{
			my $name = "'$self->{schema} " . $self->{prepared}++ . "'";
			$end = "PREPARE TRANSACTION $name;\n" . pick(("COMMIT PREPARED $name;\n") x 3, "ROLLBACK PREPARED $name;\n");
		}
		$text .= "BEGIN;\n$body$end";
	}
	return $text;
}

1;

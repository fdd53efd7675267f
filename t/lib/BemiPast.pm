# A random history of tables of every kind, with full copies of them at moments: what time travel is
# compared with.
package BemiPast;

use strict;
use warnings;

use BemiTest;

# Tables by name: the statements that make them, and those that change them, one of which is chosen
# at a time. %k is a key, %w a word, %b a long text.
my %tables = (
	plain => {
		make => 'CREATE TABLE plain (id int PRIMARY KEY, v text, n numeric, made timestamptz DEFAULT now());
			ALTER TABLE plain REPLICA IDENTITY FULL',
		changes => [
			('INSERT INTO plain VALUES (%k, %w, %k / 7.0) ON CONFLICT DO NOTHING') x 4,
			('UPDATE plain SET v = %w WHERE id = %k') x 4,
			'UPDATE plain SET n = n + 1 WHERE id % 10 = %d',
			'UPDATE plain SET n = round(n, %d) WHERE id = %k',
			'UPDATE plain SET id = %k WHERE id = %k',
			('DELETE FROM plain WHERE id = %k') x 2,
			'DELETE FROM plain WHERE id = %k; INSERT INTO plain VALUES (%k, %w)'
		],
		truncate => 'TRUNCATE plain'
	},
	# Two columns, in another order than the table's.
	composite => {
		make => 'CREATE TABLE composite (a int, b text, v jsonb, PRIMARY KEY (b, a));
			ALTER TABLE composite REPLICA IDENTITY FULL',
		changes => [
			('INSERT INTO composite VALUES (%k, %w, to_jsonb(%w::text)) ON CONFLICT DO NOTHING') x 4,
			('UPDATE composite SET v = jsonb_build_object(%w, %k) WHERE a = %k') x 3,
			'UPDATE composite SET b = %w WHERE a = %k',
			'UPDATE composite SET a = a + 1 WHERE b = %w',
			'DELETE FROM composite WHERE a = %k'
		],
		truncate => 'TRUNCATE composite'
	},
	# Rows may share a key within a transaction.
	deferred => {
		make => 'CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v text);
			ALTER TABLE deferred REPLICA IDENTITY FULL',
		changes => [
			('INSERT INTO deferred VALUES (%k, %w)') x 3,
			('UPDATE deferred SET v = %w WHERE id = %k') x 3,
			'UPDATE deferred SET id = id + 1 WHERE id > %k',
			'UPDATE deferred SET id = id - 1 WHERE id > %k',
			'UPDATE deferred SET id = CASE id WHEN %d THEN %d + 1 ELSE %d END WHERE id IN (%d, %d + 1)',
			'INSERT INTO deferred VALUES (%d, %w); UPDATE deferred SET v = v || %w WHERE id = %d; DELETE FROM deferred WHERE ctid = (SELECT min(ctid) FROM deferred WHERE id = %d)',
			'DELETE FROM deferred WHERE id = %k'
		],
		truncate => 'TRUNCATE deferred'
	},
	# Long values that PostgreSQL does not log again; key changes without a whole old row.
	toasted => {
		make => 'CREATE TABLE toasted (id int PRIMARY KEY, v int, big text, other text);
			ALTER TABLE toasted ALTER big SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL',
		changes => [
			('INSERT INTO toasted VALUES (%k, 0, %b, %b) ON CONFLICT DO NOTHING') x 3,
			('UPDATE toasted SET v = v + 1 WHERE id = %k') x 5,
			'UPDATE toasted SET big = %b WHERE id = %k',
			'UPDATE toasted SET id = %k WHERE id = %k',
			'DELETE FROM toasted WHERE id = %k'
		],
		truncate => 'TRUNCATE toasted'
	},
	by_index => {
		make => 'CREATE TABLE by_index (u int NOT NULL, v text, w int);
			CREATE UNIQUE INDEX by_index_u ON by_index (u);
			ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_u',
		changes => [
			('INSERT INTO by_index VALUES (%k, %w, %k) ON CONFLICT DO NOTHING') x 3,
			('UPDATE by_index SET w = %d WHERE u = %k') x 3,
			'UPDATE by_index SET u = %k WHERE u = %k',
			'DELETE FROM by_index WHERE u = %k'
		],
		truncate => 'TRUNCATE by_index'
	},
	keyless => {
		make => 'CREATE TABLE keyless (v text, n numeric); ALTER TABLE keyless REPLICA IDENTITY FULL',
		changes => [
			('INSERT INTO keyless VALUES (%w, %d), (%w, %d.0)') x 3,
			('UPDATE keyless SET n = %d WHERE ctid = (SELECT min(ctid) FROM keyless WHERE v = %w)') x 3,
			'UPDATE keyless SET n = n WHERE v = %w',
			'UPDATE keyless SET n = round(n, scale(n) % 3 + 1) WHERE v = %w',
			('DELETE FROM keyless WHERE ctid IN (SELECT ctid FROM keyless WHERE v = %w LIMIT 4)') x 4
		],
		truncate => 'TRUNCATE keyless'
	},
	parts => {
		make => q{CREATE TABLE parts (id int, region text, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
			CREATE TABLE parts_eu PARTITION OF parts FOR VALUES IN ('eu');
			CREATE TABLE parts_us (v text, region text NOT NULL, id int NOT NULL);
			ALTER TABLE parts ATTACH PARTITION parts_us FOR VALUES IN ('us');
			CREATE TABLE parts_rest PARTITION OF parts DEFAULT PARTITION BY RANGE (id);
			CREATE TABLE parts_low PARTITION OF parts_rest FOR VALUES FROM (MINVALUE) TO (20);
			CREATE TABLE parts_high PARTITION OF parts_rest FOR VALUES FROM (20) TO (MAXVALUE);
			ALTER TABLE parts_eu REPLICA IDENTITY FULL},
		changes => [
			('INSERT INTO parts VALUES (%k, %r, %w) ON CONFLICT DO NOTHING') x 4,
			('UPDATE parts SET v = %w WHERE id = %k') x 3,
			'UPDATE parts SET region = %r WHERE id = %k',
			'UPDATE parts SET id = %k WHERE id = %k AND region = %r',
			'DELETE FROM parts WHERE id = %k AND region = %r'
		],
		truncate => 'TRUNCATE parts_%p'
	},
	# Its columns, and its key, change as time goes by.
	morph => {
		make => 'CREATE TABLE morph (id int PRIMARY KEY, v text, n int); ALTER TABLE morph REPLICA IDENTITY FULL',
		changes => [
			('INSERT INTO morph (id, n) VALUES (%k, %d) ON CONFLICT DO NOTHING') x 3,
			('UPDATE morph SET n = %d WHERE id = %k') x 4,
			'UPDATE morph SET id = %k WHERE id = %k',
			'DELETE FROM morph WHERE id = %k'
		],
		truncate => 'TRUNCATE morph',
		steps => [
			'ALTER TABLE morph ADD added text',
			'ALTER TABLE morph DROP v',
			'ALTER TABLE morph RENAME added TO renamed',
			'ALTER TABLE morph ALTER n TYPE bigint',
			'ALTER TABLE morph ADD v timestamp',
			'ALTER TABLE morph DROP CONSTRAINT morph_pkey, ADD region text DEFAULT NULL'
			  . q{; UPDATE morph SET region = 'x'; ALTER TABLE morph ADD PRIMARY KEY (region, id), ALTER region SET DEFAULT 'x'},
			'ALTER TABLE morph DROP renamed, ADD another boolean',
			'ALTER TABLE morph DROP CONSTRAINT morph_pkey'
		]
	});

my @names = sort keys %tables;

sub names { return @names; }

# What makes the tables, and the copies beside them, of which no record tells.
sub setup
{
	return join(";\n", map { $tables{$_}{make} } @names) . q{;
CREATE SCHEMA copies;
CREATE UNLOGGED TABLE copies.rows (moment int, name text, r jsonb);
CREATE UNLOGGED TABLE copies.moments (moment int, at timestamptz, position pg_lsn);
CREATE FUNCTION copies.take(moment int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	name text;
BEGIN
	INSERT INTO copies.moments VALUES (moment, clock_timestamp(), pg_current_wal_insert_lsn());
	FOREACH name IN ARRAY ARRAY[} . join(', ', map { "'$_'" } @names) . q{] LOOP
		EXECUTE format('INSERT INTO copies.rows SELECT %s, %L, to_jsonb(t) FROM %I t', moment, name, name);
	END LOOP;
END $$;
CREATE FUNCTION copies.attempt(text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE $1;
	SET CONSTRAINTS ALL IMMEDIATE;
	SET CONSTRAINTS ALL DEFERRED;
EXCEPTION WHEN integrity_constraint_violation OR deadlock_detected THEN
END $$;
};
}

sub word { return "'" . pick(qw(Sleep Eat Repeat Dream Run), map { "w$_" } 1 .. 20) . "'"; }

my %fill = (
	k => sub { between(1, 40) },
	d => sub { between(0, 9) },
	w => \&word,
	b => sub { my $n = between(1, 500); "(SELECT string_agg(md5((i * $n)::text), '') FROM generate_series(1, 90) i)" },
	r => sub { "'" . pick(qw(eu us deep antarctica)) . "'" },
	p => sub { pick(qw(eu us low high)) });

sub change
{
	my ($table) = @_;
	my $statement = chance(0.004) ? $table->{truncate} : pick(@{ $table->{changes} });
	my $digit = between(0, 9);
	$statement =~ s/%d/$digit/g;
	$statement =~ s/%([kwbrp])/$fill{$1}->()/ge;
	return "SELECT copies.attempt(\$change\$$statement\$change\$);\n";
}

# A script of so many changes, in transactions of some, with `moments` copies numbered from `first`.
# `steps`: how many changes of columns are among them.
sub script
{
	my (%params) = @_;
	my ($text, $left, $moments) = ('', $params{changes}, $params{moments});
	my $steps = $params{steps} // 0;
	while ($left > 0)
	{
		my $count = pick(1, 1, 2, 4, 10);
		$text .= "BEGIN;\n" . join('', map { change($tables{ pick(@names) }) } 1 .. $count);
		$text .= (chance(0.03) ? 'ROLLBACK' : 'COMMIT') . ";\n";
		$left -= $count;
		if ($moments && $left < $params{changes} * ($moments - 1) / $params{moments})
		{
			$text .= 'SELECT copies.take(' . ($params{first} + $params{moments} - $moments--) . ");\n";
		}
		if ($steps && $left < $params{changes} * ($steps - 0.5) / ($params{steps}))
		{
			$text .= (shift @{ $tables{morph}{steps} }) . ";\n";
			$steps--;
		}
	}
	return $text;
}

1;

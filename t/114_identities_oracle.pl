# Time travel against full copies, for tables of every replica identity: what table_at(), record_at() and history()
# answer is what was there. Where the records don't tell which row a change was of, the answer may be an error, and
# nothing else: never a deleted row as alive, nor another row's value.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

seed_random();
my ($changes, $moments, $keys) = is_long() ? (4000, 60, 9) : (450, 6, 7);

# Tables by name: the key, what makes the replica identity, and whether any moment may be refused.
my %kinds = (
	by_default => [ 'id int PRIMARY KEY', '', 0 ],
	by_full => [ 'id int PRIMARY KEY', 'REPLICA IDENTITY FULL', 0 ],
	by_its_key => [ 'id int CONSTRAINT by_its_key_pkey PRIMARY KEY', 'REPLICA IDENTITY USING INDEX by_its_key_pkey', 0 ],
	by_more => [ 'id int PRIMARY KEY', 'ADD UNIQUE (u, id), REPLICA IDENTITY USING INDEX by_more_u_id_key', 0 ],
	by_another => [ 'id int PRIMARY KEY', 'ADD UNIQUE (u), REPLICA IDENTITY USING INDEX by_another_u_key', 1 ],
	by_another_late => [ 'id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED', 'ADD UNIQUE (u), REPLICA IDENTITY USING INDEX by_another_late_u_key', 1 ],
	by_nothing => [ 'id int PRIMARY KEY', 'REPLICA IDENTITY NOTHING', 1 ],
	late => [ 'id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED', '', 1 ],
	late_full => [ 'id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED', 'REPLICA IDENTITY FULL', 0 ]);
my @names = sort keys %kinds;

# A change of a row. u is never used twice at a time, and comes again; big is not logged where it stays.
sub change
{
	my ($name) = @_;
	my ($k, $l, $w) = (between(1, $keys), between(1, $keys), between(1, 1000));
	my $statement = pick(
		("INSERT INTO $name VALUES ($k, (SELECT min(g) FROM generate_series(1, 20) g WHERE NOT EXISTS (SELECT FROM $name WHERE u = g)), 'i$w', repeat('$w ', 900))") x 4,
		("UPDATE $name SET v = 'u$w' WHERE id = $k") x 4,
		"UPDATE $name SET u = 20 + $w WHERE id = $k",
		"UPDATE $name SET big = repeat('b$w ', 900) WHERE id = $k",
		"UPDATE $name SET id = $l WHERE id = $k",
		"UPDATE $name SET id = CASE id WHEN $k THEN $l ELSE $k END WHERE id IN ($k, $l)",
		("DELETE FROM $name WHERE id = $k") x 3,
		chance(0.1) ? "TRUNCATE $name" : "UPDATE $name SET v = v || '$w'");
	return "SELECT copies.attempt(\$\$$statement\$\$);\n";
}

my $source = new_node('source', "timezone = 'UTC'\n");
$source->safe_psql('postgres', 'CREATE DATABASE told');
my $told = $source->connstr('told');
$source->safe_psql('postgres', join ";\n", q{CREATE SCHEMA copies;
CREATE UNLOGGED TABLE copies.rows (moment int, name text, id int, r jsonb);
CREATE UNLOGGED TABLE copies.moments (moment int, at timestamptz, position pg_lsn);
CREATE FUNCTION copies.attempt(text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE $1;
	SET CONSTRAINTS ALL IMMEDIATE;
	SET CONSTRAINTS ALL DEFERRED;
EXCEPTION WHEN integrity_constraint_violation THEN
END $$},
	map { my ($key, $identity) = @{ $kinds{$_} };
		("CREATE TABLE $_ ($key, u int NOT NULL, v text, big text); ALTER TABLE $_ ALTER big SET STORAGE EXTERNAL",
			$identity ? "ALTER TABLE $_ $identity" : 'SELECT') } @names);
ingest_ok($source, $told, 'init');

my $text = '';
foreach my $moment (1 .. $moments)
{
	foreach my $name (@names)
	{
		my $left = $changes / $moments / 3;
		while ($left-- > 0)
		{
			$text .= "BEGIN;\n" . join('', map { change($name) } 1 .. pick(1, 1, 2, 5)) . "COMMIT;\n";
		}
	}
	$text .= "SELECT pg_sleep(0.002); INSERT INTO copies.moments VALUES ($moment, clock_timestamp(), pg_current_wal_insert_lsn());\n"
	  . join('', map { "INSERT INTO copies.rows SELECT $moment, '$_', id, to_jsonb(t) FROM $_ t;\n" } @names) . "SELECT pg_sleep(0.002);\n";
}
my $script = temp_file('changes.sql');
write_text($script, $text);
run_script($source, 'postgres', $script);
$source->safe_psql('postgres', 'CHECKPOINT');
drain($source, $told);

my ($rows, $times) = map { temp_file($_) } 'rows', 'moments';
write_text($script, "\\copy copies.rows TO '$rows'\n\\copy copies.moments TO '$times'\n");
run_script($source, 'postgres', $script);
write_text($script, qq{
CREATE TABLE copied (moment int, name text, id int, r jsonb);
CREATE TABLE moments (moment int, at timestamptz, position pg_lsn);
\\copy copied FROM '$rows'
\\copy moments FROM '$times'
-- What a question answers, as text; an error with its SQLSTATE.
CREATE FUNCTION answer(question text) RETURNS text LANGUAGE plpgsql AS \$\$
DECLARE
	found text;
BEGIN
	EXECUTE question INTO found;
	RETURN coalesce(found, '');
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	RETURN 'refused: ' || SQLERRM;
END \$\$;
CREATE TABLE answers AS
SELECT q.what, q.name, m.moment, q.key, answer(q.question) AS got
FROM moments m, unnest('{@{[join ',', @names]}}'::text[]) name, LATERAL (
	SELECT 'table_at' AS what, name, NULL AS key, format(\$\$SELECT string_agg("row"::text, E'\\n'
		ORDER BY ("row"->>'id')::int) FROM bemi.table_at(%L, %L)\$\$, name, m.position) AS question
	UNION ALL SELECT 'record_at', name, k::text, format(\$\$SELECT bemi.record_at(%L, %L, %L)\$\$, name, k, m.at)
		FROM generate_series(1, $keys) k) q;
WITH h AS MATERIALIZED (
	SELECT name, k::text AS key, answer(format(\$\$SELECT coalesce(jsonb_agg(to_jsonb(h)), '[]') FROM bemi.history(%1\$L, %2\$L) h
		WHERE key = %2\$L AND "row" IS NOT NULL\$\$, name, k)) AS told
	FROM unnest('{@{[join ',', @names]}}'::text[]) name, generate_series(1, $keys) k)
INSERT INTO answers SELECT 'history', name, m.moment, key, CASE WHEN told LIKE 'refused: %' THEN told
	ELSE (SELECT coalesce(string_agg((v->'row')::text || coalesce(v->>'missing', ''), ' '), '')
		FROM jsonb_array_elements(told::jsonb) v WHERE (v->>'validity')::tstzrange @> m.at) END
FROM h, moments m;
ALTER TABLE answers ADD expected text;
UPDATE answers a SET expected = coalesce((SELECT CASE WHEN a.key IS NULL
		THEN string_agg(c.r::text, E'\\n' ORDER BY c.id) ELSE min(c.r::text) END FROM copied c
	WHERE c.moment = a.moment AND c.name = a.name AND (a.key IS NULL OR c.id::text = a.key)), '');
});
run_script($source, 'told', $script);

foreach my $name (@names)
{
	foreach my $what ('table_at', 'record_at', 'history')
	{
		# A value that is in no record is named; the rest of the version must be right.
		my $wrong = $source->safe_psql('told', qq{SELECT what, name, moment, key, left(got, 100), left(expected, 100) FROM answers
			WHERE what = '$what' AND name = '$name' AND got NOT LIKE 'refused: %' AND got <> expected
				AND CASE WHEN expected = '' OR what <> 'history' THEN true ELSE got <> (expected::jsonb - 'big')::text || '{"big": "toast"}' END
			ORDER BY moment, key LIMIT 3});
		is($wrong, '', "$what of $name");
	}
	note($source->safe_psql('told', qq{SELECT what || ' of $name: ' || count(*) || ', refused ' || count(*) FILTER (WHERE got LIKE 'refused%')
		FROM answers WHERE name = '$name' GROUP BY what}));
	next if $kinds{$name}[2];
	is($source->safe_psql('told', qq{SELECT min(got) FROM answers WHERE name = '$name' AND got LIKE 'refused: %'
		AND got NOT LIKE '%is not in the records'}), '', "$name answers at every moment");
}
is($source->safe_psql('told', q{SELECT bool_or(got LIKE 'refused%') FROM answers WHERE name = 'by_another' AND what = 'history'}), 'f',
	'an index beside the key tells the versions of a row');

done_testing();

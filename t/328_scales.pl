# Numbers that are equal and are written differently: 1.0 and 1.00 are different values for an audit, though
# jsonb's own = takes them for one. And values that only look like others: arrays of json whose elements are arrays.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $node = new_node('both');
my $here = $node->connstr('postgres');
sub sql { return $node->safe_psql('postgres', $_[0]); }
ingest_ok($here, $here, 'init');
sql(q{
CREATE TABLE price (id int PRIMARY KEY, n numeric, j jsonb);
CREATE TABLE loose (n numeric);
CREATE TABLE retyped (n numeric);
CREATE TABLE lists (id int PRIMARY KEY, j json[], b jsonb[]);
ALTER TABLE price REPLICA IDENTITY FULL; ALTER TABLE loose REPLICA IDENTITY FULL;
ALTER TABLE retyped REPLICA IDENTITY FULL; ALTER TABLE lists REPLICA IDENTITY FULL});

my $number = 0;

# Runs statements as a transaction of its own context, and gives the arguments that select it.
sub transaction
{
	my ($statements) = @_;
	$number++;
	sql(in_context(qq({"case": $number}), $statements));
	drain($here, $here);
	return "'{\"case\": $number}'";
}

sub revert { return sql("SELECT outcome || coalesce(': ' || conflict, '') FROM bemi.revert($_[0])"); }

sub rows { return sql("SELECT string_agg(n::text, ',' ORDER BY n::text) FROM $_[0]"); }

# The same rows, as time travel has them now.
sub recorded
{
	return sql("SELECT string_agg(row->>'n', ',' ORDER BY row->>'n') FROM bemi.table_at('public.$_[0]', clock_timestamp())");
}

# --- one row

sql(q{INSERT INTO price VALUES (1, 1.00, '{"a": 2.50}')});
my $t = transaction(q{UPDATE price SET n = 1.0, j = '{"a": 2.5}'});
is(sql(q{SELECT bemi.diff(before, after) FROM changes ORDER BY id DESC LIMIT 1}),
	'{"j": {"new": {"a": 2.5}, "old": {"a": 2.50}}, "n": {"new": 1.0, "old": 1.00}}', 'another scale is a difference');
is(sql(q{SELECT changed FROM bemi.history('public.price', '1') ORDER BY commit_position DESC LIMIT 1}),
	sql(q{SELECT bemi.diff(before, after) FROM changes ORDER BY id DESC LIMIT 1}), 'in a history too');
is(sql(q{SELECT count(*) FROM bemi.search("table" => 'price', changed => 'n')}), 1, 'and is found as a change of its column');
is(revert($t), 'reverted', 'it can be reverted');
is(sql('SELECT n, j FROM price'), '1.00|{"a": 2.50}', 'to the digit');
$t = transaction(q{UPDATE price SET n = 3});
sql(q{UPDATE price SET n = 3.0});
is(revert($t), 'conflict: the row is not as the change left it', 'a row that somebody has written otherwise is not as the change left it');
sql(q{CREATE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n := NEW.n * 1.0; RETURN NEW; END';
UPDATE price SET n = 3; CREATE TRIGGER rewrite BEFORE UPDATE ON price FOR EACH ROW EXECUTE FUNCTION rewrite()});
drain($here, $here);
$t = transaction(q{DELETE FROM price; INSERT INTO price VALUES (1, 4)}) . ', force => true';
$t = transaction(q{UPDATE price SET j = NULL, n = 5});
like(revert($t), qr/^conflict: a trigger has changed the row: n \(/, 'nor is one that a trigger writes otherwise');
sql('DROP TRIGGER rewrite ON price');

# --- rows without a key

transaction('INSERT INTO loose VALUES (1.0), (1.00), (1.000), (2.0)');
transaction('DELETE FROM loose WHERE n::text = $$1.00$$');
is(recorded('loose'), rows('loose'), 'of rows that are equal, the one that went is gone');
transaction('UPDATE loose SET n = 7 WHERE n::text = $$1.000$$');
is(recorded('loose'), rows('loose'), 'or became another');
my $before = rows('loose');
$t = transaction('TRUNCATE loose');
is(revert($t), 'reverted', 'a TRUNCATE is reverted');
is(rows('loose'), $before, 'with the rows that it took');

# Where the column gets another type, rows are written otherwise than their records have them.
transaction('INSERT INTO retyped VALUES (1.0), (1), (2.0)');
sql('ALTER TABLE retyped ALTER n TYPE numeric(8, 3)');
transaction('DELETE FROM retyped WHERE n = 1');
is(recorded('retyped'), '2.0', 'rows of a column that has another type since are told by what they say');
$t = transaction('TRUNCATE retyped');
is(revert($t), 'reverted', 'a TRUNCATE of them too');
is(rows('retyped'), '2.000', 'is reverted');

# --- arrays of json

sql(q{INSERT INTO lists VALUES (1, ARRAY['[1, 2]', '[3, 4]']::json[], '{}'), (2, ARRAY['{"a": [1]}']::json[], ARRAY['1']::jsonb[])});
my $deep = '[' x 1000 . ']' x 1000;
$t = transaction(q{UPDATE lists SET j = '{}' WHERE id = 1});
is(revert($t), q{conflict: the value of column j can't be told from an array of more dimensions}, 'an array of arrays');
$t = transaction(q{UPDATE lists SET j = '{}', b = '{}' WHERE id = 2});
is(revert($t), 'reverted', 'other arrays of json come back');
is(sql(q{SELECT j, b FROM lists WHERE id = 2}), q{{"{\"a\": [1]}"}|{1}}, 'as they were');
sql(qq{INSERT INTO lists VALUES (3, '{}', ARRAY['$deep']::jsonb[])});
$t = transaction(q{UPDATE lists SET b = '{}' WHERE id = 3});
like(revert($t), qr/^conflict: the value of column b can't be told/, 'one that is nested as no array can be');
$t = transaction(qq{UPDATE lists SET j = NULL WHERE id = 2; UPDATE lists SET b = ARRAY['$deep']::jsonb[] WHERE id = 3});
like(revert("$t, force => true"), qr/^conflict: number of array dimensions .*\nreverted$/, 'stands in the way of its own row alone');

done_testing();

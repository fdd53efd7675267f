# Types that hold each other. Along however many paths one is reached, a table's plan has it once; and what is nested
# too deeply to be read again is missing as an error, while NULLs and all other columns come through.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('nested', q{
fsync = off
max_locks_per_transaction = 2000
});

# knot17 holds knot0 along 131,072 paths; chain1000 is nested 1,000 levels deep, chain1001 one deeper.
$node->safe_psql('postgres', q{
CREATE TYPE knot0 AS (n int, t text);
CREATE TYPE chain1 AS (n int);
DO $$BEGIN
	FOR i IN 1 .. 17 LOOP
		EXECUTE format('CREATE TYPE knot%s AS (l knot%2$s, r knot%2$s)', i, i - 1);
	END LOOP;
	FOR i IN 2 .. 1001 LOOP
		EXECUTE format('CREATE TYPE chain%s AS (n chain%s)', i, i - 1);
	END LOOP;
END$$;
CREATE TABLE knots (id int PRIMARY KEY, k knot17, ks knot2[]);
CREATE TABLE chains (id int PRIMARY KEY, c1000 chain1000, c1001 chain1001, cs chain1000[], note text);
});

# The records, and the most memory in kB that the session ever had, before decoding and after it.
sub decode
{
	my ($sql) = @_;
	create_slot($node, 'postgres', 'nested');
	$node->safe_psql('postgres', $sql);
	my $memory = q{SELECT (regexp_match(pg_read_file('/proc/' || pg_backend_pid() || '/status'), 'VmHWM:\s+(\d+)'))[1]};
	my ($before, @records) = split /\n/, $node->safe_psql('postgres', qq{
$memory;
SELECT r.data::json->>'after', r.data::json->'missing' FROM pg_logical_slot_get_changes('nested', NULL, NULL) r;
$memory;
SELECT pg_drop_replication_slot('nested')});
	my $after = pop @records;
	return ($after - $before, @records);
}

SKIP:
{
	skip 'no /proc to read memory from', 2 unless -e "/proc/$$/status";
	my ($grown, @records) = decode(q{
INSERT INTO knots VALUES (1, NULL, NULL);
INSERT INTO knots VALUES (2, ROW(NULL, NULL), ARRAY[ROW(ROW((1, 'a'), NULL), ROW((2, 'b'), (3, 'c')))::knot2])});
	is_deeply(\@records, [
		'{"id":1,"k":null,"ks":null}|',
		'{"id":2,"k":{"l":null,"r":null},"ks":[{"l":{"l":{"n":1,"t":"a"},"r":null},"r":{"l":{"n":2,"t":"b"},"r":{"n":3,"t":"c"}}}]}|',
	], 'a type that is reached along many paths');
	SKIP:
	{
		skip 'an instrument takes memory of its own', 1 if is_instrumented();
		cmp_ok($grown, '<', 64 * 1024, "takes no memory for each of them: $grown kB");
	}

	(undef, @records) = decode(q{
INSERT INTO chains VALUES (1, NULL, NULL, NULL, 'NULLs');
INSERT INTO chains VALUES (2, ROW(NULL), NULL, NULL, 'deep');
INSERT INTO chains VALUES (3, NULL, ROW(NULL), ARRAY[ROW(NULL)::chain1000], 'too deep')});
	is_deeply(\@records, [
		'{"id":1,"c1000":null,"c1001":null,"cs":null,"note":"NULLs"}|',
		'{"id":2,"c1000":{"n":null},"c1001":null,"cs":null,"note":"deep"}|',
		'{"id":3,"c1000":null,"note":"too deep"}|{"c1001":"error","cs":"error"}',
	], 'a type that is nested too deeply');
}

$node->stop;
done_testing();

# Whatever a row holds, its record is whole: every fixed key, in order, on one line of JSON. Rows whose images are as
# large as jsonb allows, to a few bytes: names, nulls and padding decide whether a value stays.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
my $node = new_node('whole', "max_wal_size = 4GB\n");
my $nulls = join ', ', map { "a_column_with_quite_a_long_name_$_ text" } 1 .. 20;
$node->safe_psql('postgres', qq{
CREATE TABLE wide (id int PRIMARY KEY, a json, b json, $nulls);
CREATE FUNCTION ones(int) RETURNS json LANGUAGE sql AS \$\$ SELECT ('[' || repeat('1,', \$1 - 1) || '1]')::json \$\$;
});
create_slot($node, 'postgres', 'slot');

# An element takes 12 bytes as jsonb, whose limit is 268,435,455 for an image. The first row is within it by the sum of
# its values, and beyond it with their names and nulls, which take some 900 bytes; the other one is within it.
my $most = int(268435455 / 12);
my $first = 11_000_000;
my @seconds = map { $most - $first - $_ } between(8, 50), 120;
$node->safe_psql('postgres', "INSERT INTO wide (id, a, b) VALUES ($_, ones($first), ones($seconds[$_]))") foreach 0 .. $#seconds;

my $file = temp_file('records');
decode_stream($node, 'postgres', 'slot', $file, current_lsn($node));
my @lines = read_lines($file);
is(scalar @lines, @seconds, 'each row has its record');

# Outside of the two columns a record has no more than this.
my $frame = qr/^\{"operation":"CREATE","database":"postgres","schema":"public","table":"wide","primary_key":"(\d)",
	"before":\{\},"after":\{"id":\d(?<columns>(?:,"[ab]":\[[1,]+\])*)(?:,"a_column_\w+":null){20}\},(?:"missing":(?<missing>\{[^}]*\}),)?
	"committed_at":"[^"]+","transaction_id":\d+,"position":\d+,"commit_position":\d+,"sequence":1,"context":\{\},"last":true\}$/x;
my @missing = ('{"b":"size"}', '(none)');
foreach my $id (0 .. $#lines)
{
	my $is_whole = $lines[$id] =~ $frame;
	is($is_whole ? $+{missing} // '(none)' : substr($lines[$id], -200), $missing[$id], "$first and $seconds[$id] elements: a whole record")
	  or diag("seed $seed");
}
$node->stop;
done_testing();

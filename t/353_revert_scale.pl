# Reverting eight times as many changes takes about eight times as long: by bemi.revert, done and as conflicts, and by
# a script, its making and its run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use List::Util qw(min);
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('both');
my $here = $node->connstr('postgres');
sub sql { return $node->safe_psql('postgres', $_[0]); }
ingest_ok($here, $here, 'init');
my %rows = (small => 250, large => 2000);
foreach my $table (sort keys %rows)
{
	sql(qq{CREATE TABLE $table (id int PRIMARY KEY, place int UNIQUE, n numeric, v text, at timestamptz DEFAULT now()); ALTER TABLE $table REPLICA IDENTITY FULL;
		INSERT INTO $table SELECT i, i, i, repeat('v', 30) FROM generate_series(1, $rows{$table}) i});
	sql(in_context(qq({"table": "$table"}), "UPDATE $table SET n = n + 1, v = 'w'"));
	sql(in_context(qq({"places": "$table"}), "UPDATE $table SET place = -place"));
}
sql(q{CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := clock_timestamp(); RETURN NEW; END'});
drain($here, $here);

# Seconds of the faster of two.
sub seconds
{
	my ($work) = @_;
	return min(map { my $start = time; $work->(); time - $start } 1 .. 2);
}

my $file = temp_file('undo.sql');
my %work = (
	'bemi.revert' => sub { is(sql("SELECT DISTINCT outcome FROM bemi.revert('{\"places\": \"$_[0]\"}', dry_run => true)"), 'fits', "$_[0]: they fit") },
	'bemi.revert_sql' => sub { write_text($file, sql("SELECT bemi.revert_sql('{\"places\": \"$_[0]\"}')") =~ s/\bCOMMIT;/ROLLBACK;/r) },
	'the script' => sub { run_script($node, 'postgres', $file) },
	'conflicts' => sub
	{
		is(sql("CREATE TRIGGER touch BEFORE UPDATE ON $_[0] FOR EACH ROW EXECUTE FUNCTION touch();
			SELECT DISTINCT outcome FROM bemi.revert('{\"places\": \"$_[0]\"}'); DROP TRIGGER touch ON $_[0]"), 'conflict', "$_[0]: they don't fit");
	});
my %took;
foreach my $table (qw(small large))
{
	foreach my $what ('bemi.revert', 'bemi.revert_sql', 'the script', 'conflicts')
	{
		$took{$table}{$what} = seconds(sub { $work{$what}->($table) });
	}
	is(sql("SELECT DISTINCT outcome FROM bemi.revert('{\"places\": \"$table\"}')") . sql("SELECT count(*) FROM $table WHERE place > 0"), "reverted$rows{$table}", "$table: reverted");
}
foreach my $what (sort keys %work)
{
	my $ratio = $took{large}{$what} / $took{small}{$what};
	# It would be 64 if each took as long as there are others.
	cmp_ok($ratio, '<', 24, sprintf('%s: %.2f s and %.2f s, %.1f times as long', $what, $took{small}{$what}, $took{large}{$what}, $ratio));
}
drain($here, $here);
is(sql(q{SELECT outcome || count(*) FROM bemi.revert('{"table": "large"}') GROUP BY outcome}), 'reverted2000', 'behind what was reverted');
is(sql(q{SELECT count(*) FROM large WHERE n <> id OR v = 'w'}), '0', 'all rows are as they were');
done_testing();

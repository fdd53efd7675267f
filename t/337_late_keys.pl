# A table that gets its key later, by ALTER TABLE or because the plugin takes a unique index for its key from then on
# (keys=unique, behind changes that were stored with keys=primary or by version 1.0): what is asked by the key is what
# table_at() has, or an error that says why, never a part.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $source = new_node('source', "timezone = 'UTC'\n");
$source->safe_psql('postgres', 'CREATE DATABASE told');
my $told = $source->connstr('told');
$source->safe_psql('postgres', q{
CREATE TABLE full_one (id int NOT NULL UNIQUE, v text); ALTER TABLE full_one REPLICA IDENTITY FULL;
CREATE TABLE full_two (LIKE full_one INCLUDING ALL); ALTER TABLE full_two REPLICA IDENTITY FULL;
CREATE TABLE by_index (id int NOT NULL UNIQUE, v text); ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_id_key;
CREATE TABLE by_index_two (LIKE by_index INCLUDING ALL); ALTER TABLE by_index_two REPLICA IDENTITY USING INDEX by_index_two_id_key});
ingest_ok($source, $told, 'init');

sub answer
{
	my ($question) = @_;
	my ($code, $output, $errors) = $source->psql('told', $question);
	return $code == 0 ? $output . ($errors =~ /(NOTICE: .*?)\n/ ? " $1" : '') : $errors =~ /ERROR:  (.*?)\n/ ? "ERROR: $1" : $errors;
}
sub change
{
	my ($statements, @options) = @_;
	$source->safe_psql('postgres', $statements);
	drain($source, $told, @options);
	return;
}

# The tables, each with the options behind which it has its key, and what gives it one.
my @primary = ('--option', 'keys=primary');
my %ways = (
	full_one => [ \@primary, 'ALTER TABLE full_one ADD PRIMARY KEY (id);' ],
	by_index => [ \@primary, 'ALTER TABLE by_index ADD PRIMARY KEY (id);' ],
	full_two => [ [], '' ],
	by_index_two => [ [], '' ]);

foreach my $t (sort keys %ways)
{
	my ($options, $make_key) = @{ $ways{$t} };
	change("INSERT INTO $t VALUES (1, 'a'), (2, 'b'), (3, 'c'); UPDATE $t SET v = 'a2' WHERE id = 1; DELETE FROM $t WHERE id = 3", @primary);
	is(answer("SELECT count(*) FROM bemi.table_at('$t', now())"), '2', "$t: all rows without a key");
	like(answer("SELECT $_"), qr/^ERROR: no change of public.$t has a key/, "$t: $_")
	  foreach "bemi.record_at('$t', '1', now())", "bemi.history('$t', '1')", "bemi.forget('$t', '1')";
	change("$make_key UPDATE $t SET v = 'b2' WHERE id = 2; INSERT INTO $t VALUES (4, 'd')", @$options);
	is(answer("SELECT string_agg(coalesce(primary_key, '-') || (\"row\"->>'v'), ' ' ORDER BY \"row\"->>'id') FROM bemi.table_at('$t', now())"), '-a2 2b2 4d',
		"$t: rows with a key and without");
	is(answer("SELECT bemi.record_at('$t', '2', now())->>'v'"), 'b2', "$t: a row whose key is known");
	like(answer("SELECT bemi.record_at('$t', '1', now())"), qr/^ERROR: whether public.$t had a row 1 at .* is not known: 1 of its rows have no key/,
		"$t: one whose key is not");
	like(answer("SELECT bemi.record_at('$t', '9', now())"), qr/^ERROR: whether public.$t had a row 9/, "$t: one that nothing tells of");
	is(answer("SELECT string_agg(operation, ' ') FROM bemi.history('$t', '2')"),
		"UPDATE NOTICE:  earlier changes of row 2 of public.$t are not told: they do not say which row they were of", "$t: history tells where it begins");
	change("UPDATE $t SET id = 5 WHERE id = 1; DELETE FROM $t WHERE id = 2", @$options);
	is(answer("SELECT bemi.record_at('$t', '1', now())"), '', "$t: no row without a key is left");
	is(answer("SELECT bemi.record_at('$t', '2', now())") . answer("SELECT string_agg(operation, ' ') FROM bemi.history('$t', '4')"), 'CREATE', "$t: what is known is answered");
	like(answer("SELECT bemi.forget('$t', '2')"), qr/2/, "$t: forget by the key");
	my (undef, undef, $errors) = $source->psql('told', "BEGIN; SELECT bemi.forget('$t', '5'); ROLLBACK");
	like($errors, qr/WARNING:  \d+ changes of public.$t have no key: they may hold values of this row/, "$t: and what it does not reach is said");
	ingest_ok($source, $told, 'snapshot', @$options, '--option', "tables=$t");
	is(answer("SELECT bemi.record_at('$t', '9', now())") . answer("SELECT bemi.record_at('$t', '5', now())->>'v'"), 'a2', "$t: from a snapshot on all keys are known");
}

done_testing();

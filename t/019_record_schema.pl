# Real records against docs/record.schema.json: of every kind that there is, so that each key of the schema occurs, and
# no other. And what is no record is refused by it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use IPC::Run;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;

my $python = '/usr/bin/python3';
plan skip_all => 'no python3-jsonschema here'
  unless -x $python && system("$python -c 'import jsonschema' 2>/dev/null") == 0;

my $schema = "$FindBin::RealBin/../docs/record.schema.json";

# What the checker prints of a file of records.
sub check_schema
{
	my ($file) = @_;
	my ($said, $errors);
	IPC::Run::run([ $python, library_file('check_schema.py'), $schema, $file ], '>', \$said, '2>', \$errors)
	  or die "check_schema.py: $errors";
	return split /\n/, $said;
}

my $node = new_node('schema');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE whole (id int, place text, body text, secret text, PRIMARY KEY (id, place));
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE usual (id int PRIMARY KEY, body text, secret text);
ALTER TABLE usual ALTER body SET STORAGE EXTERNAL;
CREATE TABLE heap (v text);
CREATE TABLE chosen (id int NOT NULL, v text);
CREATE UNIQUE INDEX chosen_id ON chosen (id);
ALTER TABLE chosen REPLICA IDENTITY USING INDEX chosen_id;
CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
SELECT pg_replication_origin_create('elsewhere');
SQL
create_slot($node, 'postgres', 'records');
$node->safe_psql('postgres', <<'SQL');
BEGIN;
SELECT pg_logical_emit_message(true, '_bemi', '{"userId": 7}');
INSERT INTO whole VALUES (1, 'eu', 'a', 's'), (2, 'eu', repeat('x', 5000), 's');
UPDATE whole SET id = 3, secret = 't' WHERE id = 1;
DELETE FROM whole WHERE id = 3;
COMMIT;
INSERT INTO usual SELECT 1, repeat('y', 9000), 's';
UPDATE usual SET secret = 't';
UPDATE usual SET id = 2;
DELETE FROM usual;
INSERT INTO heap VALUES ('a');
UPDATE heap SET v = 'b';
DELETE FROM heap;
INSERT INTO chosen VALUES (1, 'a');
UPDATE chosen SET id = 2;
DELETE FROM chosen;
INSERT INTO parts VALUES (1, 'a');
TRUNCATE parts, whole;
BEGIN;
SELECT pg_logical_emit_message(true, '_bemi', '{"userId": ');
INSERT INTO parts VALUES (2, 'b');
SELECT pg_logical_emit_message(true, 'audit', 'text');
SELECT pg_logical_emit_message(true, 'audit', '\xff00'::bytea);
COMMIT;
SELECT pg_replication_origin_session_setup('elsewhere');
BEGIN;
SELECT pg_replication_origin_xact_setup('0/1', '2020-02-02 02:02:02.020202+00');
INSERT INTO parts VALUES (3, 'c');
COMMIT;
BEGIN;
SELECT pg_replication_origin_xact_setup('0/2', '0044-03-15 12:00:00+00 BC');
INSERT INTO parts VALUES (4, 'd');
COMMIT;
BEGIN;
SELECT pg_replication_origin_xact_setup('0/3', 'infinity');
INSERT INTO parts VALUES (5, 'e');
COMMIT;
SQL

my $file = temp_file('records');
decode_stream($node, 'postgres', 'records', $file, current_lsn($node),
	options => { messages => 'audit', mask_columns => 'secret', max_record_size => '4kB' });
cmp_ok(scalar read_lines($file), '>', 20, 'there are records');
my @said = check_schema($file);
my $keys = pop @said;
is_deeply(\@said, [], 'each record fits the schema');

my $known = JSON::PP->new->decode(slurp_file($schema))->{properties};
is($keys, 'keys: ' . join(' ', sort keys %$known), 'each key of the schema occurs');

# What the schema has to refuse: a real record with one thing wrong.
my ($record) = grep { $_->{operation} eq 'UPDATE' && $_->{identity} } records($file);
my @wrong = (
	[ 'another operation', sub { $_[0]{operation} = 'MERGE' } ],
	[ 'no position', sub { delete $_[0]{position} } ],
	[ 'no context', sub { delete $_[0]{context} } ],
	[ 'an image that is an array', sub { $_[0]{after} = [] } ],
	[ 'a time without its zone', sub { $_[0]{committed_at} =~ s/\+00:00// } ],
	[ 'a key that is a number', sub { $_[0]{primary_key} = 7 } ],
	[ 'a reason that is none', sub { $_[0]{missing} = { body => 'lazy' } } ],
	[ 'a row before a CREATE', sub { $_[0]{operation} = 'CREATE'; $_[0]{before} = { id => 1 } } ],
	[ 'a key that nobody knows', sub { $_[0]{colour} = 'blue' } ]);
my $writer = JSON::PP->new->canonical->utf8->allow_bignum;
foreach my $case (@wrong)
{
	my ($name, $change) = @$case;
	my $copy = $writer->decode($writer->encode($record));
	$change->($copy);
	my $bad = temp_file('bad');
	write_text($bad, $writer->encode($copy) . "\n");
	my @faults = check_schema($bad);
	cmp_ok(scalar @faults, '>', 1, "refused: $name");
}

$node->stop;
done_testing();

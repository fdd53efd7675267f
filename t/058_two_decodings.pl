# What a decoding leaves behind in its process, and what changes under it: one that fails inside of a
# block and is followed by another, several slots at once, tables that change in mid-stream, thousands
# of tables, thousands of decodings in one session.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiStream;
use BemiTest;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

seed_random();
my $node = new_node('two', "max_wal_size = 4GB\nmax_locks_per_transaction = 256\n");

sub sql { my (@statements) = @_; return $node->safe_psql('postgres', join ";\n", @statements); }

# --- a decoding that fails, and the next one in the same session -------------------------------------

sql(q{CREATE TABLE item (id int PRIMARY KEY, v text)}, q{CREATE TABLE other (id int PRIMARY KEY)});
create_slot($node, 'postgres', $_) foreach qw(first second);
sql(q{INSERT INTO item SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i}, q{INSERT INTO other VALUES (1), (2)});
sql(q{CREATE FUNCTION works(slot text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(t, ' ' ORDER BY t) FROM (SELECT (data::json ->> 'table') || '=' || count(*) AS t
		FROM pg_logical_slot_peek_changes(slot, NULL, NULL) GROUP BY data::json ->> 'table') c
$$});
my $script = temp_file('fail.sql');
write_text($script, q{
SET work_mem = '64kB';
CREATE FUNCTION pg_temp.fails(slot text, what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	-- The file that holds the result is too large: an error out of the middle of a message.
	IF what = 'write' THEN
		SET LOCAL temp_file_limit = '1MB';
		PERFORM FROM pg_logical_slot_peek_changes(slot, NULL, NULL);
	ELSIF what = 'option' THEN
		PERFORM FROM pg_logical_slot_peek_changes(slot, NULL, NULL, 'table', 'item');
	ELSE
		PERFORM FROM pg_logical_slot_peek_changes(slot, NULL, NULL, 'max_record_size', '1kB', 'tables', '"');
	END IF;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN what || ' ' || sqlstate;
END $$;
DO $$
DECLARE
	said text := '';
BEGIN
	FOR i IN 1 .. 3 LOOP
		said := said || pg_temp.fails('first', 'write') || ', ';
		-- Invalidations while what has failed is still in memory.
		EXECUTE format('ALTER TABLE other ADD COLUMN c%s int', i);
		EXECUTE format('CREATE TEMP TABLE t%s (id int)', i);
		said := said || pg_temp.fails('second', 'option') || ', ';
		EXECUTE format('ALTER TABLE item ALTER v SET STATISTICS %s', i);
		said := said || works('first') || ', ' || pg_temp.fails('second', 'write') || ', ' || works('second') || '; ';
		EXECUTE format('ALTER TABLE other DROP COLUMN c%s', i);
	END LOOP;
	RAISE NOTICE '%', said || pg_temp.fails('first', 'value');
END $$;
SELECT works('second'), works('first');
});
my $output = temp_file('fail');
my $said = run_script($node, 'postgres', $script, output => $output);
my $round = 'write 53400, option 22023, item=5000 other=2, write 53400, item=5000 other=2; ';
like($said, qr/NOTICE:  \Q$round$round$round\Evalue 22023$/m, 'decodings fail and work in turn in a block');
is(join(' ', read_lines($output)), 'item=5000 other=2|item=5000 other=2', 'and after it');

# In a session of its own: where a block has caught the error, the server itself, up to today, takes
# the slot for a temporary one at the next error, and drops it, whatever the plugin.
write_text($script, q{
SET work_mem = '64kB';
ALTER TABLE item ADD COLUMN w int;
SET temp_file_limit = '1MB';
SELECT count(*) FROM pg_logical_slot_peek_changes('first', NULL, NULL);
RESET temp_file_limit;
ALTER TABLE item DROP COLUMN w;
BEGIN;
SELECT works('second');
ALTER TABLE item ADD COLUMN w int;
SAVEPOINT a;
SET LOCAL temp_file_limit = '1MB';
SELECT count(*) FROM pg_logical_slot_peek_changes('second', NULL, NULL);
ROLLBACK TO a;
SELECT works('first'), works('second');
ALTER TABLE item DROP COLUMN w;
SELECT works('first');
COMMIT;
SELECT works('second'), (SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'bemi%');
});
$said = run_script($node, 'postgres', $script, output => $output, go_on => 1);
is(scalar(() = $said =~ /ERROR:  temporary file size exceeds/g), 2, 'decodings fail outside of a block');
is(join(' ', grep { /\S/ } read_lines($output)), join(' ', ('item=5000 other=2') x 2) . '|' . join(' ', ('item=5000 other=2') x 3) . '|0',
	'and work in the same transaction, and after it');

# --- tables that change in mid-stream, in two sessions, for three consumers -----------------------------

# A table as it is expected to be: its name, its columns in order, its rows. All of a session's
# tables are copied where it sets a savepoint, and come back with it.
my $json = JSON::PP->new->canonical->allow_nonref;
my $names = 0;
my $default = 0;

sub new_session
{
	my ($prefix) = @_;
	my %session = (psql => $node->background_psql('postgres'), tables => [], records => [], prefix => $prefix);
	foreach my $i (1 .. 3)
	{
		my $name = "$prefix$i";
		$node->safe_psql('postgres', "CREATE TABLE $name (id int PRIMARY KEY, a int, b text); ALTER TABLE $name REPLICA IDENTITY FULL");
		push @{ $session{tables} }, { name => $name, columns => [ [ 'a', 'int' ], [ 'b', 'text' ] ], rows => {}, next => 1 };
	}
	return \%session;
}

sub copy_of { my ($tables) = @_; return JSON::PP::decode_json(JSON::PP::encode_json($tables)); }

sub value_for { my ($type) = @_; return $type eq 'int' ? between(1, 1000) : $type eq 'bool' ? pick(0, 1) : 'v' . between(1, 1000); }
sub written { my ($type, $value) = @_; return !defined $value ? 'NULL' : $type eq 'int' ? $value : $type eq 'bool' ? ($value ? 'true' : 'false') : "'$value'"; }

# A row as the record is to show it.
sub image
{
	my ($table, $id) = @_;
	return {} unless defined $id;
	my $row = $table->{rows}{$id};
	return {
		id => $id + 0,
		map {
			my ($name, $type) = @$_;
			my $value = $row->{$name};
			$name => !defined $value ? undef : $type eq 'int' ? $value + 0 : $type eq 'bool' ? ($value ? JSON::PP::true : JSON::PP::false) : "$value"
		} @{ $table->{columns} }
	};
}

sub expect
{
	my ($session, $operation, $table, $before, $after) = @_;
	push @{ $session->{records} }, $json->encode([ $operation, $table->{name}, $before, $after ]);
	return;
}

# One random statement of a session on one of its tables; keeps the expectation in step.
sub step
{
	my ($session) = @_;
	my $table = pick(@{ $session->{tables} });
	my @ids = sort { $a <=> $b } keys %{ $table->{rows} };
	my @columns = @{ $table->{columns} };
	my $kind = pick(('insert') x 6, ('update') x 4, 'delete', 'add', 'add default', 'drop', 'rename', 'rename table', 'type', 'truncate', 'index', 'swap');
	my $run = sub { $session->{psql}->query_safe($_[0]); return; };
	if ($kind eq 'insert')
	{
		my $id = $table->{next}++;
		$table->{rows}{$id} = { map { $_->[0] => (chance(0.1) ? undef : value_for($_->[1])) } @columns };
		$run->("INSERT INTO $table->{name} (" . join(', ', 'id', map { $_->[0] } @columns) . ') VALUES ('
			  . join(', ', $id, map { written($_->[1], $table->{rows}{$id}{ $_->[0] }) } @columns) . ')');
		expect($session, 'CREATE', $table, {}, image($table, $id));
	}
	elsif ($kind eq 'update' && @ids && @columns)
	{
		my $id = pick(@ids);
		my $column = pick(@columns);
		my $before = image($table, $id);
		$table->{rows}{$id}{ $column->[0] } = value_for($column->[1]);
		$run->("UPDATE $table->{name} SET $column->[0] = " . written($column->[1], $table->{rows}{$id}{ $column->[0] }) . " WHERE id = $id");
		expect($session, 'UPDATE', $table, $before, image($table, $id));
	}
	elsif ($kind eq 'delete' && @ids)
	{
		my $id = pick(@ids);
		$run->("DELETE FROM $table->{name} WHERE id = $id");
		expect($session, 'DELETE', $table, image($table, $id), {});
		delete $table->{rows}{$id};
	}
	elsif ($kind =~ /^add/ && @columns < 8)
	{
		my ($name, $type) = ('c' . ++$names, pick(qw(int text bool)));
		my $value = $kind eq 'add' ? undef : value_for($type);
		$run->("ALTER TABLE $table->{name} ADD COLUMN $name $type" . (defined $value ? ' NOT NULL DEFAULT ' . written($type, $value) : ''));
		$run->("ALTER TABLE $table->{name} ALTER $name DROP NOT NULL, ALTER $name DROP DEFAULT");
		push @{ $table->{columns} }, [ $name, $type ];
		$_->{$name} = $value foreach values %{ $table->{rows} };
	}
	elsif ($kind eq 'drop' && @columns > 1)
	{
		my $name = pick(@columns)->[0];
		$run->("ALTER TABLE $table->{name} DROP COLUMN $name");
		@{ $table->{columns} } = grep { $_->[0] ne $name } @columns;
	}
	elsif ($kind eq 'rename')
	{
		my ($column, $name) = (pick(@columns), 'r' . ++$names);
		$run->("ALTER TABLE $table->{name} RENAME $column->[0] TO $name");
		$_->{$name} = delete $_->{ $column->[0] } foreach values %{ $table->{rows} };
		$column->[0] = $name;
	}
	elsif ($kind eq 'rename table')
	{
		my $name = $session->{prefix} . 't' . ++$names;
		$run->("ALTER TABLE $table->{name} RENAME TO $name");
		$table->{name} = $name;
	}
	elsif ($kind eq 'swap')
	{
		# Two tables change names: what was known of one is now the other's.
		my ($one, $two) = @{ $session->{tables} }[ 0, 1 ];
		$run->("ALTER TABLE $one->{name} RENAME TO $session->{prefix}aside; ALTER TABLE $two->{name} RENAME TO $one->{name}; "
			  . "ALTER TABLE $session->{prefix}aside RENAME TO $two->{name}");
		($one->{name}, $two->{name}) = ($two->{name}, $one->{name});
	}
	elsif ($kind eq 'type')
	{
		my ($column) = grep { $_->[1] eq 'int' } @columns or return;
		$run->("ALTER TABLE $table->{name} ALTER $column->[0] TYPE text");
		$column->[1] = 'text';
	}
	elsif ($kind eq 'truncate' && chance(0.3))
	{
		$run->("TRUNCATE $table->{name}");
		$table->{rows} = {};
		expect($session, 'TRUNCATE', $table, {}, {});
	}
	elsif ($kind eq 'index')
	{
		$run->("CREATE INDEX ON $table->{name} ($columns[0][0])") if @columns;
	}
	return;
}

# A step of a session's transactions: it begins, goes on, sets a savepoint, goes back to it, commits.
my @expected;

sub advance
{
	my ($session) = @_;
	my $psql = $session->{psql};
	if (!$session->{open})
	{
		$psql->query_safe('BEGIN');
		$session->{open} = 1;
		$session->{saved} = [];
	}
	elsif (chance(0.06))
	{
		$psql->query_safe('COMMIT');
		push @expected, @{ $session->{records} };
		$session->{records} = [];
		$session->{open} = 0;
	}
	elsif (chance(0.05))
	{
		$psql->query_safe('SAVEPOINT s' . @{ $session->{saved} });
		push @{ $session->{saved} }, [ copy_of($session->{tables}), scalar @{ $session->{records} } ];
	}
	elsif (@{ $session->{saved} } && chance(0.08))
	{
		my ($tables, $records) = @{ pop @{ $session->{saved} } };
		$psql->query_safe('ROLLBACK TO s' . @{ $session->{saved} });
		$session->{tables} = $tables;
		splice @{ $session->{records} }, $records;
	}
	else
	{
		step($session);
	}
	return;
}

# Savepoints that were given up have let names out, never records.
sub shown
{
	my (@lines) = @_;
	my $parser = JSON::PP->new->utf8;
	return map {
		my $r = $parser->decode($_);
		$json->encode([ @$r{qw(operation table before after)} ])
	} grep { /"table":"[xy]/ } @lines;
}
sub same_lines
{
	my ($got, $expected, $title) = @_;
	my ($got_file, $expected_file) = map { temp_file($_) } qw(got expected);
	write_text($got_file, join '', map { "$_\n" } @$got);
	write_text($expected_file, join '', map { "$_\n" } @$expected);
	return same_files($got_file, $expected_file, $title);
}
my %file = map { $_ => temp_file($_) } qw(first second);
SKIP:
{
	# Where a savepoint is given up that had changed catalogs, and its place in them is used again, the server's own assertion
	# fails ("ent->cmin == change->data.tuplecid.cmin" in reorderbuffer.c, before any plugin is called; with test_decoding as well).
	skip 'this server asserts what does not hold', 3 if sql('SHOW debug_assertions') eq 'on';
	my @sessions = map { new_session($_) } qw(x y);
	create_slot($node, 'postgres', 'before');
	my $live = BemiStream->new($node, 'postgres', 'before');
	advance(pick(@sessions)) foreach 1 .. (is_long() ? 4000 : 700);
	foreach my $session (@sessions)
	{
		$session->{psql}->query_safe('COMMIT') if $session->{open};
		push @expected, @{ $session->{records} };
		$session->{psql}->quit;
	}
	note(scalar(@expected) . ' records');
	$live->read_lines_until(scalar @expected);
	same_lines([ shown($live->lines) ], \@expected, 'tables change under a running stream');
	$live->stop;
	my $end = current_lsn($node);
	decode_stream($node, 'postgres', 'first', $file{first}, $end);
	decode_sql($node, 'postgres', 'second', $file{second});
	same_lines([ shown(read_lines($file{first})) ], \@expected, 'and under one that comes afterwards');
	same_files($file{second}, $file{first}, 'and in a session, from another slot');
}
sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active");

# --- many tables ---------------------------------------------------------------------------------------------

my $tables = is_long() ? 5000 : 1000;
sql(qq{DO \$\$ BEGIN FOR i IN 1 .. $tables LOOP
	EXECUTE format('CREATE TABLE many_%s (id int PRIMARY KEY, v text)', i);
	IF i % 100 = 0 THEN COMMIT; END IF;
END LOOP; END \$\$});
create_slot($node, 'postgres', 'many');
my $fill = sub {
	my ($n) = @_;
	return qq{DO \$\$ BEGIN FOR i IN 1 .. $tables LOOP EXECUTE format('INSERT INTO many_%s VALUES ($n, ''v'')', i); END LOOP; END \$\$};
};
sql($fill->(1), $fill->(2));
sql(qq{DO \$\$ BEGIN FOR i IN 1 .. $tables LOOP EXECUTE format('ALTER TABLE many_%s ADD COLUMN w int DEFAULT 5', i);
	IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END \$\$});
sql($fill->(3));
my $start = time;
decode_sql($node, 'postgres', 'many', $file{first}, peek => 1);
my $seconds = time - $start;
my @lines = read_lines($file{first});
is(scalar @lines, 3 * $tables, "$tables tables");
is(scalar(grep { /"after":\{"id":[12],"v":"v"\}/ } @lines), 2 * $tables, 'as they were before they were changed');
is(scalar(grep { /"after":\{"id":3,"v":"v","w":5\}/ } @lines), $tables, 'and afterwards');
is(scalar(keys %{ { map { /"table":"(\w+)"/; ($1 => 1) } @lines } }), $tables, 'all of them');
note(sprintf 'decoded in %.2f seconds', $seconds);

# --- memory ----------------------------------------------------------------------------------------------------

SKIP:
{
	skip 'no /proc to read memory from', 2 unless -e "/proc/$$/status";
	skip 'an instrument takes memory of its own', 2 if is_instrumented();
	my $peeks = is_long() ? 10_000 : 1000;
	sql("SELECT pg_drop_replication_slot('many')");
	create_slot($node, 'postgres', 'peeked');
	sql(map { "INSERT INTO many_$_ VALUES (4, 'v', 6)" } 1 .. 40);
	sql('BEGIN', "SELECT pg_logical_emit_message(true, '_bemi', '{\"a\": 1}')", "UPDATE many_1 SET w = 7", 'COMMIT');
	my $memory = q{SELECT substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\s+(\d+)');};
	my $text = "SET work_mem = '64kB';\n";
	foreach my $i (1 .. $peeks)
	{
		$text .= "SELECT count(*) FROM pg_logical_slot_peek_changes('peeked', NULL, NULL" . pick('', ", 'batch_size', '1kB'", ", 'mask_columns', 'v'") . ") \\g /dev/null\n";
		$text .= "SELECT FROM pg_logical_slot_peek_changes('peeked', NULL, NULL, 'format_version', '2') \\g /dev/null\n" if $i % 10 == 0;
		$text .= sprintf("ALTER TABLE many_2 ALTER v SET STATISTICS %d;\n", $i % 100) if $i % 20 == 0;
		$text .= "$memory\n" if $i == 100 || $i == $peeks;
	}
	write_text($script, $text);
	run_script($node, 'postgres', $script, output => $output, go_on => 1);
	my ($early, $late) = grep { /^\d+$/ } read_lines($output);
	note("$early kB after 100, $late kB after $peeks");
	cmp_ok($late - $early, '<', 2048, "$peeks decodings leave nothing behind in a session");

	# Tables that come and go under a stream.
	my $stream = BemiStream->new($node, 'postgres', 'peeked', file => '/dev/null');
	my $pid = $stream->sender;
	my $size_after = sub {
		my ($from, $to) = @_;
		sql(qq{DO \$\$ BEGIN FOR i IN $from .. $to LOOP
			EXECUTE format('CREATE TABLE brief_%s (id int PRIMARY KEY, v text, j jsonb, k int[])', i);
			EXECUTE format('INSERT INTO brief_%s VALUES (1, ''v'', ''{}'', ''{1}'')', i);
			COMMIT;
			EXECUTE format('DROP TABLE brief_%s', i);
			COMMIT;
		END LOOP; END \$\$});
		my $end = current_lsn($node);
		$node->poll_query_until('postgres', "SELECT sent_lsn >= '$end' FROM pg_stat_replication WHERE pid = $pid") or die 'decoding does not end';
		return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m ? $1 : 0;
	};
	my $count = is_long() ? 5000 : 500;
	my $first = $size_after->(1, $count);
	my $second = $size_after->($count + 1, 3 * $count);
	note("$first kB after $count tables, $second kB after " . 3 * $count);
	cmp_ok($second - $first, '<', 2048, 'nor do tables that come and go under a stream');
	$stream->stop;
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|WARNING|was terminated by signal|could not write value/, 'nothing bad in the log');

done_testing();

# The triggers of Bemi's ORM packages send a context for each row, taken from a comment in the statement.
# Here every statement has a comment of its own, or none, and so it is known which context each record must
# have: that of its statement; where that sent none, the nearest before it in the transaction, or else the
# transaction's first.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

seed_random();
my $node = new_node('bemi_triggers');
$node->safe_psql('postgres', 'CREATE DATABASE shop');
run_script($node, 'shop', library_file('bemi_triggers.sql'));
# All tables come after the triggers, and have them by the event trigger.
$node->safe_psql('shop', q{
CREATE TABLE item (id int PRIMARY KEY, note text);
CREATE TABLE owner (id int PRIMARY KEY, note text);
CREATE TABLE pet (id int PRIMARY KEY, owner int REFERENCES owner ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE toy (id int PRIMARY KEY, owner int REFERENCES owner ON DELETE SET NULL);
CREATE TABLE log (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, item int);
CREATE TABLE part (id int, place int, PRIMARY KEY (id, place)) PARTITION BY LIST (place);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_rest PARTITION OF part DEFAULT PARTITION BY RANGE (id);
CREATE TABLE part_few PARTITION OF part_rest FOR VALUES FROM (0) TO (100);
CREATE TABLE part_many PARTITION OF part_rest FOR VALUES FROM (100) TO (1000);
CREATE SCHEMA other;
CREATE TABLE other.thing (id int PRIMARY KEY);

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER zz_refuse BEFORE INSERT ON item FOR EACH ROW WHEN (NEW.note = 'unwanted') EXECUTE FUNCTION refuse();
CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO log (item) VALUES (NEW.id); RETURN NULL; END';
CREATE TRIGGER log AFTER INSERT ON item FOR EACH ROW WHEN (NEW.note = 'logged') EXECUTE FUNCTION log();
CREATE CONSTRAINT TRIGGER log_at_commit AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.note = 'logged at commit') EXECUTE FUNCTION log();
CREATE FUNCTION work(int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO item VALUES ($1, 'from a function');
    EXECUTE 'UPDATE item SET note = NULL WHERE id = $1' USING $1;
    DELETE FROM item WHERE id = $1;
END $$;
CREATE FUNCTION work_in_sql(int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO item VALUES ($1, 'from a function'); INSERT INTO owner VALUES ($1); $$;
});
is( $node->safe_psql('shop', q{
SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace AND nspname IN ('public', 'other')
WHERE relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_trigger
    WHERE tgrelid = c.oid AND tgname = '_bemi_row_trigger_' || relname)}),
	'', 'the event trigger gave every new table its row trigger');
create_slot($node, 'shop', 'case');
create_slot($node, 'shop', 'all');

# --- cases: statements in a file, and their records -------------------------------------------------------

my @seen; # all records of changes, in order

# The statement's comment for <A>: {"statement": "A"}.
sub with_comments { my ($sql) = @_; return $sql =~ s{<(\w+)>}{/*Bemi {"statement":"$1"} Bemi*/}gr; }

# What a record says, in the notation of the expectations: operation, table, key, statement.
sub summary
{
	my ($record) = @_;
	my $context = $record->{context};
	my $statement = exists $record->{context_error} ? "error: $record->{context_error}"
	  : !ref $context ? $context
	  : %$context ? $context->{statement}
	  : '-';
	return join ' ', $record->{operation}, $record->{table}, $record->{primary_key} // '-', $statement;
}

# Runs statements, each sent on its own as a client does, and returns what the slot has of them: records of
# changes and of messages.
sub decode_script
{
	my ($sql) = @_;
	my $script = temp_file('case.sql');
	write_text($script, with_comments($sql));
	run_script($node, 'shop', $script);
	my $file = temp_file('case');
	decode_sql($node, 'shop', 'case', $file, options => { messages => '_bemi' });
	my @records = records($file);
	my @changes = grep { $_->{operation} ne 'MESSAGE' } @records;
	push @seen, @changes;
	return (\@changes, [ grep { $_->{operation} eq 'MESSAGE' } @records ], \@records);
}

# A test of what statements lead to: expected records, one a line, and how many messages the triggers sent.
sub leads_to
{
	my ($name, $messages, $sql, $expected) = @_;
	my ($changes, $sent, $all) = decode_script($sql);
	is(join("\n", map { summary($_) } @$changes) . "\n", $expected =~ s/^\s+//gmr, $name);
	is(scalar @$sent, $messages, "$name: $messages messages");
	return @$all;
}

my @records = leads_to('one message per row', 3, q{INSERT INTO item VALUES (1), (2), (3) <A>;}, q{
	CREATE item 1 A
	CREATE item 2 A
	CREATE item 3 A
});
is(join(' ', map { $_->{operation} } @records), join(' ', ('MESSAGE', 'CREATE') x 3), 'a message before each row');

leads_to('update and delete', 4, q{
UPDATE item SET note = 'x' WHERE id < 3 <A>;
UPDATE item SET id = 30 WHERE id = 3 <B>;
DELETE FROM item WHERE id = 30 <C>;}, q{
	UPDATE item 1 A
	UPDATE item 2 A
	UPDATE item 30 B
	DELETE item 30 C
});

leads_to('each transaction has its own', 2, q{
INSERT INTO item VALUES (3) <A>; DELETE FROM item WHERE id = 3; INSERT INTO item VALUES (3) <B>;}, q{
	CREATE item 3 A
	DELETE item 3 -
	CREATE item 3 B
});

leads_to('two contexts in a transaction', 3, q{
BEGIN; UPDATE item SET note = 'y' <A>;
INSERT INTO owner VALUES (1);
COMMIT;
BEGIN; INSERT INTO owner VALUES (2); COMMIT;}, q{
	UPDATE item 1 A
	UPDATE item 2 A
	UPDATE item 3 A
	CREATE owner 1 A
	CREATE owner 2 -
});

leads_to('changes before the first context', 2, q{
BEGIN; INSERT INTO owner VALUES (3); DELETE FROM owner WHERE id = 3; INSERT INTO owner VALUES (3) <A>;
INSERT INTO owner VALUES (4); INSERT INTO owner VALUES (5) <B>; INSERT INTO owner VALUES (6); COMMIT;}, q{
	CREATE owner 3 A
	DELETE owner 3 A
	CREATE owner 3 A
	CREATE owner 4 A
	CREATE owner 5 B
	CREATE owner 6 B
});

leads_to('an upsert: two messages where it updates', 4, q{
INSERT INTO item VALUES (1), (10) ON CONFLICT (id) DO UPDATE SET note = 'upsert' <A>;
INSERT INTO item VALUES (1) ON CONFLICT DO NOTHING <B>;}, q{
	UPDATE item 1 A
	CREATE item 10 A
});

leads_to('a conflict that does nothing leaves a context for what follows', 2, q{
BEGIN; INSERT INTO item VALUES (1) ON CONFLICT DO NOTHING <A>; INSERT INTO item VALUES (11);
INSERT INTO item VALUES (12) <B>; COMMIT;}, q{
	CREATE item 11 A
	CREATE item 12 B
});

leads_to('a row that a trigger refuses leaves an orphan', 4, q{
INSERT INTO item VALUES (13, 'unwanted') <A>;
BEGIN; INSERT INTO item VALUES (13, 'unwanted') <B>; INSERT INTO item VALUES (13, 'wanted') <C>; COMMIT;
BEGIN; INSERT INTO item VALUES (14); INSERT INTO item VALUES (15, 'unwanted') <D>; COMMIT;}, q{
	CREATE item 13 C
	CREATE item 14 D
});

leads_to('foreign keys that cascade', 12, q{
INSERT INTO owner VALUES (7) <A>;
BEGIN; INSERT INTO pet VALUES (1, 7), (2, 7) <B>; COMMIT;
UPDATE owner SET id = 8 WHERE id = 7 <C>;
INSERT INTO toy VALUES (1, 8), (2, 8) <D>;
DELETE FROM pet WHERE id = 2 <E>;
UPDATE toy SET owner = NULL WHERE id = 2;
DELETE FROM owner WHERE id = 8 <F>;}, q{
	CREATE owner 7 A
	CREATE pet 1 B
	CREATE pet 2 B
	UPDATE owner 8 C
	UPDATE pet 1 C
	UPDATE pet 2 C
	CREATE toy 1 D
	CREATE toy 2 D
	DELETE pet 2 E
	UPDATE toy 2 -
	DELETE owner 8 F
	DELETE pet 1 F
	UPDATE toy 1 F
});

leads_to('functions, blocks and what they execute', 6, q{
SELECT work(20) <A>;
SELECT work_in_sql(21) <B>;
DO $$ BEGIN INSERT INTO item VALUES (22); END $$ /* a DO has its comment too */ <C>;}, q{
	CREATE item 20 A
	UPDATE item 20 A
	DELETE item 20 A
	CREATE item 21 B
	CREATE owner 21 B
	CREATE item 22 C
});

# A deferred trigger runs within the statement where that is a transaction of its own, else within COMMIT.
leads_to('triggers that write', 6, q{
INSERT INTO item VALUES (23, 'logged') <A>;
BEGIN; INSERT INTO item VALUES (24, 'logged at commit') <B>; INSERT INTO item VALUES (25) <C>; COMMIT;
INSERT INTO item VALUES (26, 'logged at commit') <D>;}, q{
	CREATE item 23 A
	CREATE log 1 A
	CREATE item 24 B
	CREATE item 25 C
	CREATE log 2 C
	CREATE item 26 D
	CREATE log 3 D
});

leads_to('statements that write to several tables', 4, q{
WITH gone AS (DELETE FROM item WHERE id IN (23, 24) RETURNING id) INSERT INTO owner SELECT id FROM gone <A>;}, q{
	DELETE item 23 A
	CREATE owner 23 A
	DELETE item 24 A
	CREATE owner 24 A
});

leads_to('MERGE', 4, q{
MERGE INTO item USING (VALUES (25, 'x'), (26, 'y'), (27, 'z')) AS v (id, note) ON item.id = v.id
WHEN MATCHED AND item.id = 25 THEN DELETE WHEN MATCHED THEN UPDATE SET note = v.note
WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.note) <A>;
INSERT INTO item VALUES (28) <B>;}, q{
	DELETE item 25 A
	UPDATE item 26 A
	CREATE item 27 A
	CREATE item 28 B
}) if $node->pg_version >= 15;

# The partitioned table's trigger is cloned to each partition, which has one of its own as well, and what is
# between them too.
@records = leads_to('partitions: several messages per row', 2 + 3 + 3, q{
BEGIN; INSERT INTO part VALUES (1, 1) <A>; INSERT INTO part VALUES (1, 2) <B>; INSERT INTO part_few VALUES (2, 2) <C>; COMMIT;}, q{
	CREATE part [1, 1] A
	CREATE part [1, 2] B
	CREATE part [2, 2] C
});
is(join(' ', map { $_->{partition} } grep { $_->{operation} eq 'CREATE' } @records),
	'public.part_1 public.part_few public.part_few', 'partitions: which ones');
leads_to('rows that move between partitions', 2 + 2 + 3 + 3 + 3 + 3, q{
UPDATE part SET place = 3 WHERE place = 1 <A>;
BEGIN; UPDATE part SET id = 200 WHERE id = 2 <B>; INSERT INTO owner VALUES (30); COMMIT;}, q{
	DELETE part [1, 1] A
	CREATE part [1, 3] A
	DELETE part [2, 2] B
	CREATE part [200, 2] B
	CREATE owner 30 B
});

leads_to('savepoints that are rolled back', 4, q{
BEGIN; INSERT INTO item VALUES (31) <A>; SAVEPOINT s; INSERT INTO item VALUES (32) <B>; ROLLBACK TO s;
INSERT INTO item VALUES (33); SAVEPOINT t; INSERT INTO item VALUES (34) <C>; RELEASE t;
INSERT INTO item VALUES (35); COMMIT;
BEGIN; INSERT INTO item VALUES (36); SAVEPOINT s; INSERT INTO item VALUES (37) <D>; ROLLBACK TO s;
INSERT INTO item VALUES (38); COMMIT;
BEGIN; INSERT INTO item VALUES (39); SAVEPOINT s; INSERT INTO item VALUES (40) <E>; ROLLBACK TO s;
INSERT INTO item VALUES (41) <F>; INSERT INTO item VALUES (42) <G>; COMMIT;
BEGIN; INSERT INTO item VALUES (43) <H>; ROLLBACK;}, q{
	CREATE item 31 A
	CREATE item 33 A
	CREATE item 34 C
	CREATE item 35 C
	CREATE item 36 -
	CREATE item 38 -
	CREATE item 39 F
	CREATE item 41 F
	CREATE item 42 G
});

leads_to('what sends no message: TRUNCATE, COPY, EXECUTE', 2, q{
TRUNCATE log <A>;
COPY log (item) FROM STDIN;
1
2
\.
PREPARE remove AS DELETE FROM log WHERE item = $1 <B>;
EXECUTE remove(1);
BEGIN; INSERT INTO item VALUES (51) <C>; EXECUTE remove(2); TRUNCATE log;
COPY log (item) FROM STDIN;
3
\.
INSERT INTO item VALUES (52) <D>; TRUNCATE log <E>; COMMIT;}, q{
	TRUNCATE log - -
	CREATE log 4 -
	CREATE log 5 -
	DELETE log 4 -
	CREATE item 51 C
	DELETE log 5 C
	TRUNCATE log - C
	CREATE log 6 C
	CREATE item 52 D
	TRUNCATE log - D
});

leads_to('a query string of several statements has the first comment', 2, q{
INSERT INTO item VALUES (53) <A>\; INSERT INTO item VALUES (54) <B>;}, q{
	CREATE item 53 A
	CREATE item 54 A
});

leads_to('a table in another schema, and one that no event trigger saw', 1, q{
INSERT INTO other.thing VALUES (1) <A>;
CREATE TABLE unseen AS SELECT 1 AS id <B>;
UPDATE unseen SET id = 2 <C>;}, q{
	CREATE thing 1 A
	CREATE unseen - -
	UPDATE unseen - -
});

# Contexts that are no objects, or not JSON.
my $odd = 60;
foreach my $case (
	[ 'null', '{}' ], [ '[1, "x"]', '[1,"x"]' ], [ '1.50', '1.50' ], [ '"é😀"', '"é😀"' ],
	[ '{"SQL": "INSERT INTO item (note) VALUES (%%s)"}', '{"SQL":"INSERT INTO item (note) VALUES (%%s)"}' ],
	[ '{"a": "\u0000"}', undef ], [ '{"a": 1', undef ], [ 'nonsense', undef ])
{
	my ($context, $kept) = @$case;
	my $script = temp_file('odd.sql');
	write_text($script, "INSERT INTO item VALUES (" . ++$odd . ") /*Bemi $context Bemi*/;\n");
	run_script($node, 'shop', $script);
	my $file = temp_file('odd');
	decode_sql($node, 'shop', 'case', $file);
	my ($line, @more) = read_lines($file);
	my $tail = defined $kept ? '"context":' . $kept . ',"last":true}' : '"context":{},"context_error":"';
	utf8::encode($tail);
	ok(!@more && index($line, $tail) > 0, "the context $context") or diag($line);
	push @seen, records($file);
}

# --- where messages stand -----------------------------------------------------------------------------------

# A message lies between the row before it and the row of its own, and as a rule at that row's position: it
# has the end of its entry in the log, where the row's begins.
my (undef, undef, $all) = decode_script('INSERT INTO item SELECT 1000 + i FROM generate_series(1, 300) i <A>;');
my ($same, $misplaced, $row) = (0, 0, 0);
while (my ($message, $change) = splice @$all, 0, 2)
{
	$misplaced++ unless $message->{operation} eq 'MESSAGE' && $change->{operation} eq 'CREATE'
	  && $message->{position} > $row && $message->{position} <= $change->{position};
	$same++ if $message->{position} == $change->{position};
	$row = $change->{position};
}
is($misplaced, 0, 'each message lies before its row and after the one before');
cmp_ok($same, '>', 200, 'mostly with the very position of the row');

# --- Supabase: a setting instead of comments ----------------------------------------------------------------

$node->safe_psql('shop', q{
CREATE FUNCTION pass_setting() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    context text := current_setting('bemi.context', true);
BEGIN
    IF context IS NOT NULL THEN
        PERFORM pg_logical_emit_message(true, '_bemi', context);
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION careful() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('bemi.context', true) <> '' THEN
        PERFORM pg_logical_emit_message(true, '_bemi', current_setting('bemi.context'));
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TABLE note (id int PRIMARY KEY);
CREATE TABLE page (id int PRIMARY KEY);
DROP TRIGGER _bemi_row_trigger_note ON note;
DROP TRIGGER _bemi_row_trigger_page ON page;
CREATE TRIGGER context BEFORE INSERT OR UPDATE OR DELETE ON note FOR EACH ROW EXECUTE FUNCTION pass_setting();
CREATE TRIGGER context BEFORE INSERT OR UPDATE OR DELETE ON page FOR EACH ROW EXECUTE FUNCTION careful();
});
my $settings = q{
INSERT INTO TABLE VALUES (1);
BEGIN; SELECT set_config('bemi.context', '{"statement": "A"}', true); INSERT INTO TABLE VALUES (2), (3);
SELECT set_config('bemi.context', '{"statement": "B"}', true); UPDATE TABLE SET id = 4 WHERE id = 3; COMMIT;
INSERT INTO TABLE VALUES (5);
SELECT set_config('bemi.context', '{"statement": "C"}', false);
INSERT INTO TABLE VALUES (6);
DELETE FROM TABLE WHERE id = 6;
BEGIN; SET LOCAL bemi.context = '{"statement": "D"}'; INSERT INTO TABLE VALUES (7); COMMIT;
INSERT INTO TABLE VALUES (8);
RESET bemi.context; INSERT INTO TABLE VALUES (9);
};
my $records = q{
	CREATE TABLE 1 -
	CREATE TABLE 2 A
	CREATE TABLE 3 A
	UPDATE TABLE 4 B
	CREATE TABLE 5 EMPTY
	CREATE TABLE 6 C
	DELETE TABLE 6 C
	CREATE TABLE 7 D
	CREATE TABLE 8 C
	CREATE TABLE 9 EMPTY
};
# After a transaction's own setting is gone, it is '' and not null: the first trigger sends that, which is no
# JSON and so no context, and the record says so.
leads_to('Supabase: the setting', 9, $settings =~ s/\bTABLE\b/note/gr, $records =~ s/\bTABLE\b/note/gr =~ s/EMPTY/error: empty: /gr);
leads_to("Supabase: a trigger that takes '' as none", 7, $settings =~ s/\bTABLE\b/page/gr,
	$records =~ s/\bTABLE\b/page/gr =~ s/EMPTY/-/gr);

# --- random transactions against a model --------------------------------------------------------------------

# Events are [context] of a message or [undef, change] in the order in which they happen; ids are those that exist.
my (%ids, @events, @saved);

# Each returns a statement, and adds its events as the triggers send them.
my $statements = 0;
sub statement
{
	my ($sql, @changes) = @_;
	my $context = chance(0.5) ? 'S' . ++$statements : undef;
	foreach my $change (@changes)
	{
		my ($messages, $what) = @$change;
		push @events, map { [$context] } 1 .. $messages if defined $context;
		push @events, [ undef, $what ] if defined $what;
	}
	return $sql . (defined $context ? " <$context>" : '') . ';';
}

sub some_ids { my %some = map { between(1, 30) => 1 } 1 .. between(1, 5); return sort { $a <=> $b } keys %some; }

my %kinds = (
	insert => sub {
		my @new = grep { !$ids{$_} } some_ids() or return '';
		$ids{$_} = 1 foreach @new;
		return statement('INSERT INTO item VALUES ' . join(', ', map { "($_)" } @new), map { [ 1, "CREATE item $_" ] } @new);
	},
	update => sub {
		my @old = grep { $ids{$_} } some_ids() or return '';
		return statement('UPDATE item SET note = now()::text WHERE id IN (' . join(', ', @old) . ')',
			map { [ 1, "UPDATE item $_" ] } @old);
	},
	delete => sub {
		my @old = grep { delete $ids{$_} } some_ids() or return '';
		return statement('DELETE FROM item WHERE id IN (' . join(', ', @old) . ')', map { [ 1, "DELETE item $_" ] } @old);
	},
	upsert => sub {
		my @all = some_ids();
		my @changes = map { $ids{$_} ? [ 2, "UPDATE item $_" ] : [ 1, "CREATE item $_" ] } @all;
		$ids{$_} = 1 foreach @all;
		return statement('INSERT INTO item VALUES ' . join(', ', map { "($_)" } @all)
			  . ' ON CONFLICT (id) DO UPDATE SET note = now()::text', @changes);
	},
	nothing => sub {
		my @old = grep { $ids{$_} } some_ids() or return '';
		return statement('INSERT INTO item VALUES ' . join(', ', map { "($_)" } @old) . ' ON CONFLICT DO NOTHING',
			map { [1] } @old);
	},
	refused => sub { return statement("INSERT INTO item VALUES (0, 'unwanted')", [1]) },
	savepoint => sub { push @saved, [ {%ids}, scalar @events ]; return 'SAVEPOINT s' . @saved . ';' },
	release => sub { return '' unless @saved; pop @saved; return 'RELEASE s' . (@saved + 1) . ';' },
	rollback => sub {
		return '' unless @saved;
		my ($ids, $count) = @{ $saved[-1] };
		%ids = %$ids;
		$#events = $count - 1;
		return 'ROLLBACK TO s' . @saved . ';';
	});

# The contract: the nearest context before a change, else the transaction's first, else none.
sub stitched
{
	my ($first) = grep { defined } map { $_->[0] } @events;
	my $nearest = $first // '-';
	my @stitched;
	foreach (@events)
	{
		my ($context, $change) = @$_;
		if (defined $context) { $nearest = $context }
		else { push @stitched, "$change $nearest" }
	}
	return @stitched;
}

decode_script('TRUNCATE item;');
my $transactions = is_long() ? 2000 : 150;
my ($sql, @expected) = ('');
foreach (1 .. $transactions)
{
	@events = @saved = ();
	my %before = %ids;
	$sql .= "BEGIN;\n" . join("\n", map { $kinds{ pick(sort keys %kinds) }->() } 1 .. between(1, 8)) . "\n";
	if (chance(0.1)) { $sql .= "ROLLBACK;\n"; %ids = %before; next; }
	$sql .= "COMMIT;\n";
	push @expected, join "\n", sort(stitched()) if grep { defined $_->[1] } @events;
}
my ($changes) = decode_script($sql);
my (@got, $transaction);
foreach my $record (@$changes)
{
	push @got, [] unless defined $transaction && $transaction == $record->{transaction_id};
	$transaction = $record->{transaction_id};
	push @{ $got[-1] }, summary($record);
}
# The rows of one statement may come in any order.
is(join("\n\n", map { join "\n", sort @$_ } @got), join("\n\n", @expected),
	"$transactions random transactions: every record has its statement's context") or diag($sql);

# --- and through a walsender -------------------------------------------------------------------------------

my $file = temp_file('stream');
decode_stream($node, 'shop', 'all', $file, current_lsn($node));
my @stream = records($file);
delete $_->{last} foreach @stream, @seen;
my $writer = JSON::PP->new->canonical->utf8->allow_bignum;
is($writer->encode(\@stream), $writer->encode(\@seen), 'pg_recvlogical gets the same records');

$node->stop;
done_testing();

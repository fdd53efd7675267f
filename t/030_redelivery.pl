# A consumer that confirms what it has stored loses nothing, whenever it dies, and is never sent
# a finished transaction again. All of it rests on the positions (LSNs) of messages: only the one
# with a transaction's last record may carry the transaction's end, also when the others are
# written in the commit callback, where the server would put that very position on all of them.
# With that left out of callbacks.cpp (`ctx->write_location = position` in SendMessage), this test
# fails in each of its parts: messages carry positions that they must not, slots advanced to a
# message's position have lost the rest of its transaction, pg_recvlogical stops after the first
# record at --endpos, and one that is killed in the middle gets nothing when it comes back.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiStream;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

seed_random();
my $node = new_node('redelivery', "wal_sender_timeout = 60s\n");
my $rows = is_long() ? 6000 : 1200;

$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('source', q{
CREATE TABLE item (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, note text);
ALTER TABLE item REPLICA IDENTITY FULL;
CREATE TABLE other (id int PRIMARY KEY, note text);
CREATE TABLE unwanted (id int);
CREATE FUNCTION context(text) RETURNS void LANGUAGE sql
    AS $$ SELECT FROM pg_logical_emit_message(true, '_bemi', '{"is": "' || $1 || '"}') $$;
CREATE FUNCTION add(text, count int, width int DEFAULT 60) RETURNS void LANGUAGE sql
    AS $$ INSERT INTO item (note) SELECT $1 || ' ' || repeat(chr(97 + i % 26), width) FROM generate_series(1, count) i $$;
});

# Tests that two texts are the same; shows where they part.
sub same_text
{
	my ($got, $expected, $name) = @_;
	my ($got_file, $expected_file) = map { temp_file($_) } qw(got expected);
	write_bytes($got_file, $got);
	write_bytes($expected_file, $expected);
	return same_files($got_file, $expected_file, $name);
}

sub write_bytes
{
	my ($file, $bytes) = @_;
	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle $bytes;
	close $handle or die "$file: $!";
	return;
}

sub sql { my (@statements) = @_; return $node->safe_psql('source', join ";\n", @statements); }

# --- transactions of every kind, some of them at the same time --------------------------------

create_slot($node, 'source', 'main');
$node->safe_psql('source',
	"SELECT FROM pg_create_logical_replication_slot('two_phase', 'bemi_decoder', false, true)");

sql("SELECT add('alone', 1)");
sql('BEGIN', "SELECT add('context last', $rows)", "SELECT context('last')", 'COMMIT');
sql('BEGIN', "SELECT add('no context', $rows)", 'COMMIT');
sql('BEGIN', "SELECT context('first')", "SELECT add('context first', $rows)", 'COMMIT');
sql('BEGIN', "SELECT add('context amid', $rows)", "SELECT context('amid')", "SELECT add('and on', $rows)",
	"SELECT context('later')", 'UPDATE item SET note = $$changed$$ WHERE id % 7 = 0', 'COMMIT');
sql('BEGIN', 'INSERT INTO unwanted SELECT generate_series(1, 500)', 'COMMIT');
sql('BEGIN', "SELECT add('kept', 3)", 'SAVEPOINT a', "SELECT context('rolled back'), add('rolled back', 4)",
	'ROLLBACK TO a', 'SAVEPOINT b', "SELECT add('in b', 3)", 'RELEASE b', 'DELETE FROM item WHERE id % 50 = 1',
	"SELECT context('end')", 'COMMIT');
sql("SELECT context('nothing else')");

my ($first, $second, $third) = map { $node->background_psql('source') } 1 .. 3;
$_->query_safe('BEGIN') foreach $first, $second, $third;
foreach my $i (1 .. 6)
{
	$first->query_safe("SELECT add('first $i', 40)");
	$second->query_safe("SELECT context('second $i')") if $i % 3 == 0;
	$second->query_safe("SELECT add('second $i', 40)");
	$third->query_safe("INSERT INTO other SELECT i, 'third' FROM generate_series($i * 100, $i * 100 + 20) i");
}
$third->query_safe('COMMIT');
sql("SELECT add('in between', 2)");
$first->query_safe("SELECT context('first')");
$first->query_safe('COMMIT');
$third->query_safe('TRUNCATE other');
$second->query_safe('COMMIT');
$_->quit foreach $first, $second, $third;

sql('BEGIN', "SELECT add('prepared', 100)", "SELECT context('prepared')", "PREPARE TRANSACTION 'a'");
sql('BEGIN', "SELECT add('given up', 100)", "PREPARE TRANSACTION 'b'");
sql("SELECT add('while prepared', 3)");
sql("ROLLBACK PREPARED 'b'");
sql("COMMIT PREPARED 'a'");
sql('BEGIN', "SELECT add('the end', 50)", 'COMMIT');

# --- positions ---------------------------------------------------------------------------------

# Each message of a slot as { position, text, ids of its records, commit, last }.
sub messages
{
	my ($slot, %options) = @_;
	my $file = temp_file('messages');
	# Line breaks between the records of a batch are written as tabs, which JSON has none of.
	decode_sql($node, 'source', $slot, $file,
		peek => 1,
		options => \%options,
		columns => "(lsn - '0/0') || E'\\t' || replace(data, E'\\n', E'\\t')");
	return map {
		my ($position, $text) = split /\t/, $_, 2;
		my @records = split /\t/, $text;
		my %commits = map { ((/"commit_position":(\d+)/)[0] => 1) } @records;
		+{
			position => $position,
			text => $text =~ tr/\t/\n/r,
			commits => [ keys %commits ],
			commit => (keys %commits)[0],
			ids => [ map { /"commit_position":(\d+),"sequence":(\d+)/; "$1 $2" } @records ],
			lasts => scalar(grep { /"last":true\}\z/ } @records),
			last => $records[-1] =~ /"last":true\}\z/ ? 1 : 0
		}
	} read_lines($file);
}

# How many of the messages break a rule of the contract on positions; says which.
sub check_positions
{
	my ($name, @messages) = @_;
	my @wrong;
	my ($open, $end) = (undef, 0);
	foreach my $message (@messages)
	{
		my @broken;
		push @broken, 'records of two transactions' if @{ $message->{commits} } != 1;
		push @broken, '"last" in the middle' if $message->{lasts} != $message->{last};
		push @broken, 'a new transaction before the last record'
		  if defined $open && $open != $message->{commit};
		push @broken, 'commits out of order' if $message->{commit} < $end;
		push @broken, 'beyond commit_position' if !$message->{last} && $message->{position} > $message->{commit};
		push @broken, 'not the end' if $message->{last} && $message->{position} <= $message->{commit};
		push @wrong, "$message->{position}: " . join(', ', @broken) . ": $message->{text}" if @broken;
		$open = $message->{last} ? undef : $message->{commit};
		$end = $message->{position} if $message->{last};
	}
	push @wrong, 'the last transaction is not whole' if defined $open;
	is(scalar @wrong, 0, "$name: positions of messages") or diag(map { substr($_, -600) . "\n" } grep { defined } @wrong[ 0 .. 2 ]);
	return;
}

my %modes = (
	'by default' => {},
	'with little held back' => { 'context_hold' => '20kB' },
	'with nothing held back' => { 'context_scope' => 'preceding' },
	'in batches' => { 'batch_size' => '16kB' },
	'in batches with little held back' => { 'batch_size' => '2kB', 'context_hold' => '30kB' },
	'of one table' => { 'tables' => 'other' },
	'of some operations' => { 'operations' => 'delete,truncate', 'batch_size' => '1kB' });
my %messages;
foreach my $mode (sort keys %modes)
{
	$messages{$mode} = [ messages('main', %{ $modes{$mode} }, exclude_tables => 'unwanted') ];
	check_positions($mode, @{ $messages{$mode} });
}

my @all = @{ $messages{'by default'} };
my %seen;
$seen{$_}++ foreach map { @{ $_->{ids} } } @all;
is(scalar(grep { $_ != 1 } values %seen), 0, 'every record is there once');
my %counts;
$counts{ $_->{commit} }++ foreach @all;
is(join(' ', map { $counts{$_} } sort { $a <=> $b } keys %counts),
	join(' ', 1, $rows, $rows, $rows,
		2 * $rows + int((1 + 5 * $rows) / 7),
		3 + 3 + int((1 + 5 * $rows + 3 + 3 - 1 + 4) / 50) + 1,
		126, 2, 240, 1, 240, 3, 100, 50),
	'as many records in each transaction as it had changes');
foreach my $mode ('in batches', 'with little held back', 'in batches with little held back')
{
	same_text(
		join("\n", map { @{ $_->{ids} } } @{ $messages{$mode} }),
		join("\n", map { @{ $_->{ids} } } @all), "$mode: the same records in the same order");
}

my ($prepared) = grep { /"note":"prepared / } map { $_->{text} } @all;
like($prepared, qr/"context":\{"is":"prepared"\}/, 'a prepared transaction has its context');
ok(!(grep { $_->{text} =~ /given up|rolled back/ } @all), 'what was rolled back is not there');
same_text(
		join("\n", map { $_->{text} } messages('two_phase', exclude_tables => 'unwanted')),
	join("\n", map { $_->{text} } @all),
	'a slot for two-phase commit gives the same');

# --- what comes again, for a consumer that has stored and confirmed so many messages ------------

# Numbers of messages after which it is worth dying.
sub interesting
{
	my (@messages) = @_;
	my %chosen = map { $_ => 1 } 0, 1, map { int rand @messages } 1 .. (is_long() ? 100 : 8);
	foreach my $i (1 .. $#messages)
	{
		next if $messages[$i]{commit} == $messages[ $i - 1 ]{commit};
		$chosen{$_} = 1 foreach $i - 1, $i, $i + 1;
	}
	return grep { $_ <= @messages } sort { $a <=> $b } keys %chosen;
}

# A session that, for each, moves a copy of the slot to the greatest position stored, and reads on.
sub check_resuming
{
	my ($mode) = @_;
	my @messages = @{ $messages{$mode} };
	my $options = join '', map { ', ' . sql_literal($_) }
	  %{ { %{ $modes{$mode} }, exclude_tables => 'unwanted' } };
	my ($script, @expected) = ('');
	foreach my $stored (interesting(@messages))
	{
		my $greatest = (sort { $b <=> $a } map { $_->{position} } @messages[ 0 .. $stored - 1 ])[0];
		my $next = $stored;
		$next-- while $next > 0 && !$messages[ $next - 1 ]{last};
		push @expected, join ' ', $stored, scalar(@messages) - $next,
		  md5_hex(join '', map { md5_hex($_->{text}) } @messages[ $next .. $#messages ]);
		$script .= "SELECT FROM pg_copy_logical_replication_slot('main', 'copy', true);\n";
		$script .= "SELECT FROM pg_replication_slot_advance('copy', '0/0'::pg_lsn + $greatest);\n"
		  if defined $greatest;
		$script .= "SELECT $stored || ' ' || count(*) || ' ' || md5(coalesce(string_agg(md5(data), ''), ''))
			FROM pg_logical_slot_get_changes('copy', NULL, NULL$options);\n";
		$script .= "SELECT FROM pg_drop_replication_slot('copy');\n";
	}
	my $file = temp_file('resume');
	write_text("$file.sql", $script);
	run_script($node, 'source', "$file.sql", output => $file);
	my @got = grep { $_ ne '' } read_lines($file);
	is(join("\n", @got), join("\n", @expected),
		"$mode: unfinished transactions come again whole, finished ones never (" . scalar(@expected) . ' places)');
	return;
}
check_resuming($_) foreach sort keys %modes;

# --- the same through pg_recvlogical and its --endpos --------------------------------------------

sub decoded
{
	my ($slot, $end, %params) = @_;
	my $file = temp_file('stream');
	decode_stream($node, 'source', $slot, $file, BemiStream::lsn($end), %params,
		options => $params{options});
	return slurp_file($file);
}
sub lines_of { return join '', map { "$_->{text}\n" } @_; }

foreach my $mode ('by default', 'in batches')
{
	my @messages = @{ $messages{$mode} };
	my $slot = 'ends_' . ($mode =~ tr/ /_/r);
	copy_slot($node, 'source', 'main', $slot);
	# The transaction whose context came last, by its number of messages before and in it.
	my ($from) = grep { $messages[$_]{text} =~ /context last/ } 0 .. $#messages;
	my ($to) = grep { $_ > $from && $messages[$_]{last} } 0 .. $#messages;
	my %options = (options => { %{ $modes{$mode} }, exclude_tables => 'unwanted' });
	same_text(
		decoded($slot, $messages[$from]{commit}, %options),
		lines_of(@messages[ 0 .. $to - 1 ]),
		"$mode: up to the commit's position all but the last message comes");
	cmp_ok(BemiStream::confirmed($node, $slot), '>', $messages[$from]{position},
		"$mode: and they are confirmed");
	same_text(
		decoded($slot, $messages[$to]{position}, %options),
		lines_of(@messages[ $from .. $to ]),
		"$mode: then the whole transaction comes again, up to its end");
	is(BemiStream::confirmed($node, $slot), $messages[$to]{position}, "$mode: and is confirmed");
	same_text(
		decoded($slot, $messages[-1]{position}, %options),
		lines_of(@messages[ $to + 1 .. $#messages ]),
		"$mode: it never comes again");
	is(decoded($slot, $node->safe_psql('postgres', "SELECT pg_current_wal_insert_lsn() - '0/0'"), %options),
		'', "$mode: nothing is left");
}

# --- the SQL functions with a limit ---------------------------------------------------------------

copy_slot($node, 'source', 'main', 'limited');
my (@pieces, @counts);
while (1)
{
	my $piece = $node->safe_psql('source',
		"SELECT data FROM pg_logical_slot_get_changes('limited', NULL, 10, 'exclude_tables', 'unwanted')");
	last if $piece eq '';
	push @counts, 1 + ($piece =~ tr/\n//);
	push @pieces, "$piece\n";
}
same_text(join('', @pieces), lines_of(@all), 'ten at a time: every record once, in order');
is(scalar(grep { !/"last":true\}\n\z/ } @pieces), 0, 'ten at a time: only whole transactions');
is($counts[0], 1 + $rows, 'ten at a time: more than ten where a transaction has more');

# --- killed in the middle, with part of a transaction stored and confirmed ----------------------

my $many = 12000;
my %scenarios = (
	'context at the end' => [ '', "SELECT context('end')" ],
	'no context' => [ '', '' ],
	'context at the start' => [ "SELECT context('start')", '' ],
	'context at the end, in batches' => [ '', "SELECT context('end')", { batch_size => '64kB' } ],
	'more than is held back' => [ '', "SELECT context('late')", { context_hold => '1MB' } ],
	'prepared' => [ '', "SELECT context('end'); PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'" ]);
foreach my $name (sort keys %scenarios)
{
	my ($before, $after, $options) = @{ $scenarios{$name} };
	create_slot($node, 'source', 'killed');
	sql("SELECT add('before', 2)");
	sql('BEGIN', $before, "SELECT add('the one', $many, 400)", $after, $name eq 'prepared' ? () : 'COMMIT');
	sql("SELECT add('after', 2)");
	my @expected = map { split /\n/, $_->{text} } messages('killed', %{ $options // {} });
	my ($small) = $expected[1] =~ /"commit_position":(\d+)/;
	my ($commit) = $expected[2] =~ /"commit_position":(\d+)/;

	my $started = BemiStream::confirmed($node, 'killed');
	my $stream = BemiStream->new($node, 'source', 'killed',
		options => $options,
		arguments => [ '--status-interval' => 1, '--fsync-interval' => 1 ]);
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	my $confirmed;
	# As slowly as it takes until more is confirmed than the small transaction before.
	do
	{
		$stream->read_some(4096, 0.1), sleep 0.01 foreach 1 .. 20;
		$confirmed = BemiStream::confirmed($node, 'killed');
	} while ($confirmed <= $small + 1000 && !$stream->{ended} && time < $deadline);
	my @stored = $stream->lines;
	$stream->stop('KILL');
	$confirmed = BemiStream::confirmed($node, 'killed');
	note("$name: killed after " . @stored . " of " . ($many + 4) . " records, "
		  . ($confirmed - $started) . " bytes confirmed, the commit at " . ($commit - $started));
	cmp_ok(scalar @stored, '<', $many, "$name: killed before the end");
	cmp_ok($confirmed, '>', $small + 1000, "$name: part of it is confirmed");
	cmp_ok($confirmed, '<=', $commit, "$name: but not the transaction's end");

	my $end = $node->safe_psql('postgres', "SELECT pg_current_wal_insert_lsn() - '0/0'");
	same_text(join("\n", @stored), join("\n", @expected[ 0 .. $#stored ]), "$name: what came before the kill was right");
	same_text(decoded('killed', $end, options => $options),
		join('', map { "$_\n" } @expected[ 2 .. $#expected ]), "$name: all of it comes again");
	is(decoded('killed', $end, options => $options), '', "$name: and once only");
	$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('killed')");
}

# --- the server dies ------------------------------------------------------------------------------

my $reference = lines_of(@all);
my $end = $all[-1]{position};
my %wanted = (options => { exclude_tables => 'unwanted' });
copy_slot($node, 'source', 'main', 'crashed');
my $stream = BemiStream->new($node, 'source', 'crashed',
	options => { exclude_tables => 'unwanted' },
	arguments => [ '--status-interval' => 1, '--fsync-interval' => 1 ]);
$stream->read_lines_until(100);
$node->stop('immediate');
$stream->kill;
same_text($stream->{text}, substr($reference, 0, length $stream->{text}),
	'what came before the server died was right');
$node->start;
same_text(decoded('crashed', $end, %wanted), $reference, 'after that the same bytes come');
same_text(decoded('main', $all[$rows]{position}, %wanted), lines_of(@all[ 0 .. $rows ]), 'a consumer stores some');
$node->stop('immediate');
$node->start;
# The server may have forgotten what was confirmed; the consumer has not, and says so.
my $position = BemiStream::lsn($all[$rows]{position});
my $file = temp_file('resumed');
my $resumed = BemiStream->new($node, 'source', 'main',
	options => { exclude_tables => 'unwanted' },
	arguments => [ '--startpos' => $position, '--endpos' => BemiStream::lsn($end) ]);
$resumed->read_lines_until(scalar @all);
$resumed->reap;
same_text($resumed->{text}, lines_of(@all[ $rows + 1 .. $#all ]), 'and goes on where it was when the server is back');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|WARNING|was terminated by signal/, 'nothing bad in the log');

done_testing();

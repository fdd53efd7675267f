# Reversion, against an oracle: random histories over tables with foreign keys, recorded while they
# happen. What is reverted without a conflict leaves the state that the other records give when they
# are done again elsewhere; where there is a conflict nothing has changed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiHistory;
use BemiIngest;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
my $histories = is_long() ? 12 : 2;
my $transactions = is_long() ? 300 : 80;
my $node = new_node('source');

my ($database, $run, $count);

sub source { return $node->safe_psql($database, $_[0]); }
sub state_of { return $node->safe_psql($_[0], 'SET timezone = UTC; ' . state_sql()); }

# Waits until everything that was written is stored.
sub settle
{
	my $sign = source('INSERT INTO sign DEFAULT VALUES RETURNING id');
	ok(0, 'the changes are stored'), diag(ingest_said($run))
	  unless wait_until(sub { source(qq{SELECT count(*) FROM changes WHERE "table" = 'sign' AND primary_key = '$sign'}) eq '1' });
	return;
}

# The records that the source has, done again in the second database but for some.
sub replayed
{
	my ($condition) = @_;
	my $file = temp_file('changes.csv');
	my $script = temp_file('replay.sql');
	unlink $file;
	write_text($script, "\\copy (SELECT c.* FROM changes c) TO '$file' (FORMAT csv)\n");
	run_script($node, $database, $script);
	write_text($script, "TRUNCATE changes;\n\\copy changes FROM '$file' (FORMAT csv)\n" . replay_rows($condition));
	run_script($node, "${database}_bare", $script);
	return state_of("${database}_bare");
}

# Calls bemi.revert: (whether it did it, the rows that are conflicts).
sub revert
{
	my ($arguments) = @_;
	my ($code, $output, $errors) = $node->psql($database,
		"SELECT outcome, table_name, primary_key, operation, id, conflict FROM bemi.revert($arguments)",
		extra_params => ['-At'], on_error_die => 1);
	my @rows = split /\n(?=reverted|fits|conflict)/, $output;
	my @conflicts = grep { /^conflict/ } @rows;
	$count->{ (@rows == 0 ? 'empty' : @conflicts ? 'refused' : 'done') }++;
	return (@rows > 0 && !grep({ !/^reverted/ } @rows), @conflicts);
}

sub ids_of
{
	my (@numbers) = @_;
	return "change_ids => ARRAY(SELECT id FROM changes WHERE context->>'t' IN (" . join(', ', map { "'$_'" } @numbers) . '))';
}

sub shuffled
{
	my (@list) = @_;
	foreach my $i (reverse 1 .. $#list) { my $j = int rand($i + 1); @list[ $i, $j ] = @list[ $j, $i ]; }
	return @list;
}

# What is told of a state that is not as expected: the lines that differ.
sub same_state
{
	my ($got, $expected, $name) = @_;
	return pass($name) if $got eq $expected;
	my (%got, %expected);
	$got{$_}++ foreach split /\n/, $got;
	$expected{$_}++ foreach split /\n/, $expected;
	fail($name);
	diag(join "\n", 'got, not expected:', (grep { ($got{$_} // 0) > ($expected{$_} // 0) } sort keys %got), 'expected, not got:',
		(grep { ($expected{$_} // 0) > ($got{$_} // 0) } sort keys %expected));
	return 0;
}

# All that came after a moment, and back again; 0 where a foreign key was in the way of that.
sub revert_since
{
	my ($middle, $state, $state_amid) = @_;
	my ($done, @conflicts) = revert("since => (SELECT min(committed_at) FROM changes WHERE (context->>'t')::int > $middle)");
	if (grep { /its transaction had changed the table before it/ } @conflicts)
	{
		# Such a TRUNCATE can't be undone.
		same_state(state_of($database), $state, 'with a TRUNCATE in the way, nothing has changed');
		return 1;
	}
	ok($done, 'everything since a moment is reverted') or diag(join "\n", @conflicts);
	same_state(state_of($database), $state_amid, 'which gives the state of that moment');
	settle();
	my $back = source(q{SELECT transaction_id FROM changes WHERE context ? 'reverts' ORDER BY commit_position DESC LIMIT 1});
	($done, @conflicts) = revert("transaction_id => $back");
	if (@conflicts && !grep { !/^conflict[^\n]*\|triggers or foreign keys write / } @conflicts)
	{
		# As below.
		same_state(state_of($database), $state_amid, 'with a foreign key in the way of going back, nothing is done');
		return 0;
	}
	ok($done, 'that, too, is reverted') or diag(join "\n", @conflicts);
	same_state(state_of($database), $state, 'and all is as before');
	settle();
	return 1;
}

sub history
{
	my ($number) = @_;
	$database = "h$number";
	$node->safe_psql('postgres', "CREATE DATABASE $_") foreach $database, "${database}_bare";
	my $connection = $node->connstr($database);
	ingest_ok($connection, $connection, 'init', '--slot', $database);
	source(history_tables());
	my ($schema) = run_command([ $node->installed_command('pg_dump'), '--section=pre-data', '-t', 'changes', '-d', $connection ]);
	write_text(temp_file('changes.sql'), $schema);
	run_script($node, "${database}_bare", temp_file('changes.sql'));
	$node->safe_psql("${database}_bare", bare_tables());
	$run = start_ingest($connection, $connection, '--slot', $database);

	my $script = temp_file('history.sql');
	my $middle = int($transactions * 0.6);
	write_text($script, join '', first_transaction(), map { history_transaction($_) } 1 .. $middle);
	run_script($node, $database, $script);
	my $state_amid = state_of($database);
	# A snapshot repeats rows that are known: they must not come twice where a TRUNCATE behind it is reverted.
	ingest_ok($connection, $connection, 'snapshot', '--slot', $database);
	write_text($script, join '', map { history_transaction($_) } $middle + 1 .. $transactions);
	run_script($node, $database, $script);
	settle();
	my $state = state_of($database);
	same_state(replayed('true'), $state, "history $number: its records give its tables");
	my $gone = "coalesce(context->>'t', '') NOT IN";

	# A random half.
	my (@half) = (shuffled(1 .. $transactions))[ 0 .. $transactions / 2 - 1 ];
	my ($done, @conflicts) = revert(ids_of(@half));
	ok($done || @conflicts, 'a random half is reverted, or there are conflicts');
	same_state(state_of($database), $done ? replayed("$gone (" . join(', ', map { "'$_'" } @half) . ')') : $state,
		$done ? 'reverted, the others are left' : 'with conflicts, nothing has changed');

	# Forced: the changes that are reverted are no more, all others are.
	# (An id of no change, where none fits.)
	my $reverted = source("SELECT coalesce(string_agg(quote_literal(id), ', '), quote_literal('00000000-0000-0000-0000-000000000000'))
		FROM bemi.revert(" . ids_of(@half) . ", force => true) WHERE outcome = 'reverted'");
	settle();
	my $forced = state_of($database);
	same_state($forced, replayed("NOT context ? 'reverts' AND id NOT IN ($reverted)"), 'forced, what fits is reverted, and nothing else');
	my $misfits = source("SELECT r FROM bemi.revert(context => '{\"reverts\": {}}', dry_run => true) r WHERE outcome <> 'fits'");
	# What a foreign key would do to rows that came back in another order is in the way of going back once more: said, and not done.
	my $in_the_way = $misfits =~ /^(?:.*,conflict,"triggers or foreign keys write .*\n?)+$/;
	ok($misfits eq '' || $in_the_way, 'the revert can be reverted, but for foreign keys') or diag($misfits);
	same_state(state_of($database), $forced, 'but for a trial nothing is');
	($done) = revert("context => '{\"reverts\": {}}'");
	if ($in_the_way)
	{
		ok(!$done, 'with a foreign key in the way it is not reverted');
		same_state(state_of($database), $forced, 'and all is as it was');
		end_ingest($run);
		return;
	}
	ok($done || $reverted =~ /^'00000000/, 'the revert is reverted, if there was one');
	same_state(state_of($database), $state, 'and all is as before');
	settle();

	if (!revert_since($middle, $state, $state_amid))
	{
		end_ingest($run);
		return;
	}

	# Transactions one by one, in any order.
	my @gone;
	foreach my $one ((shuffled(1 .. $transactions))[ 0 .. (is_long() ? 60 : 9) ])
	{
		my ($before) = state_of($database);
		($done) = revert(ids_of($one));
		push @gone, $one if $done;
		same_state(state_of($database), $before, "with a conflict, transaction $one leaves all as it is") unless $done;
		settle() if $done;
	}
	my $others = @gone ? "NOT context ? 'reverts' AND $gone (" . join(', ', map { "'$_'" } @gone) . ')' : "NOT context ? 'reverts'";
	same_state(state_of($database), replayed($others), 'one by one: what is left are the others (' . @gone . ' reverted)');
	end_ingest($run);
	return;
}

history($_) foreach 1 .. $histories;
note(join ', ', map { "$_ $count->{$_}" } sort keys %$count);
done_testing();

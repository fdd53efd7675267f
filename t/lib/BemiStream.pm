# A consumer that can be interrupted: pg_recvlogical writing into a pipe that the test reads as
# slowly as it likes, and what the server knows about it.
package BemiStream;

use strict;
use warnings;

use BemiTest;
use IO::Select;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

# Starts pg_recvlogical on a slot. options: the plugin's; arguments: more of the program's;
# environment: its environment; connection: what to add to the connection string.
sub new
{
	my ($class, $node, $database, $slot, %params) = @_;
	my $errors = temp_file("$slot.err");
	my @command = (
		$node->installed_command('pg_recvlogical'),
		'--dbname', $node->connstr($database) . ($params{connection} // ''),
		'--slot', $slot, '--start', '--no-loop', '--file', '-',
		@{ $params{arguments} // [] },
		map { ('-o', "$_=$params{options}{$_}") } sort keys %{ $params{options} // {} });
	pipe(my $output, my $input) or die "pipe: $!";
	local %ENV = $node->_get_env(%{ $params{environment} // {} });
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		open STDOUT, '>&', $input or die "pipe: $!";
		open STDERR, '>', $errors or die "$errors: $!";
		close $output;
		exec @command or die "exec: $!";
	}
	close $input;
	return bless {
		node => $node,
		slot => $slot,
		pid => $pid,
		output => $output,
		errors => $errors,
		text => '',
		count => 0,
		ended => 0
	}, $class;
}

# Reads at most `size` bytes that are there within `seconds`; returns how many came.
sub read_some
{
	my ($self, $size, $seconds) = @_;
	return 0 if $self->{ended} || !IO::Select->new($self->{output})->can_read($seconds);
	my $piece;
	my $count = sysread $self->{output}, $piece, $size;
	die "pipe: $!" unless defined $count;
	$self->{text} .= $piece;
	$self->{count} += $piece =~ tr/\n//;
	$self->{ended} = 1 if $count == 0;
	return $count;
}

# Reads until as many lines are there, the program ends, or the time is over.
sub read_lines_until
{
	my ($self, $count, $seconds) = @_;
	my $end = time + ($seconds // $PostgreSQL::Test::Utils::timeout_default);
	$self->read_some(1 << 16, 0.1)
	  while $self->lines < $count && !$self->{ended} && time < $end;
	return $self->lines;
}

# The complete lines that have come, without their line ends.
sub lines
{
	my ($self) = @_;
	return $self->{count} unless wantarray;
	my @lines = split /\n/, $self->{text}, -1;
	pop @lines;
	return @lines;
}

# What the program said.
sub errors { my ($self) = @_; return slurp_file($self->{errors}); }

# Whether the program still runs.
sub is_running
{
	my ($self) = @_;
	return defined $self->{pid} && CORE::kill(0, $self->{pid}) && !$self->reap(1);
}

# The process that sends; dies if there is none.
sub sender
{
	my ($self) = @_;
	my $query = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$self->{slot}'";
	$self->{node}->poll_query_until('postgres', "SELECT EXISTS ($query AND active_pid IS NOT NULL)")
	  or die "nobody reads slot $self->{slot}: " . $self->errors;
	return $self->{node}->safe_psql('postgres', $query);
}

# Waits for the program to end, or looks whether it has; true once it has ended.
sub reap
{
	my ($self, $only_look) = @_;
	return 1 unless defined $self->{pid};
	return 0 if waitpid($self->{pid}, $only_look ? 1 : 0) == 0;
	$self->{status} = $?;
	$self->{pid} = undef;
	return 1;
}

# Ends the program at once, whatever it is doing.
sub kill
{
	my ($self) = @_;
	return if $self->reap(1);
	CORE::kill 'KILL', $self->{pid};
	$self->reap;
	return;
}

# Ends the program with a signal, and waits until the slot can be read again.
sub stop
{
	my ($self, $signal) = @_;
	CORE::kill $signal // 'INT', $self->{pid} if defined $self->{pid};
	# It may be writing into the pipe; what it writes after the signal is lost.
	close $self->{output};
	$self->reap;
	wait_for_slot($self->{node}, $self->{slot});
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local $?;
	return unless defined $self->{pid};
	CORE::kill 'KILL', $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

# Functions: what the server knows of a slot.

sub wait_for_slot
{
	my ($node, $slot) = @_;
	$node->poll_query_until('postgres',
		"SELECT NOT active FROM pg_replication_slots WHERE slot_name = '$slot'")
	  or die "slot $slot is still read";
	return;
}

# The confirmed position as a number.
sub confirmed
{
	my ($node, $slot) = @_;
	return $node->safe_psql('postgres',
		"SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = '$slot'");
}

# A position as a number in the form in which pg_recvlogical wants it.
sub lsn { my ($number) = @_; return sprintf '%X/%X', $number >> 32, $number & 0xFFFFFFFF; }

1;

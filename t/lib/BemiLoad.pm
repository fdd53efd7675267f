# pgbench in the background with a mixture of small transactions, and what survives the death of its
# server.
package BemiLoad;

use strict;
use warnings;

use BemiTest;
use File::Spec;
use POSIX ();
use PostgreSQL::Test::Utils;

my $script = <<'SQL';
\set id random(1, 1000)
\set other random(1, 1000)
BEGIN;
SELECT pg_logical_emit_message(true, '_bemi', '{"userId": :client_id, "endpoint": "/load"}');
INSERT INTO account (id, balance) VALUES (:id, 1) ON CONFLICT (id) DO UPDATE SET balance = account.balance + 1;
UPDATE account SET balance = balance - 1, note = repeat('x', (:other % 50)::int) WHERE id = :other;
INSERT INTO history (account, amount) SELECT :id, g FROM generate_series(1, 3) g;
DELETE FROM history WHERE account = :other;
COMMIT;
SQL

sub tables
{
	return q{
CREATE TABLE account (id int PRIMARY KEY, balance int, note text);
CREATE TABLE history (id bigserial PRIMARY KEY, account int, amount int);
CREATE INDEX ON history (account);
ALTER TABLE account REPLICA IDENTITY FULL;
ALTER TABLE history REPLICA IDENTITY FULL;
};
}

# rate: transactions a second, 0 for as many as go.
sub new
{
	my ($class, $node, %params) = @_;
	my $file = temp_file('load.sql');
	write_text($file, $script);
	my @command = (
		$node->installed_command('pgbench'), '-n', '-f', $file, '-c', 4, '-T', $params{seconds} // 3600,
		($params{rate} ? ('-R', $params{rate}) : ()), $node->connstr('postgres'));
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		# Again and again: its server may be killed.
		open STDIN, '<', File::Spec->devnull or die;
		open STDOUT, '>', File::Spec->devnull or die;
		open STDERR, '>&', \*STDOUT or die;
		local $SIG{TERM} = sub { kill 'TERM', -$$; POSIX::_exit(0) };
		setpgrp;
		do { system(@command); select undef, undef, undef, 0.1 } until $params{seconds};
		POSIX::_exit(0);
	}
	return bless { pid => $pid }, $class;
}

sub wait_for { my ($self) = @_; waitpid delete $self->{pid}, 0 if $self->{pid}; return; }

sub stop
{
	my ($self) = @_;
	return unless $self->{pid};
	kill 'TERM', -$self->{pid}, $self->{pid};
	$self->wait_for;
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local $?;
	kill 'KILL', -$self->{pid}, $self->{pid} if $self->{pid};
	return;
}

1;

# A proxy before a server that cuts and stalls connections when it is told to.
package BemiProxy;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use PostgreSQL::Test::Cluster;

# Listens on a port of 127.0.0.1 for a node that listens on a socket.
sub new
{
	my ($class, $node) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $listener = IO::Socket::INET->new(
		LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 10, ReuseAddr => 1)
	  or die "port $port: $!";
	my $path = $node->host . '/.s.PGSQL.' . $node->port;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		serve($listener, $path);
		POSIX::_exit(0);
	}
	return bless { pid => $pid, port => $port, node => $node }, $class;
}

# SIGUSR1 cuts all connections, SIGUSR2 stalls them or lets them flow again.
sub serve
{
	my ($listener, $path) = @_;
	my (%peer, $cut, $stalled);
	local $SIG{USR1} = sub { $cut = 1 };
	local $SIG{USR2} = sub { $stalled = !$stalled };
	local $SIG{PIPE} = 'IGNORE';
	my $select = IO::Select->new($listener);
	my $close = sub {
		my ($end) = @_;
		my $other = delete $peer{$end} or return;
		delete $peer{$other};
		foreach my $handle ($end, $other) { $select->remove($handle); close $handle; }
	};
	for (;;)
	{
		if ($cut)
		{
			$cut = 0;
			$close->($_) foreach grep { $_ != $listener } $select->handles;
		}
		if ($stalled) { select undef, undef, undef, 0.05; next; }
		foreach my $handle ($select->can_read(0.05))
		{
			if ($handle == $listener)
			{
				my $client = $listener->accept or next;
				my $server = IO::Socket::UNIX->new(Peer => $path);
				if (!$server) { close $client; next; }
				@peer{ $client, $server } = ($server, $client);
				$select->add($client, $server);
				next;
			}
			next unless $peer{$handle};
			my $count = sysread $handle, my $bytes, 65536;
			if (!$count) { $close->($handle); next; }
			my $other = $peer{$handle};
			while (length $bytes)
			{
				my $written = syswrite $other, $bytes;
				if (!defined $written)
				{
					next if $!{EINTR};
					$close->($handle);
					last;
				}
				substr $bytes, 0, $written, '';
			}
		}
	}
}

sub connstr
{
	my ($self) = @_;
	my $user = getpwuid $<;
	return "host=127.0.0.1 port=$self->{port} dbname=postgres user=$user sslmode=disable";
}

sub cut { my ($self) = @_; kill 'USR1', $self->{pid}; return; }

sub stall { my ($self) = @_; kill 'USR2', $self->{pid}; return; }

sub DESTROY
{
	my ($self) = @_;
	local $?;
	kill 'KILL', $self->{pid};
	waitpid $self->{pid}, 0;
	return;
}

1;

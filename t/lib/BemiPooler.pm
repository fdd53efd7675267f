# pgbouncer in front of a node, for tests.
package BemiPooler;

use strict;
use warnings;

use BemiTest;
use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);

our @EXPORT = qw(pooler_version start_pooler through_pooler stop_pooler);

# Those that run: none may outlive a test that ends before its time.
my %running;

# Its version as a number, 1.18.0 being 1018; undef where there is none.
sub pooler_version
{
	my $said = '';
	eval { IPC::Run::run([ 'pgbouncer', '--version' ], '<', \undef, '>&', \$said) } or return undef;
	return $said =~ /PgBouncer (\d+)\.(\d+)/i ? $1 * 1000 + $2 : undef;
}

# Starts one that has `settings` in its file, for these roles of the node, with one connection to the server for each database
# and role unless settings say otherwise.
sub start_pooler
{
	my ($node, $settings, @roles) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir_short;
	write_text("$folder/users", join '', map { qq{"$_" ""\n} } @roles);
	write_text("$folder/ini", join "\n", '[databases]', '* = host=' . $node->host . ' port=' . $node->port, '[pgbouncer]',
		"unix_socket_dir = $folder", 'listen_port = 6432', 'auth_type = trust', "auth_file = $folder/users", "logfile = $folder/log",
		'default_pool_size = 1', 'server_login_retry = 1', $settings, '');
	my $said = '';
	my $pooler = { folder => $folder, said => \$said };
	$pooler->{handle} = IPC::Run::start([ 'pgbouncer', "$folder/ini" ], '<', \undef, '>&', \$said);
	$running{$folder} = $pooler;
	foreach my $try (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return $pooler if -S "$folder/.s.PGSQL.6432";
		$pooler->{handle}->pumpable or last;
		$pooler->{handle}->pump_nb;
		sleep 0.1;
	}
	die "pgbouncer has not started: $said" . (-e "$folder/log" ? slurp_file("$folder/log") : '');
}

# Runs a program with arguments as a role of a database; returns its output, dies where it fails.
sub through_pooler
{
	my ($pooler, $role, $database, @command) = @_;
	my ($output, $errors) = ('', '');
	local %ENV = (%ENV, PGHOST => $pooler->{folder}, PGPORT => 6432, PGUSER => $role, PGDATABASE => $database);
	IPC::Run::run(\@command, '<', \undef, '>', \$output, '2>', \$errors, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default))
	  or die "@command failed: $errors" . slurp_file("$pooler->{folder}/log");
	chomp $output;
	return $output;
}

sub stop_pooler
{
	my ($pooler) = @_;
	$pooler->{handle}->signal('TERM');
	$pooler->{handle}->finish;
	delete $running{ $pooler->{folder} };
	return;
}

END
{
	my $status = $?;
	foreach my $pooler (values %running)
	{
		eval { $pooler->{handle}->kill_kill };
	}
	$? = $status;
}

1;

# Standbys that slots can be read on: 16 and later.
package BemiStandby;

use strict;
use warnings;

use BemiTest;
use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_standby while_primary_tells caught_up);

# A started standby of a primary, which keeps what the standby's slots need by a physical slot of
# the standby's name. settings: more of its postgresql.conf.
sub new_standby
{
	my ($primary, $name, $settings) = @_;
	$primary->safe_psql('postgres', "SELECT FROM pg_create_physical_replication_slot('$name')");
	$primary->backup($name);
	my $standby = PostgreSQL::Test::Cluster->new($name);
	$standby->init_from_backup($primary, $name, has_streaming => 1);
	$standby->append_conf('postgresql.conf', "primary_slot_name = '$name'\nhot_standby_feedback = on\n"
		  . "wal_receiver_status_interval = 1s\n" . ($settings // ''));
	$standby->start;
	return $standby;
}

# Calls a function while the primary says again and again which transactions are running: without
# such a word, which it writes by itself only now and then, no slot can be made on a standby.
sub while_primary_tells
{
	my ($primary, $work) = @_;
	my $script = temp_file('tell.sql');
	write_text($script, "SELECT pg_log_standby_snapshot() \\watch 0.2\n");
	my ($teller) = start_script($primary, 'postgres', $script);
	my @result = eval { $work->() };
	my $error = $@;
	$teller->signal('TERM');
	eval { $teller->finish };
	die $error if $error;
	return wantarray ? @result : $result[0];
}

# Waits until a standby has applied all that the primary has written.
sub caught_up
{
	my ($primary, $standby) = @_;
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
	return;
}

1;

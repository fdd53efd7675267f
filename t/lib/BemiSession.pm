# What the tests of the session library share.
package BemiSession;

use strict;
use warnings;

use BemiTest;
use Exporter 'import';
use JSON::PP ();

our @EXPORT = qw(contexts_in send_texts);

my $json = JSON::PP->new->canonical->allow_nonref;

# Takes what a slot holds; returns a hash: the first column of each changed row → the context that it got, in
# canonical JSON; a row that changed again has a list of them. A change gets what was written before it, only.
sub contexts_in
{
	my ($node, $database, $slot) = @_;
	my $file = temp_file("$slot.records");
	decode_sql($node, $database, $slot, $file, options => { context_scope => 'preceding' });
	my %contexts;
	foreach my $record (records($file))
	{
		my $row = $record->{operation} eq 'DELETE' ? $record->{before} : $record->{after};
		push @{ $contexts{ $row->{n} } }, exists $record->{context_error} ? $record->{context_error} : $json->encode($record->{context});
	}
	return map { $_ => @{ $contexts{$_} } == 1 ? $contexts{$_}[0] : $contexts{$_} } keys %contexts;
}

# Sends each text to the server in one piece, which psql does with what -c gives it; dies where one fails.
sub send_texts
{
	my ($node, $database, @texts) = @_;
	while (my @some = splice @texts, 0, 50)
	{
		my $said = '';
		local %ENV = $node->_get_env;
		IPC::Run::run([ $node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), map { ('-c', $_) } @some ],
			'<', \undef, '>&', \$said);
		die "psql failed: $said" if $? != 0;
	}
	return;
}

1;

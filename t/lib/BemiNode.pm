# Packages of npm, installed once for all test files of a run, and the code of the pages in docs/ that the
# tests run as it stands there.
package BemiNode;

use strict;
use warnings;

use BemiTest;
use Exporter 'import';
use File::Copy qw(copy);
use File::Path qw(make_path);
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(node_folder works page_code run_program start_program kill_program);

# The folder that has the packages of t/node/package.json in its node_modules; undef where Node or npm is missing. A set
# of its own, such as "emitters", is in a folder of t/node; its packages may ask for companions that are left out.
sub node_folder
{
	my ($set) = @_;
	return undef unless works('node', '--version') && works('npm', '--version');
	my $folder = "${PostgreSQL::Test::Utils::tmp_check}/node" . (defined $set ? "-$set" : '');
	return $folder if -e "$folder/complete";
	make_path($folder);
	copy(library_file('../node/' . (defined $set ? "$set/" : '') . 'package.json'), "$folder/package.json") or die "package.json: $!";
	my $said = '';
	my $start = time;
	# No package needs to run anything at its installation.
	my @command = qw(npm install --ignore-scripts --no-audit --no-fund --no-package-lock --no-update-notifier --loglevel=error);
	push @command, '--legacy-peer-deps' if defined $set;
	my $ok;
	foreach my $try (1 .. 2)
	{
		last if $ok = IPC::Run::run(\@command, '<', \undef, '>&', \$said, init => sub { chdir $folder or die "$folder: $!" });
	}
	die "npm install failed: $said" unless $ok;
	note('npm install took ' . (time - $start) . ' s');
	write_text("$folder/complete", '');
	return $folder;
}

# Whether a command is there and succeeds.
sub works
{
	my (@command) = @_;
	my $said;
	return eval { IPC::Run::run(\@command, '<', \undef, '>&', \$said) } || 0;
}

# Writes code of a page, `docs/$page`, into a file of the folder: the block whose first line has that name in it, and
# is the name of the file unless another is given. Returns the file's path.
sub page_code
{
	my ($page, $name, $folder, $file_name) = @_;
	my $text = slurp_file(library_file("../../docs/$page"));
	my ($code) = $text =~ /^ *```\w+\n([^\n]*[ ]\Q$name\E\b.*?)^ *```$/ms or die "docs/$page has no code for $name";
	my $file = "$folder/" . ($file_name // $name);
	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle $code;
	close $handle or die "$file: $!";
	return $file;
}

# Starts a program that reaches the node; params: environment, folder. Returns { handle, said }, where said is
# a reference to what it writes.
sub start_program
{
	my ($node, $command, %params) = @_;
	my $said = '';
	local %ENV = ($node->_get_env, PGUSER => scalar getpwuid($<), %{ $params{environment} // {} });
	my $handle = IPC::Run::start($command, '<', \undef, '>&', \$said,
		init => sub { chdir $params{folder} or die "$params{folder}: $!" if defined $params{folder} });
	return { handle => $handle, said => \$said };
}

# Ends a program as a crash does.
sub kill_program
{
	my ($program) = @_;
	$program->{handle}->signal('KILL');
	$program->{handle}->finish;
	return;
}

# Runs a program to its end and returns what it wrote; dies where it fails or hangs, with that.
sub run_program
{
	my ($node, $command, %params) = @_;
	my $program = start_program($node, $command, %params);
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	while ($program->{handle}->pumpable)
	{
		$program->{handle}->pump_nb;
		if (time > $end) { kill_program($program); die "@$command hangs: ${ $program->{said} }"; }
		select undef, undef, undef, 0.02;
	}
	die "@$command failed: ${ $program->{said} }" unless $program->{handle}->finish;
	return ${ $program->{said} };
}

1;

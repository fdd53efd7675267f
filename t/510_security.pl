# docs/security.md is right: its set-up is run as it stands there, suffices for bemi_ingest, and gives no more; and no
# password is ever printed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $page = slurp_file("$FindBin::RealBin/../docs/security.md");
my ($of_source, $of_destination, $after_init) = $page =~ /```sql\n(.*?)```/sg;
die 'docs/security.md has other blocks of SQL than this test knows' unless defined $after_init;

my $source = new_node('source');
my $destination = new_destination('destination');
$source->safe_psql('postgres', 'CREATE DATABASE app');
$source->safe_psql('app', 'CREATE TABLE secret (id int PRIMARY KEY, value text); ALTER TABLE secret REPLICA IDENTITY FULL');
$source->safe_psql('app', $of_source);
$destination->safe_psql('postgres', 'CREATE DATABASE history');
$destination->safe_psql('history', $of_destination);

sub as { my ($node, $database, $role) = @_; return $node->connstr($database) . " user=$role"; }

my $reading = as($source, 'app', 'bemi_source');
my $owning = as($destination, 'history', 'bemi_owner');
my $writing = as($destination, 'history', 'bemi_writer');

ingest_ok($reading, $owning, 'init');
$destination->safe_psql('history', $after_init, extra_params => [ '-U', 'bemi_owner' ]);
$source->safe_psql('app', q{INSERT INTO secret VALUES (1, 'one'); UPDATE secret SET value = 'two'; DELETE FROM secret});
ingest_ok($reading, $writing, 'run', '--until-current');
ingest_ok($reading, $writing, 'status');
is($destination->safe_psql('history', 'SELECT count(*) FROM changes', extra_params => [ '-U', 'bemi_reader' ]),
	3, 'the reader reads what the writer has stored');

# A statement that a role must not be able to run.
sub refused
{
	my ($node, $database, $role, $statement) = @_;
	my ($code, undef, $errors) = $node->psql($database, $statement, extra_params => [ '-U', $role ]);
	ok($code != 0 && $errors =~ /permission denied|must be owner/, "$role may not: $statement") or diag("$code: $errors");
	return;
}

refused($source, 'app', 'bemi_source', 'SELECT * FROM secret');
refused($source, 'app', 'bemi_source', q{INSERT INTO secret VALUES (2, 'forged')});
foreach my $statement ('UPDATE changes SET context = NULL', 'DELETE FROM changes', 'TRUNCATE changes', 'DROP TABLE changes',
	'ALTER TABLE changes DISABLE TRIGGER ALL')
{
	refused($destination, 'history', $_, $statement) foreach qw(bemi_writer bemi_reader);
}
refused($destination, 'history', 'bemi_reader', $_)
  foreach 'INSERT INTO changes DEFAULT VALUES', 'DELETE FROM bemi.progress', 'DELETE FROM bemi.gaps', 'CREATE TABLE public.t ()';

# A password, in whatever connection string, comes out in no message of whatever failure.
my $secret = 'Sup3r-s3cret';
foreach my $connection (
	"host=/nonexistent password=$secret dbname=app",
	"postgresql://user:$secret\@/app?host=/nonexistent",
	"postgresql://user:$secret\@[bad/app", "password = $secret dbname", "password $secret", "password='$secret",
	"postgresql://user:$secret\@/app?host=/nonexistent&nonsense=1", "nonsense=1 password=$secret",
	$source->connstr('app') . " user=nobody password=$secret",
	$source->connstr('app') . " user=bemi_source password=$secret")
{
	foreach my $command (qw(check status init run))
	{
		my ($code, $output, $errors) = ingest($connection, $writing, $command, ($command eq 'run' ? ('--until-current', '--slot', 'none') : ()));
		unlike("$output$errors", qr/\Q$secret/, "$command of " . ($connection =~ s/\Q$secret/…/r) . ' keeps the password to itself');
		last if $connection !~ /bemi_source/;
	}
}
my $log = slurp_file($source->logfile) . slurp_file($destination->logfile);
unlike($log, qr/\Q$secret/, 'nor is it in the logs of the servers');

# What the command stores of its source in the destination holds none either.
unlike($destination->safe_psql('history', 'SELECT string_agg(p::text, chr(10)) FROM bemi.progress p'), qr/password|$secret/,
	'nor in bemi.progress');

done_testing();

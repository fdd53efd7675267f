# What a client sends to the session library costs in proportion to its bytes, whatever it is made of: at ten times the size,
# neither the processor's time nor the memory of a session is near to a hundred times as much.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no /proc to read memory from' unless -e "/proc/$$/schedstat";
plan skip_all => 'an instrument takes time and memory of its own' if is_instrumented();

my $node = new_node('growth', "session_preload_libraries = 'bemi_session'\nmax_stack_depth = 4MB\n");
$node->safe_psql('postgres', q{
CREATE TABLE t (n int);
CREATE TABLE late (n int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO t VALUES (NEW.n); RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
});
# Nothing is decoded, but for what the library does all is as with a slot.
is($node->safe_psql('postgres', 'SHOW wal_level'), 'logical', 'contexts are written');

# What is sent, of a size, a list of messages; psql sends several statements in one where \; is between them.
my $and = '\\;';
my %load = (
	'tags, a comment each' => sub { return 'INSERT INTO t VALUES (1) ' . join '', map { "/*key$_='value$_'*/" } 1 .. $_[0] },
	'tags in one comment' => sub { return 'INSERT INTO t VALUES (1) /*' . join(',', map { "key$_='value$_'" } 1 .. $_[0]) . '*/' },
	'tags of one key' => sub { return 'INSERT INTO t VALUES (1) ' . "/*key='value'*/" x $_[0] },
	'tags that are none' => sub { return q{INSERT INTO t VALUES (1) /*a='1',} . join(',', map { "key$_='%'" } 1 .. $_[0]) . '*/' },
	'quotes and backslashes' => sub { return q{INSERT INTO t VALUES (1) /*} . join(',', map { q{a='\\'} } 1 .. $_[0]) . '*/' },
	'quotes and blanks' => sub { return q{INSERT INTO t VALUES (1) /*a='} . q{' } x $_[0] . q{x'*/} },
	'lists that are none' => sub { return 'INSERT INTO t VALUES (1) ' . "/*a='1', b='2', and so on*/" x $_[0] },
	'comments of Bemi' => sub { return 'INSERT INTO t VALUES (1) ' . join '', map { qq{/*Bemi {"key$_":$_} Bemi*/} } 1 .. $_[0] },
	'comments of Bemi that are none' => sub { return 'INSERT INTO t VALUES (1) ' . '/*Bemi {"a":} Bemi*/' x $_[0] },
	'statements that share comments' => sub { my $n = $_[0] / 5; return join($and, ('INSERT INTO t VALUES (1)') x $n) . ' ' . join '', map { "/*key$_='value$_'*/" } 1 .. $n },
	'statements with prose that share comments' => sub { my $n = $_[0] / 5; return join($and, ('INSERT INTO t VALUES (1) /* word */') x $n, 'SELECT 1') . join '', map { "/*key$_='value$_'*/" } 1 .. $n },
	'statements beside a large setting' => sub {
		my $n = $_[0] / 5;
		my $large = join ',', map { qq{"key$_":"value"} } 1 .. $n;
		return ("SET bemi.include = 'user, application_name, client'", "SET bemi.context = '{$large}'", join $and, map { "INSERT INTO t VALUES ($_)" } 1 .. $n);
	},
	'prepared statements' => sub { my $n = $_[0] / 5; return ("PREPARE p AS INSERT INTO t VALUES (\$1) /*key='value'*/", join($and, ('EXECUTE p(1)') x $n) . '/*more=\'1\'*/') },
	'savepoints' => sub { my $n = $_[0] / 20; return ('BEGIN', (join $and, map { "SAVEPOINT s$_${and} INSERT INTO t VALUES (1) /*key='$_'*/" } 1 .. $n), 'COMMIT') },
	'deferred triggers' => sub { my $n = $_[0] / 10; return 'INSERT INTO late SELECT generate_series(1, ' . $n . ') ' . join '', map { "/*key$_='value$_'*/" } 1 .. $n },
	'fetches from a cursor' => sub { my $n = $_[0] / 5; return ('BEGIN', 'DECLARE c CURSOR FOR SELECT generate_series(1, 1000000)', (join $and, map { "FETCH c /*key='$_'*/" } 1 .. $n), 'COMMIT') },
	'messages of others' => sub {
		my $n = $_[0] / 10;
		my $large = join ',', map { qq{"key$_":"value"} } 1 .. 100;
		return ("SET bemi.context = '{$large}'", "DO \$\$DECLARE l pg_lsn; BEGIN FOR i IN 1 .. $n LOOP l := pg_logical_emit_message(true, '_bemi', '{}'); INSERT INTO t VALUES (i); END LOOP; END\$\$");
	});

# Nanoseconds of the processor and kB of memory that a session of its own takes for messages.
my $used = q{SELECT split_part(pg_read_file('/proc/' || pg_backend_pid() || '/schedstat'), ' ', 1), substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'VmHWM:\s+(\d+)')};

sub cost
{
	my (@messages) = @_;
	my $script = temp_file('load.sql');
	write_text($script, "$used;\n" . join('', map { "$_;\n" } @messages) . "$used;\n");
	my $output = temp_file('used');
	my $said = run_script($node, 'postgres', $script, output => $output);
	my @lines = grep { /^\d+\|\d+$/ } split /\n/, slurp_file($output);
	my ($from, $to) = map { [ split /\|/ ] } @lines[ 0, -1 ];
	return ($to->[0] - $from->[0], $to->[1] - $from->[1]);
}

# Pages of the buffers and the like count as memory when they are touched first.
my ($size, $floor) = (5000, 4000);
foreach my $name (sort keys %load)
{
	# What the caches of a new session take is paid before.
	my ($time, $memory) = cost('INSERT INTO t VALUES (1)', $load{$name}->($size));
	my ($time_of_more, $memory_of_more) = cost('INSERT INTO t VALUES (1)', $load{$name}->($size * 10));
	note(sprintf '%s: %.1f ms and %.1f ms, %d kB and %d kB', $name, $time / 1e6, $time_of_more / 1e6, $memory, $memory_of_more);
	$time = 2e6 if $time < 2e6;
	$memory = $floor if $memory < $floor;
	cmp_ok($time_of_more / $time, '<', 35, "$name: time at ten times the size");
	cmp_ok($memory_of_more / $memory, '<', 25, 'and memory');
}

is($node->safe_psql('postgres', $load{'comments of Bemi'}->(100_000) . ' RETURNING n'), 1, 'no statement fails for its comments');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'nothing bad in the log');
done_testing();

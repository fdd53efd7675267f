# What the TAP tests share: servers that accept the plugin, the two ways of reading a slot, and
# small change in SQL and files.
package BemiTest;

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(dirname);
use File::Spec;
use IPC::Run;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  new_node server_knows server_major library_file temp_file
  start_script run_script write_text create_slot copy_slot
  decode_sql decode_stream current_lsn
  read_lines records load_lines same_files exit_code
  sql_literal sql_name in_context seed_random pick chance between is_long is_instrumented foreign_locale
);

# The options of the server's executable that --describe-config knows.
my %known_settings;

# A setting's name → does this server know it? Must be asked before it is written into
# postgresql.conf: a server refuses to start with one that it doesn't know.
sub server_knows
{
	my ($setting) = @_;
	if (!%known_settings)
	{
		my $listing;
		IPC::Run::run([ 'postgres', '--describe-config' ], '>', \$listing)
		  or die 'postgres --describe-config failed';
		$known_settings{ (split /\t/)[0] } = 1 foreach split /\n/, $listing;
	}
	return exists $known_settings{$setting};
}

# The major version of the server that the tests run on.
sub server_major
{
	my $version;
	IPC::Run::run([ 'pg_config', '--version' ], '>', \$version) or die 'pg_config failed';
	return $version =~ /PostgreSQL (\d+)/ ? $1 : die "no version in $version";
}

# A started server, UTF-8 and locale C unless initdb => [options] says otherwise, on which slots
# of bemi_decoder can be made. extra_conf is appended to its postgresql.conf.
sub new_node
{
	my ($name, $extra_conf, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(
		allows_streaming => 'logical',
		extra => $params{initdb} // [ '--encoding=UTF8', '--locale=C' ]);
	$node->append_conf(
		'postgresql.conf', qq{
log_statement = none
autovacuum = off
max_connections = 30
max_prepared_transactions = 10
shared_buffers = 64MB
max_wal_size = 1GB
});
	$node->append_conf('postgresql.conf',
		"output_plugin_libraries = 'pgoutput, test_decoding, bemi_decoder'")
	  if server_knows('output_plugin_libraries');
	$node->append_conf('postgresql.conf', $extra_conf) if defined $extra_conf;
	$node->start;
	return $node;
}

# The path of a file beside this module.
sub library_file
{
	my ($name) = @_;
	return File::Spec->rel2abs(dirname(__FILE__)) . "/$name";
}

# The path for a file that the test run throws away.
sub temp_file
{
	my ($name) = @_;
	return "${PostgreSQL::Test::Utils::tmp_check}/" . basename_of_test() . "_$name";
}

sub basename_of_test
{
	my ($volume, $folders, $file) = File::Spec->splitpath($0);
	$file =~ s/\.pl$//;
	return $file;
}

# Starts psql on a file, with settings of its own for the session; returns IPC::Run's handle and
# a reference to what the server said, for a caller that runs several at a time.
sub start_script
{
	my ($node, $database, $file, %params) = @_;
	my $errors = '';
	local %ENV = $node->_get_env(%{ $params{environment} // {} });
	my $handle = IPC::Run::start(
		[
			$node->installed_command('psql'), '-XAtq',
			'-v', 'ON_ERROR_STOP=' . ($params{go_on} ? 0 : 1),
			(map { ('-v', "$_=$params{variables}{$_}") } sort keys %{ $params{variables} // {} }),
			'-d', $node->connstr($database), '-f', $file,
			'-o', $params{output} // File::Spec->devnull
		],
		'<', \undef, '>', File::Spec->devnull, '2>', \$errors);
	return ($handle, \$errors);
}

# Runs psql on a file and returns its messages; dies at an error unless go_on is set.
# environment, variables, output: what psql gets, and where its results go.
sub run_script
{
	my ($node, $database, $file, %params) = @_;
	my ($handle, $errors) = start_script(@_);
	$handle->finish;
	die "psql on $file failed: $$errors" if $handle->result != 0 && !$params{go_on};
	return $$errors;
}

sub create_slot
{
	my ($node, $database, $slot) = @_;
	$node->safe_psql($database,
		"SELECT FROM pg_catalog.pg_create_logical_replication_slot('$slot', 'bemi_decoder')");
	return;
}

# A second slot at the same position.
sub copy_slot
{
	my ($node, $database, $from, $to) = @_;
	$node->safe_psql($database,
		"SELECT FROM pg_catalog.pg_copy_logical_replication_slot('$from', '$to')");
	return;
}

sub current_lsn
{
	my ($node) = @_;
	return $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
}

# Writes the messages of a slot into a file, through the SQL functions. Options of the plugin by
# name; columns: an expression of what to write (data); peek: leave the slot where it is;
# environment: psql's. By \copy, as psql's own output leaves characters out that are none.
sub decode_sql
{
	my ($node, $database, $slot, $file, %params) = @_;
	my $function = $params{peek} ? 'peek' : 'get';
	my $columns = $params{columns} // 'data';
	my $options = join '',
	  map { ', ' . sql_literal($_) . ', ' . sql_literal($params{options}{$_}) }
	  sort keys %{ $params{options} // {} };
	my $script = temp_file('decode.sql');
	write_text($script,
		"\\copy (SELECT $columns FROM pg_catalog.pg_logical_slot_${function}_changes("
		  . sql_literal($slot)
		  . ", NULL, NULL$options)) TO '$file' WITH (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')\n");
	run_script($node, $database, $script, environment => $params{environment});
	unquote_file($file) if $params{options};
	return;
}

# A message of several records has line breaks, and so quotes around it, which no record has in it.
sub unquote_file
{
	my ($file) = @_;
	my $bytes = slurp_file($file);
	return unless $bytes =~ tr/\x01//d;
	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle $bytes;
	close $handle or die "$file: $!";
	return;
}

# Writes the messages of a slot up to a position into a file, through pg_recvlogical, and returns
# what that program said. Options of the plugin by name; environment: the program's.
sub decode_stream
{
	my ($node, $database, $slot, $file, $end, %params) = @_;
	my $messages = '';
	local %ENV = $node->_get_env(%{ $params{environment} // {} });
	unlink $file;
	my $ok = IPC::Run::run(
		[
			$node->installed_command('pg_recvlogical'),
			'--dbname', $node->connstr($database),
			'--slot', $slot, '--start', '--no-loop', '--endpos', $end, '-f', $file,
			map { ('-o', "$_=$params{options}{$_}") } sort keys %{ $params{options} // {} }
		],
		'<', \undef, '2>', \$messages,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	die "pg_recvlogical of $slot failed: $messages" unless $ok;
	# It makes no file where there was nothing to write.
	write_text($file, '') unless -e $file;
	return $messages;
}

# The lines of a file, as bytes without their line ends.
sub read_lines
{
	my ($file) = @_;
	open my $handle, '<:raw', $file or die "$file: $!";
	chomp(my @lines = <$handle>);
	close $handle;
	return @lines;
}

# The records of a file as Perl structures, numbers beyond a double as Math::BigInt or BigFloat.
sub records
{
	my ($file) = @_;
	my $parser = JSON::PP->new->utf8->allow_bignum;
	return map { $parser->decode($_) } read_lines($file);
}

# The lines of a file as rows of an unlogged table (i, line) that is made for them; the database
# must be one in UTF-8.
sub load_lines
{
	my ($node, $database, $table, $file) = @_;
	my $script = temp_file('load.sql');
	write_text($script, <<"SQL");
SET client_encoding = 'UTF8';
CREATE UNLOGGED TABLE $table
    (i pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line pg_catalog.text NOT NULL);
\\copy $table (line) FROM '$file' WITH (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')
SQL
	run_script($node, $database, $script);
	return;
}

# Tests that two files hold the same bytes; says where they part.
sub same_files
{
	my ($got, $expected, $name) = @_;
	my @got = read_lines($got);
	my @expected = read_lines($expected);
	my $last = $#got > $#expected ? $#got : $#expected;
	foreach my $i (0 .. $last)
	{
		next if defined $got[$i] && defined $expected[$i] && $got[$i] eq $expected[$i];
		my ($first, $second) = map { $_ // '(none)' } $got[$i], $expected[$i];
		my ($same) = ($first ^ $second) =~ /^(\0*)/;
		my $place = length $same;
		my $start = $place < 200 ? 0 : $place - 200;
		fail($name);
		diag(sprintf "line %d of %d and %d, byte %d: after %s\n  %s: %s\n  %s: %s",
			$i + 1, scalar @got, scalar @expected, $place, substr($first, $start, $place - $start),
			$got, substr($first, $place, 300), $expected, substr($second, $place, 300));
		return 0;
	}
	return pass($name);
}

# The exit code of the process that has ended last; of one that a signal has ended, minus the signal: such a one is no 0.
sub exit_code { return $? & 127 ? -($? & 127) : $? >> 8; }

# Makes a file of a text, in UTF-8: of any characters, U+10FFFF among them, which :encoding(UTF-8) would not write.
sub write_text
{
	my ($file, $text) = @_;
	utf8::encode($text);
	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle $text;
	close $handle or die "$file: $!";
	return;
}

# A string constant of SQL in pure printable characters, whatever the session's settings.
sub sql_literal
{
	my ($text) = @_;
	$text =~ s/\\/\\\\/g;
	$text =~ s/'/''/g;
	$text =~ s/([\x01-\x1f\x7f])/sprintf '\\%03o', ord $1/ge;
	return "E'$text'";
}

# A transaction of statements, in a context as JSON.
sub in_context
{
	my ($context, $statements) = @_;
	return "BEGIN; SELECT pg_logical_emit_message(true, '_bemi', " . sql_literal($context) . "); $statements; COMMIT";
}

# A quoted name, its parts in order: sql_name('schema', 'table').
sub sql_name
{
	my (@parts) = @_;
	s/"/""/g foreach @parts;
	return join '.', map { "\"$_\"" } @parts;
}

# Seeds Perl's generator from BEMI_TEST_SEED, or at random, and prints what repeats the run.
sub seed_random
{
	my $seed = $ENV{BEMI_TEST_SEED} // (time ^ ($$ << 12)) % 1_000_000_000;
	srand($seed);
	diag("to repeat this run: BEMI_TEST_SEED=$seed");
	return $seed;
}

# True where an instrument of scripts/test changes how much memory is taken.
sub is_instrumented { return exists $ENV{BEMI_TEST_INSTRUMENT}; }

# True where BEMI_TEST_LONG=1 asks for more of everything random.
sub is_long { return ($ENV{BEMI_TEST_LONG} // 0) ? 1 : 0; }

sub pick { return $_[ int rand @_ ]; }

sub chance { my ($probability) = @_; return rand() < $probability; }

sub between { my ($low, $high) = @_; return $low + int rand($high - $low + 1); }

# The name of a locale that writes money in another way than C does, made for the servers that
# are started after this call; C where the machine has no sources of locales.
sub foreign_locale
{
	my $folder = "${PostgreSQL::Test::Utils::tmp_check}/locales";
	mkdir $folder;
	my $said;
	my $made = eval {
		IPC::Run::run([ 'localedef', '-i', 'de_DE', '-f', 'UTF-8', "$folder/de_DE.UTF-8" ],
			'>', \$said, '2>', \$said);
	};
	if (!$made)
	{
		note('no foreign locale: ' . ($said // $@));
		return 'C';
	}
	$ENV{LOCPATH} = $folder;
	return 'de_DE.UTF-8';
}

1;

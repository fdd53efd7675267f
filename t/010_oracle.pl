# The oracle: what triggers saw, as to_jsonb of the rows under the contract's settings, against
# what is decoded out of the WAL of a database whose own settings are hostile. Random, but for
# the extremes of every type; BEMI_TEST_SEED repeats a run, BEMI_TEST_LONG=1 makes it longer.

use strict;
use warnings;
use utf8;

use Encode qw(encode);
use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiOracle;
use BemiTest;
use BemiValues;
use BemiWorkload;
use PostgreSQL::Test::Utils;
use Test::More;

my $transactions = is_long() ? 10000 : 1200;
my $seed = seed_random();
my $money = foreign_locale();

my $node = new_node(
	'oracle', q{
track_commit_timestamp = on
logical_decoding_work_mem = 256kB
max_wal_size = 4GB
});
my $database = encode('UTF-8', 'hostile "é');
my $quoted = sql_name($database);
$node->safe_psql('postgres', "CREATE DATABASE $quoted");
my ($version) = $node->safe_psql('postgres', 'SHOW server_version_num') =~ /^(\d+)\d{4}$/;

install_types($node, $database);
install_oracle($node, $database);
my @sessions = map { BemiWorkload->new(schema => $_, folder => $node->basedir, version => $version) } 'app', 'we"ird.Schema é';
foreach my $session (@sessions)
{
	my $file = temp_file('setup.sql');
	write_text($file, $session->setup);
	run_script($node, $database, $file, environment => sane_session());
}

$node->safe_psql('postgres', join ' ', map { "ALTER DATABASE $quoted SET $_;" }
	  "DateStyle = 'SQL, DMY'", "IntervalStyle = 'sql_standard'", "TimeZone = 'Asia/Kathmandu'", "bytea_output = 'escape'",
	'extra_float_digits = -15', "lc_monetary = '$money'", "xmlbinary = 'hex'", "xmloption = 'content'",
	'search_path = shadow, app, ext, odd, pg_catalog', 'quote_all_identifiers = on', "client_encoding = 'LATIN1'",
	'backslash_quote = on', ($version < 19 ? ('standard_conforming_strings = off', 'escape_string_warning = off') : ()), "default_text_search_config = 'simple'",
	'array_nulls = off', 'transform_null_equals = on', 'statement_timeout = 0');

create_slot($node, $database, 'stream');
copy_slot($node, $database, 'stream', $_) foreach qw(functions batches);

# Two sessions at a time, so that their transactions overlap.
my @running;
foreach my $number (0 .. $#sessions)
{
	my $file = temp_file("session_$number.sql");
	my $extremes = $number == 0 ? $sessions[0]->extremes : '';
	my $script = $sessions[$number]->script($transactions);
	write_text($file, "$extremes$script");
	push @running, [ $number, start_script($node, $database, $file, go_on => 1, environment => sane_session()) ];
}
foreach (@running)
{
	my ($number, $handle, $errors) = @$_;
	$handle->finish;
	is($$errors, '', "session $number meets no error") or diag("seed $seed, script " . temp_file("session_$number.sql"));
}

# Decoding, in all ways, under the database's settings: the client's own are not set.
my $end = current_lsn($node);
my %files = map { $_ => temp_file("$_.json") } qw(stream functions batches messages again);
decode_stream($node, $database, 'stream', $files{stream}, $end);
decode_stream($node, $database, 'batches', $files{batches}, $end, options => { 'batch-size' => '64kB' });
decode_sql($node, $database, 'functions', $files{messages}, peek => 1, columns => q{lsn || '|' || data}, environment => { PGCLIENTENCODING => 'UTF8' });
decode_sql($node, $database, 'functions', $files{again}, environment => {
	PGCLIENTENCODING => 'UTF8',
	PGOPTIONS => '-c datestyle=german -c timezone=America/St_Johns -c bytea_output=escape -c extra_float_digits=-3 -c intervalstyle=iso_8601'
});
my @messages = read_lines($files{messages});
{
	open my $handle, '>:raw', $files{functions} or die $!;
	print $handle +(split /\|/, $_, 2)[1], "\n" foreach @messages;
	close $handle;
}
same_files($files{functions}, $files{stream}, 'the SQL functions give the bytes that pg_recvlogical gets');
same_files($files{batches}, $files{stream}, 'batches hold the same lines');
same_files($files{again}, $files{stream}, 'decoding again in a session with other settings gives the same bytes');

# Only the message of a transaction's last record has the LSN of its end.
my $misplaced = 0;
foreach (@messages)
{
	my ($high, $low, $commit, $last) = /^([0-9A-F]+)\/([0-9A-F]+)\|.*"commit_position":(\d+),"sequence":\d+,"context":.*?(,"last":true)?\}$/
	  or die "not a message with a record: $_";
	my $lsn = (hex($high) << 32) + hex $low;
	$misplaced++ if $last ? $lsn <= $commit : $lsn > $commit;
}
is($misplaced, 0, 'messages before the last have an LSN not beyond the commit, the last one a greater');

load_lines($node, $database, 'oracle.lines', $files{stream});
my @complaints = judge($node, $database, 'oracle.lines');
is(scalar @complaints, 0, 'every record is what the oracle saw')
  or diag("seed $seed; the first of " . @complaints . " differences:\n", map { "$_\n" } grep { defined } @complaints[ 0 .. 19 ]);

# An image gives its row back: what jsonb_populate_record makes of it has the same image. Not so
# arrays of documents, in which it can't tell an element that is an array from a dimension.
foreach my $group (qw(plain array))
{
	my ($script, $file) = (temp_file('back.sql'), temp_file("back_$group"));
	write_text($script, <<"SQL");
SELECT DISTINCT ON (back.key) format('%s: %s, not %s', back.key, "left"(image->>back.key, 200), "left"(back.value::text, 200))
FROM (SELECT (line::jsonb->'after') - '{c jsonb_array,c document_array}'::text[] AS image, line::jsonb AS r FROM oracle.lines) AS l,
     jsonb_each(to_jsonb(jsonb_populate_record(NULL::app."$group full", image))) AS back
WHERE r->>'table' = '$group full' AND r->>'schema' = 'app' AND r->>'operation' = 'CREATE'
  AND back.value::text <> (image->back.key)::text;
SQL
	run_script($node, $database, $script, output => $file, environment => sane_session());
	is(slurp_file($file), '', "the images of the table \"$group full\" give the rows back");
}

# What the run has seen, so that a workload that tests nothing is noticed.
my %seen = map { split /\|/ } split /\n/, $node->safe_psql(
	$database, q{
SET search_path = pg_catalog;
WITH r AS (SELECT line::jsonb AS r FROM oracle.lines)
SELECT 'records', count(*) FROM r
UNION ALL SELECT r->>'operation', count(*) FROM r GROUP BY 1
UNION ALL SELECT (r->>'operation') || ' under ' || (r->>'identity'), count(*) FROM r WHERE r ? 'identity' GROUP BY 1
UNION ALL SELECT 'with ' || k, count(*) FROM r, LATERAL jsonb_object_keys(r) k WHERE k IN ('partition', 'previous_key', 'missing', 'last') GROUP BY 1
UNION ALL SELECT 'with a context', count(*) FROM r WHERE r->>'context' <> '{}'
UNION ALL SELECT 'key out of line logged though unchanged', count(*) FROM r
  WHERE r->>'operation' = 'UPDATE' AND r->>'identity' = 'default' AND r->>'before' <> '{}' AND NOT r ? 'previous_key'
UNION ALL SELECT 'column types', count(DISTINCT k) FROM r, LATERAL jsonb_each(r->'after') AS e (k, v) WHERE k LIKE 'c %' AND v <> 'null'
});
note("$_: $seen{$_}") foreach sort keys %seen;
cmp_ok($seen{'column types'}, '>=', scalar(type_names()), 'every type had values');
foreach my $sight (
	qw(CREATE UPDATE DELETE TRUNCATE),
	(map { ("UPDATE under $_", "DELETE under $_") } qw(default index nothing)),
	(map { "with $_" } qw(partition previous_key missing last), 'a context'),
	'key out of line logged though unchanged')
{
	cmp_ok($seen{$sight} // 0, '>', 10, "seen: $sight");
}

# The judge is not blind: each of these forgeries, of a line somewhere, must be noticed.
my @forged = read_lines($files{stream});
my @forgeries = (
	[ 'a change without a record', qr/^/, sub { $_ = undef } ],
	[ 'a record of no change', qr/^/, sub { $_ .= "\n" . s/"sequence":\d+/"sequence":99999/r } ],
	[ 'the wrong order', qr/"sequence":2,/, sub { s/"position":/${&}999/ } ],
	[ 'the wrong order', qr/"sequence":2,/, sub { s/"commit_position":\d+/"commit_position":7/ } ],
	[ 'the wrong image after', qr/"after":\{"id":/, sub { s/("after":\{"id":)/${1}9/ } ],
	[ 'the wrong image after', qr/"after":\{.*:null,.*"committed_at"/, sub { s/:null,(?=.*"committed_at")/:0,/ } ],
	[ 'the wrong image before', qr/"before":\{"[^"]+":\d+,/, sub { s/("before":\{)"[^"]+":\d+,/$1/ } ],
	[ 'a column twice in after', qr/"after":\{"n":\d+,/, sub { s/"after":\{("n":\d+,)/$&$1/ } ],
	[ 'the wrong context', qr/"context":\{"userId"/, sub { s/"context":\{"userId":/${&}1/ } ],
	[ 'the wrong identity', qr/"identity":"default",/, sub { s/"identity":"default",// } ],
	[ 'the wrong primary_key', qr/"primary_key":"/, sub { s/"primary_key":"/${&}x/ } ],
	[ 'the wrong previous_key', qr/"previous_key":"/, sub { s/"previous_key":"/${&}x/ } ],
	[ 'the wrong last', qr/"last":true/, sub { s/,"last":true// } ],
	[ 'the wrong committed_at', qr/^/, sub { s/("committed_at":")\d/${1}1/ } ],
	[ 'the wrong members', qr/^/, sub { s/("schema":.*?),("table":.*?),(?="p)/$2,$1,/ } ],
	[ 'missing without need', qr/"committed_at"/, sub { s/,"committed_at"/,"missing":{"n":"toast"}$&/ } ]);
foreach my $number (0 .. $#forgeries)
{
	my ($name, $pattern, $change) = @{ $forgeries[$number] };
	my ($place) = grep { $forged[$_] =~ $pattern } $number * 100 .. $#forged;
	die "no line to forge: $name" unless defined $place;
	$change->() foreach $forged[$place];
	@forged = grep { defined } @forged;
}
my $forged_file = temp_file('forged.json');
open my $handle, '>:raw', $forged_file or die $!;
print $handle "$_\n" foreach @forged;
close $handle;
load_lines($node, $database, 'oracle.forged', $forged_file);
my %kinds = count_kinds(judge($node, $database, 'oracle.forged'));
my %true_kinds = count_kinds(@complaints);
foreach my $name (map { $_->[0] } @forgeries)
{
	cmp_ok($kinds{$name} // 0, '>', $true_kinds{$name} // 0, "the judge notices $name");
}

$node->stop;
done_testing();

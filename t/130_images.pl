# The text of values, as output functions give it, made into JSON by src/common: to the byte what the decoder writes for
# the same rows, and what jsonb makes of that. Every type, arrays of every type, extremes and random values, in databases
# of several encodings. And the sort of verify, which spills.

use strict;
use warnings;
use utf8;

use Encode qw(encode);
use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiOracle;
use BemiTest;
use BemiValues;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
my $root = "$FindBin::RealBin/..";
my $tool = temp_file('common_tool');
my $said = '';
IPC::Run::run([ 'g++', '-std=c++17', '-O0', map({ "-I$root/$_" } 'include', 'src/common', 'src/ingest'), glob("$root/src/common/*.cpp"),
		"$root/src/ingest/verify_sort.cpp", library_file('common_tool.cpp'), '-o', $tool ], '>&', \$said)
  or BAIL_OUT("common_tool.cpp does not compile: $said");

sub run_tool
{
	my ($input, @arguments) = @_;
	my $output = '';
	my $errors;
	IPC::Run::run([ $tool, @arguments ], '<', $input, '>', \$output, '2>', \$errors) or die "common_tool: $errors";
	return split /\n/, $output;
}

my $node = new_node('images');

# All types, as common_tool reads them.
my $types_sql = q{
SELECT t.oid, CASE WHEN t.typtype = 'd' THEN 'd' WHEN t.oid IN (22, 30) THEN 'v'
    WHEN t.typelem <> 0 AND t.typsubscript = 'array_subscript_handler'::regproc THEN 'a' WHEN t.typtype = 'c' THEN 'c' ELSE 'b' END,
    CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END::text, coalesce(e.typdelim::text, ','), NULL
FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem
UNION ALL (SELECT t.oid, 'A', a.atttypid::text, CASE WHEN a.attgenerated = 'v' THEN 'f' ELSE 't' END, a.attname
FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY t.oid, a.attnum)};

# Compares a database's tables v_1, v_2 … of one column `v`, decoded with options and as text. `slot` is read.
sub compare_images
{
	my ($database, $slot, $name, %how) = @_;
	my %environment = (%{ sane_session() }, PGCLIENTENCODING => $how{bytes} ? 'SQL_ASCII' : 'UTF8');
	my ($types, $texts, $records, $script) = map { temp_file("${slot}_$_") } qw(types texts records script.sql);
	write_text($script, "\\copy ($types_sql) TO '$types'\n" =~ s/\n(?=.)/ /gr);
	run_script($node, $database, $script, environment => \%environment);
	my @tables = split /\n/, $node->safe_psql($database, q{
SELECT relname || ' ' || atttypid FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'v' WHERE relname ~ '^v_\d+$' ORDER BY substr(relname, 3)::int});
	my %type_of = map { split / / } @tables;
	write_text($script, join '', map { my ($table) = split / /; "\\copy public.$table TO '$texts.$table'\n" } @tables);
	run_script($node, $database, $script, environment => \%environment);
	decode_sql($node, $database, $slot, $records, environment => { PGCLIENTENCODING => 'UTF8' }, options => $how{options});

	# What the decoder has written, table by table.
	my %decoded;
	open my $handle, '<:raw', $records or die;
	while (my $line = <$handle>)
	{
		my ($table) = $line =~ /"table":"(v_\d+)"/ or next;
		my ($after) = $line =~ /"after":(\{.*?\}),(?:"missing"|"committed_at")/ or die "no image in $line";
		push @{ $decoded{$table} }, $line =~ /"missing":\{"v":"error"\}/ ? 'error' : $after;
	}
	my (@rows, @expected, @complaints);
	foreach my $table (map { (split / /)[0] } @tables)
	{
		open my $text, '<:raw', "$texts.$table" or die;
		my @texts = <$text>;
		push @rows, map { "$type_of{$table}\t$_" } @texts;
		push @expected, map { [ $table, $_ ] } @{ $decoded{$table} // [] };
		die "$table: " . @texts . ' texts, ' . @{ $decoded{$table} // [] } . ' records' if @texts != @{ $decoded{$table} // [] };
	}
	open my $input, '>:raw', "$texts.all" or die;
	print $input @rows;
	close $input;
	my @images = run_tool("$texts.all", 'images', $types, grep { $how{$_} } qw(quote ascii bytes));
	is(scalar @images, scalar @expected, "$name: as many images as records");

	# The server's jsonb of the decoder's bytes, in UTF-8.
	my ($lines, $canonical) = map { temp_file("${slot}_$_") } qw(lines canonical);
	open my $out, '>:raw', $lines or die;
	print $out map { ($_->[1] eq 'error' ? '{}' : $_->[1]) . "\n" } @expected;
	close $out;
	load_lines($node, 'postgres', "public.$slot", $lines);
	write_text($script, "\\copy (SELECT coalesce((line::jsonb->'v')::text, 'error') FROM public.$slot ORDER BY i) TO '$canonical' WITH (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')\n");
	run_script($node, 'postgres', $script, environment => { PGCLIENTENCODING => 'UTF8' });
	my @canonical = split /\n/, slurp_file($canonical);
	foreach my $i (0 .. $#images)
	{
		my ($json, $comparable) = split /\t/, $images[$i];
		my $got = $json eq 'error' ? 'error' : "{\"v\":$json}";
		push @complaints, "$expected[$i][0], type $type_of{$expected[$i][0]}: got " . substr($got, 0, 300) . ', the decoder has ' . substr($expected[$i][1], 0, 300)
		  if $got ne $expected[$i][1];
		push @complaints, "$expected[$i][0], type $type_of{$expected[$i][0]}: got " . substr($comparable, 0, 300) . ', jsonb has ' . substr($canonical[$i], 0, 300)
		  if $comparable ne $canonical[$i];
	}
	is(join("\n", grep { defined } @complaints[ 0 .. 9 ]), '', "$name: all " . @images . ' are the decoder\'s bytes, and compared as jsonb') or diag("seed $seed, " . @complaints . ' differences');
	return;
}

# --- every type, in UTF-8

my $database = 'every_type';
$node->safe_psql('postgres', "CREATE DATABASE $database");
install_types($node, $database);
my $setup = temp_file('setup.sql');
my $number = 0;
my $table = sub {
	my ($sql, @values) = @_;
	++$number;
	return "CREATE TABLE public.v_$number (v $sql);\n" . join '', map { "INSERT INTO public.v_$number SELECT $_;\n" } @values;
};
my $count = is_long() ? 60 : 4;
my $script = '';
foreach my $name (type_names())
{
	$script .= $table->(type_sql($name), type_edges($name), 'NULL', map { value($name, small => 1) } 1 .. $count);
}
# Containers of what nobody would nest, and documents of any shape.
$script .= $table->('odd.raw_document', map { value('raw_document', small => 1) } 1 .. 40 * $count);
$script .= $table->('odd.raw_document[]', map { 'ARRAY[' . join(', ', map { value('raw_document', small => 1, not_null => 1) } 1 .. 3) . ']::odd.raw_document[]' } 1 .. 5 * $count);
$script .= $table->('jsonb', map { value('jsonb', small => 1) } 1 .. 20 * $count);
$script .= $table->('json', q{('{"b":1,"a":2,"b":{"b":1,"ab":2,"b":3}, "" : -0, "z":-0.0,"y":0e5,"x":0e-3}')::json}, map { "('[" . join(',', map { random_number() } 1 .. 20) . "]')::json" } 1 .. 5 * $count);
$script .= $table->('json', map { "(repeat('[', $_) || repeat(']', $_))::json" } 999, 1000, 1001, 2000);
$script .= $table->('jsonb', map { "(repeat('[', $_) || repeat(']', $_))::jsonb" } 999, 5999, 6000, 6001, 6100);
$script .= $table->('odd.numbers_pairs[]', q~ARRAY[ROW('{1,NULL}', ARRAY[ROW(1, 'a "b" \ , ()')::odd.pair, NULL], 'x', '{"a": "}\""}')::odd.numbers_pairs, NULL]~);
write_text($setup, "CREATE TYPE odd.numbers_pairs AS (n odd.numbers, p odd.pair[], t \"char\", j json);\n$script");
$node->safe_psql($database, "ALTER DATABASE $database SET bytea_output = 'escape'");

sub random_number
{
	my $digits = sub { join '', map { int rand 10 } 1 .. between(1, $_[0]) };
	return pick('', '-') . pick('0', between(1, 9) . (chance(0.5) ? $digits->(25) : '')) . (chance(0.5) ? '.' . $digits->(20) : '') . (chance(0.5) ? pick('e', 'E') . pick('', '+', '-') . between(0, 40) : '');
}

create_slot($node, $database, 'plain');
run_script($node, $database, $setup, environment => { %{ sane_session() } });
copy_slot($node, $database, 'plain', 'quoted');
compare_images($database, 'plain', 'every type');
compare_images($database, 'quoted', 'with quote_numbers', quote => 1, options => { quote_numbers => 'bigint,numeric' });

# --- other encodings

my %words = (LATIN1 => 'é ÿ"', EUC_JP => '日本語\\ｶﾅ', SQL_ASCII => "é\x{1f600}");
foreach my $encoding (sort keys %words)
{
	my $in = lc "in_$encoding";
	my $literal = sql_literal($words{$encoding});
	$node->safe_psql('postgres', "CREATE DATABASE $in TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'");
	create_slot($node, $in, $in);
	$number = 0;
	my $text = "CREATE TYPE pair AS (a text, b json);\n" . join '',
	  map { $table->(@$_) }
	  [ 'text', $literal ], [ 'text[]', "ARRAY[$literal, NULL, 'x']" ], [ 'json', "json_build_object($literal, $literal)" ], [ 'jsonb', "jsonb_build_object($literal, $literal)" ],
	  [ 'pair', "ROW($literal, to_json(CAST($literal AS text)))::pair" ], [ 'pair[]', "ARRAY[ROW($literal, NULL)::pair]" ], [ 'name', $literal ], [ 'bytea', q{'\x00ff'::bytea} ];
	$text .= $table->('text', q{convert_from('\xff4180c3a9c3'::bytea, 'SQL_ASCII')}) if $encoding eq 'SQL_ASCII';
	write_text($setup, $text);
	run_script($node, $in, $setup, environment => { %{ sane_session() }, PGOPTIONS => '' });
	compare_images($in, $in, $encoding, ascii => 1, bytes => $encoding eq 'SQL_ASCII');
}

# --- the sort

my %lines = map { my $key = random_text(12) =~ tr/\t\n//dr; ("$key\t$_" => 1) } 1 .. 3000;
$lines{"same\t" . sprintf '%04d', $_} = 1 foreach 1 .. 50;
my @lines = map { encode('UTF-8', $_) } sort { (split /\t/, $a)[1] cmp (split /\t/, $b)[1] } keys %lines;
my $unsorted = temp_file('unsorted');
open my $handle, '>:raw', $unsorted or die;
print $handle map { "$_\n" } @lines;
close $handle;
my @place = map { [ (split /\t/, $lines[$_], -1)[0], $_ ] } 0 .. $#lines;
my @sorted = map { $lines[ $_->[1] ] } sort { $a->[0] cmp $b->[0] || $a->[1] <=> $b->[1] } @place;
foreach my $memory (100_000_000, 20_000, 1)
{
	is_deeply([ run_tool($unsorted, 'sort', $memory) ], \@sorted, "a sort in $memory bytes of memory");
}
{
	local $ENV{TMPDIR} = '/nowhere';
	IPC::Run::run([ $tool, 'sort', 1 ], '<', $unsorted, '>', \my $output, '2>', \my $errors);
	like($errors, qr{^cannot make a temporary file in /nowhere: No such file or directory$}, 'no folder for it');
}
SKIP:
{
	skip 'no /dev/full', 1 unless -d '/proc/self/fd';
	my $folder = temp_file('sort_folder');
	mkdir $folder or die;
	local $ENV{TMPDIR} = $folder;
	# A limit on files stands for the disk that is full.
	IPC::Run::run([ 'bash', '-c', "trap '' XFSZ; ulimit -f 8; exec '$tool' sort 1000" ], '<', $unsorted, '>', \my $output, '2>', \my $errors);
	like($errors, qr{^cannot write a temporary file in \Q$folder\E: File too large$}, 'no room for it');
	is_deeply([ glob "$folder/*" ], [], 'no file is left');
}

done_testing();

# Tags of random bytes, written as encoders write them, and as some do that escape less: each tag that is text is in the
# context, whatever is beside it; each that is none is named; no statement fails, and no context can't be read.

use strict;
use warnings;

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
my $node = new_node('tags', "session_preload_libraries = 'bemi_session'\n");
$node->safe_psql('postgres', 'CREATE TABLE t (n int PRIMARY KEY, v text)');
create_slot($node, 'postgres', 'slot');

# How encoders write bytes: what they leave as it is beside letters and digits, and what they do then.
my %encoder = (
	'encodeURIComponent' => { safe => q{-_.!~*'()}, quote => sub { return $_[0] } },
	'encodeURIComponent, quotes escaped' => { safe => q{-_.!~*'()}, quote => sub { return $_[0] =~ s/'/\\'/gr } },
	'encodeURIComponent, quotes doubled' => { safe => q{-_.!~*'()}, quote => sub { return $_[0] =~ s/'/''/gr } },
	'quote of Python, doubled' => { safe => '-_.~/', percent => '%%' },
	'quote of Python' => { safe => '-_.~/' },
	'urlencode of PHP' => { safe => '-_.', blank => '+', percent => '%%' },
	'QueryEscape of Go' => { safe => '-_.~', blank => '+' },
	'url_encode of Ruby' => { safe => '-_.~' });

sub encoded
{
	my ($encoder, $bytes, %params) = @_;
	my $percent = $encoder->{percent} // '%';
	# A comment ends at */, and /* begins another: no encoder leaves both as they are.
	my $text = join '', map { /[A-Za-z0-9]/ || index($encoder->{safe}, $_) >= 0 ? $_ : $_ eq ' ' && exists $encoder->{blank} ? $encoder->{blank} : $percent . sprintf('%02X', ord) } split //, $bytes;
	return ($encoder->{quote} // sub { return $_[0] })->($text);
}

# Bytes of every kind: mostly text of a few characters that matter, else anything.
sub bytes
{
	my ($least) = @_;
	my $text = join '', map { pick(qw(a B 7 % ' " \\ , = + * /), ' ', "\n", 'é', '日', '😀', '%41', "',a='", "\\'", '--') } 1 .. between($least, 6);
	my $bytes = Encode::encode('UTF-8', Encode::decode('UTF-8', $text));
	$bytes .= pick("\0", "\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80") . 'x' if chance(0.15);
	return $bytes;
}

# The characters of bytes that are UTF-8 as a database takes it, undef of others.
sub text_of
{
	my ($bytes) = @_;
	return undef if $bytes =~ /\0/;
	my $copy = $bytes;
	return eval { Encode::decode('UTF-8', $copy, Encode::FB_CROAK) };
}

# What the grammar of the docs makes of a value with quotes in it that are not escaped: those look like tags.
sub looks_like_tags { my ($encoder, $written) = @_; return $written =~ /='/; }

my (%expected, %sent);
my $sql = '';
foreach my $n (1 .. (is_long() ? 20000 : 2000))
{
	my $name = pick(sort keys %encoder);
	my $encoder = $encoder{$name};
	my @written = (q{first='1'});
	my %tags = (first => '1');
	my %dropped;
	foreach my $number (1 .. between(1, 5))
	{
		my ($key, $value) = ("k$number" . bytes(0), bytes(0));
		my ($written_key, $written_value) = (encoded({ %$encoder, quote => undef }, $key), encoded($encoder, $value));
		push @written, pick('', '', ' ') . "$written_key='$written_value'" . pick('', '', ' ');
		my ($text_key, $text_value) = (text_of($key), text_of($value));
		if ($written_key =~ /[*']/ || !defined $text_key || !defined $text_value || looks_like_tags($encoder, $written_value))
		{
			$dropped{"k$number"} = 1;
			next;
		}
		# What is written twice in a row, and not escaped, is a quote.
		$text_value =~ s/''/'/g if exists $encoder->{quote} && $encoder->{quote}->("'") eq "'";
		$tags{$text_key} = $text_value;
	}
	my $comment = join ',', @written;
	die "no comment: $comment" if $comment =~ m{\*/|/\*};
	($expected{$n}, $sent{$n}) = ([ \%tags, \%dropped ], "$name: $comment");
	$sql .= "INSERT INTO t VALUES ($n) /*$comment*/;\n";
}
my $script = temp_file('tags.sql');
open my $handle, '>:raw', $script or die "$script: $!";
print $handle $sql;
close $handle or die "$script: $!";
is(run_script($node, 'postgres', $script, environment => { PGCLIENTENCODING => 'UTF8' }), '', 'no statement fails');

my $file = temp_file('records');
decode_sql($node, 'postgres', 'slot', $file, options => { context_scope => 'preceding' });
my @records = records($file);
is(scalar @records, scalar keys %expected, 'every row is there');
is(scalar(grep { exists $_->{context_error} } @records), 0, 'with a context that can be read');
my ($wrong, $unnamed, $count) = (0, 0, 0);
my $json = JSON::PP->new->canonical;
foreach my $record (@records)
{
	my $context = $record->{context};
	my $n = $record->{after}{n};
	my ($tags, $dropped) = @{ $expected{$n} };
	# Names are as they were written; all begin with the letter and number that tell them apart.
	my %named = map { /^(k\d)/ ? ($1 => 1) : () } keys %{ delete $context->{bemi_dropped} // {} };
	$count += keys %named;
	next if $json->encode($context) eq $json->encode($tags) && $json->encode(\%named) eq $json->encode($dropped);
	diag("seed $seed: $sent{$n}\ngot " . $json->encode($context) . ', expected ' . $json->encode($tags) . "\nnamed " . $json->encode(\%named) . ', expected ' . $json->encode($dropped)) if $wrong++ < 3;
}
is($wrong, 0, 'every tag that is text is there, and every other is named');
cmp_ok($count, '>', @records / 4, 'there were enough of those');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'nothing bad in the log');
done_testing();

# Which comments of a text are real: statements made of strings of every kind, quoted names and comments, all of which
# hold what looks like a context, sent as they are, several at a time. The generator knows what it has written.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiSession;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = seed_random();
my $node = new_node('comments', "session_preload_libraries = 'bemi_session'");
# Until 18, plain strings may take backslashes.
my @databases = server_major() < 19 ? qw(postgres old) : 'postgres';
$node->safe_psql('postgres', 'CREATE DATABASE old; ALTER DATABASE old SET standard_conforming_strings = off; ALTER DATABASE old SET escape_string_warning = off')
  if @databases > 1;
$node->safe_psql($_, 'CREATE TABLE t (n int PRIMARY KEY, v text)') foreach @databases;

my $number = 0;
my $old = 0;    # backslashes escape in plain strings

# What would be a context, if it were not inside of something.
sub fake { return pick(q{/*Bemi {"fake": 1} Bemi*/}, q{/*fake=%271%27*/}, '/*', '*/', '--', ';', '$$', '$a$', '"', "\n", ' ', "E'", 'x', '/*/', '**', "\\\\", 'ü'); }
sub fakes { return join '', map { fake() } 0 .. between(0, 4); }

# A piece of data, as an expression.
sub data
{
	my $text = fakes();
	return pick(
		sub { $old || $text =~ s/\\//g; $text =~ s/E'/''/g; return "'$text'"; },
		sub { $text =~ s/E'/\\'/g; return pick(qw(E e)) . "'$text'"; },
		sub { $text =~ s/E'/\\'/g; return "E'$text'" . pick("\n", " \n\t", " -- '$text\n" =~ s/\n(?!$)//gr, "\n--'\n -- /*\n") . "'\\'$text'"; },
		sub { $text =~ s/\$//g; return "\$\$$text\$\$"; },
		sub { my $tag = pick(qw(b _1 Bemi é)); return "\$$tag\$$text\$$tag\$"; },
		sub { $text =~ s/\\//g; $text =~ s/E'/''/g; return $old ? "'$text'" : "U&'$text'"; },
		sub { $text =~ s/"/""/g; return qq{(SELECT '' AS "x$text")}; },
		sub { return q{(SELECT a$b$.c$a$ FROM (VALUES ('')) a$b$ (c$a$))}; },
		sub { return "('' || 1 -1 ||'')" },
		sub { return pick(qw(N n)) . "'" . ($old ? "\\'" : '\\') . "'" })->();
}

# A comment that has no context in it.
sub idle
{
	my $text = fakes() =~ tr{/*}{}dr;
	return pick(
		sub { return "/* $text /*Bemi {\"fake\": 1} Bemi*/ ' */"; },
		sub { return "-- " . ($text =~ s/\n//gr) . "/*Bemi {\"fake\": 1} Bemi*/ '\n"; },
		sub { return "/**/"; },
		sub { return "/* word */"; },
		sub { return ''; },
		sub { return "\n"; })->();
}

# A statement, the comment with its context, if it has one, and where that stands: 0 in front, 4 behind.
sub statement
{
	$number++;
	my $real = chance(0.3) ? '' : chance(0.3) ? "/*n='$number'*/" : qq{/*Bemi {"n":$number} Bemi*/};
	my @places = ('') x 5;
	my $place = int rand @places;
	$places[$place] = $real;
	# The fourth place is there once or several times, which says the same.
	my $expression = data() . join '', map { idle() . $places[3] . '||' . idle() . data() } 0 .. between(0, 2);
	return (idle() . $places[0] . "INSERT$places[1]" . idle() . " INTO t VALUES ($number, " . idle() . $places[2] . $expression . ' )' . idle() . $places[4] . idle(), $real, $place);
}

# The context in comments of one key: Bemi's over tags, the last over those before.
sub context_in
{
	my ($comments) = @_;
	my @bemi = $comments =~ /Bemi (\S+) Bemi/g;
	my @tags = $comments =~ /n='(\d+)'/g;
	return @bemi ? $bemi[-1] : @tags ? qq{{"n":"$tags[-1]"}} : '{}';
}

foreach my $database (@databases)
{
	$old = $database eq 'old';
	create_slot($node, $database, $database);
	my (%expected, @texts);
	foreach my $text (1 .. (is_long() ? 4000 : 400))
	{
		my $whole = '';
		my (%real, @shared);
		my $statements = pick(1, 1, 1, 2, 3);
		foreach my $statement (1 .. $statements)
		{
			my ($sql, $real, $place) = statement();
			$real{$number} = $real;
			$whole .= ($whole eq '' ? '' : ";" . ($whole =~ /\n$/ ? "\n" : '')) . $sql;
			# What stands at the very front or end of the message is for all of it.
			push @shared, $real if $statement == 1 && $place == 0 || $statement == $statements && $place == 4;
		}
		# What stands behind the last semicolon belongs to the last statement, too.
		if (chance(0.3))
		{
			push @shared, my $behind = '/*Bemi {"n":0} Bemi*/';
			$real{$number} .= $behind;
			$whole .= "\n;" . idle() . ";\n$behind" . idle();
		}
		$expected{$_} = context_in($real{$_} ne '' ? $real{$_} : join '', @shared) foreach keys %real;
		push @texts, $whole;
	}
	send_texts($node, $database, @texts);
	my %got = contexts_in($node, $database, $database);
	is(scalar keys %got, scalar keys %expected, "$database: every statement was run");
	my @wrong = grep { $got{$_} ne $expected{$_} } sort { $a <=> $b } keys %expected;
	is(scalar @wrong, 0, 'and has its own context') or diag("seed $seed");
	foreach my $n (grep { defined } @wrong[ 0 .. 4 ])
	{
		my ($text) = grep { /VALUES \($n,/ } @texts;
		diag("row $n got $got{$n}, expected $expected{$n}:\n$text");
	}
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'nothing bad in the log');
done_testing();

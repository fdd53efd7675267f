# A destination without room: it keeps trying, loses nothing, and goes on when there is room again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

# A tmpfs of our own, in a namespace where we may mount; the server runs inside, as ourselves.
my $folder = PostgreSQL::Test::Utils::tempdir;
my $inside = temp_file('inside.sh');
write_text($inside, <<"SH");
set -e
mount -t tmpfs -o size=120m none '$folder'
exec unshare -U --map-user=\$1 --map-group=\$2 sh -c '
	set -e
	initdb -A trust -N --encoding=UTF8 --locale=C -D $folder/data -X '"\$3"'/wal >/dev/null
	printf "%s\\n" "listen_addresses = \\"\\"" "max_wal_size = 32MB" "min_wal_size = 32MB" \\
		"fsync = off" "wal_level = minimal" "max_wal_senders = 0" >>$folder/data/postgresql.conf
	sed -i "s/\\"\\"/'"''"'/" $folder/data/postgresql.conf
	postgres -D $folder/data -k '"\$3"' & server=\$!
	trap "kill -QUIT \$server; wait \$server; exit 0" TERM
	dd if=/dev/zero of=$folder/ballast bs=1M count=\$(( \$(df -m --output=avail $folder | tail -n 1) - 8 )) 2>/dev/null
	: >'"\$3"'/ready
	while kill -0 \$server 2>/dev/null; do
		[ ! -e '"\$3"'/room ] || rm -f $folder/ballast
		sleep 0.2
	done'
SH
my $sockets = PostgreSQL::Test::Utils::tempdir_short;
my ($out, $err) = ('', '');
my $server = IPC::Run::start([ 'unshare', '-Urm', 'sh', $inside, $<, $( + 0, $sockets ],
	'<', \undef, '>', \$out, '2>', \$err);
my $user = getpwuid $<;
my $destination = "host=$sockets dbname=postgres user=$user";
my $ready = wait_until(sub {
	$server->pump_nb;
	return 1 if !$server->pumpable;
	return -e "$sockets/ready" && system("psql -XAtqc 'SELECT 1' '$destination' >/dev/null 2>&1") == 0;
}, 30);
if (!$server->pumpable)
{
	$server->finish;
	plan skip_all => "no file system of our own can be mounted here: $err";
}

my $source = new_node('source');
my $psql = sub { my $text = `psql -XAtq '$destination' -c "$_[0]"`; chomp $text; return $text; };
$source->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v text)');
ingest_ok($source, $destination, 'init');
second_slot($source);
my $run = start_ingest($source, $destination);
$source->safe_psql('postgres', q{INSERT INTO t SELECT g,
	(SELECT string_agg(md5(g || '-' || i), '') FROM generate_series(1, 40) i) FROM generate_series(1, 20000) g});
ok(ingest_said_until($run, qr/destination: .*No space left.*again in/),
	'a full disk is told');
$source->safe_psql('postgres', "INSERT INTO t VALUES (0, 'later')");
is($psql->('SELECT count(*) FROM changes'), '0', 'nothing is stored by halves');
write_text("$sockets/room", '');
ok(wait_until(sub { ($psql->('SELECT count(*) FROM changes') || 0) == 20001 }, 120),
	'with room again, everything is stored')
  or diag(ingest_said($run) . $err);
end_ingest($run);
is($source->safe_psql('postgres', q{SELECT count(*) FROM pg_logical_slot_get_changes('untouched', NULL, NULL)}),
	'20001', 'which is all that there was');
$server->signal('TERM');
eval { $server->finish };

done_testing();

# A role that may read `changes` and what stands beside it asks everything; row security on `changes` holds in each
# answer; and no function of others is run on the way, whatever schemas come first in the session's search_path.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use Test::More;

my $source = new_node('source', "timezone = 'UTC'\n");
$source->safe_psql('postgres', 'CREATE DATABASE told');
my $told = $source->connstr('told');
ingest_ok($source, $told, 'init');
$source->safe_psql('postgres', $_) foreach q{CREATE TABLE seen (id int PRIMARY KEY, v text); CREATE TABLE hidden (id int PRIMARY KEY, v text);
	ALTER TABLE seen REPLICA IDENTITY FULL},
	in_context('{"userId": 1, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}', q{INSERT INTO seen VALUES (1, 'a'); UPDATE seen SET v = 'b'}),
	in_context('{"userId": 2}', q{INSERT INTO hidden VALUES (1, 'secret')});
drain($source, $told);
$source->safe_psql('told', q{
CREATE ROLE reader LOGIN;
GRANT USAGE ON SCHEMA bemi TO reader;
GRANT SELECT ON changes, bemi.activity, bemi.progress, bemi.gaps, bemi.snapshots, bemi.target, bemi.tables TO reader;
CREATE TABLE seen (id int, v text);
-- Somebody else's functions and operators, which say so when they run.
CREATE SCHEMA others AUTHORIZATION reader;
CREATE FUNCTION others.told(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'others ran: %', $1; END $$;
CREATE FUNCTION others.same(jsonb, text) RETURNS text LANGUAGE sql AS $$ SELECT others.told('->>'); SELECT pg_catalog.jsonb_extract_path_text($1, $2) $$;
CREATE FUNCTION others.both(integer, integer) RETURNS integer LANGUAGE sql AS $$ SELECT others.told('&'); SELECT pg_catalog.int4and($1, $2) $$;
CREATE FUNCTION others.joined(text, text) RETURNS text LANGUAGE sql AS $$ SELECT others.told('||'); SELECT pg_catalog.concat($1, $2) $$;
CREATE FUNCTION others.right(text, integer) RETURNS text LANGUAGE sql AS $$ SELECT others.told('right'); SELECT pg_catalog.right($1, $2) $$;
CREATE OPERATOR others.->> (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = others.same);
CREATE OPERATOR others.& (LEFTARG = integer, RIGHTARG = integer, FUNCTION = others.both);
CREATE OPERATOR others.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = others.joined)});

my @questions = (
	q{SELECT count(*) FROM bemi.activity}, q{SELECT count(*) FROM bemi.activity_by('userId')},
	q{SELECT count(*) FROM bemi.search()}, q{SELECT count(*) FROM bemi.search(value => '{"id": 1}')},
	q{SELECT count(*) FROM bemi.trace('4bf92f3577b34da6a3ce929d0e0e4736')},
	q{SELECT count(*) FROM bemi.history('seen', '01')}, q{SELECT bemi.record_at('seen', '1', now())},
	q{SELECT count(*) FROM bemi.table_at('seen', now())}, q{SELECT count(*) FROM bemi.as_of(NULL::seen, now())},
	q{SELECT count(*) FROM bemi.coverage('seen')}, q{SELECT bemi.diff('{"a": 1}', '{"a": 2}')},
	q{SELECT count(DISTINCT bemi.change_source(id)) FROM changes}, q{SELECT max(bemi.who(context)) FROM changes});
my %answers;
my $ask = sub {
	my ($question) = @_;
	my ($code, $output, $errors) = $source->psql('told', "SET search_path = others, pg_catalog, public; SET ROLE reader; $question");
	return "$output$errors";
};
foreach my $question (@questions)
{
	$answers{$question} = $source->safe_psql('told', $question);
	is($ask->($question), $answers{$question}, "the reader asks: $question");
}
like($ask->(q{SELECT '{"a": 1}'::jsonb->>'a'}), qr/others ran/, 'where those of others would be run');

$source->safe_psql('told', q{ALTER TABLE changes ENABLE ROW LEVEL SECURITY; CREATE POLICY open ON changes TO reader USING ("table" = 'seen')});
is($ask->(q{SELECT string_agg(tables::text, ' ') FROM bemi.activity}), '{public.seen}', 'row security holds in activity');
is($ask->(q{SELECT string_agg(value, ' ') FROM bemi.activity_by('userId')}), '1', 'in activity_by');
is($ask->(q{SELECT count(*) FROM bemi.search(value => '{"v": "secret"}')}), '0', 'in search');
like($ask->(q{SELECT * FROM bemi.table_at('hidden', now())}), qr/^$|ERROR/, 'in table_at');

done_testing();

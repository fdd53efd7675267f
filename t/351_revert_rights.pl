# Whose code runs when changes are reverted, and with whose rights: casts, operators, triggers, rules, checks,
# domains, defaults, expressions of indexes and conditions of triggers of a role that is no superuser. Each notes
# who ran it. A superuser runs none of it, neither by bemi.revert nor by a script.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use BemiIngest;
use BemiTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('both');
my $here = $node->connstr('postgres');
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub as_joe { return $node->safe_psql('postgres', $_[0], extra_params => [ '-U', 'joe' ]); }
ingest_ok($here, $here, 'init');
sql(q{CREATE ROLE joe LOGIN; CREATE SCHEMA app AUTHORIZATION joe;
GRANT SELECT ON changes TO joe; GRANT USAGE ON SCHEMA bemi TO joe; GRANT SELECT ON ALL TABLES IN SCHEMA bemi TO joe;
CREATE TABLE public.ran (what text, who name); GRANT INSERT ON ran TO PUBLIC});
as_joe(q{SET search_path = app, public;
CREATE FUNCTION note(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM set_config(''app.ran'', concat(current_setting(''app.ran'', true), what, '' by '', current_user, '' ''), false); RETURN true; END';
CREATE FUNCTION noting() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM app.note(''trigger''); RETURN NEW; END';
CREATE TYPE mood AS ENUM ('fine', 'poor');
CREATE FUNCTION mood_json(mood) RETURNS json LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM app.note(''cast to json''); RETURN ''1''; END';
CREATE FUNCTION mood_text(mood) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM app.note(''cast to text''); RETURN ''x''; END';
CREATE CAST (mood AS json) WITH FUNCTION mood_json(mood);
CREATE CAST (mood AS text) WITH FUNCTION mood_text(mood) AS IMPLICIT;
CREATE FUNCTION mood_equal(mood, mood) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN app.note(''operator''); END';
CREATE OPERATOR = (LEFTARG = mood, RIGHTARG = mood, FUNCTION = mood_equal);
CREATE TYPE pair AS (a mood, b int);
CREATE DOMAIN some_mood AS mood;
CREATE TABLE moods (id int PRIMARY KEY, m mood, ms mood[], p pair, d some_mood, n int);
CREATE FUNCTION row_text(moods) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM app.note(''cast of the row''); RETURN ''x''; END';
CREATE CAST (moods AS text) WITH FUNCTION row_text(moods) AS IMPLICIT;
CREATE FUNCTION row_json(moods) RETURNS json LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM app.note(''cast of the row''); RETURN ''1''; END';
CREATE CAST (moods AS json) WITH FUNCTION row_json(moods);
CREATE TABLE keyless (m mood, ms mood[]);
INSERT INTO moods VALUES (1, 'fine', '{fine,poor}', '(fine,1)', 'fine', 1), (2, 'poor', '[3:4]={fine,NULL}', NULL, NULL, 2);
INSERT INTO keyless VALUES ('fine', '{poor}'), ('poor', NULL);
ALTER TABLE moods REPLICA IDENTITY FULL; ALTER TABLE keyless REPLICA IDENTITY FULL;});
drain($here, $here);

my $number = 0;
sub transaction
{
	my ($statements) = @_;
	$number++;
	as_joe(in_context(qq({"case": $number}), $statements));
	drain($here, $here);
	return qq({"case": $number});
}

# (what went wrong or '', what ran) of the call, by a superuser unless said.
my $said = ''; # all that the server said to the last one

sub reverted
{
	my ($context, %params) = @_;
	my $file = temp_file('call.sql');
	my $script = temp_file('script.sql');
	my $arguments = $params{arguments} // '';
	write_text($file, "SELECT outcome || coalesce(': ' || conflict, '') FROM bemi.revert('$context'$arguments) LIMIT 1;\nSELECT 'ran: ' || coalesce(current_setting('app.ran', true), '');\n");
	if ($params{script})
	{
		write_text($script, sql("SELECT bemi.revert_sql('$context'$arguments)"));
		write_text($file, slurp_file($script) . "ROLLBACK;\nSELECT 'ran: ' || coalesce(current_setting('app.ran', true), '');\n");
	}
	my ($code, $out, $errors) = $node->psql('postgres', slurp_file($file), extra_params => [ '-At', '-v', 'ON_ERROR_STOP=0', '-U', $params{by} // $ENV{PGUSER} // scalar getpwuid($<) ], on_error_stop => 0);
	$said = $errors;
	my ($ran) = $out =~ /^ran: (.*)$/m;
	return ($errors =~ /ERROR:  ([^\n]*)/ ? $1 : $out =~ /^(conflict[^\n]*)/m ? $1 : '', $ran // '');
}

# --- casts and operators are not called, of whatever the image is compared with

foreach my $case ([ 'UPDATE', q{UPDATE app.moods SET n = 10, m = 'poor', ms = '{poor}', d = 'poor', p = '(poor,2)'} ],
	[ 'DELETE', 'DELETE FROM app.moods' ], [ 'INSERT', q{INSERT INTO app.moods VALUES (9, 'fine', '{fine}', '(fine,3)', 'fine', 1), (8, 'poor', NULL, NULL, NULL, 2)} ],
	[ 'UPDATE without a key', q{UPDATE app.keyless SET ms = '{fine,fine}'} ], [ 'DELETE without a key', 'DELETE FROM app.keyless' ],
	[ 'TRUNCATE', 'TRUNCATE app.moods, app.keyless' ])
{
	my ($name, $statements) = @$case;
	my $state = as_joe(q{SELECT (SELECT json_agg(format('%s', t) ORDER BY id) FROM app.moods t), (SELECT json_agg(format('%s', t) ORDER BY format('%s', t)) FROM app.keyless t)});
	my $context = transaction($statements);
	is(join('|', reverted($context)), '|', "$name: nothing of a type's owner runs");
	is(as_joe(q{SELECT (SELECT json_agg(format('%s', t) ORDER BY id) FROM app.moods t), (SELECT json_agg(format('%s', t) ORDER BY format('%s', t)) FROM app.keyless t)}),
		$state =~ s/\[3:4\]=//r, "$name: it is as before");
	drain($here, $here);
	my $here_script = transaction($statements);
	is(join('|', reverted($here_script, script => 1)), '|', "$name: by a script as well");
	drain($here, $here);
	my $elsewhere = transaction($statements);
	as_joe('ALTER TABLE app.moods RENAME TO m2; ALTER TABLE app.keyless RENAME TO k2');
	my $text = sql("SELECT bemi.revert_sql('$elsewhere')");
	as_joe('ALTER TABLE app.m2 RENAME TO moods; ALTER TABLE app.k2 RENAME TO keyless');
	my ($code, $out, $errors) = $node->psql('postgres', "$text\nSELECT 'ran: ' || coalesce(current_setting('app.ran', true), '');", on_error_stop => 0);
	is(($errors =~ /ERROR:  (.*)/ ? $1 : '') . ($out =~ /^ran: (.*)$/m)[0], '', "$name: by a script of a database without the tables");
	drain($here, $here);
}

# --- what a statement must run: only with its owner's rights, or less

sub refused
{
	my ($name, $what, $table, $setup, $statements, $arguments) = @_;
	as_joe("CREATE TABLE app.$table (id int PRIMARY KEY, n int DEFAULT 0, v text); ALTER TABLE app.$table REPLICA IDENTITY FULL; INSERT INTO app.$table VALUES (1, 1, 'a'), (2, 2, 'b')");
	my $context = transaction($statements);
	as_joe($setup);
	my %params = (arguments => $arguments);
	my @way = reverted($context, %params);
	like($way[0], qr/^to write to .*$table.* would run code of the role "joe" with the rights of a superuser$/, "$name: refused to a superuser");
	is($way[1], '', "$name: and nothing ran");
	unlike($said, qr/DECLARE|pg_rewrite/, "$name: said without the text of what was looked at");
	@way = reverted($context, %params, script => 1);
	like($way[0], qr/^to write to .*$table.* would run code of the role "joe"/, "$name: in a script, too");
	is($way[1], '', "$name: and nothing ran");
	@way = reverted($context, %params, by => 'joe');
	is($way[0], '', "$name: its owner may");
	like($way[1], qr/^(?:$what by joe )+$/, "$name: and it runs as he");
	return;
}
refused('a trigger', 'trigger', 'with_trigger', 'CREATE TRIGGER x BEFORE UPDATE ON app.with_trigger FOR EACH ROW EXECUTE FUNCTION app.noting()', q{UPDATE app.with_trigger SET v = 'c'});
refused('a trigger behind a foreign key', 'trigger', 'with_child', q{CREATE TABLE app.child (id int PRIMARY KEY, up int REFERENCES app.with_child ON DELETE CASCADE);
	CREATE TRIGGER x BEFORE UPDATE ON app.with_child FOR EACH ROW WHEN (app.note('trigger')) EXECUTE FUNCTION app.noting()}, q{UPDATE app.with_child SET v = 'c'});
refused('a check', 'check', 'with_check', q{ALTER TABLE app.with_check ADD CHECK (app.note('check'))}, q{UPDATE app.with_check SET v = 'c'});
refused('a generated column', 'generated', 'with_generated', q{ALTER TABLE app.with_generated ADD g boolean GENERATED ALWAYS AS (app.note('generated' || left(v, 0))) STORED}, q{UPDATE app.with_generated SET v = 'c'});
refused('a default', 'default', 'with_default', q{ALTER TABLE app.with_default ADD d boolean DEFAULT app.note('default')}, 'DELETE FROM app.with_default', q{, except_columns => '{d}'});
refused('an index', 'index', 'with_index', q{CREATE INDEX ON app.with_index ((app.note('index' || left(v, 0))))}, q{UPDATE app.with_index SET v = 'c'});
as_joe(q{CREATE DOMAIN app.checked AS text CHECK (app.note('domain'))});
refused('a domain', 'domain', 'with_domain', q{ALTER TABLE app.with_domain ALTER v TYPE app.checked}, q{UPDATE app.with_domain SET n = 5});

# --- what is harmless is not refused

as_joe(q{CREATE TABLE app.plain (id serial PRIMARY KEY, n int CHECK (n > 0), at timestamptz DEFAULT now(), v text, twice int GENERATED ALWAYS AS (n * 2) STORED);
CREATE INDEX ON app.plain (lower(v)) WHERE n > 1; ALTER TABLE app.plain REPLICA IDENTITY FULL; INSERT INTO app.plain (n, v) VALUES (1, 'a'), (2, 'b')});
is(join('|', reverted(transaction('UPDATE app.plain SET n = 7; DELETE FROM app.plain WHERE id = 2'))), '|', 'expressions of the server\'s own immutable functions are no such code');
sql(q{CREATE FUNCTION public.trusted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'});
drain($here, $here);
as_joe(q{CREATE TRIGGER x BEFORE UPDATE ON app.plain FOR EACH ROW EXECUTE FUNCTION public.trusted()});
is(join('|', reverted(transaction('UPDATE app.plain SET n = 8'))), '|', 'nor is a function of a superuser\'s');
as_joe(q{CREATE FUNCTION app.definer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN PERFORM app.note(''definer''); RETURN NEW; END';
CREATE TRIGGER y BEFORE UPDATE ON app.plain FOR EACH ROW EXECUTE FUNCTION app.definer()});
drain($here, $here);
my @way = reverted(transaction('UPDATE app.plain SET n = 9'));
is($way[0], '', 'what is SECURITY DEFINER may run');
like($way[1], qr/^(?:definer by joe )+$/, 'with the rights of its owner');

done_testing();

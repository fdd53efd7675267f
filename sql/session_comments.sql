-- The session library reads contexts out of a statement's comments.
LOAD 'bemi_session';
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int PRIMARY KEY, v text);
ALTER TABLE t REPLICA IDENTITY FULL;

-- Bemi's own, wherever they stand in the statement
INSERT INTO t VALUES (1) /*Bemi {"userId": 1} Bemi*/;
INSERT /*Bemi {"userId": 2} Bemi*/ INTO t VALUES (2);
/*Bemi {"userId": 3} Bemi*/ INSERT INTO t VALUES (3);
INSERT INTO t VALUES (4) /* Bemi  {"userId": 4, "nested": {"a": [1, "}"]}} Bemi */;
INSERT INTO t VALUES (5) /*Bemi [1, 2] Bemi*/;
INSERT INTO t VALUES (6) /*Bemi null Bemi*/;
INSERT INTO t VALUES (7);
SELECT * FROM written();
-- tags
INSERT INTO t VALUES (11) /*route='%2Ftodo',traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/;
INSERT INTO t VALUES (12) /*name='DROP%20TABLE%20FOO',quote='it\'s',plus='a+b',percent='100%25',utf8='%C3%BC%F0%9F%98%80',%6bey='%22%5C'*/;
INSERT INTO t VALUES (13) /* a='1', b='2' , a='3' */;
INSERT INTO t VALUES (14) /*a=''*/;
SELECT * FROM written();
-- what is none: no list of tags, or not all of the comment
INSERT INTO t VALUES (21) /*application:App,controller:todo*/;
INSERT INTO t VALUES (22) /* insert app.Todo */;
INSERT INTO t VALUES (23) /*a='b'c*/;
INSERT INTO t VALUES (24) /*see a='b'*/;
INSERT INTO t VALUES (25) /*a='b',*/;
INSERT INTO t VALUES (26) /*a="b"*/;
INSERT INTO t VALUES (27) /*='b'*/;
INSERT INTO t VALUES (28) /*a b='c'*/;
INSERT INTO t VALUES (29) /**/;
INSERT INTO t VALUES (30) /*+ SeqScan(t) */;
INSERT INTO t VALUES (31) -- a='b'
;
INSERT INTO t VALUES (32) -- /*a='b'*/
;
INSERT INTO t VALUES (33) /*a='b\'*/;
SELECT * FROM written();
-- a tag that can't be read goes alone, and is named
SET client_min_messages = debug1;
INSERT INTO t VALUES (41) /*a='%zz'*/;
INSERT INTO t VALUES (42) /*a='%2'*/;
INSERT INTO t VALUES (43) /*a='%00'*/;
INSERT INTO t VALUES (44) /*a='%ff'*/;
-- so does Bemi's where it is none
INSERT INTO t VALUES (45) /*Bemi {"userId": } Bemi*/;
INSERT INTO t VALUES (46) /*Bemi {"a": "\u0000"} Bemi*/;
INSERT INTO t VALUES (47) /*Bemi  Bemi*/;
INSERT INTO t VALUES (48) /*Bemi {"a": 1} */;
INSERT INTO t VALUES (49) /*Bemi {"a": 1} {"b": 1} Bemi*/;
INSERT INTO t VALUES (50) /*Bemi {"userId": } Bemi*/ /*a='b'*/;
RESET client_min_messages;
SELECT * FROM written();
-- several: key by key, Bemi's over tags, the later over the earlier
INSERT INTO t VALUES (61) /*a='1',b='1'*/ /*b='2'*/;
INSERT INTO t VALUES (62) /*Bemi {"a": 1, "b": 1} Bemi*/ /*Bemi {"b": 2, "c": {"d": 3}} Bemi*/;
INSERT INTO t VALUES (63) /*Bemi {"a": 1} Bemi*/ /*a='2',b='3'*/;
INSERT INTO t VALUES (64) /*a='2',b='3'*/ /*Bemi ["all"] Bemi*/;
INSERT INTO t VALUES (65) /*%61='1'*/ /*Bemi {"\u0061": 2} Bemi*/;
SELECT * FROM written();
-- the same text as data
INSERT INTO t VALUES (71, '/*Bemi {"userId": 666} Bemi*/');
INSERT INTO t VALUES (72, E'\'/*Bemi {"userId": 666} Bemi*/');
INSERT INTO t VALUES (73, $$/*Bemi {"userId": 666} Bemi*/$$);
INSERT INTO t VALUES (74, $a$ $$ '/*Bemi {"userId": 666} Bemi*/ $a$);
INSERT INTO t AS "/*Bemi {""userId"": 666} Bemi*/" VALUES (75);
INSERT INTO t VALUES (76, U&'\0041/*Bemi {"userId": 666} Bemi*/');
INSERT INTO t VALUES (77, 'it''s /*Bemi {"userId": 666} Bemi*/''');
INSERT INTO t VALUES (79) -- /*Bemi {"userId": 666} Bemi*/
;
INSERT INTO t VALUES (80) /* outer /*Bemi {"userId": 666} Bemi*/ */;
INSERT INTO t VALUES (81, $b$ $a$ /*Bemi {"userId": 666} Bemi*/ $b$ || '$a$') /*Bemi {"userId": 81} Bemi*/;
INSERT INTO t SELECT 82, a$b$c.v FROM (VALUES ('x')) a$b$c (v) /*Bemi {"userId": 82} Bemi*/ WHERE '$b$' = '$b$';
INSERT INTO t SELECT 83, e'x'/*Bemi {"userId": 83} Bemi*/-- '
WHERE 1 = 2 -/*'*/1;
SELECT * FROM written();
-- where plain strings take backslashes, which they no longer do from 19 on
SELECT current_setting('server_version_num')::int < 190000 AS may_escape \gset
\set escaped '\'\\\'/*Bemi {"userId": 666} Bemi*/\''
\if :may_escape
SET standard_conforming_strings = off;
SET escape_string_warning = off;
INSERT INTO t VALUES (84, :escaped);
RESET standard_conforming_strings;
RESET escape_string_warning;
\else
INSERT INTO t VALUES (84);
\endif
SELECT * FROM written();
-- several statements in one string
INSERT INTO t VALUES (91) /*a='91'*/ \; INSERT INTO t VALUES (92) \; /*a='93'*/ INSERT INTO t VALUES (93);
BEGIN \; INSERT INTO t VALUES (94, ';/*a=''666''*/') /*a='94'*/ \; /* a word */ INSERT INTO t VALUES (95, $$;$$) \; -- ; /*a='666'*/
INSERT INTO t VALUES (96) \; COMMIT /*a='666'*/;
INSERT INTO t VALUES (97) \; ; /*a='666'*/ \; INSERT INTO t VALUES (98) \; /*a='98'*/ ;
SELECT * FROM written();
-- a rule's queries belong to the statement, whichever is run first
CREATE TABLE noted (n int, v text);
CREATE RULE note_update AS ON UPDATE TO t DO ALSO INSERT INTO noted VALUES (NEW.n, '/*a=''666''*/');
INSERT INTO noted VALUES (0) /*a='1'*/ \; UPDATE t SET v = 'x' WHERE n = 98 /*a='2'*/ \; INSERT INTO noted VALUES (3) /*a='3'*/;
DROP RULE note_update ON t;
SELECT * FROM written();

-- bemi.comments says which
SET bemi.comments = 'bemi';
INSERT INTO t VALUES (101) /*a='1'*/ /*Bemi {"b": 2} Bemi*/;
SET bemi.comments = 'SqlCommenter';
INSERT INTO t VALUES (102) /*a='1'*/ /*Bemi {"b": 2} Bemi*/;
SET bemi.comments = '';
INSERT INTO t VALUES (103) /*a='1'*/ /*Bemi {"b": 2} Bemi*/;
SET bemi.comments = sqlcommenter, bemi;
INSERT INTO t VALUES (104) /*a='1'*/ /*Bemi {"b": 2} Bemi*/;
SET bemi.comments = 'bemi, marginalia';
SET bemi.comments = 'bemi,';
SHOW bemi.comments;
SELECT * FROM written();

SELECT pg_drop_replication_slot('regress');
DROP TABLE t, noted;

-- Messages of several statements, and transactions whose BEGIN or COMMIT has tags.
LOAD 'bemi_session';
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int PRIMARY KEY, v text);

-- what stands at the very front or end is for all
INSERT INTO t VALUES (1) \; SELECT 1 /*rid='a'*/;
BEGIN \; INSERT INTO t VALUES (2) \; COMMIT \; /*rid='b'*/ \; ;
/*rid='c'*/ INSERT INTO t VALUES (3) \; INSERT INTO t VALUES (4);
/* word */ /*rid='d'*/ /*Bemi {"user": 1} Bemi*/ INSERT INTO t VALUES (5) \; INSERT INTO t VALUES (6) \; SELECT 1 /*user='2'*/ /*rid='e',last='1'*/;
-- but not for those with tags of their own, nor what stands elsewhere
/*rid='f'*/ INSERT INTO t VALUES (11) \; INSERT INTO t VALUES (12) /*own='1'*/ \; INSERT INTO t VALUES (13) \; SELECT 1;
INSERT INTO t VALUES (14) /*own='1'*/ \; INSERT INTO t VALUES (15) /* word */ \; /*own='2'*/ INSERT INTO t VALUES (16);
INSERT INTO t VALUES (17) \; INSERT INTO t VALUES (18, '/*rid=''666''*/');
INSERT INTO t VALUES (19) \; SELECT 1 -- /*rid='666'*/
;
SELECT * FROM written();
-- EXECUTE and other commands too
PREPARE plain AS INSERT INTO t VALUES ($1);
PREPARE tagged AS INSERT INTO t VALUES ($1) /*own='1'*/;
EXECUTE plain(21) \; EXECUTE tagged(22) \; TRUNCATE t \; COPY t FROM stdin \; SELECT 1 /*rid='g'*/;
23	x
\.
SET bemi.comments = 'bemi';
INSERT INTO t VALUES (24) \; SELECT 1 /*rid='h'*/;
RESET bemi.comments;
SELECT * FROM written();

-- BEGIN's tags are the weakest, and for the statements that have none
SET bemi.context = '{"userId": 1, "setting": 1}';
BEGIN /*userId='2',begin='1'*/;
INSERT INTO t VALUES (31);
INSERT INTO t VALUES (32) /*own='1'*/;
INSERT INTO t VALUES (33);
SAVEPOINT a;
INSERT INTO t VALUES (34);
ROLLBACK TO a;
INSERT INTO t VALUES (35);
RESET bemi.context;
INSERT INTO t VALUES (36);
COMMIT;
INSERT INTO t VALUES (37);
START TRANSACTION /*Bemi {"begin": 2} Bemi*/;
INSERT INTO t VALUES (38);
ROLLBACK AND CHAIN;
INSERT INTO t VALUES (39);
COMMIT;
BEGIN /*begin='3'*/ \; INSERT INTO t VALUES (40) \; COMMIT;
BEGIN /*begin='%'*/;
INSERT INTO t VALUES (41);
COMMIT;
SELECT * FROM written();
-- COMMIT's are for what was written without any
BEGIN;
INSERT INTO t VALUES (51);
INSERT INTO t VALUES (52);
COMMIT /*commit='1'*/;
BEGIN;
INSERT INTO t VALUES (53) /*own='1'*/;
INSERT INTO t VALUES (54);
COMMIT /*commit='2'*/;
BEGIN;
SELECT 1;
END /*commit='3'*/;
BEGIN;
INSERT INTO t VALUES (55);
ROLLBACK /*commit='4'*/;
BEGIN;
INSERT INTO t VALUES (56);
PREPARE TRANSACTION 'regress' /*commit='5'*/;
COMMIT PREPARED 'regress';
SELECT r->>'operation', coalesce(r->>'content', r->'after'->>'n'), r->'context' FROM records('messages', '_bemi') r;

SELECT pg_drop_replication_slot('regress');
DROP TABLE t;

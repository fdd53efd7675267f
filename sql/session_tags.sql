-- Tags as programs really send them, and as strangers choose them.
LOAD 'bemi_session';
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT FROM pg_create_logical_replication_slot('regress', 'bemi_decoder');
CREATE TABLE t (n int PRIMARY KEY, v text);

-- numbers and truth values without quotes, beside a tag with quotes
INSERT INTO t VALUES (1) /*db_driver='psycopg2%3A2.9.5',dbapi_threadsafety=2,libpq_version=150001,traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'*/;
INSERT INTO t VALUES (2) /*a='1',b=-1.50,c=1e+16,d=True,e=false*/;
INSERT INTO t VALUES (3) /*a='1',b=007,c=inf,d=None,e=1e1000000,f=1_000,g=null*/;
-- doubled percent signs
INSERT INTO t VALUES (4) /*framework='django%%3A3.2.25',traceparent='00-…-01',a='100%%25',b='%%%25'*/;
-- an apostrophe, and where a quote closes
INSERT INTO t VALUES (5) /*route='%2Fcustomer's%2F%3Aid',ddps='to do's web' , a='''',b='',c='a''b'*/;
INSERT INTO t VALUES (6) /*a='it\'s',b='\'',c='',d='x'' , e='1'*/;
-- a blank as a plus; whoever means a plus writes %2B
INSERT INTO t VALUES (7) /*ua='Mozilla%2F5.0+%28X11%3B+Linux%29',sum='1%2B1',a+key='1'*/;
SELECT * FROM written();

-- a stranger's tag does not take the others with it
INSERT INTO t VALUES (11) /*userId='7',path='%2Fa%00b'*/;
INSERT INTO t VALUES (12) /*ua='caf%E9',userId='7'*/;
INSERT INTO t VALUES (13) /*userId='7',a='%',b='%4',c='%%',d='%%4',e='%g0',f='%C3',g='%ED%A0%80',h='%F4%90%80%80',i='%C0%80'*/;
INSERT INTO t VALUES (14) /*userId='7',a*b='1',c'd='2',='3',e%00='4',f%FF='5'*/;
INSERT INTO t VALUES (15) /*userId='7',ua='never closed*/;
INSERT INTO t VALUES (16) /*userId='7',ua='ends with a backslash\'*/;
INSERT INTO t VALUES (17) /*userId='7',ua='ends with a backslash\',role='clerk'*/;
-- nor can it forge one: neither by a quote that the application escapes, nor by tags of its own
INSERT INTO t VALUES (18) /*userId='7',ua='x\',userId=1,z=\''*/;
INSERT INTO t VALUES (19) /*userId='7',ua='x\',userId=\'1'*/;
INSERT INTO t VALUES (20) /*userId='7',ua='a='1'*/;
-- so many are named, the others counted; a long name is cut
SELECT format('INSERT INTO t VALUES (21) /*userId=''7'',%s,%s=''%%''*/', (SELECT string_agg(format('a%s=''%%''', n), ',') FROM generate_series(1, 14) n), repeat('k', 100)) AS few,
    format('INSERT INTO t VALUES (22) /*userId=''7'',%s*/', (SELECT string_agg(format('a%s=''%%''', n), ',') FROM generate_series(1, 1000) n)) AS many \gset
:few;
:many;
-- a statement with nothing but such a tag
INSERT INTO t VALUES (23) /*a='%'*/;
SELECT * FROM written();

-- the key that names them is the server's
INSERT INTO t VALUES (31) /*userId='7',bemi_dropped='nothing'*/;
INSERT INTO t VALUES (32) /*Bemi {"bemi_\u0064ropped": {"userId": "x"}, "userId": 7} Bemi*/;
SET bemi.context = '{"bemi_dropped": {"userId": "x"}, "userId": 7}';
INSERT INTO t VALUES (33) /*a='%'*/;
RESET bemi.context;
-- where the context is no object
INSERT INTO t VALUES (34) /*a='%'*/ /*Bemi [1] Bemi*/;
SET bemi.context = '["all"]';
INSERT INTO t VALUES (35) /*a='%'*/;
RESET bemi.context;
SET bemi.include = 'application_name';
INSERT INTO t VALUES (36) /*session='forged',a='%',bemi_dropped='nothing'*/;
RESET bemi.include;
-- what is replaced by something stronger is not lost
INSERT INTO t VALUES (37) /*a='1'*/ /*a='%',b='1'*/ /*b='2'*/;
SELECT * FROM written();

-- prose, code and hints are no tags
INSERT INTO t VALUES (41) /*+ a='1' */ /*+a='1'*/ /*+a='1',b='2'*/;
INSERT INTO t VALUES (42) /* SELECT a='1' */ /*WHERE a='1'*/ /*status='open' AND kind='x'*/ /*id=7*/ /*a=1,b=2*/ /*a='1', updated_at=now()*/;
INSERT INTO t VALUES (43) /*a='1', then b='2'*/ /*a='1';b='2'*/ /*a='1',,b='2'*/ /*,a='1'*/ /*a='1'.*/ /*a = '1'*/;
INSERT INTO t VALUES (44) /* insert app.Todo */ /*app.Todo*/ /*it's*/ /*='*/ /*='1'*/ /*a='*/ /*a*b='1'*/;
SELECT * FROM written();

-- a tag of a size that no decoder would take: the largest go
SELECT format('INSERT INTO t VALUES (51) /*userId=''7'',ua=''%s'',note=''short''*/', repeat('x', 1048576)) AS large,
    format('/*userId=''7'',ua=''%s'',more=''%s''*/ /*note=''short''*/', repeat('x', 600000), repeat('x', 600001)) AS two \gset
:large;
INSERT INTO t VALUES (52) :two;
SET bemi.context = '{"role": "clerk"}';
INSERT INTO t VALUES (53) :two;
SELECT set_config('bemi.context', format('{"role": "clerk", "filler": "%s"}', repeat('x', 600002)), false) <> '';
INSERT INTO t VALUES (54) :two;
SELECT regexp_replace(w, 'x{9,}', 'x…') FROM written() w;

SELECT pg_drop_replication_slot('regress');
DROP TABLE t;

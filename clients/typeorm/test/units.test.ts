// The parts that need no server: what statements do, JSON in both directions, and where a context is seen.

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { carryContext, currentContext, mergeContext, withContext } from '@bemi-decoder/typeorm'
import { DataSource } from 'typeorm'
import { parseExactly } from '../dist/exact'
import { toJson } from '../dist/serialize'
import { classify } from '../dist/statement'
import { seededRandom } from './support'

const random = seededRandom()
const below = (limit: number): number => Math.floor(random() * limit)
const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T

describe('a statement', () => {
  const READS = [
    'SELECT 1', '  -- INSERT\n select 1', '/* a /* nested */ INSERT */ SELECT 1', '(SELECT 1)', 'TABLE t', 'VALUES (1)',
    "SELECT 'x INTO y'", 'SELECT "into" FROM t', 'SELECT $$ INTO $$', 'SELECT $a$ $$ INTO $a$', "SELECT E'\\' INTO '", 'SELECT x FROM t FOR UPDATE',
    'WITH a AS (SELECT 1) SELECT * FROM a FOR NO KEY UPDATE', "WITH a AS (SELECT 'delete') SELECT x.update FROM a x",
    'SHOW all', 'EXPLAIN UPDATE t SET a = 1', 'EXPLAIN (ANALYZE) SELECT 1', 'EXPLAIN ANALYZE', 'EXPLAIN ANALYZE VERBOSE SELECT a AS b FROM t FOR UPDATE', 'SET a = 1', 'LOCK TABLE t', 'COPY t TO STDOUT',
    'COPY (SELECT 1) TO STDOUT', '', ';', '-- nothing', "SELECT 1; SELECT 'INSERT'; SHOW all", 'FETCH 1 FROM c', 'LISTEN x'
  ]
  const WRITES = [
    'INSERT INTO t VALUES (1)', 'update t set a = 1', '\n/* x */ DELETE FROM t', 'MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE',
    'TRUNCATE t', 'WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a', 'WITH a AS MATERIALIZED (INSERT INTO t VALUES (1) RETURNING 1) SELECT 1',
    'WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a', 'WITH a(b) AS (SELECT 1) UPDATE t SET x = 1', 'SELECT 1 INTO t', 'SELECT a, (SELECT 1) INTO TEMP t FROM u',
    'CALL p()', 'DO $$ BEGIN END $$', 'EXECUTE p(1)', 'EXPLAIN ANALYZE DELETE FROM t', 'EXPLAIN (ANALYZE, COSTS off) WITH a AS (DELETE FROM t RETURNING 1) SELECT 1',
    'EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1', 'EXPLAIN ANALYZE VERBOSE EXECUTE p', 'EXPLAIN (ANALYZE) SELECT 1 INTO t', "COPY t FROM '/file'", 'COPY (DELETE FROM t RETURNING *) TO STDOUT', 'CREATE TABLE t AS SELECT 1',
    'ALTER TABLE t ADD a int', 'CREATE EXTENSION x', 'SELECT 1; DELETE FROM t', 'BEGIN; UPDATE t SET a = 1; COMMIT', 'COMMIT;INSERT INTO t VALUES (1)',
    'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC INSERT INTO t VALUES (1); SELECT 1; END'
  ]
  const ALONE = [
    'VACUUM t', 'REINDEX TABLE t', 'CLUSTER', 'CREATE DATABASE d', 'DROP DATABASE d', 'CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)', 'DROP INDEX CONCURRENTLY i',
    'ALTER SYSTEM SET a = 1', 'CREATE SUBSCRIPTION s CONNECTION \'\' PUBLICATION p', 'ALTER TABLE t DETACH PARTITION p CONCURRENTLY', 'COMMIT PREPARED \'x\''
  ]

  it('that reads', () => {
    for (const sql of READS) assert.equal(classify(sql, false).writes, false, sql)
  })

  it('that writes', () => {
    for (const sql of WRITES) assert.equal(classify(sql, false).writes, true, sql)
  })

  it('that can share no transaction', () => {
    for (const sql of ALONE) assert.equal(classify(sql, false).writes, false, sql)
  })

  it('that may end a transaction, or take a part of it back', () => {
    for (const sql of ['COMMIT', 'rollback to s', 'ROLLBACK', 'END', 'ABORT', "PREPARE TRANSACTION 'x'", 'CALL p()', 'DO $$ $$', 'SELECT 1; ROLLBACK']) {
      assert.equal(classify(sql, false).staysInTransaction, false, sql)
    }
    for (const sql of ['SAVEPOINT s', 'RELEASE s', 'SELECT 1', 'INSERT INTO t VALUES (1)', 'WITH a AS (DELETE FROM t) SELECT 1']) {
      assert.equal(classify(sql, false).staysInTransaction, true, sql)
    }
  })

  it('of several', () => {
    for (const sql of ['INSERT INTO t VALUES (1); SELECT 1', "INSERT INTO t VALUES ('\\'; '); SELECT 1 --'"]) assert.equal(classify(sql, false).several, true, sql)
    for (const sql of ['INSERT INTO t VALUES (1);', "INSERT INTO t VALUES ('a; b')", 'DO $$ a; b; $$', "DELETE FROM t -- ; x\n;"]) {
      assert.equal(classify(sql, false).several, false, sql)
    }
    assert.equal(classify('INSERT INTO t VALUES ($1); SELECT 1', true).several, false)
  })

  it('of megabytes, unfinished or of nothing but brackets is read in no time', () => {
    for (const part of ["'", '"', '(', ')', '/*', '*/', '$a$', '\\', '--\n', "''", ' ', 'a ', ';', "E'\\'"]) {
      const started = Date.now()
      for (const first of ['', 'SELECT INTO ', 'WITH delete ', 'x; ']) classify(first + part.repeat(200_000), false)
      assert.ok(Date.now() - started < 20_000, part)
    }
  })
})

describe('JSON', () => {
  function value(depth: number): unknown {
    const kind = below(depth > 0 ? 9 : 7)
    if (kind === 0) return pick([null, true, false, undefined])
    if (kind === 1) return below(1000) - 500
    if (kind === 2) return pick([random(), -random() * 1e300, 5e-324, Number.MAX_SAFE_INTEGER, -0, NaN, Infinity])
    if (kind === 3) return new Date(below(2 ** 41))
    if (kind < 7) return Array.from({ length: below(8) }, () => pick(['a', '"', '\\', 'é', '🐘', '\u2028', '\n', '\u0001', '\u007f', '*/'])).join('')
    if (kind === 7) return Array.from({ length: below(5) }, () => value(depth - 1))
    return Object.fromEntries(Array.from({ length: below(5) }, () => [String(value(0)), value(depth - 1)]))
  }

  it('says what JSON.stringify says, in ASCII', () => {
    for (let i = 0; i < 3000; i++) {
      const sample = value(5)
      const json = toJson(sample)
      if (json !== undefined) assert.match(json, /^[ -~]*$/)
      assert.equal(json === undefined ? json : JSON.stringify(JSON.parse(json)), JSON.stringify(sample))
    }
  })

  it('comes back, and long numbers as strings', () => {
    for (let i = 0; i < 5000; i++) {
      const digits = (length: number): string => Array.from({ length: 1 + below(length) }, () => below(10)).join('')
      const number = `${pick(['', '-'])}${String(BigInt(digits(25)))}${pick(['', `.${digits(20)}`])}${pick(['', '', `e${below(60) - 30}`])}`
      const [text, parsed] = ['"' + number + '"', parseExactly(`{"a": [${number}, "${number}", 1]}`) as { a: unknown[] }]
      assert.equal(parsed.a[1], JSON.parse(text))
      const [got] = parsed.a
      if (typeof got === 'string') assert.equal(got, number)
      else assert.equal(exactly(String(got)), exactly(number), number)
      if (Math.abs(Number(number)) < 2 ** 53 && /^-?\d+$/.test(number)) assert.equal(typeof got, 'number')
    }
    assert.deepEqual(parseExactly('[9007199254740992, 9007199254740993, -9007199254740993, 0.10, 1e3, "a\\"9007199254740993"]'),
      [9007199254740992, '9007199254740993', '-9007199254740993', 0.1, 1000, 'a"9007199254740993'])
  })

  /** A decimal number as a fraction in lowest terms of powers of ten. */
  function exactly(text: string): string {
    const [mantissa = '', exponent = '0'] = text.split('e')
    const [whole = '', fraction = ''] = mantissa.split('.')
    const shift = Number(exponent) - fraction.length + 400
    return String(BigInt(whole + fraction) * 10n ** BigInt(shift))
  }
})

describe('the context', () => {
  it('follows promises, timers, callbacks and generators', async () => {
    const seen: unknown[] = []
    const emitter = new EventEmitter()
    emitter.on('now', () => seen.push(currentContext()?.n))
    await Promise.all(
      [1, 2, 3].map((n) =>
        withContext({ n }, async () => {
          for (const wait of [delay(random() * 5), new Promise((resolve) => setTimeout(resolve, 1)), new Promise(setImmediate), null]) {
            await wait
            assert.deepEqual(currentContext(), { n })
          }
          await new Promise<void>((resolve) => { process.nextTick(() => { assert.deepEqual(currentContext(), { n }); resolve() }) })
          emitter.emit('now')
        })
      )
    )
    assert.deepEqual(seen.sort(), [1, 2, 3])
    assert.equal(currentContext(), undefined)
  })

  it('gives what its function gives, and throws what it throws', async () => {
    assert.equal(withContext({ a: 1 }, () => 7), 7)
    assert.equal(await withContext({ a: 1 }, () => Promise.resolve(7)), 7)
    assert.throws(() => withContext({ a: 1 }, () => { throw new Error('x') }), /x/)
    assert.equal(currentContext(), undefined)
  })

  it('is replaced inside of another, and merged where one says so', () => {
    withContext({ a: 1, b: 1 }, () => {
      mergeContext({ b: 2, c: 3 })
      assert.deepEqual(currentContext(), { a: 1, b: 2, c: 3 })
      withContext({ d: 4 }, () => {
        mergeContext({ e: 5 })
        assert.deepEqual(currentContext(), { d: 4, e: 5 })
        withContext(undefined, () => { assert.equal(currentContext(), undefined) })
      })
      assert.deepEqual(currentContext(), { a: 1, b: 2, c: 3 })
    })
    assert.throws(() => { mergeContext({ a: 1 }) }, /outside of a request/)
  })

  it('wants a DataSource of PostgreSQL', () => {
    assert.throws(() => carryContext(new DataSource({ type: 'sqljs' })), /of type postgres, and this one is of type sqljs|not been found/)
  })
})

// A context changes nothing about a statement: results, errors, timeouts and isolation are those without it. And
// whatever the context holds, the record has it, or says what was left out.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { carryContext, withContext } from '@bemi-decoder/typeorm'
import type { DataSource } from 'typeorm'
import { type ChangeRecord, TestDatabase, Todo } from './support'

let database: TestDatabase
let dataSource: DataSource
let bare: DataSource

const SETUP = `
  CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price numeric, at timestamptz, data jsonb, ids bigint[], made text DEFAULT 'x');
  CREATE TABLE child (id int PRIMARY KEY, item int REFERENCES item DEFERRABLE INITIALLY DEFERRED);
  CREATE PROCEDURE steps() LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE item SET name = 'first'; COMMIT;
    UPDATE item SET name = 'second'; ROLLBACK;
  END $$;
  CREATE FUNCTION this_query() RETURNS text LANGUAGE sql AS 'SELECT current_query()';`

const RESET = `
  DELETE FROM child; DELETE FROM item; DROP TABLE IF EXISTS made; DROP INDEX IF EXISTS item_name;
  INSERT INTO item SELECT g, 'item ' || g, g / 3.0, '2026-01-02 03:04:05.678901+00', '{"a": [1]}', '{9007199254740993}' FROM generate_series(1, 5) g`

before(async () => {
  database = await TestDatabase.make('typeorm_unchanged')
  dataSource = carryContext(await database.dataSource())
  bare = await database.dataSource()
  await database.plain.query(SETUP)
  await database.startSlots()
})

after(async () => {
  await database.plain.query('DROP DATABASE IF EXISTS typeorm_made')
  await dataSource.destroy()
  await bare.destroy()
  await database.drop()
})

/** Statements whose outcome is compared, each with its parameters. */
const STATEMENTS: [string, unknown[]?][] = [
  ['INSERT INTO item VALUES ($1, $2, $3, $4, $5, $6) RETURNING *', [6, 'six', '1.10', new Date(0), { b: 1 }, ['9007199254740993']]],
  ["INSERT INTO item VALUES (7, 'seven; x') RETURNING *, this_query()"],
  ["INSERT INTO item VALUES (1, 'again') ON CONFLICT DO NOTHING"],
  ["UPDATE item SET price = NULL WHERE id > 2 RETURNING id, xmin::text = pg_current_xact_id()::text AS mine"],
  ['DELETE FROM item WHERE id = ANY ($1)', [[1, 2]]],
  ['DELETE FROM item WHERE false'],
  ['WITH gone AS (DELETE FROM item RETURNING id) SELECT count(*) FROM gone'],
  ["INSERT INTO item VALUES (8, 'a'); UPDATE item SET name = 'b'; SELECT id FROM item ORDER BY id"],
  ["INSERT INTO item VALUES (8, 'a'); SELECT 1/0; SELECT id FROM item"],
  ["BEGIN; INSERT INTO item VALUES (8, 'a'); ROLLBACK"],
  ["COMMIT; INSERT INTO item VALUES (8, 'a'); COMMIT"],
  ['CALL steps()'],
  ["DO $$ BEGIN UPDATE item SET name = 'do; x'; COMMIT; UPDATE item SET name = 'y'; ROLLBACK; END $$"],
  // Errors of all phases, with their place in the text.
  ['INSERT INTO nothing VALUES (1)'],
  ['INSERT INTO item VALUES (1, $1)', ['duplicate']],
  ['INSERT INTO item VALUES (10, NULL)'],
  ['INSERT INTO item (id, nam) VALUES (1, 2)'],
  ["/* ä */ INSERT INTO item (id, nam) VALUES (1, 'a;b')"],
  ["UPDATE item SET name = 'ä'; UPDATE item SET nam = 'x'"],
  ['UPDATE item SET id = id / 0'],
  ['UPDATE item SET id = $1', ['no number']],
  ['INSERT INTO child VALUES (1, 99)'],
  ["INSERT INTO child VALUES (1, 99); INSERT INTO item VALUES (99, 'late')"],
  ['INSERT INTO item VALUES ($1, $2); SELECT 1', [11, 'two']],
  ['INSRT INTO item VALUES (1)'],
  // What refuses to share a transaction.
  ['VACUUM item'],
  ['CREATE INDEX CONCURRENTLY item_name ON item (name)'],
  ['REINDEX INDEX CONCURRENTLY item_pkey'],
  ['DROP INDEX CONCURRENTLY IF EXISTS item_name'],
  ['CREATE DATABASE typeorm_made'],
  ['DROP DATABASE IF EXISTS typeorm_made'],
  ['VACUUM item; SELECT 1'],
  ['TRUNCATE item CASCADE'],
  ['CREATE TABLE IF NOT EXISTS made AS SELECT 1 AS id'],
  ['ALTER TABLE child ADD CHECK (id > 0)'],
  [';;'],
  ['INSERT INTO item SELECT g, repeat(g::text, 3) FROM generate_series(100, 1100) g RETURNING id, name']
]

interface Outcome {
  result?: unknown
  error?: object
  item: unknown
  status: unknown
}

/** Everything that can be seen of a statement. */
async function outcome(source: DataSource, prelude: string[], sql: string, parameters?: unknown[]): Promise<Outcome> {
  await database.plain.query(RESET)
  if (sql.includes('typeorm_made')) await database.plain.query('DROP DATABASE IF EXISTS typeorm_made')
  const runner = source.createQueryRunner()
  const client = (await runner.connect()) as { getTransactionStatus: () => string }
  const outcome: Partial<Outcome> = {}
  try {
    for (const statement of prelude) await runner.query(statement)
    outcome.result = await runner.query(sql, parameters, true)
  } catch (error) {
    const { name, message, code, detail, hint, position, constraint, routine, query, where } = error as Record<string, unknown>
    outcome.error = { name, message, code, detail, hint, position, constraint, routine, query, where }
  }
  await runner.query(';') // an error comes before the server is ready again
  outcome.status = client.getTransactionStatus()
  if (outcome.status !== 'I') await runner.query('ROLLBACK')
  await runner.query('RESET ALL')
  outcome.item = (await runner.query('SELECT i.* FROM item i ORDER BY id')) as unknown
  await runner.release()
  return outcome as Outcome
}

describe('a context leaves a statement as it is', () => {
  for (const [name, prelude] of [
    ['outside of a transaction', []],
    ['in a transaction', ['BEGIN ISOLATION LEVEL REPEATABLE READ', 'SAVEPOINT s']],
    ['where all is serializable', ["SET default_transaction_isolation = 'serializable'"]],
    ['where all is read only', ['SET default_transaction_read_only = on']],
    ['with backslashes in strings', ['SET standard_conforming_strings = off', 'SET escape_string_warning = off']]
  ] as [string, string[]][]) {
    it(name, async () => {
      for (const [sql, parameters] of STATEMENTS) {
        const expected = await outcome(bare, prelude, sql, parameters)
        const got = await withContext({ sql: "'; DROP TABLE item; --*/ \\" }, () => outcome(dataSource, prelude, sql, parameters))
        assert.deepEqual(got, expected, sql)
      }
    })
  }

  it('where the server gives up', async () => {
    const prelude = ["SET statement_timeout = '50ms'"]
    const sql = 'UPDATE item SET price = 1 FROM pg_sleep(10)'
    const expected = await outcome(bare, prelude, sql)
    assert.deepEqual(await withContext({ a: 1 }, () => outcome(dataSource, prelude, sql)), expected)
    assert.equal((expected.error as { code: string }).code, '57014')
  })

  it('where the client gives up', async () => {
    const impatient = carryContext(await database.dataSource({ extra: { query_timeout: 200 } }))
    await withContext({ a: 1 }, () =>
      assert.rejects(impatient.query('UPDATE todo SET version = 1 FROM pg_sleep(1)'), /Query read timeout/)
    )
    await impatient.destroy()
  })

  it('where values are no values', async () => {
    const bad = { toPostgres: () => { throw new Error('no value') } }
    for (const source of [bare, dataSource]) {
      await withContext({ a: 1 }, async () => {
        const runner = source.createQueryRunner()
        await assert.rejects(runner.query('INSERT INTO todo (task) VALUES ($1)', [bad]), /no value/)
        await assert.rejects(runner.query('INSERT INTO todo (task) VALUES ($1)', { length: 1 } as unknown as []), /must be an array|named placeholders/)
        assert.deepEqual(await runner.query('SELECT 1 AS one'), [{ one: 1 }])
        await runner.release()
      })
    }
  })

  it('where the connection dies', async () => {
    await withContext({ a: 1 }, async () => {
      await assert.rejects(
        dataSource.query('INSERT INTO todo (task, version) SELECT pg_terminate_backend(pg_backend_pid())::text, 1'),
        /terminating connection|Connection terminated/
      )
      await delay(200) // the pool must have noticed
      await dataSource.getRepository(Todo).insert({ task: 'alive' })
    })
  })
})

const circular: Record<string, unknown> = { name: 'circular' }
circular.self = circular
const deep = JSON.parse('['.repeat(5000) + ']'.repeat(5000)) as unknown

const CONTEXTS: [string, Record<string, unknown>, unknown?][] = [
  ['the end of a comment', { a: "*/ DELETE FROM todo; -- '" }],
  ['quotes and backslashes', { 'k"\\': `'"\\\\'' $$ E'\\'' $1 ; -- /*` }],
  ['unicode', { grüße: 'žluťoučký кот 猫 🐘 \u2028 \ufeff \u007f' }],
  ['control characters', { a: '\u0001\b\t\n\r\u001f' }],
  ['NUL', { id: 7, a: 'x\u0000y' }, { id: 7, a: 'x\ufffdy' }],
  ['half a pair', { id: 7, a: '\ud83d', b: '\udc18x', c: '🐘' }, { id: 7, a: '\ufffd', b: '\ufffdx', c: '🐘' }],
  ['a NUL in a key', { 'a\u0000': 1 }, { 'a\ufffd': 1 }],
  ['a circle', circular, { name: 'circular', self: '[left out: circular]' }],
  ['a getter that fails', { id: 7, get a() { throw new Error('no') } }, { id: 7, a: '[left out: unreadable]' }],
  ['dates and the like', { at: new Date(0), map: new Map([[1, 2]]), none: undefined, fn: () => 1, n: NaN, list: [undefined] },
    { at: '1970-01-01T00:00:00.000Z', map: {}, n: null, list: [null] }],
  ['numbers', { max: Number.MAX_VALUE, min: Number.MIN_VALUE, half: 0.1, e: 1e21 }],
  ['__proto__', JSON.parse('{"__proto__": {"a": 1}, "b": 2}') as Record<string, unknown>]
]

describe('the record has', () => {
  async function recordWith(context: Record<string, unknown>, options = {}): Promise<ChangeRecord> {
    await database.records(options)
    await withContext(context, () => dataSource.query('INSERT INTO todo (task, version) VALUES (gen_random_uuid(), 1)'))
    const [first, ...others] = await database.records(options)
    assert.equal(others.length, 0)
    assert.ok(first)
    return first
  }

  for (const [name, context, expected] of CONTEXTS) {
    it(name, async () => {
      const record = await recordWith(context)
      assert.equal(record.context_error, undefined)
      assert.deepEqual(record.context, expected ?? context)
    })
  }

  it('a context of several statements', async () => {
    await database.records()
    const context = { a: "'; SELECT 1/0; --\\' \\\\ 🐘 */" }
    const sql = 'INSERT INTO todo (task, version) VALUES (gen_random_uuid(), 1); DELETE FROM todo'
    await withContext(context, () => dataSource.query(sql))
    for (const record of await database.records()) assert.deepEqual(record.context, context)
  })

  it('an exact BigInt', async () => {
    await database.messages()
    await recordWith({ id: 9007199254740993n })
    assert.deepEqual(await database.messages(), ['{"id":9007199254740993}'])
  })

  it('what is nested too deep, as far as it goes', async () => {
    const record = await recordWith({ userId: 7, deep })
    assert.equal(record.context_error, undefined)
    assert.equal((record.context as { userId: number }).userId, 7)
    assert.match(JSON.stringify(record.context), /^\{"userId":7,"deep":\[{63}"\[left out: nested too deep\]"\]{63}\}$/)
  })

  it('2 MB, where that is wanted', async () => {
    const context = { userId: 7, params: 'x'.repeat(2 << 20) }
    carryContext(dataSource, { maxContextSize: 4 << 20 })
    assert.deepEqual((await recordWith(context, { max_context_size: '4MB' })).context, context)
    carryContext(dataSource)
  })

  it('what is left of 2 MB otherwise', async () => {
    const record = await recordWith({ userId: 7, params: { a: 'ä'.repeat(1 << 20) }, more: 'x'.repeat(1000) })
    assert.equal(record.context_error, undefined)
    assert.deepEqual(record.context, { userId: 7, params: '[left out: 6291464 bytes]', more: 'x'.repeat(1000) })
  })

  it('1 MB to the byte', async () => {
    const context = { a: 'x'.repeat((1 << 20) - 8) }
    const record = await recordWith(context)
    assert.equal(record.context_error, undefined)
    assert.deepEqual(record.context, context)
  })

  it('the context of another encoding', async () => {
    const maintenance = await database.dataSource({ database: 'postgres', synchronize: false })
    await maintenance.query('DROP DATABASE IF EXISTS typeorm_latin1')
    await maintenance.query("CREATE DATABASE typeorm_latin1 ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    await maintenance.destroy()
    const latin1 = carryContext(await database.dataSource({ database: 'typeorm_latin1' }))
    await withContext({ a: 'кот 猫' }, async () => {
      await latin1.getRepository(Todo).insert({ task: 'é' })
      await latin1.query("INSERT INTO todo (task, version) VALUES ('x', 1); DELETE FROM todo")
    })
    await latin1.destroy()
    await database.plain.query('DROP DATABASE typeorm_latin1')
  })
})

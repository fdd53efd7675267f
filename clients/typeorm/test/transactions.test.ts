// A transaction may hold several contexts, and none: each write has that of the code that made it, whatever is rolled
// back in between.

import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { carryContext, withContext } from '@bemi-decoder/typeorm'
import type { DataSource } from 'typeorm'
import { TestDatabase } from './support'

let database: TestDatabase
let dataSource: DataSource

before(async () => {
  database = await TestDatabase.make('typeorm_transactions')
  dataSource = carryContext(await database.dataSource())
  await database.startSlots()
})

after(async () => {
  await dataSource.destroy()
  await database.drop()
})

let count = 0
const task = (): string => `task ${++count}`

describe('transactions', () => {
  beforeEach(() => database.messages())

  const insert = (runner: { query: (sql: string) => Promise<unknown> }): Promise<unknown> =>
    runner.query(`INSERT INTO todo (task, version) VALUES ('${task()}', 1)`)

  async function contexts(): Promise<string[]> {
    return (await database.records()).map((record) => JSON.stringify(record.context))
  }

  it('hold several contexts, and none', async () => {
    await dataSource.transaction(async (manager) => {
      await insert(manager)
      await withContext({ n: 1 }, () => insert(manager))
      await withContext({ n: 1 }, () => insert(manager))
      await withContext({ n: 2 }, () => insert(manager))
      await insert(manager)
      await withContext({ n: 2 }, async () => {
        await withContext(null, () => insert(manager))
        await insert(manager)
      })
    })
    assert.deepEqual(await contexts(), ['{}', '{"n":1}', '{"n":1}', '{"n":2}', '{}', '{}', '{"n":2}'])
    assert.deepEqual(await database.messages(), ['{}', '{"n":1}', '{"n":2}', '{}', '{"n":2}'])
  })

  it('send a context again that a savepoint took with it', async () => {
    await withContext({ n: 1 }, () =>
      dataSource.transaction(async (manager) => {
        await assert.rejects(
          manager.transaction(async (inner) => {
            await insert(inner)
            throw new Error('back')
          })
        )
        await insert(manager)
        await assert.rejects(manager.transaction((inner) => inner.query('INSERT INTO todo (task) VALUES (1/0)')))
        await insert(manager)
        await manager.transaction(insert)
        await insert(manager)
      })
    )
    assert.deepEqual(await contexts(), ['{"n":1}', '{"n":1}', '{"n":1}', '{"n":1}'])
  })

  it('leave writes without a context alone, whatever is rolled back after them', async () => {
    await dataSource.transaction(async (manager) => {
      await insert(manager)
      for (const n of [1, 2]) {
        await manager.query('SAVEPOINT s')
        await withContext({ n }, () => insert(manager))
        if (n === 1) await manager.query('ROLLBACK TO s')
      }
    })
    assert.deepEqual(await contexts(), ['{}', '{"n":2}'])
  })

  it('begun, chained and ended by raw statements', async () => {
    const runner = dataSource.createQueryRunner()
    await withContext({ n: 1 }, async () => {
      await runner.query('BEGIN')
      await insert(runner)
      await runner.query('COMMIT AND CHAIN')
      await insert(runner)
      await runner.query('ROLLBACK AND CHAIN')
      await insert(runner)
      await runner.query('COMMIT')
      await insert(runner)
    })
    await insert(runner)
    await runner.release()
    assert.deepEqual(await contexts(), ['{"n":1}', '{"n":1}', '{"n":1}', '{}'])
  })

  it('with statements that nobody waits for', async () => {
    const runner = dataSource.createQueryRunner()
    const client = (await runner.connect()) as { query: (sql: string) => Promise<unknown> }
    const write = (n: number): Promise<unknown> => withContext({ n }, () => insert(client))
    await Promise.all([
      client.query('BEGIN'), write(1), client.query('SAVEPOINT s'), write(2), client.query('ROLLBACK TO s'), write(1),
      write(2), client.query('SAVEPOINT s'), client.query('ROLLBACK TO s'), write(2), client.query('COMMIT'), write(2)
    ])
    await runner.release()
    assert.deepEqual(await contexts(), ['{"n":1}', '{"n":1}', '{"n":2}', '{"n":2}', '{"n":2}'])
  })

  it('in pipeline mode', async () => {
    const piped = carryContext(await database.dataSource({ extra: { pipeline: true } }))
    const runner = piped.createQueryRunner()
    const client = (await runner.connect()) as { query: (sql: string, values?: unknown[]) => Promise<unknown> }
    await withContext({ n: 1 }, () => Promise.all([insert(client), insert(client), client.query('BEGIN'), insert(client), client.query('COMMIT')]))
    await runner.release()
    await piped.destroy()
    assert.deepEqual(await contexts(), ['{"n":1}', '{"n":1}', '{"n":1}'])
  })
})

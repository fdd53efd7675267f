// Every way in which a DataSource writes carries the context, and nothing else does.

import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { carryContext, withContext } from '@bemi-decoder/typeorm'
import QueryStream from 'pg-query-stream'
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm'
import { type ChangeRecord, Note, summary, TestDatabase, Todo } from './support'

class AddLabel1700000000000 implements MigrationInterface {
  name = 'AddLabel1700000000000'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE label AS SELECT 1 AS id')
    await runner.query("INSERT INTO label VALUES (2); INSERT INTO label VALUES (3)")
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DELETE FROM label')
  }
}

let database: TestDatabase
let dataSource: DataSource

before(async () => {
  database = await TestDatabase.make('typeorm_writes')
  dataSource = carryContext(await database.dataSource({ migrations: [AddLabel1700000000000] }))
  await database.plain.query(`
    CREATE PROCEDURE add_todos(tasks text[]) LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO todo (task, version) SELECT unnest(tasks), 1;
    END $$;
    CREATE FUNCTION archive() RETURNS int LANGUAGE sql AS $$ INSERT INTO todo (task, version) VALUES ('archived', 1) RETURNING 1 $$;`)
  await database.startSlots()
})

after(async () => {
  await dataSource.destroy()
  await database.drop()
})

let count = 0
const task = (): string => `task ${++count}`

async function savedTodo(): Promise<Todo> {
  const todo = await dataSource.manager.save(Object.assign(new Todo(), { task: task() }))
  await database.records()
  await database.messages()
  return todo
}

/** Runs it in a context; all records have that context, and there are as many as expected. */
async function carries(expected: string[], write: () => Promise<unknown>): Promise<ChangeRecord[]> {
  const context = { of: ++count }
  await withContext(context, write)
  const records = await database.records()
  assert.deepEqual(
    summary(records),
    expected.map((what) => `${what} ${JSON.stringify(context)}`)
  )
  return records
}

describe('writes', () => {
  it('save inserts, updates, and cascades', async () => {
    const todo = Object.assign(new Todo(), { task: task(), notes: [Object.assign(new Note(), { text: 'a' })] })
    await carries(['CREATE todo', 'CREATE note'], () => dataSource.manager.save(todo))
    todo.isCompleted = true
    await carries(['UPDATE todo'], () => dataSource.getRepository(Todo).save(todo))
    await carries(['UPDATE todo'], () => dataSource.getRepository(Todo).save({ id: todo.id, task: task() }, { transaction: false }))
    await carries(['DELETE todo', 'DELETE note'], () => dataSource.query('DELETE FROM todo WHERE id = $1', [todo.id]))
    await dataSource.manager.save(todo)
    await database.records()
    const removed = await withContext({ n: 1 }, () => dataSource.manager.remove(todo)).then(() => database.records())
    // TypeORM 1 removes the notes itself, 0.3 leaves them to the foreign key.
    assert.deepEqual(summary(removed).sort(), ['DELETE note {"n":1}', 'DELETE todo {"n":1}'])
  })

  it('insert, update, increment, upsert, delete, clear', async () => {
    const todos = dataSource.getRepository(Todo)
    const name = task()
    await carries(['CREATE todo'], () => todos.insert({ task: name }))
    await carries(['UPDATE todo'], () => todos.update({ task: name }, { isCompleted: true }))
    await carries(['UPDATE todo'], () => todos.increment({ task: name }, 'version', 1))
    await carries(['UPDATE todo', 'CREATE todo'], () => todos.upsert([{ task: name }, { task: task() }], ['task']))
    await carries(['DELETE todo'], () => todos.delete({ task: name }))
    await dataSource.query('CREATE TABLE to_clear AS SELECT 1 AS id')
    await database.records()
    await carries(['TRUNCATE to_clear'], () => dataSource.query('TRUNCATE to_clear'))
  })

  it('softRemove, softDelete, restore', async () => {
    const todo = await savedTodo()
    const todos = dataSource.getRepository(Todo)
    await carries(['UPDATE todo'], () => todos.softRemove(todo))
    await carries(['UPDATE todo'], () => todos.recover(todo))
    await carries(['UPDATE todo'], () => todos.softDelete(todo.id))
    await carries(['UPDATE todo'], () => todos.restore(todo.id))
  })

  it('query builders', async () => {
    const name = task()
    await carries(['CREATE todo'], () => dataSource.createQueryBuilder().insert().into(Todo).values({ task: name }).execute())
    await carries(['UPDATE todo'], () =>
      dataSource.createQueryBuilder().update(Todo).set({ isCompleted: true }).where({ task: name }).returning('*').execute()
    )
    await carries(['DELETE todo'], () => dataSource.createQueryBuilder().delete().from(Todo).where({ task: name }).execute())
  })

  it('bulk inserts', async () => {
    const todos = Array.from({ length: 500 }, () => Object.assign(new Todo(), { task: task() }))
    const expected = Array.from(todos, () => 'CREATE todo')
    await database.messages()
    await carries(expected, () => dataSource.manager.save(todos, { chunk: 100 }))
    assert.deepEqual(await database.messages(), [`{"of":${count}}`], 'one message for the transaction')
  })

  it('raw queries, with and without parameters, one or several', async () => {
    await carries(['CREATE todo'], () => dataSource.query('INSERT INTO todo (task, version) VALUES ($1, 1)', [task()]))
    await carries(['CREATE todo'], () => dataSource.manager.query(`INSERT INTO todo (task, version) VALUES ('${task()}; x', 1)`))
    await carries(['CREATE todo', 'CREATE todo'], () =>
      dataSource.query(`INSERT INTO todo (task, version) VALUES ('${task()}', 1); INSERT INTO todo (task, version) VALUES ('${task()}', 1)`)
    )
    await carries(['CREATE todo'], () =>
      dataSource.query(`WITH x AS (INSERT INTO todo (task, version) VALUES ('${task()}', 1) RETURNING *) SELECT * FROM x`)
    )
    await carries(['CREATE todo', 'CREATE todo'], () => dataSource.query("CALL add_todos('{p,q}')"))
    await carries(['DELETE todo'], () => dataSource.query("DO $$ BEGIN DELETE FROM todo WHERE task = 'p'; END $$"))
    await carries(['DELETE todo'], () => dataSource.query("EXPLAIN (ANALYZE) DELETE FROM todo WHERE task = 'q'"))
    await carries(['CREATE copied'], () => dataSource.query('SELECT 1 AS id INTO copied'))
    await carries(['UPDATE copied', 'CREATE copied'], () =>
      dataSource.query('BEGIN; UPDATE copied SET id = 2; INSERT INTO copied VALUES (3); COMMIT')
    )
    await carries(['UPDATE copied', 'UPDATE copied'], () =>
      dataSource.query('MERGE INTO copied USING (SELECT 1) x ON true WHEN MATCHED THEN UPDATE SET id = 0')
    )
  })

  it('prepared, by name and by rows, by callback, and as a stream', async () => {
    const runner = dataSource.createQueryRunner()
    const client = (await runner.connect()) as { query: (...args: unknown[]) => Promise<{ rows: unknown[] }> }
    const insert = { name: 'insert', text: 'INSERT INTO copied VALUES ($1) RETURNING id' }
    for (const id of [10, 11]) {
      await carries(['CREATE copied'], async () => {
        assert.deepEqual((await client.query({ ...insert, values: [id] })).rows, [{ id }])
      })
    }
    await assert.rejects(
      withContext({ a: 1 }, () => client.query({ name: 'wrong', text: 'INSERT INTO copied VALUES (nothing)', values: [] })),
      /nothing/
    )
    await assert.rejects(client.query({ name: 'wrong', text: 'INSERT INTO copied VALUES (nothing)', values: [] }), /nothing/)
    const late = { name: 'late', text: 'INSERT INTO copied VALUES ($1)', values: [12] }
    await client.query('BEGIN')
    await assert.rejects(client.query('SELECT 1/0'))
    await assert.rejects(withContext({ a: 1 }, () => client.query(late)), /current transaction is aborted/)
    await client.query('ROLLBACK')
    await carries(['CREATE copied'], () => client.query(late))
    await carries(['CREATE copied', 'CREATE copied', 'CREATE copied'], () =>
      client.query({ text: 'INSERT INTO copied SELECT generate_series(20, 22) RETURNING id', rows: 2, values: [] })
    )
    await carries(['DELETE copied', 'DELETE copied', 'DELETE copied'], async () => {
      const rows = await runner.stream('DELETE FROM copied WHERE id >= $1 RETURNING id', [20])
      assert.ok(rows instanceof QueryStream)
      const ids: unknown[] = []
      for await (const row of rows) ids.push((row as { id: number }).id)
      assert.deepEqual(ids, [20, 21, 22])
    })
    await carries(
      ['DELETE copied'],
      () => new Promise((resolve) => client.query('DELETE FROM copied WHERE id = 10', (_: unknown, result: unknown) => { resolve(result) }))
    )
    await runner.release()
  })

  it('migrations, in one transaction, each in its own, and in none', async () => {
    for (const transaction of ['all', 'each', 'none'] as const) {
      await carries(['CREATE label', 'CREATE label', 'CREATE label', 'CREATE migrations'], () => dataSource.runMigrations({ transaction }))
      await carries(['DELETE label', 'DELETE label', 'DELETE label', 'DELETE migrations'], () => dataSource.undoLastMigration({ transaction }))
      await dataSource.query('DROP TABLE label')
    }
  })

  it('a pool that is new after setOptions, and before initialize', async () => {
    const other = carryContext(await database.dataSource())
    await other.destroy()
    other.setOptions({ applicationName: 'other' })
    await other.initialize()
    await carries(['CREATE todo'], () => other.getRepository(Todo).insert({ task: task() }))
    await other.destroy()
  })

  it('what only looks like a read, where isWrite knows', async () => {
    const query = 'SELECT archive()'
    carryContext(dataSource, { isWrite: (sql) => (sql === query ? true : undefined) })
    await carries(['CREATE todo'], () => dataSource.query(query))
    carryContext(dataSource)
  })
})

describe('reads', () => {
  afterEach(() => database.records())

  it('and the commands of transactions get nothing', async () => {
    await savedTodo()
    await withContext({ n: 1 }, async () => {
      const todos = dataSource.getRepository(Todo)
      await todos.find({ relations: { notes: true }, order: { id: 'ASC' }, take: 3 })
      await todos.count()
      await todos.exists({ where: { task: 'insert into' } })
      await dataSource.transaction('SERIALIZABLE', async (manager) => {
        await manager.findOne(Todo, { where: {}, lock: { mode: 'pessimistic_write' } })
        await manager.transaction((inner) => inner.find(Todo))
        await manager.query('LOCK TABLE todo IN SHARE MODE')
      })
      await dataSource.query("WITH t AS (SELECT 'delete' AS x) SELECT x FROM t")
      await dataSource.query('SELECT $1::text', ['INSERT INTO'])
      await dataSource.query('SHOW server_version')
      await dataSource.query('EXPLAIN DELETE FROM todo')
      await dataSource.query("SELECT 'a; b'")
      const runner = dataSource.createQueryRunner()
      const rows = await runner.stream('SELECT id FROM todo')
      for await (const row of rows) assert.ok(row)
      await runner.release()
    })
    assert.deepEqual(await database.messages(), [])
  })

  it('and neither do writes without a context', async () => {
    await dataSource.getRepository(Todo).insert({ task: task() })
    await dataSource.transaction((manager) => manager.insert(Todo, { task: task() }))
    assert.deepEqual(await database.messages(), [])
    assert.deepEqual(summary(await database.records()), ['CREATE todo {}', 'CREATE todo {}'])
  })
})

// The entity Change and the questions to it, on what bemi_ingest has stored of a DataSource's writes.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { carryContext, Change, type ChangeRepository, changeRepository, withContext } from '@bemi-decoder/typeorm'
import { Column, DataSource, Entity, JsonContains, PrimaryColumn } from 'typeorm'
import { TestDatabase } from './support'

@Entity()
class Account {
  @PrimaryColumn({ type: 'bigint' })
  id: string

  @Column({ type: 'numeric', nullable: true })
  balance: string

  @Column({ type: 'jsonb', nullable: true })
  data: unknown
}

@Entity({ name: 'Line Item', schema: 'sales' })
class LineItem {
  @PrimaryColumn({ type: 'enum', enum: ['north', "so'uth"], enumName: 'region' })
  region: string

  @PrimaryColumn({ type: 'int', name: 'item_no' })
  number: number

  @PrimaryColumn({ type: 'timestamptz' })
  at: Date

  @Column({ type: 'text' })
  name: string
}

const BIG = '9007199254740993'
const program = process.env.BEMI_INGEST ?? 'bemi_ingest'
const run = promisify(execFile)

let source: TestDatabase
let destination: TestDatabase
let application: DataSource
let audit: DataSource
let changes: ChangeRepository

async function ingest(command: string, ...flags: string[]): Promise<void> {
  const ends = ['--source', source.connectionString(), '--destination', destination.connectionString()]
  await run(program, [command, ...ends, '--slot', 'typeorm_history', ...flags])
}

before(async () => {
  source = await TestDatabase.make('typeorm_history')
  destination = await TestDatabase.make('typeorm_audit')
  await source.plain.query('CREATE SCHEMA sales')
  application = carryContext(await source.dataSource({ entities: [Account, LineItem], synchronize: false }))
  await application.query('CREATE TABLE account (id bigint PRIMARY KEY, balance numeric, data jsonb)')
  await application.query(`CREATE TYPE region AS ENUM ('north', 'so''uth')`)
  await application.query('CREATE TABLE sales."Line Item" (region region, item_no int, at timestamptz, name text, PRIMARY KEY (region, item_no, at))')
  for (const table of ['account', 'sales."Line Item"']) await application.query(`ALTER TABLE ${table} REPLICA IDENTITY FULL`)
  await ingest('init')
  audit = await destination.dataSource({ entities: [Change] })
  changes = changeRepository(audit, application)
})

after(async () => {
  await application.destroy()
  await audit.destroy()
  await ingest('drop', '--yes')
  await source.drop()
  await destination.drop()
})

describe('history', () => {
  it('of an entity, with filters', async () => {
    const accounts = application.getRepository(Account)
    await withContext({ userId: 1, params: { a: 1 } }, () => accounts.insert([{ id: '1', balance: '1.10' }, { id: '2', balance: '2' }]))
    const account = await accounts.findOneByOrFail({ id: '1' })
    await withContext({ userId: 2 }, () => accounts.update(1, { balance: '5' }))
    await withContext({ userId: 1 }, () => accounts.delete(1))
    await ingest('run', '--until-current')

    const all = await changes.history(account)
    assert.deepEqual(all.map((change) => [change.operation, change.context.userId]), [['CREATE', 1], ['UPDATE', 2], ['DELETE', 1]])
    assert.deepEqual(all[1]?.before, { id: 1, balance: 1.1, data: null })
    assert.deepEqual(all[1]?.after, { id: 1, balance: 5, data: null })
    assert.ok(all[0] instanceof Change)
    assert.ok(all[0].committedAt instanceof Date)
    assert.equal(all[0].details, null)
    assert.deepEqual(await changes.historyOf(Account, 1), all)
    assert.deepEqual(await changes.historyOf(Account, { id: '1' }), all)
    const found = async (filter: object): Promise<string[]> => (await changes.history(account, filter)).map((change) => change.operation)
    assert.deepEqual(await found({ context: { userId: 1 } }), ['CREATE', 'DELETE'])
    assert.deepEqual(await found({ context: { params: { a: 1 } } }), ['CREATE'])
    assert.deepEqual(await found({ before: { balance: 1.1 } }), ['UPDATE'])
    assert.deepEqual(await found({ after: { balance: 5 } }), ['UPDATE'])
    assert.deepEqual(await found({ operation: 'DELETE' }), ['DELETE'])
    assert.deepEqual(await found({ operation: ['CREATE', 'UPDATE'], context: { userId: 2 } }), ['UPDATE'])
    assert.deepEqual(await found({ limit: 2 }), ['UPDATE', 'DELETE'])
    assert.deepEqual(await found({ since: all[2]?.committedAt }), ['DELETE'])
    assert.deepEqual(await found({ until: new Date(0) }), [])
    assert.equal((await changes.matching({ context: { userId: 1 } })).length, 3)
  })

  it('of 64-bit keys, with exact values', async () => {
    const accounts = application.getRepository(Account)
    const account = accounts.create({ id: BIG, balance: '12345678901234567890.123456789', data: { n: 1 } })
    await withContext({ owner: BigInt(BIG) }, () => accounts.save(account))
    await application.query(`UPDATE account SET data = '{"ids": [${BIG}, 1e400, 0.1, 1.50, "${BIG}"]}' WHERE id = ${BIG}`)
    await ingest('run', '--until-current')
    const [created, updated, ...others] = await changes.history(account)
    assert.deepEqual(others, [])
    assert.equal(created?.primaryKey, BIG)
    assert.deepEqual(created?.after, { id: BIG, balance: '12345678901234567890.123456789', data: { n: 1 } })
    assert.deepEqual(created?.context, { owner: BIG })
    assert.deepEqual(updated?.after.data, { ids: [BIG, '1' + '0'.repeat(400), 0.1, 1.5, BIG] })
    assert.match(created?.commitPosition ?? '', /^\d+$/)
    for (const wrong of [Number(BIG), BigInt(BIG) - 1n]) assert.equal((await changes.matching({ after: { id: wrong } })).length, 0)
    assert.equal((await changes.matching({ context: { owner: BigInt(BIG) } })).length, 1)
    assert.equal((await changes.matching({ after: { id: BigInt(BIG) } })).length, 2)
  })

  it('of a key of several columns, and of one that changed', async () => {
    const items = application.getRepository(LineItem)
    const key = { region: "so'uth", number: 7, at: new Date('2026-01-02T03:04:05.678Z') }
    const item = await withContext({ n: 1 }, () => items.save(items.create({ ...key, name: 'a "b"' })))
    await application.query(`UPDATE sales."Line Item" SET item_no = 8`)
    await ingest('run', '--until-current')
    const [created, moved, ...others] = await changes.history(item)
    assert.deepEqual(others, [])
    assert.equal(created?.primaryKey, `["so'uth", 7, "2026-01-02T03:04:05.678+00:00"]`)
    assert.equal(moved?.previousKey, created.primaryKey)
    assert.deepEqual(await changes.historyOf(LineItem, { ...key, number: 8 }), [moved])
    await assert.rejects(async () => changes.historyOf(LineItem, { region: 'north' }), /the entity has no number/)
  })

  it('by TypeORM\'s own means', async () => {
    const repository = audit.getRepository(Change)
    const some = await repository.find({ where: { table: 'account', after: JsonContains({ id: 2 }) } })
    assert.deepEqual(some.map((change) => change.primaryKey), ['2'])
    const query = repository.createQueryBuilder('c').where('c.context @> :context', { context: { userId: 2 } })
    assert.deepEqual((await query.getMany()).map((change) => change.after), [{ id: 1, balance: 5, data: null }])
    const [plan] = await destination.plain.query<{ 'QUERY PLAN': string }>(`SET enable_seqscan = off; EXPLAIN (FORMAT JSON) ${query.getQuery().replace(':context', `'{"a": 1}'`)}`)
      .then((results) => (results as unknown as { rows: object[] }[])[1]?.rows.map((row) => JSON.stringify(row)) ?? [])
    assert.match(plan ?? '', /Bitmap Index Scan/)
    await assert.rejects(repository.save(repository.create({ operation: 'CREATE' })))
  })
})

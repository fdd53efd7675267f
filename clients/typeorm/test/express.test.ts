// Requests over HTTP, on one pool: each change has the context of its request and no other, in Express 4 and 5.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request as httpRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises'
import { after, before, describe, it } from 'node:test'
import { currentContext, mergeContext, setContext } from '@bemi-decoder/typeorm'
import express5, { type Express, type NextFunction, type Request, type Response } from 'express'
import type { DataSource } from 'typeorm'
import { type ChangeRecord, seededRandom, TestDatabase, Todo } from './support'

// eslint-disable-next-line @typescript-eslint/no-require-imports
const express4 = require('express4') as typeof express5
const random = seededRandom()

let database: TestDatabase
let dataSource: DataSource

before(async () => {
  database = await TestDatabase.make('typeorm_express')
  dataSource = await database.dataSource({ extra: { max: 10 } })
  await database.startSlots()
})

after(async () => {
  await dataSource.destroy()
  await database.drop()
})

/** Ways to the database through middleware, timers, callbacks and transactions; each writes as many rows as it says. */
const HANDLERS: Record<string, (task: string) => Promise<number>> = {
  async save(task) {
    await dataSource.getRepository(Todo).save({ task })
    return 1
  },
  async raw(task) {
    await delay(random() * 5)
    await dataSource.query(`INSERT INTO todo (task, version) VALUES ('${task};', 1)`)
    return 1
  },
  async transaction(task) {
    await dataSource.transaction(async (manager) => {
      await manager.insert(Todo, { task })
      await immediate()
      await manager.transaction((inner) => inner.update(Todo, { task }, { isCompleted: true }))
    })
    return 2
  },
  async parallel(task) {
    await Promise.all([1, 2, 3].map((n) => dataSource.getRepository(Todo).insert({ task: `${task} ${n}` })))
    return 3
  },
  async callback(task) {
    await new Promise<void>((resolve, reject) => {
      setTimeout(() => {
        process.nextTick(() => {
          dataSource.getRepository(Todo).insert({ task }).then(() => { resolve() }, reject)
        })
      }, random() * 5)
    })
    return 1
  },
  async failed(task) {
    await assert.rejects(dataSource.transaction(async (manager) => {
      await manager.insert(Todo, { task })
      await manager.query('SELECT 1/0')
    }))
    await dataSource.query('INSERT INTO todo (task, version) VALUES ($1, 1)', [task])
    return 1
  },
  async read() {
    await dataSource.getRepository(Todo).find({ take: 1 })
    return 0
  }
}

function app(express: typeof express5): Express {
  const server = express()
  server.use(express.json())
  server.use(setContext(dataSource, (req: Request) => ({ userId: Number(req.query.user), endpoint: req.path, params: req.body as unknown })))
  server.use((req: Request, _res: Response, next: NextFunction) => {
    if (req.query.merge !== undefined) mergeContext({ merged: Number(req.query.user) })
    setTimeout(next, random() * 3)
  })
  server.post('/:handler', (req: Request, res: Response, next: NextFunction) => {
    const handler = HANDLERS[String(req.params.handler)]
    const { task } = req.body as { task: string }
    if (handler === undefined) {
      res.json({ context: currentContext() })
      return
    }
    handler(task).then((rows) => res.json({ rows }), next)
  })
  return server
}

interface Answer {
  status: number
  body: unknown
}

class Caller {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 50 })

  private constructor(private readonly server: Server) {}

  static async of(express: Express): Promise<Caller> {
    const server = express.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Caller(server)
  }

  async post(path: string, body: object): Promise<Answer> {
    const { port } = this.server.address() as AddressInfo
    const request = httpRequest({ port, host: '127.0.0.1', path, method: 'POST', agent: this.agent, headers: { 'content-type': 'application/json' } })
    request.end(JSON.stringify(body))
    const [response] = (await once(request, 'response')) as [AsyncIterable<Buffer> & { statusCode: number }]
    let text = ''
    for await (const piece of response) text += piece.toString()
    return { status: response.statusCode, body: text.startsWith('{') ? (JSON.parse(text) as unknown) : text }
  }

  async close(): Promise<void> {
    this.agent.destroy()
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }
}

for (const [name, express, requests] of [['Express 5', express5, 1000], ['Express 4', express4, 300]] as const) {
  describe(name, () => {
    it(`${requests} requests at a time over 10 connections`, async () => {
      await dataSource.query('TRUNCATE todo CASCADE')
      await database.records()
      const caller = await Caller.of(app(express))
      const names = Object.keys(HANDLERS)
      const expected = new Map<number, { context: object; rows: number }>()
      await Promise.all(
        Array.from({ length: requests }, async (_, user) => {
          const handler = names[Math.floor(random() * names.length)] ?? ''
          const body = { task: `task ${user}`, note: random() < 0.1 ? '*/ é 🐘\u0001' : 'x' }
          const merge = random() < 0.3
          const answer = await caller.post(`/${handler}?user=${user}${merge ? '&merge' : ''}`, body)
          assert.equal(answer.status, 200, String(answer.body))
          const context = { userId: user, endpoint: `/${handler}`, params: body, ...(merge ? { merged: user } : {}) }
          expected.set(user, { context, rows: (answer.body as { rows: number }).rows })
        })
      )
      await caller.close()
      assert.equal((await database.plain.query('SELECT FROM pg_stat_activity WHERE datname = current_database()')).rowCount, 11)
      check(await database.records(), expected)
    })

    it('errors of the function, at once and later, are the request\'s', async () => {
      const server = express()
      server.use('/sync', setContext(dataSource, () => { throw new Error('at once') }))
      server.use('/async', setContext(dataSource, () => Promise.reject(new Error('later'))))
      server.use('/none', setContext(dataSource, () => null))
      server.use('/later', setContext(dataSource, (req: Request) => immediate({ path: req.path })))
      // As promises of other libraries are.
      server.use('/foreign', setContext(dataSource, (req: Request) => {
        const promise = immediate({ path: req.path })
        return { then: promise.then.bind(promise) }
      }))
      server.use((_req: Request, res: Response) => { res.json({ context: currentContext() ?? 'none' }) })
      server.use((error: Error, _req: Request, res: Response, _next: NextFunction) => { res.status(500).json({ error: error.message }) })
      const caller = await Caller.of(server)
      assert.deepEqual(await caller.post('/sync', {}), { status: 500, body: { error: 'at once' } })
      assert.deepEqual(await caller.post('/async', {}), { status: 500, body: { error: 'later' } })
      assert.deepEqual(await caller.post('/none', {}), { status: 200, body: { context: 'none' } })
      assert.deepEqual(await caller.post('/later/x', {}), { status: 200, body: { context: { path: '/x' } } })
      assert.deepEqual(await caller.post('/foreign/y', {}), { status: 200, body: { context: { path: '/y' } } })
      await caller.close()
    })

    it('errors of a handler reach the application, and its next request is its own', async () => {
      const server = express()
      server.use(express.json())
      server.use(setContext(dataSource, (req: Request) => ({ path: req.path })))
      server.post('/fails', (_req: Request, _res: Response, next: NextFunction) => {
        dataSource.query('INSERT INTO nothing VALUES (1)').catch(next)
      })
      if (express === express5) {
        server.post('/throws', async () => {
          await dataSource.query('INSERT INTO nothing VALUES (1)')
        })
      }
      server.use((error: Error, _req: Request, res: Response, _next: NextFunction) => {
        res.status(500).json({ error: error.message, context: currentContext() })
      })
      const caller = await Caller.of(server)
      for (const path of express === express5 ? ['/fails', '/throws'] : ['/fails']) {
        const answer = await caller.post(path, {})
        assert.deepEqual(answer, { status: 500, body: { error: 'relation "nothing" does not exist', context: { path } } })
      }
      await caller.close()
    })
  })
}

function check(records: ChangeRecord[], expected: Map<number, { context: object; rows: number }>): void {
  const rows = new Map<number, number>()
  for (const record of records) {
    const user = Number(/\d+/.exec(String(record.after.task))?.[0])
    assert.deepEqual(record.context, expected.get(user)?.context, `the record of the task of user ${user}`)
    rows.set(user, (rows.get(user) ?? 0) + 1)
  }
  for (const [user, { rows: count }] of expected) assert.equal(rows.get(user) ?? 0, count, `rows of user ${user}`)
}

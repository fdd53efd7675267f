// Connects and listens. PGHOST, PGPORT, PGUSER and so on say where the server is; PGDATABASE is the database of the
// app, HISTORY_DATABASE that with the table changes, if there is one.

import type { AddressInfo } from 'node:net'
import { Change, changeRepository } from '@bemi-decoder/typeorm'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { createApp } from './app'
import { CreateTodo1700000000000, Todo } from './todo'

async function connect(options: Partial<DataSourceOptions>): Promise<DataSource> {
  return new DataSource({ type: 'postgres', ...options } as DataSourceOptions).initialize()
}

async function main(): Promise<void> {
  const database = process.env.PGDATABASE ?? 'todo_app'
  const dataSource = await connect({ database, entities: [Todo], migrations: [CreateTodo1700000000000], migrationsRun: true })
  const history = process.env.HISTORY_DATABASE
  const changes =
    history === undefined ? undefined : changeRepository(await connect({ database: history, entities: [Change] }), dataSource)

  const server = createApp(dataSource, changes).listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
    console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      server.closeAllConnections()
      server.close(() => process.exit(0))
    })
  }
}

main().catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})

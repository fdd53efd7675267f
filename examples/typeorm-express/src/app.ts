// The to-do app. Nothing below setContext() knows of contexts.

import { type ChangeRepository, setContext } from '@bemi-decoder/typeorm'
import express, { type Express, type Request } from 'express'
import type { DataSource } from 'typeorm'
import { Todo } from './todo'

/** `changes`: where the table of changes is, if the app shows it. */
export function createApp(dataSource: DataSource, changes?: ChangeRepository): Express {
  const todos = dataSource.getRepository(Todo)
  const app = express()
  app.use(express.json())
  app.use(
    setContext(dataSource, (req: Request) => ({
      userId: Number(req.get('x-user-id')), // a real app takes it from its session
      endpoint: req.path,
      params: req.body as unknown
    }))
  )

  app.post('/todo', async (req, res) => {
    const { task, isCompleted } = req.body as Todo
    res.status(201).json(await todos.save(todos.create({ task, isCompleted })))
  })

  app.put('/todo/complete', async (req, res) => {
    const { id } = req.body as Todo
    await todos.update(id, { isCompleted: true })
    res.json(await todos.findOneBy({ id }))
  })

  app.delete('/todo/:id', async (req, res) => {
    await todos.delete(req.params.id)
    res.status(204).end()
  })

  app.get('/todo/:id/history', async (req, res) => {
    const history = (await changes?.historyOf(Todo, req.params.id)) ?? []
    res.json(history.map(({ operation, before, after, context }) => ({ operation, before, after, context })))
  })

  return app
}

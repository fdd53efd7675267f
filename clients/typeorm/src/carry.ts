// Makes the connections of a DataSource send the context with each write.
//
// Everything that TypeORM does (repositories, query builders, raw queries, transactions, migrations) ends in `query`
// of a client of node-postgres, so that is the one place to stand in.

import type { DataSource } from 'typeorm'
import type { Client, Submittable } from './postgres'
import { currentJson, DEFAULT_MAX_CONTEXT_SIZE } from './scope'
import { classify, type Statement } from './statement'
import { sendWithContext } from './submit'
import { TransactionState } from './transaction'

export interface CarryOptions {
  /**
   * Bytes of a context's JSON past which its largest members are left out; 1 MB unless given. What the decoder
   * accepts is its option max_context_size, with the same default.
   */
  maxContextSize?: number
  /**
   * Decides about statements that only look like reads, such as `SELECT archive_todos()`: true carries the context,
   * false doesn't, undefined leaves it to what the text says.
   */
  isWrite?: (sql: string) => boolean | undefined
}

interface Driver {
  obtainMasterConnection(): Promise<[Client, unknown]>
}

const carried = new WeakMap<object, CarryOptions>()

/**
 * Lets every write of this DataSource carry the context of the code that makes it. It may be called before or after
 * initialize(), and again to change the options. Gives the DataSource back.
 */
export function carryContext<Source extends DataSource>(dataSource: Source, options: CarryOptions = {}): Source {
  if (dataSource.options.type !== 'postgres') {
    throw new TypeError(`the context needs a DataSource of type postgres, and this one is of type ${dataSource.options.type}`)
  }
  const known = carried.get(dataSource)
  if (known !== undefined) {
    replaceOptions(known, options)
    return dataSource
  }
  const own = { ...options }
  carried.set(dataSource, own)
  const createQueryRunner = dataSource.createQueryRunner.bind(dataSource)
  dataSource.createQueryRunner = (mode) => {
    standInDriver(dataSource.driver, own) // a new one after setOptions()
    return createQueryRunner(mode)
  }
  standInDriver(dataSource.driver, own)
  return dataSource
}

function replaceOptions(known: CarryOptions, options: CarryOptions): void {
  delete known.maxContextSize
  delete known.isWrite
  Object.assign(known, options)
}

function standInDriver(of: unknown, options: CarryOptions): void {
  const driver = of as Driver
  if (carried.has(driver)) return
  carried.set(driver, options)
  const obtain = driver.obtainMasterConnection.bind(driver)
  driver.obtainMasterConnection = async () => {
    const obtained = await obtain()
    standInClient(obtained[0], options)
    return obtained
  }
}

function standInClient(client: Client, options: CarryOptions): void {
  if (carried.has(client)) return
  const Query = client.constructor.Query
  if (typeof client.connection?.parse !== 'function' || Query === undefined) {
    throw new TypeError('the context needs the JavaScript client of the package pg, not pg-native or another driver')
  }
  carried.set(client, options)
  const state = new TransactionState()
  client.connection.prependListener('readyForQuery', (message) => {
    state.ready(message.status ?? 'I')
  })
  const query = client.query.bind(client)
  client.query = (config: unknown, values?: unknown, callback?: unknown): unknown => {
    const text = textOf(config)
    if (text === undefined) return query(config, values, callback)
    const statement = classify(text, isExtended(config, values))
    // In pipeline mode statements are sent before it is known how those before them have ended.
    const epoch = state.queue(statement.staysInTransaction && client.pipeline !== true)
    if (!(options.isWrite?.(text) ?? statement.writes)) return query(config, values, callback)
    const json = currentJson(options.maxContextSize ?? DEFAULT_MAX_CONTEXT_SIZE)
    return write(Query, query, { config, values, callback }, statement, state, () => state.contextsFor(json, epoch))
  }
}

/** client.query's arguments. */
interface Call {
  config: unknown
  values: unknown
  callback: unknown
}

/** client.query of a statement that writes. */
function write(
  Query: NonNullable<Client['constructor']['Query']>,
  query: Client['query'],
  { config, values, callback }: Call,
  statement: Statement,
  state: TransactionState,
  contexts: () => string[]
): unknown {
  if (isSubmittable(config)) {
    if (config instanceof Query || isCursor(config)) sendWithContext(config, statement.several, contexts)
    return query(config, values, callback)
  }
  let sentOutside = false
  const submittable = new Query(config, values, callback)
  if (typeof config === 'object') submittable.query_timeout = (config as Submittable).query_timeout
  sendWithContext(submittable, statement.several, () => {
    const list = contexts()
    sentOutside = state.isOutside && list.length > 0
    return list
  })
  return submit(submittable, query, (error, done) => {
    // From PostgreSQL 18 on, what comes second before a Sync may not commit; so a procedure that wants to has been
    // rolled back as a whole, and goes again alone.
    const goesAgain = statement.mayCommit && sentOutside && error.code === INVALID_TRANSACTION_TERMINATION
    if (goesAgain) query(config, Array.isArray(values) ? values : undefined, done)
    return goesAgain
  })
}

const INVALID_TRANSACTION_TERMINATION = '2D000'

type Callback = NonNullable<Submittable['callback']>

/**
 * What client.query does with a new query: calls its callback, or gives a promise. `goesAgain` is asked at an error; if
 * it says so, it calls `done` later.
 */
function submit(
  submittable: Submittable,
  query: Client['query'],
  goesAgain: (error: Error & { code?: string }, done: Callback) => boolean
): unknown {
  const settle = (done: Callback): Callback => (error, answer) => {
    if (!(error && goesAgain(error, done))) done(error, answer)
  }
  if (submittable.callback !== undefined) {
    submittable.callback = settle(submittable.callback)
    query(submittable)
    return undefined
  }
  const result = new Promise<unknown>((resolve, reject) => {
    submittable.callback = settle((error, answer) => {
      if (error) reject(error)
      else resolve(answer)
    })
    query(submittable)
  })
  return result.catch((error: Error) => {
    // As the client does it: the stack shows who asked instead of who read the socket.
    Error.captureStackTrace(error)
    throw error
  })
}

function isSubmittable(config: unknown): config is Submittable {
  return typeof (config as Submittable | null)?.submit === 'function'
}

function textOf(config: unknown): string | undefined {
  if (typeof config === 'string') return config
  if (typeof config !== 'object' || config === null) return undefined
  const { text, cursor } = config as Submittable
  const found = text ?? cursor?.text
  return typeof found === 'string' ? found : undefined
}

/** Cursors and streams of rows use the extended protocol too. Others, such as those of COPY, may not. */
function isCursor(config: Submittable): boolean {
  return config.cursor !== undefined || config.constructor.name === 'Cursor'
}

/** Whether it goes by the extended protocol in any case, and so is one statement. */
function isExtended(config: unknown, values: unknown): boolean {
  const query = config as { values?: unknown[]; name?: string; rows?: number; queryMode?: string; cursor?: unknown }
  if (Array.isArray(values) && values.length > 0) return true
  if (typeof config === 'string') return false
  if (query.values !== undefined && query.values.length > 0) return true
  if (query.name !== undefined || query.rows !== undefined || query.queryMode === 'extended') return true
  return isSubmittable(config) && isCursor(config)
}

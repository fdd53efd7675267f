// What is used of node-postgres beyond its published types: the protocol that its own pg-cursor is built on.

export interface Message {
  status?: string
  position?: string | undefined
}

export interface Connection {
  submittedNamedStatements?: Record<string, string>
  parse(query: { name: string; text: string; types: number[] }): void
  bind(config: {
    portal: string
    statement: string
    values: unknown[]
    binary: boolean
    valueMapper: (value: unknown) => unknown
  }): void
  execute(config: { portal: string; rows: number }): void
  prependListener(event: 'readyForQuery', listener: (message: Message) => void): void
}

/** A query as the client takes it apart from texts: its own class Query, a cursor, a stream. */
export interface Submittable {
  text?: string | undefined
  name?: string | undefined
  callback?: ((error: Error | null | undefined, result?: unknown) => void) | undefined
  query_timeout?: number | undefined
  cursor?: { text?: string }
  submit(connection: Connection): unknown
  prepare?(connection: Connection): void
  requiresPreparation?(): boolean
  handleRowDescription(message: Message): void
  handleDataRow(message: Message): void
  handleCommandComplete(message: Message, connection: Connection): void
  handleError(error: Message, connection: Connection): void
}

export interface Client {
  query(config: unknown, values?: unknown, callback?: unknown): unknown
  connection?: Connection
  pipeline?: boolean
  constructor: { Query?: new (config: unknown, values?: unknown, callback?: unknown) => Submittable }
}

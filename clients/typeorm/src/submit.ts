// Sends a write of node-postgres's together with its context, in one round trip and one transaction.
//
// A statement outside of a transaction is one of its own, from the first message of the extended protocol to the
// Sync. So the messages that emit the context go before those of the statement and share its Sync: whatever else
// decides about the statement (its text, parameters, isolation, timeouts, results and errors) stays as it was.
// Only texts of several statements need the simple protocol. The server runs them in one transaction anyway, so the
// context becomes one statement more.

import type { Connection, Message, Submittable } from './postgres'

// In recovery nothing can be written, and the statement itself shall say so. The types choose between the functions of
// that name.
const EMIT = 'pg_catalog.pg_logical_emit_message(true, \'_bemi\', '
const UNLESS_IN_RECOVERY = ') WHERE NOT pg_catalog.pg_is_in_recovery()'

/**
 * Changes `query` so that what `contexts` gives when its turn comes goes first, and the answers to that don't reach
 * it. `several`: its text may be several statements.
 */
export function sendWithContext(query: Submittable, several: boolean, contexts: () => string[]): void {
  const answers = new Answers(query)
  if (several) {
    prefixText(query, answers, contexts)
  } else if (typeof query.prepare === 'function') {
    const prepare = query.prepare.bind(query)
    query.requiresPreparation = () => true
    query.prepare = (connection) => {
      emit(connection, answers, contexts())
      prepare(connection)
    }
  } else {
    const submit = query.submit.bind(query)
    query.submit = (connection) => {
      emit(connection, answers, contexts())
      return submit(connection)
    }
  }
}

function emit(connection: Connection, answers: Answers, contexts: string[]): void {
  answers.expect(contexts.length)
  for (const context of contexts) {
    connection.parse({ name: '', text: `SELECT ${EMIT}$1${UNLESS_IN_RECOVERY}`, types: [TEXT] })
    connection.bind({ portal: '', statement: '', values: [context], binary: false, valueMapper: (value) => value })
    connection.execute({ portal: '', rows: 0 })
  }
}

const TEXT = 25 // its OID

function prefixText(query: Submittable, answers: Answers, contexts: () => string[]): void {
  const submit = query.submit.bind(query)
  query.submit = (connection) => {
    const text = query.text ?? ''
    const all = contexts()
    const prefix = all.map((context) => `SELECT ${EMIT}${literal(context)}::text${UNLESS_IN_RECOVERY};`).join('')
    answers.expect(all.length, prefix.length)
    query.text = prefix + text
    try {
      return submit(connection)
    } finally {
      query.text = text
    }
  }
}

/** Right whatever standard_conforming_strings is. */
function literal(text: string): string {
  return `E'${text.replace(/\\/g, '\\\\').replace(/'/g, "''")}'`
}

/** Keeps the answers to what was sent first from a query. */
class Answers {
  private expected = 0
  private prefixLength = 0
  private name: string | undefined

  constructor(private readonly query: Submittable) {
    const { handleRowDescription, handleDataRow, handleCommandComplete, handleError } = query
    query.handleRowDescription = (message) => {
      if (this.expected === 0) handleRowDescription.call(query, message)
    }
    query.handleDataRow = (message) => {
      if (this.expected === 0) handleDataRow.call(query, message)
    }
    query.handleCommandComplete = (message, connection) => {
      if (this.expected === 0) handleCommandComplete.call(query, message, connection)
      else if (--this.expected === 0) this.end()
    }
    query.handleError = (error, connection) => {
      if (this.name !== undefined) delete connection.submittedNamedStatements?.[this.name]
      this.end()
      this.correctPosition(error)
      handleError.call(query, error, connection)
    }
  }

  /**
   * The client takes any ParseComplete for that of the statement, whose name it then believes to be known to the
   * server; so there is no name until the statement's own has come.
   */
  expect(count: number, prefixLength = 0): void {
    this.expected = count
    this.prefixLength = prefixLength
    if (count === 0 || prefixLength > 0) return
    // The name is still needed to send the statement, which happens before the server can answer.
    queueMicrotask(() => {
      if (this.expected === 0) return
      this.name = this.query.name
      this.query.name = undefined
    })
  }

  private end(): void {
    this.expected = 0
    if (this.name === undefined) return
    this.query.name = this.name
    this.name = undefined
  }

  private correctPosition(error: Message): void {
    const position = Number(error.position)
    if (this.prefixLength > 0 && position > this.prefixLength) error.position = String(position - this.prefixLength)
  }
}

// The table `changes` of bemi_ingest as an entity. It is read, never written or synchronized.

import { Column, Entity, PrimaryColumn, VirtualColumn } from 'typeorm'
import { parseExactly } from './exact'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'TRUNCATE' | 'MESSAGE' | 'SNAPSHOT'

/** A column of type jsonb, whose numbers come as parseExactly gives them. */
function Jsonb(): PropertyDecorator {
  return (target, property) => {
    const name = String(property)
    VirtualColumn({
      type: 'text',
      query: (alias) => `${alias}."${name}"::text`,
      transformer: { from: (json: string | null) => (json === null ? null : parseExactly(json)), to: toItself }
    })(target, name)
  }
}

function toItself<Value>(value: Value): Value {
  return value
}

const READ_ONLY = { insert: false, update: false }

/** A change of a row. 64-bit numbers are strings, as TypeORM gives them. */
@Entity({ name: 'changes', synchronize: false })
export class Change {
  @PrimaryColumn({ type: 'uuid', ...READ_ONLY })
  id!: string

  /** Of one column, its text; of several, a JSON array of them. */
  @Column({ type: 'text', ...READ_ONLY, name: 'primary_key', nullable: true })
  primaryKey!: string | null

  /** Before an UPDATE that changed the primary key. */
  @Column({ type: 'text', ...READ_ONLY, name: 'previous_key', nullable: true })
  previousKey!: string | null

  @Column({ type: 'text', ...READ_ONLY })
  database!: string

  @Column({ type: 'text', ...READ_ONLY })
  schema!: string

  @Column({ type: 'text', ...READ_ONLY })
  table!: string

  @Column({ type: 'text', ...READ_ONLY })
  operation!: Operation

  /** The row before; empty where there was none. */
  @Jsonb()
  before!: Record<string, unknown>

  /** The row after; empty where there is none. */
  @Jsonb()
  after!: Record<string, unknown>

  @Jsonb()
  context!: Record<string, unknown>

  /** What is missing or peculiar, such as `missing` and `identity`. */
  @Jsonb()
  details!: Record<string, unknown> | null

  @Column({ type: 'timestamptz', ...READ_ONLY, name: 'committed_at' })
  committedAt!: Date

  @Column({ type: 'timestamptz', ...READ_ONLY, name: 'queued_at' })
  queuedAt!: Date

  @Column({ type: 'timestamptz', ...READ_ONLY, name: 'created_at' })
  createdAt!: Date

  @Column({ type: 'bigint', ...READ_ONLY, name: 'transaction_id' })
  transactionId!: string

  @Column({ type: 'bigint', ...READ_ONLY })
  position!: string

  /** Changes happened in the order of `commitPosition`, then `sequence`. */
  @Column({ type: 'bigint', ...READ_ONLY, name: 'commit_position', nullable: true })
  commitPosition!: string | null

  @Column({ type: 'bigint', ...READ_ONLY, nullable: true })
  sequence!: string | null
}

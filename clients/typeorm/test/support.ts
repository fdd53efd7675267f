// What the tests share: databases of their own in the server that PGHOST, PGPORT and PGUSER lead to, with the
// records of a real slot.

import { Client } from 'pg'
import { Column, DataSource, type DataSourceOptions, Entity, ManyToOne, OneToMany, PrimaryGeneratedColumn } from 'typeorm'
import { DeleteDateColumn, VersionColumn } from 'typeorm'

export interface ChangeRecord {
  operation: string
  table: string
  primary_key: string | null
  before: Record<string, unknown>
  after: Record<string, unknown>
  transaction_id: number
  context: unknown
  context_error?: string
}

@Entity()
export class Todo {
  @PrimaryGeneratedColumn()
  id: number

  @Column({ type: 'text', unique: true })
  task: string

  @Column({ type: 'boolean', default: false })
  isCompleted: boolean

  @VersionColumn()
  version: number

  @DeleteDateColumn()
  deletedAt: Date | null

  @OneToMany(() => Note, (note) => note.todo, { cascade: true })
  notes: Note[]
}

@Entity()
export class Note {
  @PrimaryGeneratedColumn()
  id: number

  @Column({ type: 'text' })
  text: string

  @ManyToOne(() => Todo, (todo) => todo.notes, { onDelete: 'CASCADE' })
  todo: Todo
}

const server = {
  host: process.env.PGHOST ?? '/var/run/postgresql',
  port: Number(process.env.PGPORT ?? 5432),
  user: process.env.PGUSER ?? 'postgres'
}

export class TestDatabase {
  private constructor(
    readonly name: string,
    /** A connection that carries nothing. */
    readonly plain: Client
  ) {}

  static async make(name: string): Promise<TestDatabase> {
    const maintenance = await connect('postgres')
    // A run that was interrupted may have left them.
    await maintenance.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1', [name])
    await maintenance.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    await maintenance.query(`CREATE DATABASE ${name}`)
    await maintenance.end()
    return new TestDatabase(name, await connect(name))
  }

  /** An initialized DataSource with the tables of Todo and Note. */
  async dataSource(options: Partial<DataSourceOptions> & { extra?: object } = {}): Promise<DataSource> {
    return new DataSource(this.options(options)).initialize()
  }

  options(options: Partial<DataSourceOptions> = {}): DataSourceOptions {
    const { user: username, ...address } = server
    const common = { ...address, username, database: this.name, entities: [Todo, Note], poolSize: 10 }
    return { type: 'postgres', synchronize: true, ...common, ...options } as DataSourceOptions
  }

  connectionString(): string {
    return `host=${server.host} port=${server.port} user=${server.user} dbname=${this.name}`
  }

  /** Records are there from now on. */
  async startSlots(): Promise<void> {
    for (const plugin of ['bemi_decoder', 'test_decoding']) {
      await this.plain.query('SELECT pg_create_logical_replication_slot($1, $2)', [this.slot(plugin), plugin])
    }
  }

  /** The records since the last call; options of the plugin by name. */
  async records(options: Record<string, string> = {}): Promise<ChangeRecord[]> {
    return (await this.read('bemi_decoder', options)).map((line) => JSON.parse(line) as ChangeRecord)
  }

  /** The contexts that were sent since the last call, with or without changes that they are of. */
  async messages(): Promise<string[]> {
    const lines = await this.read('test_decoding', {})
    return lines.flatMap((line) => /^message: transactional: 1 prefix: _bemi, sz: \d+ content:([^]*)$/.exec(line)?.[1] ?? [])
  }

  async drop(): Promise<void> {
    for (const plugin of ['bemi_decoder', 'test_decoding']) {
      await this.plain.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1', [
        this.slot(plugin)
      ])
    }
    await this.plain.end()
  }

  private slot(plugin: string): string {
    return `${this.name}_${plugin}`
  }

  private async read(plugin: string, options: Record<string, string>): Promise<string[]> {
    const result = await this.plain.query<{ data: string }>(
      'SELECT data FROM pg_logical_slot_get_changes($1, NULL, NULL, VARIADIC $2)',
      [this.slot(plugin), Object.entries(options).flat()]
    )
    return result.rows.map((row) => row.data)
  }
}

export async function connect(database: string): Promise<Client> {
  const client = new Client({ ...server, database })
  await client.connect()
  return client
}

/** A generator of numbers in [0, 1) that BEMI_TEST_SEED repeats. */
export function seededRandom(): () => number {
  let state = Number(process.env.BEMI_TEST_SEED ?? Date.now() % 1_000_000_000)
  console.log(`to repeat this run: BEMI_TEST_SEED=${state}`)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export function summary(records: ChangeRecord[]): string[] {
  return records.map((record) => `${record.operation} ${record.table} ${JSON.stringify(record.context)}`)
}

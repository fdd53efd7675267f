// Questions to the table of changes.

import type { DataSource, Driver, EntityMetadata, EntityTarget, ObjectLiteral, Repository, SelectQueryBuilder } from 'typeorm'
import { Change, type Operation } from './change'
import { toJson } from './serialize'

export interface ChangeFilter {
  /** What the context contains, as jsonb's @> has it: `{ userId: 7 }`. A BigInt is an exact number. */
  context?: unknown
  /** What the row before contained. */
  before?: object
  /** What the row after contains. */
  after?: object
  operation?: Operation | readonly Operation[]
  /** Committed at this time or later. */
  since?: Date
  /** Committed before this time. */
  until?: Date
  /** The latest so many, still in order. */
  limit?: number
}

export interface ChangeQueries {
  /** The changes of an entity's row, in the order in which they happened. */
  history(entity: object, filter?: ChangeFilter): Promise<Change[]>
  /** The same for a row that there is no entity of any more: by its key, or all keys by property. */
  historyOf<Entity extends ObjectLiteral>(target: EntityTarget<Entity>, key: unknown, filter?: ChangeFilter): Promise<Change[]>
  /** All changes that the filter lets through, of all rows. */
  matching(filter: ChangeFilter): Promise<Change[]>
}

export type ChangeRepository = Repository<Change> & ChangeQueries

/**
 * The changes that a DataSource (with Change among its entities) can read. `application` is the DataSource of the
 * entities whose history is asked for, where it is another one.
 */
export function changeRepository(dataSource: DataSource, application: DataSource = dataSource): ChangeRepository {
  const repository = dataSource.getRepository(Change)
  return repository.extend<ChangeQueries>({
    history(entity: object, filter: ChangeFilter = {}) {
      const metadata = application.getMetadata(entity.constructor)
      return inOrder(ofRow(repository, application, metadata, entity as ObjectLiteral, filter), filter)
    },
    historyOf(target: EntityTarget<ObjectLiteral>, key: unknown, filter: ChangeFilter = {}) {
      const metadata = application.getMetadata(target)
      return inOrder(ofRow(repository, application, metadata, metadata.ensureEntityIdMap(key), filter), filter)
    },
    matching(filter: ChangeFilter) {
      return inOrder(filtered(repository, filter), filter)
    }
  })
}

function filtered(repository: Repository<Change>, filter: ChangeFilter): SelectQueryBuilder<Change> {
  const query = repository.createQueryBuilder('change')
  for (const column of ['context', 'before', 'after'] as const) {
    const json = toJson(filter[column])
    if (json !== undefined) query.andWhere(`change.${column} @> CAST(:${column} AS jsonb)`, { [column]: json })
  }
  if (filter.operation !== undefined) {
    query.andWhere('change.operation = ANY (:operations)', { operations: [filter.operation].flat() })
  }
  if (filter.since !== undefined) query.andWhere('change.committedAt >= :since', { since: filter.since })
  if (filter.until !== undefined) query.andWhere('change.committedAt < :until', { until: filter.until })
  return query
}

/** The latest come first from the database, so that a limit leaves the earliest out. */
async function inOrder(query: SelectQueryBuilder<Change>, filter: ChangeFilter): Promise<Change[]> {
  // Rows that the worker of Bemi has left have no commit position, and are older than all others.
  query.orderBy('change.commitPosition', 'DESC', 'NULLS LAST').addOrderBy('change.sequence', 'DESC')
  query.addOrderBy('change.committedAt', 'DESC').addOrderBy('change.position', 'DESC')
  if (filter.limit !== undefined) query.limit(filter.limit)
  return (await query.getMany()).reverse()
}

function ofRow(
  repository: Repository<Change>,
  application: DataSource,
  metadata: EntityMetadata,
  entity: ObjectLiteral,
  filter: ChangeFilter
): SelectQueryBuilder<Change> {
  const { database, searchSchema } = application.driver as Driver & { searchSchema?: string }
  const query = filtered(repository, filter)
  const key = keyOf(application, metadata, entity)
  query.andWhere('change.table = :table', { table: metadata.tableName })
  query.andWhere('change.schema = :schema', { schema: metadata.schema ?? searchSchema ?? 'public' })
  if (database !== undefined) query.andWhere('change.database = :database', { database })
  return query.andWhere(`(change.primaryKey = ${key.sql} OR change.previousKey = ${key.sql})`, key.parameters)
}

/** The key as `changes` writes it, as an SQL expression. */
function keyOf(application: DataSource, metadata: EntityMetadata, entity: ObjectLiteral): { sql: string; parameters: ObjectLiteral } {
  const parameters: ObjectLiteral = {}
  const parts = metadata.primaryColumns.map((column, i) => {
    const value: unknown = column.getEntityValue(entity)
    if (value === undefined || value === null) {
      throw new Error(`history of ${metadata.name}: the entity has no ${column.propertyPath}`)
    }
    parameters[`key${i}`] = application.driver.preparePersistentValue(value, column)
    return asJsonb(`:key${i}`, application.driver.normalizeType(column))
  })
  if (parts.length === 0) throw new Error(`history of ${metadata.name}: its table has no primary key`)
  const sql = parts.length === 1 ? `(${parts[0]} #>> '{}')` : `CAST(jsonb_build_array(${parts.join(', ')}) AS text)`
  return { sql, parameters }
}

const AS_THEY_ARE = new Set(['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision', 'boolean', 'uuid',
  'date', 'time without time zone', 'timestamp without time zone'])

/** The value as to_jsonb writes it in the server that recorded it, whose types this one may not have. */
function asJsonb(parameter: string, type: string): string {
  if (type === 'timestamp with time zone') {
    return `to_jsonb((to_jsonb(CAST(${parameter} AS timestamptz) AT TIME ZONE 'UTC') #>> '{}') || '+00:00')`
  }
  return `to_jsonb(CAST(${parameter} AS ${AS_THEY_ARE.has(type) ? type : 'text'}))`
}

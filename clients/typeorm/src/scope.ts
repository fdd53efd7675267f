// The context of the code that is running: it follows the calls, promises and timers that start inside of it.

import { AsyncLocalStorage } from 'node:async_hooks'
import { joinMembers, membersToJson, toJson } from './serialize'

/** Any JSON; an object is what can be searched best. */
export type Context = Record<string, unknown>

/** The decoder's own default for max_context_size. */
export const DEFAULT_MAX_CONTEXT_SIZE = 1024 * 1024

interface Scope {
  context: Context | undefined
  /** JSON of the moment at which the context was set; undefined where there is none. */
  json: string | undefined
  /** Of an object, the parts of that JSON. */
  members: ReadonlyMap<string, string> | undefined
  /** The members that were left out of `json` to fit into a size, by that size. */
  fitted: Map<number, string>
}

const storage = new AsyncLocalStorage<Scope>()

/**
 * Runs `fn` and everything that it starts with this context, and gives what it gives. Inside of another context it
 * takes that one's place; null and undefined mean that there is none. The context is recorded as it is now.
 */
export function withContext<Result>(context: Context | null | undefined, fn: () => Result): Result {
  return storage.run(newScope(context ?? undefined), fn)
}

/** The context that a write would carry here. */
export function currentContext(): Context | undefined {
  return storage.getStore()?.context
}

/**
 * Adds members to the context, or replaces them, for the rest of the request or of withContext's function. Throws
 * where there is neither, since nothing could ever see the change.
 */
export function mergeContext(members: Context): void {
  const scope = storage.getStore()
  if (scope === undefined) throw new Error('mergeContext() was called outside of a request and of withContext()')
  Object.assign(scope, newScope({ ...scope.context, ...members }))
}

function newScope(context: Context | undefined): Scope {
  const members = membersToJson(context)
  const json = members === undefined ? toJson(context) : joinMembers(members)
  return { context, json, members, fitted: new Map() }
}

/** The JSON of the current context in at most `maxSize` bytes; undefined where there is no context. */
export function currentJson(maxSize: number): string | undefined {
  const scope = storage.getStore()
  if (scope?.json === undefined || scope.json.length <= maxSize) return scope?.json
  let json = scope.fitted.get(maxSize)
  if (json === undefined) {
    json = fit(scope.json, new Map(scope.members), maxSize)
    scope.fitted.set(maxSize, json)
  }
  return json
}

/**
 * A context that is too large would be refused as a whole, and whoever sends large requests would go unnamed. So
 * its largest members go, and say so.
 */
function fit(json: string, members: Map<string, string>, maxSize: number): string {
  let size = json.length
  const bySize = [...members].sort(([, a], [, b]) => b.length - a.length)
  for (const [key, member] of bySize) {
    if (size <= maxSize) break
    members.set(key, leftOut(member))
    size += leftOut(member).length - member.length
  }
  return members.size > 0 && size <= maxSize ? joinMembers(members) : leftOut(json)
}

function leftOut(json: string): string {
  return `"[left out: ${json.length} bytes]"`
}

// Values → JSON that jsonb accepts and that every database can hold.
//
// For ordinary data the result says what JSON.stringify says. Beyond that, nothing that an application (or
// whoever sends it requests) puts into a context may make it useless: what JSON can't hold is named in its
// place, and all the rest stays.

/** As deep as the decoder reads a context. */
const MAX_DEPTH = 64
/** More digits than this numeric can't hold. */
const MAX_DIGITS = 131072

const REPLACEMENT = '\ufffd'
const NOT_TEXT = /\u0000|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** One line of ASCII; undefined where there is nothing, as of a function. */
export function toJson(value: unknown): string | undefined {
  return write(value, '', [])
}

/**
 * The members of an object as their JSON, or undefined where `value` is no plain object. They say together what
 * toJson says.
 */
export function membersToJson(value: unknown): Map<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'toJSON' in value) return undefined
  const members = new Map<string, string>()
  for (const key of keysOf(value)) {
    const json = write(valueOf(value, key), key, [value])
    if (json !== undefined) members.set(writeString(key), json)
  }
  return members
}

export function joinMembers(members: Map<string, string>): string {
  return `{${[...members].map(([key, json]) => `${key}:${json}`).join(',')}}`
}

function write(value: unknown, key: string, parents: object[]): string | undefined {
  const plain = unwrapped(value, key)
  switch (typeof plain) {
    case 'string':
      return writeString(plain)
    case 'number':
      return Number.isFinite(plain) ? String(plain) : 'null'
    case 'bigint':
      return writeBigInt(plain)
    case 'boolean':
      return String(plain)
    case 'object':
      return plain === null ? 'null' : writeObject(plain, parents)
    default:
      return undefined
  }
}

/** What stands for a value: toJSON's result, and the primitive in a Number, String, Boolean or BigInt object. */
function unwrapped(value: unknown, key: string): unknown {
  try {
    let plain = value
    if ((typeof plain === 'object' && plain !== null) || typeof plain === 'bigint') {
      const toJSON: unknown = (plain as { toJSON?: unknown }).toJSON
      if (typeof toJSON === 'function') plain = toJSON.call(plain, key) as unknown
    }
    if (plain instanceof Number) return Number(plain)
    if (plain instanceof String) return String(plain)
    if (plain instanceof Boolean || plain instanceof BigInt) return plain.valueOf()
    return plain
  } catch {
    return '[left out: unreadable]'
  }
}

function writeObject(value: object, parents: object[]): string {
  if (parents.includes(value)) return '"[left out: circular]"'
  if (parents.length >= MAX_DEPTH) return '"[left out: nested too deep]"'
  parents.push(value)
  try {
    if (Array.isArray(value)) {
      const items: string[] = []
      for (let i = 0; i < value.length; i++) items.push(write(valueOf(value, String(i)), String(i), parents) ?? 'null')
      return `[${items.join(',')}]`
    }
    const members: string[] = []
    for (const key of keysOf(value)) {
      const json = write(valueOf(value, key), key, parents)
      if (json !== undefined) members.push(`${writeString(key)}:${json}`)
    }
    return `{${members.join(',')}}`
  } finally {
    parents.pop()
  }
}

/** A getter or a proxy may fail, and shall not take the rest with it. */
function valueOf(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key]
  } catch {
    return '[left out: unreadable]'
  }
}

function keysOf(value: object): string[] {
  try {
    return Object.keys(value)
  } catch {
    return []
  }
}

/** jsonb has neither U+0000 nor half a surrogate pair, and a database not in UTF-8 lacks most of the rest. */
function writeString(text: string): string {
  return JSON.stringify(text.replace(NOT_TEXT, REPLACEMENT)).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
}

function writeBigInt(value: bigint): string {
  const digits = value.toString()
  return digits.length > MAX_DIGITS ? `"${digits}"` : digits
}

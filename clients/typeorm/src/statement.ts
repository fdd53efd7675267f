// What a statement's text says about it: does it write, and may it end or undo a part of a transaction?
//
// The text is read only as far as that takes: comments, strings and quoted names are stepped over, the words
// that are left decide. Where they don't, the statement counts as a write: a message too many costs a few bytes.

export interface Statement {
  /** It may change rows, and can run in a transaction with other statements. */
  writes: boolean
  /** It neither ends the transaction nor rolls a part of it back. */
  staysInTransaction: boolean
  /** There may be several statements, which only the simple protocol takes. */
  several: boolean
  /** It may commit on its own, unless it is in a transaction. */
  mayCommit: boolean
}

interface Words {
  /** The words outside of parentheses, in upper case. */
  outer: string[]
  /** Somewhere a word stands where INSERT, UPDATE, DELETE or MERGE begins a statement. */
  modifies: boolean
}

const READS = words(`SELECT WITH VALUES TABLE SHOW EXPLAIN FETCH MOVE DECLARE CLOSE SET RESET LISTEN UNLISTEN NOTIFY
  LOCK DEALLOCATE DISCARD CHECKPOINT LOAD ANALYZE ANALYSE`)
const TRANSACTION_CONTROL = words('BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE PREPARE')
const MODIFYING = words('INSERT UPDATE DELETE MERGE')
// These write no rows of tables, and most of them refuse to share a transaction.
const ALONE = words('VACUUM CLUSTER REINDEX')
const EXPLAINING = words('EXPLAIN ANALYZE ANALYSE VERBOSE')
const DEFINES = words('CREATE ALTER DROP')
const ALONE_WHERE_DEFINED = words('DATABASE TABLESPACE SUBSCRIPTION SYSTEM')
// After these a message that was sent before is still there.
const HARMLESS = new Set([...READS, ...MODIFYING, 'SAVEPOINT', 'RELEASE'])

const BLANK = /(?:[\s;(]|--[^\n]*)*/y
const WORD = /[A-Za-z]*/y
const TOKEN = new RegExp(
  [
    String.raw`\s+`,
    String.raw`--[^\n]*`,
    String.raw`\/\*`,
    String.raw`[eE]'[^'\\]*(?:(?:\\[^]|'')[^'\\]*)*'?`,
    // A doubled quote makes two strings of one, which comes to the same.
    String.raw`'[^']*'?`,
    String.raw`"[^"]*"?`,
    String.raw`\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$`,
    String.raw`([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`,
    String.raw`[^]`
  ].join('|'),
  'y'
)

/** `alone`: the text goes with parameters, so the server takes it as one statement only. */
export function classify(text: string, alone: boolean): Statement {
  const several = !alone && /;\s*[^\s;]/.test(text)
  const first = firstWord(text)
  const mayCommit = first === 'CALL' || first === 'DO'
  if (!several) {
    if (MODIFYING.has(first)) return { writes: true, staysInTransaction: true, several, mayCommit }
    if (!needsReading(first, text)) return { writes: false, staysInTransaction: HARMLESS.has(first), several, mayCommit }
  }
  const statements = read(text)
  const single = statements.length <= 1
  return {
    writes: statements.some(isWrite),
    staysInTransaction: single && HARMLESS.has(first),
    // Where strings end depends on a setting of the session, standard_conforming_strings, if there are backslashes.
    several: several && !(single && (mayCommit || !text.includes('\\'))),
    mayCommit
  }
}

/** Whether more than the first word decides. */
function needsReading(first: string, text: string): boolean {
  if (TRANSACTION_CONTROL.has(first) || ALONE.has(first) || first === '') return false
  if (first === 'SELECT') return /\binto\b/i.test(text)
  if (first === 'WITH') return /\b(?:into|insert|update|delete|merge)\b/i.test(text)
  if (first === 'EXPLAIN') return /\banaly[sz]e\b/i.test(text)
  return !READS.has(first)
}

function isWrite({ outer, modifies }: Words): boolean {
  const [first = '', second = ''] = outer
  if (MODIFYING.has(first)) return true
  switch (first) {
    case 'SELECT':
      return outer.includes('INTO')
    case 'WITH':
      return modifies || outer.includes('INTO')
    case 'EXPLAIN':
      return isWrite({ outer: outer.slice(outer.findIndex((word) => !EXPLAINING.has(word))), modifies })
    case 'COPY':
      return modifies || !outer.includes('TO')
  }
  if (first === '' || READS.has(first) || TRANSACTION_CONTROL.has(first) || ALONE.has(first)) return false
  if (outer.includes('CONCURRENTLY')) return false
  return !(DEFINES.has(first) && ALONE_WHERE_DEFINED.has(second))
}

function firstWord(text: string): string {
  BLANK.lastIndex = 0
  BLANK.test(text)
  while (text.startsWith('/*', BLANK.lastIndex)) {
    BLANK.lastIndex = endOfComment(text, BLANK.lastIndex + 2)
    BLANK.test(text)
  }
  WORD.lastIndex = BLANK.lastIndex
  return (WORD.exec(text)?.[0] ?? '').toUpperCase()
}

/** The words of each statement. */
function read(text: string): Words[] {
  const statements: Words[] = []
  let current: Words = { outer: [], modifies: false }
  let depth = 0
  let startsStatement = true
  TOKEN.lastIndex = 0
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const token = match[0]
    const word = match[1]?.toUpperCase()
    if (token === '/*') TOKEN.lastIndex = endOfComment(text, TOKEN.lastIndex)
    else if (/^\s|^--/.test(token)) continue
    else if (/^\$.*\$$/.test(token)) TOKEN.lastIndex = endOf(token, text, TOKEN.lastIndex)
    else if (token === ';' && depth === 0) {
      if (current.outer.length > 0) statements.push(current)
      current = { outer: [], modifies: false }
      startsStatement = true
    } else if (token === '(' || token === ')') {
      // A parenthesis before the first word only holds the whole statement.
      if (current.outer.length > 0) depth = Math.max(0, depth + (token === '(' ? 1 : -1))
      startsStatement = true
    } else {
      if (word !== undefined && startsStatement && MODIFYING.has(word)) current.modifies = true
      if (word !== undefined && depth === 0) current.outer.push(word)
      startsStatement = false
    }
  }
  if (current.outer.length > 0) statements.push(current)
  return statements
}

/** Comments nest. */
function endOfComment(text: string, from: number): number {
  const edge = /\/\*|\*\//g
  edge.lastIndex = from
  for (let depth = 1; depth > 0; ) {
    const match = edge.exec(text)
    if (match === null) return text.length
    depth += match[0] === '/*' ? 1 : -1
  }
  return edge.lastIndex
}

function endOf(delimiter: string, text: string, from: number): number {
  const place = text.indexOf(delimiter, from)
  return place < 0 ? text.length : place + delimiter.length
}

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(/\s+/))
}

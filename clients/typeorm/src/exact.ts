// JSON → values, without the loss that JSON.parse makes of large and long numbers.

/**
 * Like JSON.parse, but a number that a double can't hold becomes a string of its digits: 9007199254740993 is
 * "9007199254740993", as TypeORM gives a bigint column, and 26 is 26.
 */
export function parseExactly(json: string): unknown {
  // Ordinary numbers, of at most 15 digits, take no notice of all this.
  return JSON.parse(LONG_NUMBER.test(json) ? quoteLongNumbers(json) : json) as unknown
}

const LONG_NUMBER = /[\d.]{16}|\d[eE]/
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g

function quoteLongNumbers(json: string): string {
  return json.replace(STRING_OR_NUMBER, (token) => (token.startsWith('"') || isExact(token) ? token : `"${token}"`))
}

/** Whether the double's own shortest text is the same number. */
function isExact(token: string): boolean {
  const double = Number(token)
  return Number.isFinite(double) && normal(token) === normal(String(double))
}

/** A decimal number as digits without zeros at its ends, and the place of the point. */
function normal(token: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(token) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  if (digits === '') return '0'
  const point = Number(exponent) - fraction.length
  const significant = digits.replace(/0+$/, '')
  return `${sign}${significant}e${point + digits.length - significant.length}`
}

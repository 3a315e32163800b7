/** Whether a password gives itself away by resembling something that is known of the person (contract 4.3, P3-P6). */

const maxDistance = 4
const maxSharedRun = 3

/**
 * Whether two texts are so alike that knowing one is knowing the other: fewer than five edits apart, or with more than
 * three characters in a row in common. Letter case and compatibility forms make no difference. Takes linear time.
 */
export function resembles(password: string, identifier: string): boolean {
  const a = fold(password)
  const b = fold(identifier)
  return sharesRun(a, b, maxSharedRun + 1) || isWithinDistance(a, b, maxDistance)
}

/** The spelling in which texts are compared. */
export function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

/** Whether two texts have a substring of that length in common. */
export function sharesRun(a: string, b: string, length: number): boolean {
  const runs = new Set<string>()
  for (let at = 0; at + length <= a.length; at++) runs.add(a.slice(at, at + length))
  for (let at = 0; at + length <= b.length; at++) {
    if (runs.has(b.slice(at, at + length))) return true
  }
  return false
}

/**
 * Whether at most `limit` insertions, deletions and replacements make one text the other (Levenshtein). Only the cells of
 * the table within `limit` of its diagonal can matter, so only those are computed.
 */
export function isWithinDistance(a: string, b: string, limit: number): boolean {
  if (Math.abs(a.length - b.length) > limit) return false

  const beyond = limit + 1
  let previous = new Map(range(0, Math.min(b.length, limit)).map(column => [column, column]))
  for (let row = 1; row <= a.length; row++) {
    const current = new Map<number, number>()
    for (const column of range(Math.max(0, row - limit), Math.min(b.length, row + limit))) {
      const replaced = (previous.get(column - 1) ?? beyond) + (a[row - 1] === b[column - 1] ? 0 : 1)
      const inserted = (current.get(column - 1) ?? beyond) + 1
      const deleted = (previous.get(column) ?? beyond) + 1
      current.set(column, Math.min(replaced, inserted, deleted))
    }
    previous = current
  }
  return (previous.get(b.length) ?? beyond) <= limit
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)
}

/** Whether a password is what a guesser tries first: a known word, with no more around it than people usually add. */
import { fold } from './password-similarity.js'

/** Shorter words say little about what is around them. */
const shortestWord = 4

/** Whether the password is a known word with a few characters or a count (`1234567`) before or after it. */
export function isDecorated(password: string, isKnown: (word: string) => boolean): boolean {
  const text = fold(password)
  const letters = [...text.matchAll(/\p{L}/gu)]
  const start = letters[0]?.index
  const last = letters.at(-1)
  if (start === undefined || last === undefined) return false
  const end = last.index + last[0].length
  return end - start >= shortestWord && isKnown(text.slice(start, end)) && isPredictable(text.slice(0, start)) && isPredictable(text.slice(end))
}

/** Whether the password is made of these words alone, apart from a few characters between and around them. */
export function consistsOf(password: string, words: readonly string[]): boolean {
  let rest = fold(password)
  const length = rest.length
  for (const word of [...words].map(fold).sort((a, b) => b.length - a.length)) rest = rest.replaceAll(word, '')
  return rest.length < length && isPredictable(rest.replace(/[\s._-]+/g, ''))
}

const counts = '01234567890123456789'
const countsDown = [...counts].reverse().join('')

function isPredictable(decoration: string): boolean {
  if (decoration.length <= 4) return true
  return counts.includes(decoration) || countsDown.includes(decoration) || new Set(decoration).size === 1
}

/** A place in an expression that is being read, and errors about places. */
import { PatternError } from './syntax-tree.js'

/** Readers move `at`. */
export interface Cursor {
  readonly text: string
  at: number
  /** Where the expression begins in the pattern. */
  readonly offset: number
}

/** An error about what is about to be read, or about what begins at `at`. */
export function fail(cursor: Cursor, message: string, at = cursor.at): PatternError {
  return new PatternError(message, cursor.offset + at)
}

/** Moves past `char` if it comes next. */
export function take(cursor: Cursor, char: string): boolean {
  if (cursor.text[cursor.at] !== char) return false
  cursor.at++
  return true
}

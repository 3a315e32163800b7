/** Regular expressions of identity schemas, evaluated in linear time whatever a person types (security D7). */
import { RE2JS } from 're2js'

/** Whether a text holds a match of the pattern. */
export interface LinearPattern {
  test(text: string): boolean
  toString(): string
}

/**
 * Compiles a pattern with RE2's syntax, or with JavaScript's as far as RE2 has the same thing. Throws with a reason for
 * lookaround and back-references, which no linear engine has.
 */
export function compileLinearPattern(pattern: string): LinearPattern {
  const compiled = compileEither(pattern)
  return { test: text => compiled.test(text), toString: () => pattern }
}

function compileEither(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    try {
      return RE2JS.compile(RE2JS.translateRegExp(pattern))
    } catch {
      throw error
    }
  }
}

/** How much one template may ask of the gateway. Rule authors write templates, but what they loop over comes from outside. */
import { GatewayError } from '../../errors.js'

/** Characters of a template's source. */
export const maxSource = 65_536
/** Control structures and parentheses inside each other. */
export const maxDepth = 100
/** Characters of the output, and of every text made on the way to it. */
export const maxText = 65_536
/** Rounds of all loops of one evaluation together. */
export const maxRounds = 10_000
/** Steps of one evaluation; a step is a command, an argument, or 256 characters looked at by a function. */
export const maxSteps = 100_000

/** Ends an evaluation. The detail goes to the log, so it says types and names, never values of a session. */
export function fail(detail: string): never {
  throw new GatewayError('internal_error', { detail })
}

/** The same text, unless it is longer than a template may make. */
export function limitText(text: string): string {
  if (text.length > maxText) fail(`a text is longer than ${maxText} characters`)
  return text
}

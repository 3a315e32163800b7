/** Which passwords are good enough (contract 4.3, security A6). No composition rules: length, and nothing that is guessed first. */
import { durationMs } from '../config/duration.js'
import type { Config } from '../config/schema.js'
import type { Problem } from '../store/records.js'
import { createBreachCheck, type CountBreaches } from './breach-check.js'
import { commonPasswords } from './common-passwords.js'
import { consistsOf, isDecorated } from './password-guesses.js'
import { fold, resembles } from './password-similarity.js'

/** `selfservice.strategies.password.config`, and who is told why the breach database could not be asked: never about which password. */
export type PasswordPolicyOptions = Config['selfservice']['strategies']['password']['config'] & {
  readonly onBreachCheckFailure?: (reason: string) => void
}

/**
 * What is wrong with a new password for somebody with these identifiers; `undefined` when nothing is. `admit` is asked once,
 * after all that costs nothing and before others are asked: what it rejects with, so does the policy. Rejects with
 * `overloaded` only when the breach database can not be asked and `ignore_network_errors` is off.
 */
export type PasswordPolicy = (password: string, identifiers: readonly string[], admit?: () => Promise<void>) => Promise<Problem | undefined>

/** Characters of a part of an identifier that are worth looking for. */
const shortestWord = 3

/** The policy that the configuration describes. Throws when the breach database would be asked over plain http. */
export function createPasswordPolicy(options: PasswordPolicyOptions): PasswordPolicy {
  const countBreaches = options.haveibeenpwned_enabled ? breachCheck(options) : undefined

  return async (password, identifiers, admit) => {
    if (Buffer.byteLength(password) > options.max_password_bytes) return refusal('policy_too_long', { max: options.max_password_bytes })
    const common = options.common_passwords_check_enabled ? await commonPasswords() : new Set<string>()
    // Before the length, because "everybody tries this one" helps more than "add two characters" (contract 9).
    if (common.has(fold(password))) return refusal('policy_common')

    const length = [...password].length
    if (length < options.min_password_length) return refusal('policy_length', { length, min: options.min_password_length })
    if (isDecorated(password, word => common.has(word))) return refusal('policy_decorated')
    if (options.identifier_similarity_check_enabled && identifiers.some(identifier => resembles(password, identifier))) {
      return refusal('policy_similar')
    }
    if (consistsOf(password, contextWords(options, identifiers))) return refusal('policy_context')

    await admit?.()
    const count = await countBreaches?.(password) ?? 0
    return count > options.max_breaches ? refusal('policy_breached', { count }) : undefined
  }
}

function breachCheck(options: PasswordPolicyOptions): CountBreaches {
  return createBreachCheck({
    host: options.haveibeenpwned_host,
    timeoutMs: durationMs(options.haveibeenpwned_timeout),
    ignoreNetworkErrors: options.ignore_network_errors,
    onFailure: options.onBreachCheckFailure ?? (() => {}),
  })
}

function contextWords(options: PasswordPolicyOptions, identifiers: readonly string[]): string[] {
  const own = options.identifier_similarity_check_enabled ? identifiers.flatMap(identifier => identifier.split(/[^\p{L}\p{N}]+/u)) : []
  return [...options.context_words, ...own.filter(word => word.length >= shortestWord)]
}

function refusal(code: string, params?: Problem['params']): Problem {
  return { code, field: 'password', ...(params === undefined ? {} : { params }) }
}

/** Asks a breach database how often a password was found in leaks, without telling it the password (contract 4.3, security A6). */
import { createHash } from 'node:crypto'

import { LRUCache } from 'lru-cache'

import { GatewayError } from '../errors.js'
import { fetchDocument } from './fetch-document.js'

export interface BreachCheckOptions {
  /** `selfservice.strategies.password.config.haveibeenpwned_host`: a host, or the origin of a mirror. */
  readonly host: string
  readonly timeoutMs: number
  /** Whether a password passes when the database does not answer. */
  readonly ignoreNetworkErrors: boolean
  /** Learns why a question got no answer; nothing about the password. */
  readonly onFailure: (reason: string) => void
}

/** In how many breaches a password was found. Rejects with `overloaded` when nobody answers and that is not to be ignored. */
export type CountBreaches = (password: string) => Promise<number>

const answerByteLimit = 1_048_576
const cacheByteLimit = 8 * answerByteLimit
const cacheMs = 3_600_000
const concurrency = 16

/** The check; keeps answers for an hour, within a limit. Throws when `host` is no host and no origin that may be asked. */
export function createBreachCheck({ host, timeoutMs, ignoreNetworkErrors, onFailure }: BreachCheckOptions): CountBreaches {
  const origin = databaseOrigin(host)
  const answers = new LRUCache<string, string>({ maxSize: cacheByteLimit, sizeCalculation: answer => answer.length, ttl: cacheMs })
  const pending = new Map<string, Promise<string>>()

  return async password => {
    const digest = createHash('sha1').update(password).digest('hex').toUpperCase()
    const prefix = digest.slice(0, 5)
    try {
      const answer = answers.get(prefix) ?? await (pending.get(prefix) ?? fetchRange(prefix))
      return countIn(answer, digest.slice(5))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      onFailure(reason)
      if (ignoreNetworkErrors) return 0
      throw new GatewayError('overloaded', {
        reason: 'The password can not be checked against known breaches right now, please try again later.',
        detail: `breach database: ${reason}`, headers: { 'Retry-After': '5' }, cause: error,
      })
    }
  }

  function fetchRange(prefix: string): Promise<string> {
    if (pending.size >= concurrency) throw new Error(`${concurrency} questions are open already`)
    // Padding hides from a listener which prefix was asked for.
    const limits = { timeoutMs, maxBytes: answerByteLimit, headers: { 'Add-Padding': 'true', 'User-Agent': 'oathgate' } }
    const answer = fetchDocument(`${origin}/range/${prefix}`, limits)
      .then(bytes => checkAnswer(bytes.toString('latin1')))
      .then(checked => {
        answers.set(prefix, checked)
        return checked
      })
      .finally(() => pending.delete(prefix))
    pending.set(prefix, answer)
    return answer
  }
}

/** A plain http mirror may be asked only where nobody can listen. */
function databaseOrigin(host: string): string {
  const { protocol, hostname, origin, pathname } = new URL(host.includes('://') ? host : `https://${host}`)
  const isLoopback = hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.[0-9]+){3}$/.test(hostname)
  if (protocol === 'https:' || (protocol === 'http:' && isLoopback)) return origin + pathname.replace(/\/$/, '')
  throw new Error(`the breach database ${origin} must be asked over https; plain http is for a mirror on loopback`)
}

/** `SUFFIX:COUNT` lines; anything else is no answer, whatever its status. */
function checkAnswer(answer: string): string {
  const isRange = answer.trimEnd().split('\n').every(line => /^[0-9A-F]{35}:[0-9]{1,10}\r?$/.test(line))
  if (!isRange) throw new Error('the answer is not a list of SUFFIX:COUNT')
  return answer
}

/** Rows that are padding have the count 0. */
function countIn(answer: string, suffix: string): number {
  const at = answer.indexOf(`${suffix}:`)
  return at === -1 ? 0 : Number.parseInt(answer.slice(at + suffix.length + 1, at + suffix.length + 12), 10)
}

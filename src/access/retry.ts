/** Asking again when a service failed in a way that may pass. */
import { setTimeout as delay } from 'node:timers/promises'
import type { FromSchema } from 'json-schema-to-ts'

import { durationMs } from '../config/duration.js'
import { OutgoingError, type FetchBounded, type OutgoingAnswer, type OutgoingRequest } from './outgoing.js'

const duration = { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$' } as const

/** `retry` of a handler's configuration. */
export const retrySchema = {
  type: 'object', additionalProperties: false,
  properties: {
    max_delay: { ...duration, default: '100ms', description: 'The longest wait between two tries.' },
    give_up_after: { ...duration, default: '1s', description: 'No further try begins later than this after the first.' },
  },
} as const

export type RetryOptions = FromSchema<typeof retrySchema>

const maxTries = 5

/**
 * Tries up to five times while the service can't be reached, is busy (429) or fails (5xx but 501), each time a little
 * later. What takes too long is not tried again. Only for requests that may be repeated.
 */
export async function fetchWithRetry(fetchBounded: FetchBounded, request: OutgoingRequest, options: RetryOptions): Promise<OutgoingAnswer> {
  const began = performance.now()
  const maxDelay = durationMs(options.max_delay)
  const giveUpAfter = durationMs(options.give_up_after)

  for (let tries = 1; ; tries++) {
    const outcome = await attempt(fetchBounded, request)
    const wait = Math.min(maxDelay, 25 * 2 ** tries)
    const over = tries === maxTries || performance.now() - began + wait > giveUpAfter
    if (!mayPass(outcome) || over) {
      if (outcome instanceof OutgoingError) throw outcome
      return outcome
    }
    await delay(wait)
  }
}

async function attempt(fetchBounded: FetchBounded, request: OutgoingRequest): Promise<OutgoingAnswer | OutgoingError> {
  try {
    return await fetchBounded(request)
  } catch (error) {
    if (error instanceof OutgoingError) return error
    throw error
  }
}

function mayPass(outcome: OutgoingAnswer | OutgoingError): boolean {
  if (outcome instanceof OutgoingError) return outcome.kind === 'unreachable'
  return outcome.status === 429 || (outcome.status >= 500 && outcome.status !== 501)
}

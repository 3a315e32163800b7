/** How fast anybody may begin flows, sign up and log in: counted in the store, so that replicas count together (security A3 to A5). */
import { createHash } from 'node:crypto'

import { durationMs } from '../config/duration.js'
import type { Config } from '../config/schema.js'
import { GatewayError } from '../errors.js'
import { addressBucket } from '../http/client-address.js'
import type { RateLimit, Store } from '../store/store.js'

/** Each function resolves when one more is allowed, having counted it; rejects with `too_many_requests` and `Retry-After` otherwise. */
export interface RateLimits {
  beginFlow(address: string): Promise<void>
  register(address: string): Promise<void>
  /**
   * Before a password is looked at. `knownDevice` names a browser that has logged in with this identifier before: it is
   * counted by itself, so that whoever guesses from elsewhere can't lock the owner out.
   */
  logIn(address: string, identifier: string, knownDevice: string | undefined): Promise<void>
}

/** Limits as configured; without `enabled` everything is allowed and nothing counted. `onLimited` learns which limit refused somebody. */
export function createRateLimits(
  config: Config['security']['rate_limits'], store: Pick<Store, 'takeToken'>, onLimited: (limit: string) => void,
): RateLimits {
  if (!config.enabled) return { beginFlow: allow, register: allow, logIn: allow }

  const flows = readLimit(config.flows_per_address)
  const registrations = readLimit(config.registrations_per_address)
  const logins = readLimit(config.logins_per_address)
  const loginsHere = readLimit(config.logins_per_identifier_and_address)
  const loginsAnywhere = readLimit(config.logins_per_identifier)

  async function take(bucket: string, limit: RateLimit): Promise<void> {
    const waitMs = await store.takeToken(bucket, limit)
    if (waitMs === 0) return
    const name = bucket.slice(0, bucket.indexOf(':'))
    onLimited(name)
    const seconds = Math.ceil(waitMs / 1000)
    throw new GatewayError('too_many_requests', {
      reason: `Too many attempts. Please try again in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}.`,
      detail: `rate limit ${name}`,
      headers: { 'Retry-After': String(seconds) },
    })
  }

  return {
    beginFlow: address => take(`flows:${addressBucket(address)}`, flows),
    register: address => take(`registrations:${addressBucket(address)}`, registrations),
    async logIn(address, identifier, knownDevice) {
      // The widest last: who is refused by a narrower one does not use up what others share.
      await take(`logins:${addressBucket(address)}`, logins)
      const name = digest(identifier)
      if (knownDevice !== undefined) return take(`device-logins:${name}:${digest(knownDevice)}`, loginsHere)
      await take(`identifier-logins-here:${name}:${addressBucket(address)}`, loginsHere)
      await take(`identifier-logins:${name}`, loginsAnywhere)
    },
  }
}

function readLimit({ burst, interval }: { readonly burst: number, readonly interval: string }): RateLimit {
  return { burst, intervalMs: durationMs(interval) }
}

/** Buckets are keys in the store: of a bounded length and without what people typed. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}

function allow(): Promise<void> {
  return Promise.resolve()
}

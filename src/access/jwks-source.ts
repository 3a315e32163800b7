/** One place that a key set comes from: read when it is needed, kept for a while, and kept on when it can't be read again. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'

import { readJwks, type Jwks } from './jwks.js'
import type { FetchBounded } from './outgoing.js'
import { parseJson } from './remote-json.js'

export interface Freshness {
  /** Milliseconds after which keys are read again. */
  readonly ttlMs: number
  /** How long a request waits for that before the old keys do. */
  readonly maxWaitMs: number
}

export interface JwksSource {
  /** Throws `Error` when there are no keys, old ones included. */
  keys(freshness: Freshness): Promise<Jwks>
  /** Like `keys`, for when a key is missing: reads again, but once in 30 s only, whatever ids attackers think of (security O11). */
  newestKeys(freshness: Freshness): Promise<Jwks>
}

/** How long keys are used that could not be read again: an identity provider may be down, but not for ever (security O10). */
const staleMs = 3_600_000
/** How long after a failure the place is left alone. */
const pauseMs = 5_000
const newestPauseMs = 30_000
const readTimeoutMs = 5_000
const maxBytes = 1_048_576

/** `location` is a `file://`, `http://` or `https://` URL; paths may be relative to `baseDir`. `now`, in milliseconds, is a clock that nobody sets. */
export function createJwksSource(location: string, baseDir: string, fetchBounded: FetchBounded, now: () => number = () => performance.now()): JwksSource {
  let known: { readonly jwks: Jwks, readonly readAt: number } | undefined
  let reading: { readonly done: Promise<void>, readonly since: number } | undefined
  let failure: { readonly error: Error, readonly at: number } | undefined
  let newestAt = -Infinity

  function startReading(): Promise<void> {
    if (reading !== undefined) return reading.done
    const done = read(location, baseDir, fetchBounded).then(
      jwks => {
        known = { jwks, readAt: now() }
        failure = undefined
      },
      (error: unknown) => { failure = { error: error as Error, at: now() } },
    ).finally(() => { reading = undefined })
    reading = { done, since: now() }
    return done
  }

  async function keys({ ttlMs, maxWaitMs }: Freshness): Promise<Jwks> {
    if (known !== undefined && now() - known.readAt < ttlMs) return known.jwks
    await refresh(maxWaitMs)
    if (known !== undefined && now() - known.readAt < Math.max(staleMs, ttlMs)) return known.jwks
    throw failure?.error ?? new Error(`${location} could not be read in time`)
  }

  async function refresh(maxWaitMs: number): Promise<void> {
    if (failure !== undefined && now() - failure.at < pauseMs) return
    const done = startReading()
    // Without any keys nothing can be decided, so that reading is waited for; it takes 5 s at most.
    if (known === undefined) {
      await done
      return
    }
    const left = maxWaitMs - (now() - (reading?.since ?? now()))
    if (left > 0) await within(left, done)
  }

  async function newestKeys(freshness: Freshness): Promise<Jwks> {
    if (now() - newestAt >= newestPauseMs) {
      newestAt = now()
      await within(Math.max(freshness.maxWaitMs, 1), startReading())
    } else if (reading !== undefined) {
      // Whoever comes while the one reading goes on gets its result too.
      await within(Math.max(freshness.maxWaitMs, 1), reading.done)
    }
    return keys(freshness)
  }

  return { keys, newestKeys }
}

async function read(location: string, baseDir: string, fetchBounded: FetchBounded): Promise<Jwks> {
  const path = location.startsWith('file://') ? location.slice('file://'.length) : undefined
  const text = path === undefined ? await fetchText(location, fetchBounded) : await readSmallFile(path, baseDir)
  const jwks = readJwks(parseJson(text))
  if (jwks === undefined) throw new Error(`${location} is no JSON Web Key Set`)
  return jwks
}

async function readSmallFile(path: string, baseDir: string): Promise<Buffer> {
  const text = await readFile(resolve(baseDir, path))
  if (text.length > maxBytes) throw new Error(`${path} is larger than 1 MiB`)
  return text
}

async function fetchText(url: string, fetchBounded: FetchBounded): Promise<Buffer> {
  const { status, body } = await fetchBounded({
    url, method: 'GET', headers: { accept: 'application/jwk-set+json, application/json' }, timeoutMs: readTimeoutMs, maxBytes,
  })
  if (status !== 200) throw new Error(`${url} answered ${status}`)
  return body
}

/** Waits for `done`, but not longer. */
async function within(ms: number, done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([done, new Promise<void>(resolve => { timer = setTimeout(resolve, ms) })])
  clearTimeout(timer)
}

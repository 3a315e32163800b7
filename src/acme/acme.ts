/** Certificates that an ACME authority gives, kept in force: read from the store, asked for when due, by one replica at a time. */
import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'

import { GatewayError } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import type { Log } from '../log.js'
import { readCertificate, type Certificate } from '../tls/certificate.js'
import { createOrders, type Authority } from './order.js'
import { acmeRecords, type SharedStore } from './records.js'

export interface AcmeOptions extends Authority {
  readonly domains: readonly string[]
  /** Absent: a third of a certificate's life. */
  readonly renewBeforeMs?: number
  readonly store: SharedStore
  readonly secrets: readonly string[]
  /** Told of all certificates there are, at first and whenever one is new. */
  readonly show: (certificates: readonly Certificate[]) => void
  readonly log: Log
  /** How often the store is looked at for what other replicas got; a minute when absent. */
  readonly lookEveryMs?: number
}

export interface Acme {
  /** Answers what an authority asks, whichever replica it comes to; false for every other path. Throws `not_found` for tokens of nobody. */
  answerChallenge(request: AccessRequest, res: ServerResponse): Promise<boolean>
  /** To be called when requests arrive: looks after what is due from then on. */
  begin(): void
  close(): void
}

/** What a replica that waits for its first certificate does. */
const eagerMs = 2_000
/** How long one order may take, and how long nobody else may ask meanwhile. */
const orderMs = 300_000
const turnMs = orderMs + 30_000
/** Let's Encrypt counts five failures an hour of one name. */
const pausesMs = [60_000, 300_000, 900_000, 3_600_000]

const challengePath = '/.well-known/acme-challenge/'

/** Resolves when what the store has is shown; what it lacks comes later. Nothing of the authority is needed for a start. */
export async function startAcme(options: AcmeOptions): Promise<Acme> {
  const { domains, renewBeforeMs, store, secrets, directoryUrl, show, log, lookEveryMs = 60_000 } = options
  const records = acmeRecords(store, secrets, directoryUrl)
  const order = createOrders(options, records)
  const holder = randomUUID()
  const inForce = new Map<string, Certificate>()
  let closed = false
  let timer: NodeJS.Timeout | undefined

  /** Reads what is in the store for a domain; true when it is new. */
  async function load(domain: string): Promise<boolean> {
    const issued = await records.findCertificate(domain)
    if (issued === undefined || issued.cert === inForce.get(domain)?.cert) return false
    inForce.set(domain, readCertificate(issued.cert, issued.key))
    return true
  }

  async function loadAll(): Promise<void> {
    let news = false
    for (const domain of domains) news = await load(domain) || news
    if (news) showAll()
  }

  function showAll(): void {
    show(domains.flatMap(domain => inForce.get(domain) ?? []))
  }

  /** Asks for what is due, unless another replica does, or has just failed to. */
  async function renew(domain: string): Promise<void> {
    if (!await records.takeTurn(holder, turnMs)) return
    try {
      if (await load(domain)) showAll() // between looking and having the turn
      if (!isDue(inForce.get(domain), renewBeforeMs)) return
      const failure = await records.findFailure(domain)
      if (failure === undefined || failure.retryAt <= Date.now()) await ask(domain, failure?.count ?? 0)
    } finally {
      await records.endTurn(holder)
    }
  }

  async function ask(domain: string, failures: number): Promise<void> {
    try {
      const issued = await within(orderMs, order(domain))
      const certificate = readCertificate(issued.cert, issued.key)
      await records.saveCertificate(domain, issued)
      await records.saveFailure(domain, undefined)
      inForce.set(domain, certificate)
      showAll()
      log.info({ domain, expires: new Date(certificate.expiresAt).toISOString() }, 'a certificate was issued')
    } catch (error) {
      if (closed) return
      const pauseMs = jittered(pausesMs[Math.min(failures, pausesMs.length - 1)] as number)
      const expires = inForce.get(domain)?.expiresAt
      log.error({
        domain, reason: (error as Error).message, retry_in_s: Math.round(pauseMs / 1000), expires: expires === undefined ? undefined : new Date(expires).toISOString(),
      }, 'no certificate could be got; the one before stays, if there is one')
      await records.saveFailure(domain, { count: failures + 1, retryAt: Date.now() + pauseMs })
    }
  }

  async function look(): Promise<void> {
    try {
      await loadAll()
      for (const domain of domains) {
        if (!closed && isDue(inForce.get(domain), renewBeforeMs)) await renew(domain)
      }
    } catch (error) {
      if (!closed) log.error({ reason: error instanceof GatewayError ? error.detail : (error as Error).message }, 'certificates can not be looked after')
    }
    if (!closed) timer = setTimeout(() => void look(), jittered(inForce.size < domains.length ? eagerMs : lookEveryMs)).unref()
  }

  await loadAll()

  return {
    async answerChallenge({ path }, res) {
      if (!path.startsWith(challengePath)) return false
      const token = path.slice(challengePath.length)
      const answer = /^[\w-]{16,128}$/.test(token) ? await records.findChallenge(token) : undefined
      if (answer === undefined) throw new GatewayError('not_found')
      res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': Buffer.byteLength(answer) }).end(answer)
      return true
    },
    begin() { void look() },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

/** Whether it is time for another one: before its end, and never in the first half of its life, or it would be asked for again and again. */
function isDue(certificate: Certificate | undefined, renewBeforeMs: number | undefined): boolean {
  if (certificate === undefined) return true
  const { issuedAt, expiresAt } = certificate
  const life = expiresAt - issuedAt
  return Date.now() >= Math.max(expiresAt - (renewBeforeMs ?? life / 3), issuedAt + life / 2)
}

/** Replicas that were started together do not go on together. */
function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 2)
}

async function within<Result>(ms: number, promise: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => { reject(new Error('the authority took too long')) }, ms).unref()
  })
  return Promise.race([promise, late]).finally(() => { clearTimeout(timer) })
}

/** What the status page says, gathered when it is asked for. */
import type { Store } from '../store/store.js'
import type { RuleList } from './rules.js'

export interface Status {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly version: string
  readonly uptimeSeconds: number
  /** False once the process has been told to stop. */
  readonly accepting: boolean
  readonly store: StoreStatus
  /** Sessions that have not ended, of all gateways; absent when the store does not tell. */
  readonly sessions: number | undefined
  /** Accounts made in each of the last 24 hours, the running one last, of all gateways; absent when the store does not tell. */
  readonly signUps: readonly HourCount[] | undefined
  readonly rules: RulesStatus
  readonly load: Load
}

export interface StoreStatus {
  /** As the scheme of `dsn` says. */
  readonly kind: 'redis' | 'embedded'
  /** How long it took to answer just now; absent when it did not, or can't be written to. */
  readonly answerMs: number | undefined
  /** Since this process started. */
  readonly operations: number
  readonly errors: number
  /** Of one operation; absent when there was none. */
  readonly meanMs: number | undefined
}

export interface HourCount {
  /** Milliseconds since 1970; a whole hour of UTC. */
  readonly from: number
  readonly count: number
}

export interface RulesStatus {
  readonly loadedAt: number
  /** Why what the repositories hold now is not in force. */
  readonly error: string | undefined
  /** How many are in force. */
  readonly count: number
  /** The first of them in file order. */
  readonly shown: readonly RuleHits[]
  /** Requests to rules that are not counted by themselves. */
  readonly otherHits: number
}

export interface RuleHits {
  readonly id: string
  readonly methods: readonly string[]
  readonly url: string
  /** Empty for rules that only serve the decision API. */
  readonly upstream: string
  /** Requests that met it, by this process, since it was loaded; absent for a rule that is not counted by itself. */
  readonly hits: number | undefined
}

/** This process, at this moment. */
export interface Load {
  readonly connections: number
  readonly tunnels: number
  readonly hashing: { readonly running: number, readonly waiting: number }
}

/** What it is gathered from. */
export interface StatusSources {
  readonly version: string
  readonly accepting: () => boolean
  readonly store: Pick<Store, 'ping' | 'countSessions' | 'countIdentities'>
  readonly storeKind: 'redis' | 'embedded'
  readonly storeSummary: () => { readonly operations: number, readonly errors: number, readonly seconds: number }
  readonly rules: RuleList
  /** Requests by rule id; `other` for those of rules that are not counted by themselves. */
  readonly hits: () => ReadonlyMap<string, number>
  /** `metrics.max_rules`. */
  readonly countedRules: number
  readonly load: () => Promise<Load>
}

/** Rules that the page lists; with ten thousand of them nobody would read on. */
const shownRules = 500

const hourMs = 3_600_000

/** Never rejects because of the store: what it does not tell is absent. */
export async function readStatus({ version, accepting, store, storeKind, storeSummary, rules, hits, countedRules, load }: StatusSources): Promise<Status> {
  const at = Date.now()
  const [answerMs, sessions, signUps] = await Promise.all([
    answerTime(store), store.countSessions().catch(() => undefined), lastDay(store, at).catch(() => undefined),
  ])
  const { operations, errors, seconds } = storeSummary()
  const { loadedAt, error } = rules.status()
  const documents = rules.documents()
  const counted = hits()
  return {
    at, version, uptimeSeconds: process.uptime(), accepting: accepting(),
    store: { kind: storeKind, answerMs, operations, errors, meanMs: operations === 0 ? undefined : seconds * 1000 / operations },
    sessions, signUps,
    rules: {
      loadedAt, error, count: documents.length,
      shown: documents.slice(0, shownRules).map((document, index) => ({
        ...describeRule(document), hits: index < countedRules ? counted.get(document.id) ?? 0 : undefined,
      })),
      otherHits: documents.length > countedRules ? counted.get('other') ?? 0 : 0,
    },
    load: await load(),
  }
}

async function answerTime(store: Pick<Store, 'ping'>): Promise<number | undefined> {
  const askedAt = performance.now()
  return store.ping().then(() => performance.now() - askedAt, () => undefined)
}

async function lastDay(store: Pick<Store, 'countIdentities'>, at: number): Promise<HourCount[]> {
  const running = at - at % hourMs
  const instants = Array.from({ length: 25 }, (_, index) => running + (index - 23) * hourMs)
  const counts = await store.countIdentities(instants)
  return counts.map((count, index) => ({ from: instants[index] as number, count }))
}

/** A document is as its file has it: what is not there, or is not what it should be, is left empty. */
function describeRule({ id, match, upstream }: ReturnType<RuleList['documents']>[number]): Omit<RuleHits, 'hits'> {
  const { url, methods } = (match ?? {}) as { readonly url?: unknown, readonly methods?: unknown }
  return {
    id,
    methods: Array.isArray(methods) ? methods.map(String) : [],
    url: typeof url === 'string' ? url : '',
    upstream: withoutCredentials((upstream as { readonly url?: unknown } | null | undefined)?.url),
  }
}

function withoutCredentials(url: unknown): string {
  return typeof url === 'string' ? url.replace(/^([a-z]+:\/\/)[^/?#]*@/i, '$1') : ''
}

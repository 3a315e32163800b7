/**
 * `oathgate identities import`: a file of any length, in batches, a few at a time. What is there already is skipped, so
 * whatever ended an import, running it again goes on.
 */
import { setTimeout as delay } from 'node:timers/promises'

import { askAdmin, isTransient, type AdminEndpoint } from './admin-client.js'
import { showProgress } from './progress.js'
import { openSource, type RecordSource, type SourceRecord } from './record-source.js'

export interface ImportOptions {
  readonly file: string
  /** Batches under way at the same time. */
  readonly concurrency: number
  /** Whether an identifier that belongs to another account is a failure, or passed over. */
  readonly onConflict: 'fail' | 'skip'
  readonly dryRun: boolean
}

/** How an import went; in a dry run, how it would go. */
export interface ImportSummary {
  readonly created: number
  /** There already. */
  readonly skipped: number
  readonly failed: number
  readonly seconds: number
  readonly per_second: number
}

interface Outcome {
  readonly action: 'create' | 'error'
  readonly index: number
  readonly error?: { readonly code: number, readonly reason?: string, readonly message: string, readonly details?: { readonly same?: boolean } }
}

/** So much goes into one batch; the gateway's limits are several times as high. */
const batchRecords = 200
const batchCharacters = 524_288

/** Waits before a batch that met a gateway in trouble is sent again. */
const retryAfterMs = [500, 1000, 2000, 4000, 8000]

/** Tells of each failure, with its line, on standard error. Throws when the gateway can't be reached for long, or the file is none. */
export async function importIdentities(endpoint: AdminEndpoint, options: ImportOptions): Promise<ImportSummary> {
  const { file, concurrency, onConflict, dryRun } = options
  const source = await openSource(file)
  const counts = { created: 0, skipped: 0, failed: 0 }
  const start = performance.now()
  const progress = showProgress(process.stderr, () => progressLine(counts, source, performance.now() - start))

  function fail(line: number, reason: string): void {
    counts.failed++
    progress.say(`${source.name}:${line}: ${reason}`)
  }

  function count(record: SourceRecord, { action, error }: Outcome): void {
    if (action === 'create') counts.created++
    else if (error?.code === 409 && (onConflict === 'skip' || error.details?.same === true)) counts.skipped++
    else fail(record.line, error?.reason ?? error?.message ?? 'failed')
  }

  async function send(batch: readonly SourceRecord[]): Promise<void> {
    let waiting = batch
    for (const [attempt, pauseMs] of [...retryAfterMs.entries(), [retryAfterMs.length, -1] as const]) {
      const outcomes = await post(endpoint, waiting, dryRun).catch((error: unknown) => {
        if (!isTransient(error) || pauseMs < 0) throw error
        return undefined
      })
      const settled = (outcome: Outcome): boolean => pauseMs < 0 || (outcome.error?.code ?? 0) < 500
      if (outcomes !== undefined) {
        for (const outcome of outcomes.filter(settled)) count(waiting[outcome.index] as SourceRecord, outcome)
        waiting = outcomes.filter(outcome => !settled(outcome)).map(({ index }) => waiting[index] as SourceRecord)
      }
      if (waiting.length === 0) return
      if (attempt === 0) progress.say(`the gateway is in trouble at line ${waiting[0]?.line}; trying again`)
      await delay(pauseMs)
    }
  }

  try {
    await sendAll(batches(source, fail), concurrency, send)
  } catch (error) {
    progress.say(`${summaryLine({ ...counts, ...pace(counts, performance.now() - start) }, dryRun)}, then the import ended early; run it again to go on`)
    throw error
  } finally {
    progress.end()
  }
  return { ...counts, ...pace(counts, performance.now() - start) }
}

/** In a sentence. */
export function summaryLine({ created, skipped, failed, seconds, per_second: perSecond }: ImportSummary, dryRun: boolean): string {
  const number = (value: number): string => value.toLocaleString('en')
  return `${dryRun ? 'would create' : 'created'} ${number(created)}, skipped ${number(skipped)} that are there already, failed ${number(failed)}, in ${seconds} s (${number(perSecond)}/s)`
}

/** What is no JSON fails by itself. */
async function* batches(source: RecordSource, fail: (line: number, reason: string) => void): AsyncGenerator<SourceRecord[]> {
  let batch: SourceRecord[] = []
  let characters = 0
  for await (const record of source.records()) {
    const problem = jsonProblem(record.text)
    if (problem !== undefined) {
      fail(record.line, problem)
      continue
    }
    if (batch.length === batchRecords || characters + record.text.length > batchCharacters) {
      yield batch
      batch = []
      characters = 0
    }
    batch.push(record)
    characters += record.text.length
  }
  if (batch.length > 0) yield batch
}

/** The parser's own message may quote a credential. */
function jsonProblem(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch {
    return 'not a JSON document'
  }
}

/** The first failure ends it; what is under way is waited for, so that its outcome is told. */
async function sendAll(source: AsyncGenerator<SourceRecord[]>, concurrency: number, send: (batch: SourceRecord[]) => Promise<void>): Promise<void> {
  let failed = false
  async function work(): Promise<void> {
    while (!failed) {
      const { value, done } = await source.next()
      if (done === true) return
      await send(value)
    }
  }
  const settled = await Promise.allSettled(Array.from({ length: concurrency }, () => work().catch((error: unknown) => {
    failed = true
    throw error
  })))
  const rejection = settled.find(result => result.status === 'rejected')
  if (rejection !== undefined) throw rejection.reason
}

async function post(endpoint: AdminEndpoint, batch: readonly SourceRecord[], dryRun: boolean): Promise<readonly Outcome[]> {
  const body = `{"identities":[${batch.map(({ text }) => `{"create":${text}}`).join(',')}]}`
  const answer = await askAdmin(endpoint, 'PATCH', `/identities${dryRun ? '?dry_run=true' : ''}`, body) as { identities: Outcome[] }
  return answer.identities
}

type Counts = Pick<ImportSummary, 'created' | 'skipped' | 'failed'>

function pace({ created, skipped, failed }: Counts, elapsedMs: number): Pick<ImportSummary, 'seconds' | 'per_second'> {
  const seconds = Math.round(elapsedMs / 100) / 10
  return { seconds, per_second: Math.round((created + skipped + failed) / Math.max(elapsedMs / 1000, 0.001)) }
}

function progressLine(counts: Counts, source: RecordSource, elapsedMs: number): string {
  const { created, skipped, failed } = counts
  const done = source.size === undefined || source.size === 0 ? '' : `${Math.floor(100 * source.bytesRead() / source.size)}%, `
  const number = (value: number): string => value.toLocaleString('en')
  return `${done}${number(created)} created, ${number(skipped)} skipped, ${number(failed)} failed, ${number(pace(counts, elapsedMs).per_second)}/s`
}

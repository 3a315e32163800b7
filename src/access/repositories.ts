/** Keeps the access rules up to date: reads them from their repositories, and swaps in what has changed when all of it is right. */
import { createHash } from 'node:crypto'

import { durationMs } from '../config/duration.js'
import type { AccessConfig } from './compile-rule.js'
import { fileRepository } from './repositories/file.js'
import { httpRepository } from './repositories/http.js'
import { inlineRepository } from './repositories/inline.js'
import type { Repository } from './repositories/repository.js'
import type { Services } from './pipeline.js'
import { type RuleFile, type RuleSet, compileRules } from './rules.js'

/** What is written to the log; pino's methods. */
export interface RuleLog {
  readonly info: (details: object, message: string) => void
  readonly warn: (details: object, message: string) => void
  readonly error: (details: object, message: string) => void
}

/** How the rules in force came to be. */
export interface RulesStatus {
  /** Milliseconds since 1970. */
  readonly loadedAt: number
  /** Why what the repositories hold now is not in force; absent when it is. */
  readonly error?: string
}

/** Rules that follow their repositories. */
export interface Rules {
  /** The set in force; a request that has one keeps it to its end. */
  current(): RuleSet
  status(): RulesStatus
  /** Ends watching. What is in force stays. */
  close(): void
}

/**
 * Loads the rules and goes on watching them. Rejects when they can't be loaded or are not right; from then on the last
 * good set stays in force whatever happens to the repositories (security X13). `baseDir` is where relative file URLs start.
 * `onReload` learns how each later change of the rules, or attempt to read them, went.
 */
export async function watchRules(
  config: AccessConfig, baseDir: string, services: Services, log: RuleLog, onReload: (result: 'loaded' | 'refused') => void = () => undefined,
): Promise<Rules> {
  const repositories = openRepositories(config, baseDir)
  let changedWhileLoading = false
  let noticed = (): void => {
    changedWhileLoading = true
  }
  for (const repository of repositories) repository.watch(() => { noticed() })

  let loaded: Loaded
  try {
    loaded = await load(repositories, config, services)
  } catch (error) {
    for (const repository of repositories) repository.close()
    throw error
  }

  let closed = false
  let status: RulesStatus = { loadedAt: Date.now() }
  tell(loaded, log)

  const refresh = oneAtATime(async () => {
    try {
      const files = await readAll(repositories)
      const digest = digestOf(files)
      // eslint-disable-next-line no-restricted-syntax -- of rule files, which are no secret
      if (digest === loaded.digest) {
        if (status.error !== undefined) log.info({}, 'access rules are as they were loaded again')
        status = { loadedAt: status.loadedAt }
        return
      }
      loaded = compile(files, digest, config, services)
      status = { loadedAt: Date.now() }
      tell(loaded, log)
      onReload('loaded')
    } catch (error) {
      if (closed) return
      const { message } = error as Error
      if (message !== status.error) log.error({ reason: message }, 'access rules can not be loaded, the last good ones stay')
      status = { loadedAt: status.loadedAt, error: message }
      onReload('refused')
    }
  })

  noticed = refresh
  if (changedWhileLoading) refresh()
  const poll = setInterval(refresh, Math.max(1000, durationMs(config.access_rules.poll_interval)))
  poll.unref()

  return {
    current: () => loaded.rules,
    status: () => status,
    close() {
      closed = true
      clearInterval(poll)
      for (const repository of repositories) repository.close()
    },
  }
}

/** The rules as they are now, once. Rejects as `watchRules` does. */
export async function loadRules(config: AccessConfig, baseDir: string, services: Services): Promise<RuleSet> {
  const repositories = openRepositories(config, baseDir)
  try {
    return (await load(repositories, config, services)).rules
  } finally {
    for (const repository of repositories) repository.close()
  }
}

/** A rule set, and what tells it from others. */
interface Loaded {
  readonly rules: RuleSet
  readonly digest: string
}

function openRepositories(config: AccessConfig, baseDir: string): Repository[] {
  const { repositories, max_bytes: maxBytes } = config.access_rules
  return repositories.map(url => openRepository(url, baseDir, maxBytes))
}

function openRepository(url: string, baseDir: string, maxBytes: number): Repository {
  if (/^https?:\/\//i.test(url)) return httpRepository(url, maxBytes)
  if (url.startsWith('inline://')) return inlineRepository(url, maxBytes)

  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]
  if (scheme !== undefined && scheme.toLowerCase() !== 'file') {
    throw new Error(`access_rules.repositories: the scheme of ${scheme}:// is not supported; it can be file, inline, http or https`)
  }
  return fileRepository(url, baseDir, maxBytes)
}

async function load(repositories: readonly Repository[], config: AccessConfig, services: Services): Promise<Loaded> {
  const files = await readAll(repositories)
  return compile(files, digestOf(files), config, services)
}

async function readAll(repositories: readonly Repository[]): Promise<RuleFile[]> {
  const read = await Promise.all(repositories.map(repository => repository.read()))
  return read.flat()
}

function compile(files: readonly RuleFile[], digest: string, config: AccessConfig, services: Services): Loaded {
  return { rules: compileRules(files, config, services), digest }
}

function digestOf(files: readonly RuleFile[]): string {
  const hash = createHash('sha256')
  for (const { name, text } of files) hash.update(JSON.stringify([name, text]))
  return hash.digest('base64url')
}

function tell({ rules }: Loaded, log: RuleLog): void {
  log.info({ rules: rules.count }, 'access rules loaded')
  for (const warning of rules.warnings) log.warn({ warning }, 'access rule warning')
}

/** Calls while it runs make it run once more afterwards. `work` never rejects. */
function oneAtATime(work: () => Promise<void>): () => void {
  let running = false
  let again = false
  const run = async (): Promise<void> => {
    running = true
    do {
      again = false
      await work()
    } while (again)
    running = false
  }
  return () => {
    if (running) again = true
    else void run()
  }
}

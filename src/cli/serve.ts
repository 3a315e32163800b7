/** `oathgate serve`: runs the gateway until it is told to stop, in this process or in workers. */
import { availableParallelism, constants } from 'node:os'

import { handlerSchemas } from '../access/handlers.js'
import { ConfigError } from '../config/config-error.js'
import { loadConfig, type LoadedConfig } from '../config/load.js'
import type { Config } from '../config/schema.js'
import { createLog, type Log } from '../log.js'
import { checkRuntime } from '../runtime.js'
import { checkJobs, jobWarnings } from '../selfservice/jobs/compile.js'
import { readProviders } from '../selfservice/strategies/oidc/settings.js'
import { startGateway } from '../start.js'
import { version } from '../version.js'
import { startWorkers, type Workers } from '../workers/primary.js'
import { leave, shareMeasures, untilTold, workerId } from '../workers/worker.js'
import { followConfig, type FollowedConfig } from './follow-config.js'
import { configFiles, configOptions, meantForConfig, noMore, readOptions } from './options.js'

/** Resolves when the gateway has stopped. SIGTERM and SIGINT stop it; a second one does so at once. */
export async function serve(args: readonly string[]): Promise<number> {
  const { values, positionals } = readOptions(args, configOptions)
  noMore(positionals, meantForConfig)
  const load = () => loadChecked(configFiles(values.config))
  const loaded = await load()
  const { level, format } = loaded.config.log
  const log = createLog(level, format)
  const workers = workerCount(loaded.config)
  if (workerId !== undefined) return serveAsWorker(workerId, loaded, load, workers, log.child({ worker: workerId }))

  for (const warning of [...loaded.warnings, ...checkRuntime(process.versions.node, process.env)]) log.warn(warning)

  const startingIsOver = endOnSignal()
  const gateway = workers === 1 ? await startGateway(loaded, log) : await startWorkers(workers, log)
  log.info({
    version, workers: workers === 1 ? undefined : workers, public: `${loaded.config.serve.public.host}:${gateway.publicPort}`, admin: `${loaded.config.serve.admin.host}:${gateway.adminPort}`,
  }, 'oathgate is ready')
  const followed = followConfig(loaded, load, log)
  const told = untilSignal(gateway, followed, log)
  startingIsOver()
  await told
  followed.close()
  return 0
}

/** One of several, started by the process that was asked to serve. */
async function serveAsWorker(
  id: number, loaded: LoadedConfig, load: () => Promise<LoadedConfig>, workers: number, log: Log,
): Promise<number> {
  const hurry = new AbortController()
  try {
    const gateway = await startGateway(withShareOfCores(loaded, workers), log, { id, share: shareMeasures })
    const followed = followConfig(loaded, load, log, { told: false })
    process.on('SIGHUP', followed.reload)
    await untilTold(gateway, hurry)
    followed.close()
    await gateway.stop(hurry.signal)
    return 0
  } finally {
    leave()
  }
}

/** The embedded store serves one process, whatever the cores. */
function workerCount({ serve: { workers }, dsn }: Config): number {
  if (typeof workers === 'number') return workers
  return dsn.startsWith('redis') ? availableParallelism() : 1
}

/** What is computed from the number of cores is computed from this worker's part of them. */
function withShareOfCores(loaded: LoadedConfig, workers: number): LoadedConfig {
  const { hashers } = loaded.config
  const concurrency = hashers.argon2.concurrency || Math.max(1, Math.floor((availableParallelism() - 1) / workers))
  return { ...loaded, config: { ...loaded.config, hashers: { ...hashers, argon2: { ...hashers.argon2, concurrency } } } }
}

/** The configuration, with the settings of jobs and providers checked too. */
export async function loadChecked(files: readonly string[]): Promise<LoadedConfig> {
  const loaded = await loadConfig(files, process.env, { handlerSchemas: handlerSchemas() })
  const { problems: providerProblems } = await readProviders(loaded.config, loaded.baseDir)
  const problems = [...checkJobs(loaded.config), ...providerProblems]
  if (problems.length > 0) {
    throw new ConfigError(problems.map(({ path, message }) => ({ ...loaded.placeOf(path), message })))
  }
  return { ...loaded, warnings: [...loaded.warnings, ...jobWarnings(loaded.config)] }
}

/** Until there is something to stop in good order a signal ends the process; as process 1 of a container it would not even hear of it. */
function endOnSignal(): () => void {
  const end = (signal: NodeJS.Signals): never => process.exit(128 + constants.signals[signal])
  process.on('SIGTERM', end).on('SIGINT', end)
  return () => { process.off('SIGTERM', end).off('SIGINT', end) }
}

/** SIGHUP reads the configuration again; on a terminal it is the terminal's last word. */
async function untilSignal(gateway: Pick<Workers, 'stop'> & Partial<Pick<Workers, 'reload'>>, followed: FollowedConfig, log: Log): Promise<void> {
  const hurry = new AbortController()
  await new Promise<void>(resolve => {
    let asked = false
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) {
        hurry.abort()
        return
      }
      asked = true
      log.info({ signal }, 'stopping')
      resolve()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
    process.on('SIGHUP', signal => {
      if (process.stdout.isTTY) {
        onSignal(signal)
        return
      }
      followed.reload()
      gateway.reload?.()
    })
  })
  await gateway.stop(hurry.signal)
}

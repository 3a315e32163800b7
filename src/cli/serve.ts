/** `oathgate serve`: runs the gateway until it is told to stop. */
import { handlerSchemas } from '../access/handlers.js'
import { ConfigError } from '../config/config-error.js'
import { loadConfig, type LoadedConfig } from '../config/load.js'
import { createLog, type Log } from '../log.js'
import { checkRuntime } from '../runtime.js'
import { checkJobs } from '../selfservice/jobs/compile.js'
import { readProviders } from '../selfservice/strategies/oidc/settings.js'
import { startGateway, type RunningGateway } from '../start.js'
import { version } from '../version.js'
import { configFiles, configOptions, readOptions } from './options.js'

/** Resolves when the gateway has stopped. SIGTERM and SIGINT stop it; a second one does so at once. */
export async function serve(args: readonly string[]): Promise<number> {
  const { values } = readOptions(args, configOptions)
  const loaded = await loadChecked(configFiles(values.config))
  const { level, format } = loaded.config.log
  const log = createLog(level, format)
  for (const warning of [...loaded.warnings, ...checkRuntime(process.versions.node, process.env)]) log.warn(warning)

  const gateway = await startGateway(loaded, log)
  log.info({
    version, public: `${loaded.config.serve.public.host}:${gateway.publicPort}`, admin: `${loaded.config.serve.admin.host}:${gateway.adminPort}`,
  }, 'oathgate is ready')
  await stopOnSignal(gateway, log)
  return 0
}

/** The configuration, with the settings of jobs and providers checked too. */
export async function loadChecked(files: readonly string[]): Promise<LoadedConfig> {
  const loaded = await loadConfig(files, process.env, { handlerSchemas: handlerSchemas() })
  const { problems: providerProblems } = await readProviders(loaded.config, loaded.baseDir)
  const problems = [...checkJobs(loaded.config), ...providerProblems]
  if (problems.length > 0) {
    throw new ConfigError(problems.map(({ path, message }) => ({ ...loaded.placeOf(path), message })))
  }
  return loaded
}

async function stopOnSignal(gateway: RunningGateway, log: Log): Promise<void> {
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
  })
  await gateway.stop(hurry.signal)
}

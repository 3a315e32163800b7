/** Configuration that is changed while the gateway runs: the log level takes effect, of everything else it is said that it waits for a restart. */
import { changedKeys } from '../config/changed-keys.js'
import { ConfigError } from '../config/config-error.js'
import type { LoadedConfig } from '../config/load.js'
import { watchPath } from '../config/watch-path.js'
import { setLevel, type Log } from '../log.js'

export interface FollowedConfig {
  /** Reads the files again, whether or not they are known to have changed. */
  reload(): void
  close(): void
}

/**
 * Watches the files that were loaded. What they hold now is read with `load`; when that rejects, nothing changes and the log says
 * where the mistake is. `told: false` is for processes beside one that says all of this already.
 */
export function followConfig({ config, files }: LoadedConfig, load: () => Promise<LoadedConfig>, log: Log, { told = true } = {}): FollowedConfig {
  let level: string = config.log.level
  let lastSaid = ''
  let turn = Promise.resolve()
  const reload = (): void => { turn = turn.then(follow) }
  const watches = files.map(file => watchPath(file, reload))

  async function follow(): Promise<void> {
    for (const watch of watches) await watch.renew()
    try {
      const next = (await load()).config
      if (!log.isLevelEnabled('warn')) changeLevel(next.log.level) // else the warning below would be lost
      const waiting = changedKeys({ ...config, log: { ...config.log, level: next.log.level } }, next)
      say(waiting.join(', '), keys => { log.warn({ keys }, 'the configuration has changed, but these keys need a restart') })
      changeLevel(next.log.level)
    } catch (error) {
      const reason = error instanceof ConfigError ? error.message : String(error)
      say(reason, () => { log.error({ reason }, 'the configuration can not be loaded, nothing changes') })
    }
  }

  function changeLevel(to: string): void {
    if (to === level) return
    level = to
    setLevel(log, level)
    if (told) log.info({ log_level: level }, 'log level changed')
  }

  /** Once, however often the files are read again. */
  function say(what: string, write: (what: string) => void): void {
    if (what === lastSaid || !told) return
    if (what === '') log.info('the configuration is the one that is in force')
    else write(what)
    lastSaid = what
  }

  reload() // the files may have changed since they were loaded
  return {
    reload,
    close() {
      for (const watch of watches) watch.close()
    },
  }
}

/** Tells when a file, or a file in a folder, may have changed; also when links that lead to it are swapped (security X13). */
import { type FSWatcher, watch } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Long enough for an editor, or for a mount that swaps links, to be done. */
const quietMs = 100
/** In a folder that is never quiet, changes are looked for after this time. */
const patienceMs = 1000

export interface PathWatch {
  /** Looks anew at where the path leads. To be called before each reading: what changes meanwhile is noticed. */
  renew(): Promise<void>
  close(): void
}

/** Watches nothing before the first `renew`. Does not keep the process alive. */
export function watchPath(path: string, changed: () => void): PathWatch {
  let watchers: FSWatcher[] = []
  let timer: NodeJS.Timeout | undefined
  let since: number | undefined
  let closed = false

  function noticed(): void {
    since ??= performance.now()
    clearTimeout(timer)
    timer = setTimeout(() => {
      since = undefined
      changed()
    }, Math.min(quietMs, Math.max(0, since + patienceMs - performance.now())))
    timer.unref()
  }

  return {
    async renew() {
      const folders = await foldersOf(path)
      for (const watcher of watchers) watcher.close()
      watchers = closed ? [] : folders.flatMap(folder => watchFolder(folder, noticed))
    },
    close() {
      closed = true
      clearTimeout(timer)
      for (const watcher of watchers) watcher.close()
    },
  }
}

/** The folders in which a change of the file would show: its own, and that of the file it links to. */
async function foldersOf(path: string): Promise<string[]> {
  const folders = new Set([dirname(path)])
  try {
    const real = await realpath(path)
    folders.add(dirname(real))
    if ((await stat(real)).isDirectory()) folders.add(real)
  } catch {
    // gone for now; its folder tells when it is back
  }
  return [...folders]
}

/** Empty when the system can't watch it: then somebody has to ask. */
function watchFolder(folder: string, noticed: () => void): FSWatcher[] {
  try {
    const watcher = watch(folder, { persistent: false }, noticed)
    watcher.on('error', () => { watcher.close() })
    return [watcher]
  } catch {
    return []
  }
}

/** The wall clock of a process, set while it runs as somebody might set that of its machine; timers go on as before. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Test } from 'tap'

export interface Clock {
  /** For the environment of the process. */
  readonly env: Readonly<Record<string, string>>
  /** Sets the clock so many seconds ahead of the true time, or behind it; what the process asks from then on gets that. */
  set(seconds: number): void
}

/** What `faketime` loads into the programs that it starts; empty where it is not installed. */
const library = spawnSync('faketime', ['-f', '+0', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' }).stdout?.trim() ?? ''

/** Why such tests can't run here, for their `skip` option; false when they can. In CI its absence is a failure. */
export const clockSkip: string | false = library !== '' || process.env['CI'] !== undefined ? false : 'faketime is not installed'

/** A clock for one process, so many seconds ahead of the true time. */
export function newClock(t: Test, seconds = 0): Clock {
  if (library === '') throw new Error('faketime is not installed')
  const directory = mkdtempSync(join(tmpdir(), 'oathgate-clock-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'clock')

  function set(ahead: number): void {
    // In one step: the process reads the file each time it looks at its clock.
    writeFileSync(`${file}.next`, `${ahead < 0 ? '' : '+'}${ahead}`)
    renameSync(`${file}.next`, file)
  }

  set(seconds)
  return {
    env: { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', NO_FAKE_STAT: '1' },
    set,
  }
}

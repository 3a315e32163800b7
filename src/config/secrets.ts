/** The secrets that sign cookies: configured, or made once and kept beside the embedded store (security K1). */
import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'

import { ConfigError } from './config-error.js'
import type { Config } from './schema.js'

/**
 * The first signs, all verify. Without configured ones, the one in `session-secret` in the folder of the embedded store,
 * made there (mode 0600) at the first start; of concurrent starts all get the same. `dataDir` is absent for Redis, where
 * secrets must be configured: rejects with `ConfigError`. In production the loader has refused to go on without.
 */
export async function sessionSecrets(config: Config, dataDir: string | undefined): Promise<readonly string[]> {
  if (config.secrets.session.length > 0) return config.secrets.session
  if (dataDir === undefined) {
    const message = 'is required with Redis, so that all processes sign cookies alike; `openssl rand -base64 48` makes one'
    throw new ConfigError([{ path: 'secrets.session', message }])
  }

  const file = join(dataDir, 'session-secret')
  const secret = await read(file) ?? await make(file, dataDir)
  if (secret.length >= 32) return [secret]
  const message = 'holds no secret of at least 32 characters; delete it and a new one is made, which ends all sessions'
  throw new ConfigError([{ file, path: '', message }])
}

async function read(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw thrown
  }
}

/** Written aside and linked into place, so the file is there whole or not at all, and the first of two starts wins. */
async function make(file: string, folder: string): Promise<string> {
  const aside = `${file}.${process.pid}.${randomBytes(6).toString('hex')}`
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    const handle = await open(aside, 'wx', 0o600)
    try {
      await handle.writeFile(`${randomBytes(48).toString('base64url')}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(aside, file).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code !== 'EEXIST') throw thrown
    })
  } finally {
    await unlink(aside).catch(() => undefined)
  }
  return await read(file) ?? ''
}

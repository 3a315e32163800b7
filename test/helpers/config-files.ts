/** Configuration files for tests that load them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { ConfigError } from '../../src/config/config-error.js'
import { loadConfig, type LoadedConfig, type LoadOptions } from '../../src/config/load.js'

/** What every configuration needs, and nothing else. */
export const minimalYaml = `urls:
  self: { public: "https://example.org/.ory/kratos/public" }
  registration_ui: https://example.org/auth/registration
  login_ui: https://example.org/auth/login
  error_ui: https://example.org/error
  default_return_to: https://example.org/
identity: { traits: { default_schema_url: "file://identity.schema.json" } }
selfservice:
  logout: { redirect_to: "https://example.org/auth/login" }
`

interface Test { teardown: (fn: () => void) => void }

/** Loads the texts as files laid over each other, `0.yml` first; the first one goes behind the minimum unless it is there. */
export async function load(t: Test, texts: string | readonly string[], env: NodeJS.ProcessEnv = {}, options: LoadOptions = {}): Promise<LoadedConfig> {
  const [first = '', ...others] = typeof texts === 'string' ? [texts] : texts
  const contents = [first.includes('urls:\n') ? first : minimalYaml + first, ...others]
  const folder = mkdtempSync(join(tmpdir(), 'oathgate-config-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const files = contents.map((content, index) => {
    writeFileSync(join(folder, `${index}.yml`), content)
    return join(folder, `${index}.yml`)
  })
  return loadConfig(files, env, { execArgv: [], ...options })
}

/** The lines of the error that loading ends in, without the folder's name. */
export async function complaints(...args: Parameters<typeof load>): Promise<string[]> {
  try {
    await load(...args)
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.message.split('\n').map(line => line.replace(/^\S*\/(?=[0-9]\.yml)/, ''))
    throw thrown
  }
  return []
}

/** Golden files: a configuration, a line of dashes, and all that the loader says about it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'

import { ConfigError } from '../../src/config/config-error.js'
import { loadConfig } from '../../src/config/load.js'

const folder = new URL('errors/', import.meta.url)

for (const name of readdirSync(folder)) {
  t.test(`errors/${name} reports every mistake with its place`, async t => {
    const [yaml = '', expected = ''] = readFileSync(new URL(name, folder), 'utf8').split('----------\n')
    const file = join(t.testdir({ 'oathgate.yml': yaml }), 'oathgate.yml')

    const error: unknown = await loadConfig([file], {}, { execArgv: [] }).catch((thrown: unknown) => thrown)
    if (!(error instanceof ConfigError)) throw error
    t.equal(`${error.message.replaceAll(file, 'oathgate.yml')}\n`, expected)
  })
}

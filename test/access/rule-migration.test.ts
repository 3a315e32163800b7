/** F-7: rules that were written for older versions of Oathkeeper. */
import t from 'tap'

import { migrateRule } from '../../src/access/rule-migration.js'
import { ruleSet } from './requests.js'

t.test('F-7 the version becomes that of the format, without build metadata', async t => {
  const rows: [rule: { version?: string }, running: string, version: string | undefined][] = [
    [{}, 'v0.40.0', 'v0.40.0'],
    [{ version: 'v0.19.0-beta.1+oryOS.12' }, 'v0.40.0+build', 'v0.40.0'],
    [{ version: '0.19.0-beta.1' }, '0.19.0-beta.1', 'v0.19.0-beta.1'],
    [{ version: 'v99.0.0' }, 'v0.40.0', 'v0.40.0'],
    [{ version: 'master' }, 'v0.40.0', 'master'],
  ]
  for (const [rule, running, version] of rows) t.equal(migrateRule(rule, running)?.['version'], version, JSON.stringify(rule))
})

t.test('R-7 what is no version is refused', async t => {
  for (const version of ['42', '1.2', 'v1.2.3.4', '']) t.equal(migrateRule({ version }), undefined, version)
  t.equal(migrateRule({ version: 42 }), undefined)
  t.throws(() => ruleSet('[{"id":"123","version":"42"}]'), /version must be a version/)
})

t.test('F-7 hydrator retries become durations up to 0.32.0-beta.1', async t => {
  const hydrator = (retry: object): object => ({ mutators: [{ handler: 'noop' }, { handler: 'hydrator', config: { api: { url: 'http://x' }, retry } }] })
  const retryOf = (version: string, retry: object): unknown => {
    const migrated = migrateRule({ version, ...hydrator(retry) }) as { mutators: { config: { retry: unknown } }[] }
    return migrated.mutators[1]?.config.retry
  }
  const old = { delay_in_milliseconds: 500, number_of_retries: 5 }
  for (const version of ['v0.19.0', '0.32.0-alpha.7', 'v0.32.0-beta.1']) t.same(retryOf(version, old), { max_delay: '500ms', give_up_after: '2500ms' }, version)
  t.same(retryOf('v0.19.0', { number_of_retries: 3 }), { max_delay: '100ms', give_up_after: '300ms' })
  for (const version of ['v0.32.0-beta.2', 'v0.32.0', 'v0.40.0']) t.same(retryOf(version, old), old, version)
})

t.test('F-7 keto captures become templates up to 0.37.0', async t => {
  const authorizer = { handler: 'keto_engine_acp_ory', config: { required_action: 'my:action:$1', required_resource: 'my:resource:$2:foo:$1', flavor: 'exact' } }
  const configOf = (version: string): unknown => (migrateRule({ version, authorizer }) as { authorizer: { config: unknown } }).authorizer.config
  const template = (number: number): string => `{{ printIndex .MatchContext.RegexpCaptureGroups (sub ${number} 1 | int)}}`
  t.same(configOf('v0.37.0'), { required_action: `my:action:${template(1)}`, required_resource: `my:resource:${template(2)}:foo:${template(1)}`, flavor: 'exact' })
  t.same(configOf('v0.37.1'), authorizer.config)
  t.equal(authorizer.config.required_action, 'my:action:$1', 'nothing is changed in place')
})

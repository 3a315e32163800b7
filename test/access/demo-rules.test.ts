/** The rules that ship: what the demo promises about them. */
import { readFileSync } from 'node:fs'
import t from 'tap'

import { decide } from '../../src/access/decide.js'
import type { GatewayError } from '../../src/errors.js'
import { accessRequest, ruleSet } from './requests.js'

const rules = ruleSet(readFileSync(new URL('../../rules/demo.yml', import.meta.url), 'utf8'))

/** The rule and what it tells the upstream, or the answer. */
async function visit(path: string, headers: Record<string, string> = {}): Promise<unknown> {
  try {
    const { rule, session } = await decide(accessRequest('GET', `http://127.0.0.1:4455${path}`, { headers }), rules)
    return [rule.id, session.header]
  } catch (error) {
    const { status, headers: { location } } = (error as GatewayError).answer?.() ?? { status: 0, headers: {} as Record<string, string> }
    return location === undefined ? status : [status, location]
  }
}

const cookie = 'ory_kratos_session=alice'
const nobody = { 'x-user-id': '', 'x-user-email': '' }
const alice = { 'x-user-id': 'identity-1', 'x-user-email': 'alice@example.org' }

t.test('pages to sign up and log in on are open', async t => {
  for (const path of ['/auth/registration', '/auth/login', '/spa/login', '/assets/style.css', '/error']) t.same(await visit(path), ['demo:pages', {}], path)
  t.equal(await visit('/auth/other'), 404)
})

t.test('the home page knows who is logged in, and lets everybody in', async t => {
  t.same(await visit('/'), ['demo:home', nobody])
  t.same(await visit('/', { cookie }), ['demo:home', alice])
  t.same(await visit('/', { cookie: 'ory_kratos_session=ended' }), ['demo:home', nobody])
})

t.test('the dashboard sends browsers to log in, and programs away', async t => {
  const login = 'http://127.0.0.1:4455/.ory/kratos/public/auth/browser/login?return_to=http%3A%2F%2F127.0.0.1%3A4455%2Fdashboard%2Freports%3Fa%3D1'
  t.same(await visit('/dashboard/reports?a=1', { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }), [302, login])
  t.equal(await visit('/dashboard', { accept: 'application/json' }), 401)
  t.same(await visit('/dashboard', { cookie }), ['demo:dashboard', alice])
  t.equal(await visit('/dashboards', { cookie }), 404)
})

t.test('the API is told who it is, or that it is nobody', async t => {
  t.same(await visit('/api/me'), ['demo:api', { ...nobody, 'x-user-id': 'anonymous' }])
  t.same(await visit('/api/me', { cookie }), ['demo:api', alice])
})

t.test('no two rules overlap', t => {
  t.same(rules.warnings, [])
  t.end()
})
